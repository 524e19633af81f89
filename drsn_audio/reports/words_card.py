"""The card of a shipped model that writes words: what it is, how well it works, where it fails. Every number is of a
file that a command wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drsn_audio.reports.card import data_and_licences, network, origin
from drsn_audio.reports.run import CLEAN, MEAN, describe
from drsn_audio.reports.table import markdown, percent
from drsn_audio.reports.transcription import comparison, differences, tables

WORST = 3  # of everything that is listed
NONE = ("<blank>", "unknown")  # labels that are no words


def words_card(
    name: str,
    described: Mapping[str, Any],
    size_bytes: int,
    facts: Mapping[str, Any],
    peer: Mapping[str, Any],
    speed: Mapping[str, Any] | None = None,
    times: Mapping[str, Any] | None = None,
    parity: Mapping[str, Any] | None = None,
) -> str:
    """Markdown of a model that ships with its JSON `described` and `size_bytes` of files.

    `facts` and `peer` are the run.json of it and of pocketsphinx on the same trials, `speed` what
    `benchmarks/transcription.py` found of these weights, `times` what `benchmarks/word_times.py` did, `parity` what
    `recipes/commands/parity.py` did. What was not measured is said to be so.

    Raises:
        InputError: a run.json that cannot be used.
    """
    words = [label for label in described["labels"] if label not in NONE]
    found = {key: f"{title}\n\n{markdown(*rows)}" for key, (title, rows) in tables(facts).items()}
    sections = [
        f"# {name}",
        _what(described, words, size_bytes),
        _use(name),
        "## Results",
        comparison([facts, peer]).rstrip(),
        _peer(peer),
        *([f"{name} less pocketsphinx, in %, paired:\n\n{differences(facts)}"] if facts.get("differences") else []),
        *(found[key] for key in ("details", "confused") if key in found),
        "## Word times",
        _times(described, times),
        "## Speed",
        _speed(speed),
        "## Streaming",
        _parity(parity),
        "## Bad at",
        _bad_at(facts),
        "## Not tested",
        NOT_TESTED,
        "## Data and licences",
        _licences(described),
    ]
    return "\n\n".join(sections) + "\n"


NOT_TESTED = """\
- Sentences that people say in one breath: here single words, each said alone, are joined with gaps of up to half a
  second. Words that run into each other are harder.
- Words other than its own: the strings hold none, so what it makes of them ("unknown", or a word of its own) is not in
  these tables.
- Digits by many people: their test recordings are, but for a few, of two.
- Children, accents other than those of its speakers, whispered or shouted words.
- Far-field speech, rooms, real mixes: here noise is added to close recordings.
- Wind in the microphone, loudspeaker echo, music, television, several speakers at once."""


def _what(described: Mapping[str, Any], words: Sequence[str], size_bytes: int) -> str:
    model = described["model"]
    rate, hop_ms = model["frontend"]["sample_rate"], model["frontend"]["hop_ms"]
    frame_ms = hop_ms * model["time_reduction"]
    rows = [
        ["labels", ", ".join(f"`{label}`" if label in NONE else label for label in described["labels"])],
        ["input", f"sound of any length, or a stream, at {rate:,} Hz, mono; a frame each {frame_ms:g} ms"],
        ["network", f"{network(described)}, causal; CTC"],
        ["parameters", f"{described['parameters']:,}"],
        [f"multiply-adds, {model['clip_s']:g} s of sound", f"{described['multiply_adds']:,}"],
        *origin(described, size_bytes),
    ]
    return (
        f"Writes {len(words)} words ({', '.join(words)}) as they are said, one after the other, in noise.\n\n"
        f"{markdown(['', ''], rows, 2)}"
    )


def _use(name: str) -> str:
    return f"""\
## Use

    drsn-audio transcribe sound.wav --model {name}
    drsn-audio stream mic --model {name}
    drsn-audio export {name} --onnx {name}.onnx

