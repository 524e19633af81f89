"""What was said, word for word, in a stream whose model writes, and how much of it was written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from drsn_audio.audio import is_manifest
from drsn_audio.decoding.subtitles import parse_cues
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.live.reference import was_heard
from drsn_audio.metrics.wer import word_errors
from drsn_audio.streaming.event import Event
from drsn_audio.text import count_outside, normalise_text, read_text


class Said(NamedTuple):
    """A word, and where it is, in seconds from the beginning of the sound; 0 where that is not known."""

    word: str
    start_s: float
    end_s: float


def read_said(path: str, sound: str) -> list[Said]:
    """A manifest of cuts (.jsonl, .jsonl.gz), or text: what was said, a line of which may begin with its start and end.

    `sound` is the file that is heard, by which its cuts are found in a manifest; "-" and "mic" have no name, and take
    a manifest of one recording. Of text, lines that begin with # are left out, and so is what Audacity adds to labels
    with a frequency range.

    Raises:
        InputError: a file that is not there, neither of both, a manifest without the sound, or no word in it.
    """
    word_errors([], [])  # which needs jiwer: lacking, it is told before all is heard
    said = _of_manifest(path, sound) if is_manifest(path) else _of_text(path)
    if not said:
        raise InputError(f"{path}: holds no word: name what was said in {sound}")
    return said


def judge_words(
    events: Iterable[Event], said: Sequence[Said], units: Units, heard_s: float, ended: bool = False
) -> dict[str, Any]:
    """Errors of the words that were written in the first heard_s seconds, JSON-able; other words do not count, see
    `was_heard`. What is said is compared as the model can output it at best, see `Units.as_written`. accuracy is 1 -
    WER; both None where nothing was said.
    """
    reference = " ".join(one.word for one in said if was_heard(one.start_s, one.end_s, heard_s, ended))
    outside = units.outside(reference)
    known: list[list[str]] = [[]] * (len(normalise_text(reference).split()) - len(outside))
    reference = units.as_written(reference)
    errors = word_errors([reference], [" ".join(event.label for event in events if event.kind == "final")])
    return {
        "words": errors.length,
        "hits": errors.hits,
        "substitutions": errors.substitutions,
        "deletions": errors.deletions,
        "insertions": errors.insertions,
        "wer": errors.rate if errors.length else None,
        "accuracy": 1 - errors.rate if errors.length else None,
        "outside_vocabulary": count_outside([*([word] for word in outside), *known]),
    }


def word_lines(figures: dict[str, Any]) -> list[str]:
    """Figures of `judge_words`, to be read."""
    edits = f"{figures['substitutions']} substituted, {figures['deletions']} left out, {figures['insertions']} inserted"
    if figures["accuracy"] is None:
        return [f"no word was said; {figures['insertions']} inserted"]
    accuracy, wer = 100 * figures["accuracy"], 100 * figures["wer"]
    return [f"words\t{accuracy:.1f} %: {figures['hits']} of {figures['words']} right, {edits} (WER {wer:.1f} %)"]


def _of_text(path: str) -> list[Said]:
    text = read_text(path)
    if path.lower().endswith((".srt", ".vtt")):
        return [Said(word, cue.start_s, cue.end_s) for cue in parse_cues(text) for word in cue.text.split()]
    lines = text.split("\n")
    return [said for line in lines if not line.startswith(("#", "\\")) for said in _of_line(line)]


def _of_line(line: str) -> list[Said]:
    fields, start_s, end_s = line.split(), 0.0, 0.0
    try:
        start_s, end_s = float(fields[0]), float(fields[1])
        fields = fields[2:]
    except (ValueError, IndexError):
        pass  # a line of words alone
    return [Said(word, start_s, end_s) for word in fields]


def _of_manifest(path: str, sound: str) -> list[Said]:
    from lhotse.serialization import deserialize_item

    from drsn_audio.datasets.manifests import scan_cuts

    cuts = [cut for cut in scan_cuts(path) if "recording" in cut]
    sources = {os.path.realpath(cut["recording"]["sources"][0]["source"]) for cut in cuts}
    wanted = os.path.realpath(sound)
    if sound in ("-", "mic"):
        wanted = next(iter(sources)) if len(sources) == 1 else ""
    if wanted not in sources:
        names = f"{len(sources)} others, e.g. {min(sources, default='none')}"
        raise InputError(f"{path}: says nothing of {sound}, but of {names}: name one of them, or its own manifest")
    said: list[Said] = []
    for line in cuts:
        if os.path.realpath(line["recording"]["sources"][0]["source"]) == wanted:
            said += _of_cut(deserialize_item(line))
    return sorted(said, key=lambda word: word.end_s)


def _of_cut(cut: Any) -> list[Said]:
    """Words of a cut; where no alignment says when each ended, at the end of what they are a part of."""
    said = []
    for part in cut.supervisions:
        items = (part.alignment or {}).get("word")
        if items:
            said += [Said(item.symbol, cut.start + item.start, cut.start + item.end) for item in items]
        else:
            said += [Said(word, cut.start + part.start, cut.start + part.end) for word in (part.text or "").split()]
    return said
