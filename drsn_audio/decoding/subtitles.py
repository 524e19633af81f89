"""Words -> plain lines, SubRip (.srt) and WebVTT (.vtt)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from drsn_audio.decoding.transcript import Word

PAUSE_S = 0.8  # a line ends where nobody speaks for so long
LINE_CHARACTERS = 42  # as is usual on a screen
CUE_LINES = 2
CUE_S = 6.0
LEAST_S = 1.0  # a cue stays for so long, unless the next one comes
GAP_S = 0.08  # two frames of film between cues, so that the eye sees the change


_TIMES = re.compile(r"(?:(\d+):)?(\d+):(\d+)[.,](\d+)\s*-->\s*(?:(\d+):)?(\d+):(\d+)[.,](\d+)")
_TAGS = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")  # of WebVTT and HTML, and {\an8} and the like


@dataclass(frozen=True)
class Cue:
    """Lines to be shown from start_ms to end_ms."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def lines(words: Sequence[Word], pause_s: float = PAUSE_S) -> list[str]:
    """Words in order of time -> a line for each stretch without a pause."""
    return [" ".join(word.text for word in stretch) for stretch in _stretches(words, pause_s)]


def to_txt(words: Sequence[Word]) -> str:
    return "".join(f"{line}\n" for line in lines(words))


def to_srt(words: Sequence[Word]) -> str:
    """Words in order of time -> the text of a SubRip file."""
    return "\n".join(
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n{_text(cue)}"
        for number, cue in enumerate(cues(words), 1)
    )


def to_vtt(words: Sequence[Word]) -> str:
    """Words in order of time -> the text of a WebVTT file (W3C), &, < and > escaped."""
    return "".join(
        [
            "WEBVTT\n",
            *(
                f"\n{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{html.escape(_text(cue), quote=False)}"
                for cue in cues(words)
            ),
        ]
    )


def cues(
    words: Sequence[Word],
    pause_s: float = PAUSE_S,
    line_characters: int = LINE_CHARACTERS,
    cue_lines: int = CUE_LINES,
    cue_s: float = CUE_S,
) -> list[Cue]:
    """Words in order of time -> cues in order of time, which never overlap.

    A cue ends at a pause, and before a word with which it would need more lines or last longer than allowed. A word
    longer than a line has one to itself, one that lasts longer than `cue_s` a cue. A cue stays for a second and ends
    80 ms before the next one, where that leaves anything of it.
    """
    parts: list[list[Word]] = []
    for stretch in _stretches(words, pause_s):
        part = [stretch[0]]
        for word in stretch[1:]:
            fits = len(wrap([*(each.text for each in part), word.text], line_characters)) <= cue_lines
            if fits and max(each.end for each in (*part, word)) - part[0].start <= cue_s:
                part.append(word)
            else:
                parts.append(part)
                part = [word]
        parts.append(part)
    return _timed(parts, line_characters)


def wrap(words: Sequence[str], line_characters: int = LINE_CHARACTERS) -> list[str]:
    """Words -> as few lines as they need; of two lines, the longer is as short as can be."""
    rows = [words[0]] if words else []
    for word in words[1:]:
        if len(rows[-1]) + 1 + len(word) <= line_characters:
            rows[-1] += f" {word}"
        else:
            rows.append(word)
    if len(rows) != 2:
        return rows
    splits = [[" ".join(words[:place]), " ".join(words[place:])] for place in range(1, len(words))]
    return min(splits, key=lambda split: max(map(len, split)))


def _timed(parts: Sequence[Sequence[Word]], line_characters: int) -> list[Cue]:
    starts: list[int] = []
    for part in parts:
        earliest = starts[-1] + 2 if starts else 0
        starts.append(max(round(part[0].start * 1000), earliest))
    found = []
    for place, part in enumerate(parts):
        start = starts[place]
        end = max(round(max(word.end for word in part) * 1000), start + round(LEAST_S * 1000))
        if place + 1 < len(parts):
            end = min(end, max(starts[place + 1] - round(GAP_S * 1000), start + 1))
        found.append(Cue(start, end, tuple(wrap([word.text for word in part], line_characters))))
    return found


def _stretches(words: Sequence[Word], pause_s: float) -> Iterator[list[Word]]:
    if not words:
        return
    stretch = [words[0]]
    for before, word in pairwise(words):
        if word.start - before.end >= pause_s:
            yield stretch
            stretch = []
        stretch.append(word)
    yield stretch


def _text(cue: Cue) -> str:
    return "".join(f"{line}\n" for line in cue.lines)


def _clock(milliseconds: int, point: str) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}"


class ReadCue(NamedTuple):
    """A cue of a file: its times and its text, in one line."""

    start_s: float
    end_s: float
    text: str


def parse_cues(text: str) -> Iterator[ReadCue]:
    """Yield the cues of SubRip or WebVTT; numbers, names, settings, notes, styles and tags are left out."""
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.strip().split("\n")
        for number, line in enumerate(lines[:2]):  # before the times may stand the number or name of the cue
            if times := _TIMES.match(line.strip()):
                hours, minutes, seconds, part, *end = times.groups()
                said = html.unescape(_TAGS.sub("", " ".join(lines[number + 1 :])))
                yield ReadCue(_seconds(hours, minutes, seconds, part), _seconds(*end), " ".join(said.split()))
                break


def _seconds(hours: str | None, minutes: str, seconds: str, part: str) -> float:
    return 3600 * int(hours or 0) + 60 * int(minutes) + float(f"{seconds}.{part}")
