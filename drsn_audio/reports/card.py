"""The card of a shipped model: what it is, how well it works, where it fails. Every number is of a run.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drsn_audio.metrics.keyword import recall
from drsn_audio.reports.run import CLEAN, MEAN, Run, describe
from drsn_audio.reports.table import comparison_table, markdown, percent

WORST = 3  # of everything that is listed


def model_card(
    name: str,
    described: Mapping[str, Any],
    size_bytes: int,
    facts: Mapping[str, Any],
    peers: Sequence[Mapping[str, Any]] = (),
    parts: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Markdown of a model that ships with its JSON `described` and `size_bytes` of files.

    `facts` is the run.json of its test, `peers` those of other recognisers on the same trials, `parts` those of it on
    a part of the noise, each with its title.

    Raises:
        InputError: a run.json that cannot be used, or runs whose SNRs were set by different level methods.
    """
    keywords = [label for label in described["labels"] if label not in ("unknown", "silence")]
    runs = [dict(run) for run in (facts, *peers)]
    sections = [
        f"# {name}",
        _what(described, keywords, size_bytes),
        _use(name),
        "## Results",
        comparison_table(runs),
        *map(_peer, peers),
        "### The words alone",
        "Only clips that hold one of the words, each answered with the likeliest word: nothing has to be rejected.",
        comparison_table([run | {"conditions": run["keywords_alone"]} for run in runs]),
    ]
    for title, part in (parts or {}).items():
        sections += [f"### {title}", comparison_table([part])]
    sections += [
        "## Bad at",
        _bad_at(described, facts),
        "## Rejection",
        _rejection(described, facts),
        "## Not tested",
        NOT_TESTED,
    ]
    return "\n\n".join([*sections, "## Data and licences", data_and_licences(described)]) + "\n"


PEERS = {
    "pocketsphinx": (
        "the US English model of its wheel; each clip is one utterance, and the grammar is one word out of the same "
        'words, out of the other words of the training speech ("unknown"), or a pause ("silence"). Weights of these '
        "and settings are those of several that did best on development speakers and noise. It is a recogniser of "
        "any English speech and never heard this noise."
    )
}

NOT_TESTED = """\
- Children, accents other than those of Speech Commands' speakers, whispered or shouted words.
- Far-field speech, rooms, real mixes: here noise is added to close recordings.
- Wind in the microphone, loudspeaker echo, several speakers at once.
- Continuous speech is not in these tables. Once a minute or so of it is taken for one of the words (counted in
  recipes/LOG.md): raise `--reject-below` there, and let no alarm hang on it alone.
- Sound that was recorded at less than 16 kHz; files of other rates are resampled to it."""


def _what(described: Mapping[str, Any], keywords: Sequence[str], size_bytes: int) -> str:
    model = described["model"]
    rows = [
        ["labels", ", ".join(described["labels"])],
        ["input", f"{model['clip_s']:g} s at {model['frontend']['sample_rate']:,} Hz, mono; longer sound in windows"],
        ["network", network(described)],
        ["parameters", f"{described['parameters']:,}"],
        ["multiply-adds a clip", f"{described['multiply_adds']:,}"],
        *origin(described, size_bytes),
    ]
    return (
        f"Which of {len(keywords)} words ({', '.join(keywords)}) does a second of noisy sound hold, if any?\n\n"
        f"{markdown(['', ''], rows, 2)}"
    )


def network(described: Mapping[str, Any]) -> str:
    model = described["model"]
    return f"deep residual shrinkage network, thresholds {model['shrinkage']}, preset {model['preset']}"


def origin(described: Mapping[str, Any], size_bytes: int) -> list[list[str]]:
    """Rows of what a card says of files, licence and training."""
    return [
        ["files", f"{size_bytes:,} bytes, weights in half precision"],
        ["licence of the weights", described["licence"]],
        *(["first trained by", f"`{one['command']}`"] for one in described.get("started_from", ())),
        ["trained by", f"`{described['command']}`"],
        ["commit, seed, step", f"{described['commit']}, {described['seed']}, {described['step']}"],
        ["SHA-256 of the weights", f"`{described['sha256']}`"],
    ]


def _use(name: str) -> str:
    return f"""\
## Use

    drsn-audio classify sound.wav --model {name}

```python
import drsn_audio

model = drsn_audio.load("{name}")
print(model.classify("sound.wav"))
```"""