```python
import drsn_audio

model = drsn_audio.load("{name}")
for word in model.transcribe("sound.wav").words:
    print(word.start, word.end, word.text, word.confidence)
```"""


def _peer(peer: Mapping[str, Any]) -> str:
    return (
        "pocketsphinx has the US English model of its wheel and the same words as a grammar, any number of them. Its "
        "settings are those of several that did best on development strings. It is a recogniser of any English speech "
        "and never heard this noise."
    )


def _times(described: Mapping[str, Any], times: Mapping[str, Any] | None) -> str:
    timing = described.get("timing")
    parts = []
    if timing:
        start_s, end_s = timing["default"]
        data = ", ".join(f"`{one['manifest']}` (sha256 {one['sha256'][:12]})" for one in timing["data"])
        parts.append(
            f"A word is given, in the median, {end_s:.2f} s after its end, {start_s:.2f} s after its beginning, as "
            f"{timing['heard']} of {timing['words']} words of {data} say. What it takes for each word is taken off: "
            "so the times of words come about."
        )
    if times:
        within = times["within"]
        parts.append(
            f"In {times['hours']:.2f} h of strings without noise, {times['said']:,} words: of "
            f"{times['matched']:,} that were heard right, "
            f"{percent(within['mean'])} % [{percent(within['low'])}, {percent(within['high'])}] begin within "
            f"{times['limit_s']:g} s of where their clean recording does; median difference {times['median_s']:.3f} s, "
            f"90 % at most {times['p90_s']:.3f} s (`benchmarks/word_times.py`; interval over speakers)."
        )
    return "\n\n".join(parts) or "Not measured."


def _speed(speed: Mapping[str, Any] | None) -> str:
    if not speed:
        return "Not measured."
    of: dict[str, list[Mapping[str, Any]]] = {}
    for row in speed["rows"]:
        of.setdefault(row["recogniser"], []).append(row)
    rows = [
        [name, *(_range([one[key] for one in found], digits) for key, digits in (("rtf", 4), ("of_peer", 2)))]
        for name, found in of.items()
    ]
    strings = speed["rows"][0]["strings"]
    return (
        f"One thread of {speed['machine']}: CPU time over that of the sound, the median of {strings} test strings; "
        "lowest to highest of the conditions, clean and in noise, by `benchmarks/transcription.py`. All took turns.\n\n"
        f"{markdown(['', 'real-time factor', 'of that of pocketsphinx'], rows)}"
    )


def _range(values: Sequence[float], digits: int) -> str:
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"


def _parity(parity: Mapping[str, Any] | None) -> str:
    if not parity:
        return "Whether a stream writes the same as the whole sound was not measured."
    told = [
        f"{form} {found['equal']} ({len(found['near_ties'])} near ties, {len(found['differences'])} other texts; "
        f"logits differ by at most {found['max_logit_difference']:.2g})"
        for form, found in parity["streams"].items()
    ]
    return (
        f"Of {parity['files']} test strings, fed in chunks of drawn lengths, the text is that of the whole sound: "
        f"{'; '.join(told)} (`recipes/commands/parity.py`)."
    )


def _bad_at(facts: Mapping[str, Any]) -> str:
    lines = []
    single = [one for one in facts["conditions"] if one["noise_kind"] != MEAN]
    worst = sorted(single, key=lambda one: -one["wer"])[:WORST]
    told = [f"{describe(one['noise_kind'], one['snr_db'])} ({percent(one['wer'])} %)" for one in worst]
    lines.append(f"- Noise; word error rate: {', '.join(told)}.")
    noisy = [one for one in facts["noise_classes"] if one["wer"] is not None and one["snr_db"] >= 0]
    if noisy:
        snr_db = min(one["snr_db"] for one in noisy)
        classes = sorted((one for one in noisy if one["snr_db"] == snr_db), key=lambda one: -one["wer"])[:WORST]
        told = [
            f"{one['noise_class']} ({percent(one['wer'])} %, {one['noise_recordings']} recordings)" for one in classes
        ]
        lines.append(f"- Noise at {snr_db:g} dB: {', '.join(told)}.")
    clean = next((one for one in facts["conditions"] if one["noise_kind"] == CLEAN), None)
    for title, condition in (("without noise", clean), ("all noise together", _loudest(facts))):
        if condition is None:
            continue
        pairs = condition["confused"]
        told = [
            f"{one['said']} taken for {one['written']} ({one['times']} of {one['of']})" for one in pairs["substituted"]
        ]
        lost = [f"{one['said']} ({one['times']} of {one['of']})" for one in pairs["deleted"]]
        if condition["snr_db"] is not None:
            title = describe(title, condition["snr_db"])
        if told:
            lines.append(f"- Words, {title}: {', '.join(told[:WORST])}.")
        if lost:
            lines.append(f"- Words left out, {title}: {', '.join(lost[:WORST])}.")
    return "\n".join(lines)


def _loudest(facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The mean over kinds of noise at the lowest SNR from 0 dB on."""
    means = [one for one in facts["conditions"] if one["noise_kind"] == MEAN and one["snr_db"] >= 0]
    return min(means, key=lambda one: one["snr_db"], default=None)


def _licences(described: Mapping[str, Any]) -> str:
    alike = [one["name"] for one in described["training_data"] if one["terms"] == described["licence"]]
    text = data_and_licences(described)
    if alike:
        text += (
            f"\n\n{' and '.join(alike)} ask that what is made of them is passed on under their own licence, "
            f"{described['licence']}: so are these weights, and so must be what is trained on from them. The code is "
            "under its own licence, whatever weights it runs."
        )
    return text
