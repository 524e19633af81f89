"""README.md of a model on the Hugging Face Hub: the front matter that its site reads, and a card if it has none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from drsn_audio.errors import InputError
from drsn_audio.reports.table import markdown

# By a model's head: the Hub's name for the task, a tag, what the model does, and its command.
TASKS = {
    "keyword": ("audio-classification", "keyword-spotting", "Names the words in noisy sound", "classify"),
    "ctc": ("automatic-speech-recognition", "speech-recognition", "Writes what is said in noisy sound", "transcribe"),
    "denoise": ("audio-to-audio", "speech-enhancement", "Takes the noise out of speech", "denoise"),
    "joint": (
        "audio-classification",
        "keyword-spotting",
        "Names the words in noisy sound (an experiment with two heads)",
        "classify",
    ),
}
CALLS = {
    "classify": 'print(model.classify("sound.wav"))',
    "transcribe": 'print(model.transcribe("sound.wav").text)',
    "denoise": 'clean = model.denoise("sound.wav")',
}


class CardError(InputError):
    """A model card or licence that cannot be published. The message is one line."""


def hub_card(repo: str, described: Mapping[str, Any], text: str | None, license: str | None) -> str:
    """README.md of `repo` ("owner/name"), for a model whose checkpoint says `described`.

    `text` is a card, with or without front matter, whose fields go before ours; where it is None or front matter alone,
    a short card says what the checkpoint does, and no more.

    Raises:
        CardError: no licence is known, or two; front matter that is none.
        ModuleNotFoundError: no huggingface_hub.
    """
    from huggingface_hub import ModelCard, ModelCardData

    text = None if text is None else text.removeprefix("\ufeff")
    if text is not None and not text.strip():
        raise CardError("the model card is empty: write one, or leave it out and a short one is made")
    try:
        given = ModelCard(text if text and text.lstrip().startswith("---") else f"---\n\n---\n{text or ''}")
        fields = given.data.to_dict()
    except Exception as error:  # yaml's own, and ValueError
        reason = " ".join(str(error).split())[:160]
        raise CardError(f"the front matter of the model card is no YAML that the Hub reads ({reason})") from None
    known = _licence({"checkpoint": described.get("licence"), "card": fields.get("license"), "--license": license})
    pipeline, tag, *_ = TASKS[described["model"]["head"]]
    ours = {"license": known, "library_name": "drsn_audio", "pipeline_tag": pipeline}
    tags = fields.get("tags") or []
    fields["tags"] = [*dict.fromkeys([*([tags] if isinstance(tags, str) else tags), "audio", "speech", tag])]
    front = ModelCardData(**{**ours, **fields, "license": known}).to_yaml()
    return f"---\n{front}\n---\n\n{given.text.strip() or generated_card(repo, described).strip()}\n"


def _licence(said: Mapping[str, str | None]) -> str:
    """The Hub's name of the licence that all agree on who name one: "CC BY-SA 4.0" -> "cc-by-sa-4.0"."""
    ids = {who: re.sub(r"\s+", "-", str(name).strip().lower()) for who, name in said.items() if name}
    if not ids:
        raise CardError(
            "the licence of the weights is not known: give --license ID, one that its training data allow "
            "(e.g. mit, apache-2.0, cc-by-4.0, other; huggingface.co/docs/hub/repositories-licenses)"
        )
    if len(set(ids.values())) > 1:
        told = ", ".join(f"{who}: {name}" for who, name in ids.items())
        raise CardError(f"the licence of the weights is told in different ways ({told}): make them one")
    (found,) = set(ids.values())
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", found):
        raise CardError(f"{found!r} is no licence of the Hub: see huggingface.co/docs/hub/repositories-licenses")
    return found


def generated_card(repo: str, described: Mapping[str, Any]) -> str:
    """What a checkpoint's JSON says, as markdown. What it does not say is left out."""
    model = described["model"]
    *_, what, command = TASKS[model["head"]]
    causal = str(model.get("pool", "clip")).startswith("causal")
    live = f"    drsn-audio stream mic{' --denoise' if command == 'denoise' else ''} --model {repo}\n" if causal else ""
    labels = f": {', '.join(map(_code, described['labels']))}" if described["labels"] else ""
    out = " -o clean.wav" if command == "denoise" else ""
    sections = [
        f"# {repo.partition('/')[2]}",
        f"{what}{labels}.",
        "## Use",
        f"    pip install 'drsn-audio[hub]'\n    drsn-audio {command} sound.wav{out} --model {repo}\n{live}".rstrip(),
        f'```python\nimport drsn_audio\n\nmodel = drsn_audio.load("{repo}")\n{CALLS[command]}\n```',
        "## The model",
        markdown(["", ""], _facts(described), 2),
    ]
    metrics = {key: value for key, value in (described.get("metrics") or {}).items() if key != "epoch"}
    if metrics:
        rows = [
            [_code(key), f"{value:.4g}" if isinstance(value, float) else str(value)] for key, value in metrics.items()
        ]
        sections += [
            "## Figures of the training run",
            "On its development data, with these weights, which may have been chosen by them: they are no test.",
            markdown(["", ""], rows),
        ]
    data = _data(described)
    if data:
        sections += ["## Data", data]
    return "\n\n".join([*sections, "Written by `drsn-audio push` from what the checkpoint says of itself."]) + "\n"


def _facts(described: Mapping[str, Any]) -> list[list[str]]:
    """Rows of names and values, of what is there."""
    model = described["model"]
    clip_s, rate = model.get("clip_s"), model["frontend"]["sample_rate"]
    rows = [
        ["network", f"{model['encoder']}, thresholds {model['shrinkage']}, preset {model['preset']}"],
        ["front-end", f"{model['frontend']['name']}, {rate:,} Hz, mono"],
        ["averages over", model["pool"]],
    ]
    if "parameters" in described:
        rows.append(["parameters", f"{described['parameters']:,}"])
    if "multiply_adds" in described:
        rows.append([f"multiply-adds, {clip_s:g} s of sound", f"{described['multiply_adds']:,}"])
    calibration = described.get("calibration") or {}
    rows += [
        [f"calibrated {key}", f"{calibration[key]:.3f}"]
        for key in ("temperature", "reject_below")
        if key in calibration
    ]
    if described.get("init"):
        rows.append(["started from", _code(described["init"])])
    rows += [[name, _code(described[key])] for name, key in ORIGIN if described.get(key) not in (None, "")]
    return rows


ORIGIN = [
    ("trained by", "command"),
    ("commit", "commit"),
    ("date", "date"),
    ("seed", "seed"),
    ("step", "step"),
    ("SHA-256 of the weights", "sha256"),
]


def _data(described: Mapping[str, Any]) -> str:
    corpora: Sequence[Mapping[str, Any]] = described.get("training_data") or ()
    if corpora:
        rows = [[one["name"], one["terms"], one["credit"]] for one in corpora]
        return markdown(["corpus", "terms", "credit"], rows, 3)
    data = described.get("data") or {}
    rows = [
        [part, ", ".join(_code(_manifest(one)) for one in data[key])]
        for part, key in (("speech", "train"), ("noise", "noise_train"), ("development speech", "dev"))
        if data.get(key)
    ]
    return f"Manifests of its training:\n\n{markdown(['', ''], rows, 2)}" if rows else ""


def _manifest(one: Any) -> str:
    return str(one["manifest"] if isinstance(one, Mapping) else one)


def _code(value: Any) -> str:
    return f"`{' '.join(str(value).split()).replace('`', chr(39))}`"