def _bad_at(described: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    run = Run(facts)
    snr_db = min((snr for snr in run.snrs_db if snr >= 0), default=max(run.snrs_db, default=None))
    kinds = [kind for kind in run.noise_kinds if kind not in (CLEAN, MEAN)] or [CLEAN]
    confusion = np.sum([run.confusion(kind, snr_db) for kind in kinds], axis=0)
    where = describe(" and ".join(kinds), snr_db)
    found = recall(confusion)
    order = [k for k in np.argsort(found) if not np.isnan(found[k])][:WORST]
    lines = [f"- Labels, {where}: " + ", ".join(f"{run.labels[k]} ({percent(found[k])} % found)" for k in order) + "."]
    wrong = confusion - np.diag(np.diag(confusion))
    pairs = zip(*np.unravel_index(np.argsort(-wrong, axis=None, kind="stable")[:WORST], wrong.shape), strict=True)
    told = [
        f"{run.labels[k]} taken for {run.labels[j]} ({wrong[k, j]} of {confusion[k].sum()})"
        for k, j in pairs
        if wrong[k, j]
    ]
    lines.append(f"- Confusions, {where}: " + ", ".join(told) + ".")
    classes = sorted((one for one in facts["noise_classes"] if one["snr_db"] == snr_db), key=lambda c: c["accuracy"])
    if classes:
        told = [
            f"{one['noise_class']} ({percent(one['accuracy'])} %, {one['noise_recordings']} recordings)"
            for one in classes[:WORST]
        ]
        lines.append(f"- Noise at {snr_db:g} dB: " + ", ".join(told) + ".")
    words = [one for one in facts["other_words"] if one["accepted"]]
    words.sort(key=lambda one: -one["accepted"] / one["trials"])
    total, accepted = (sum(one[key] for one in facts["other_words"]) for key in ("trials", "accepted"))
    if total:
        told = [f"{one['word']} ({one['accepted']} of {one['trials']})" for one in words[:WORST]]
        lines.append(
            f"- Other words, all conditions together, are taken for one of its words in {accepted} of {total} trials"
            + (f", most often {', '.join(told)}" if told else "")
            + f". {_learnt(described, facts)}"
        )
    return "\n".join(lines)


def _learnt(described: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Whether the other words of the test were heard in training."""
    new = sorted({one["word"] for one in facts["other_words"]} - set(described["other_words"]))
    if new:
        return f'In training it never heard {", ".join(new)}; the rest were "unknown" there, by other speakers.'
    return 'All of them were "unknown" in training, too, by other speakers: words that it never heard are not tested.'


def _peer(facts: Mapping[str, Any]) -> str:
    """How another recogniser was put to the test."""
    name = facts["model"]["name"]
    settings = ", ".join(f"{key} {value}" for key, value in facts["model"].get("settings", {}).items())
    return f"{name}: {PEERS[name]} Settings: {settings}."


def _rejection(described: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    calibration = described.get("calibration") or {}
    if not facts.get("rejection"):
        return "No reject threshold was chosen: the likeliest label is the answer."
    clean = next(one for one in facts["rejection"] if one["snr_db"] is None)
    text = (
        f"Logits are divided by {calibration['temperature']:.3f}; a word that is then less probable than "
        f'{calibration["reject_below"]:.3f} is answered with "unknown". Both were chosen on development speakers and '
        f"noise, for at most {percent(calibration['false_accept_rate'])} % false accepts there. On the test:"
    )
    rows = [
        [
            describe(one["noise_kind"], one["snr_db"]),
            *(_share(one[when][key]) for key in ("false_accepts", "misses") for when in ("without", "with")),
        ]
        for one in sorted(facts["rejection"], key=lambda one: one["snr_db"] is not None)  # clean first
    ]
    heading = ["noise", "false accepts, no threshold", "with it", "misses, no threshold", "with it"]
    return (
        f"{text}\n\n{markdown(heading, rows)}\n\nIn %. False accepts: of {clean['other_trials']} "
        "clips without a word of its own, the share that is answered with one. Misses: of "
        f"{clean['keyword_trials']} clips with one, the share that is answered with none."
    )


def _share(share: float | None) -> str:
    return percent(math.nan if share is None else share)


def data_and_licences(described: Mapping[str, Any]) -> str:
    """Whose recordings a model learnt from, and was chosen by, in a table."""
    rows = [
        [
            f"[{one['name']}]({one['source']})" if "://" in one["source"] else f"{one['name']}, `{one['source']}`",
            one["terms"],
            one["credit"],
            ", ".join(f"{count:,} {use}" for use, count in one["recordings"].items()),
        ]
        for one in described["training_data"]
    ]
    return (
        f"The weights are under the {described['licence']} licence. They learnt from, and were chosen by:\n\n"
        f"{markdown(['corpus', 'terms', 'credit', 'recordings'], rows, 4)}\n\n"
        "UrbanSound8K, which tests it, may not be used for that and was not."
    )
