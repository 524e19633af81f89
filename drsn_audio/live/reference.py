"""What was said in a stream, and how well it was heard; the figures are those of `drsn-audio evaluate`."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from typing import Any

from drsn_audio.audio import is_manifest
from drsn_audio.errors import InputError
from drsn_audio.metrics.streaming import (
    ROUNDING_S,
    Rate,
    Spoken,
    claimable_rate,
    latency,
    match_events,
    outside_keywords,
    poisson_interval,
)
from drsn_audio.streaming.event import Event
from drsn_audio.text import read_text


def read_reference(path: str, sound: str) -> list[Spoken]:
    """A manifest of streams (.jsonl, .jsonl.gz), or text, a line for each word: start and end in seconds, the word.

    `sound` is the file that is heard, by which its stream is found in a manifest; "-" and "mic" have no name, and take
    a manifest of one stream. Labels that Audacity exports are such text; lines that begin with # are left out.

    Raises:
        InputError: a file that is not there, neither of both, or a manifest without the stream.
    """
    import scipy.special  # noqa: F401  # which `judge` needs: lacking, it is told before all is heard

    if is_manifest(path):
        return _of_manifest(path, sound)
    spoken = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        # Below a label with a frequency range, Audacity writes it in a line that begins with a backslash.
        if line.strip() and not line.startswith(("#", "\\")):
            spoken.append(_word(line, f"{path}, line {number}"))
    return sorted(spoken, key=lambda said: said.start_s)


def _word(line: str, place: str) -> Spoken:
    fields = line.split(None, 2)
    try:
        start_s, end_s = float(fields[0]), float(fields[1])
        word = fields[2].strip()
    except (ValueError, IndexError):
        raise InputError(f"{place}: {line.strip()[:60]!r}: give start and end in seconds, and the word") from None
    if not 0 <= start_s <= end_s < math.inf:
        raise InputError(f"{place}: from {start_s:g} to {end_s:g} s: give seconds from the start of the sound")
    return Spoken(word, start_s, end_s)


def _of_manifest(path: str, sound: str) -> list[Spoken]:
    from drsn_audio.evaluation.stream_events import read_streams

    streams = read_streams([path])
    if sound in ("-", "mic"):
        found = streams if len(streams) == 1 else []
    else:
        found = [stream for stream in streams if os.path.realpath(stream.path) == os.path.realpath(sound)]
    # Channels, or parts, of one file: all of it is heard.
    if not found:
        names = f"{len(streams)} others, e.g. {streams[0].path}"
        raise InputError(f"{path}: says nothing of {sound}, but of {names}: name one of them, or its own manifest")
    spoken = [
        said._replace(start_s=said.start_s + begin_s, end_s=said.end_s + begin_s)
        for stream in found
        for begin_s in [stream.part.start if stream.part else 0.0]
        for said in stream.spoken
    ]
    return sorted(spoken, key=lambda said: said.start_s)


def was_heard(start_s: float, end_s: float, heard_s: float, ended: bool) -> bool:
    """Return True if a word belongs to the first heard_s seconds: it ends in them or, where the sound ended there by
    itself, it begins in them, since labels and cues may end a little after the sound.
    """
    return start_s < heard_s if ended else end_s <= heard_s + ROUNDING_S


def judge(
    events: Sequence[Event], spoken: Sequence[Spoken], keywords: Collection[str], heard_s: float, ended: bool = False
) -> dict[str, Any]:
    """Figures of what was heard in the first heard_s seconds, JSON-able; other words do not count, see `was_heard`.

    None: accuracy without keywords, latencies without hits, `claimed` where so few false alarms show no rate (below
    3 / hours), and all rates where nothing was heard. low, high: of the false alarms an hour, exact, 95 %.
    """
    heard = [said for said in spoken if was_heard(said.start_s, said.end_s, heard_s, ended)]
    matches = match_events(events, heard, keywords)
    hits, misses, alarms = len(matches.hits), len(matches.misses), len(matches.false_alarms)
    hours = heard_s / 3600
    late = latency(matches.hits)
    rate = poisson_interval(alarms, hours)._asdict() if hours else dict.fromkeys(Rate._fields)
    return {
        "keywords": hits + misses,
        "hits": hits,
        "misses": misses,
        "accuracy": hits / (hits + misses) if hits + misses else None,
        "hours": hours,
        "false_alarms": alarms,
        **rate,
        "claimed": claimable_rate(alarms, hours) if hours else None,
        "latency_median_s": late.median_s if hits else None,
        "latency_p95_s": late.p95_s if hits else None,
        "outside_vocabulary": outside_keywords(keywords, heard),
    }


def reference_lines(figures: dict[str, Any]) -> list[str]:
    """Figures of `judge`, to be read."""
    count = figures["keywords"]
    lines = ["no keyword was said"]
    if count:
        accuracy = f"{100 * figures['accuracy']:.1f} %"
        lines = [f"keywords\t{accuracy}: {figures['hits']} of {count} heard, {figures['misses']} missed"]
    alarms = f"false alarms\t{figures['false_alarms']} in {figures['hours']:.3f} h"
    if figures["claimed"] is not None:
        alarms += f": {figures['claimed']:.1f} an hour (95 % interval {figures['low']:.1f} to {figures['high']:.1f})"
    elif figures["high"] is not None:
        alarms += f": too few to claim a rate, at most {figures['high']:.1f} an hour (95 % interval)"
    lines.append(alarms)
    if figures["hits"]:
        median, p95 = figures["latency_median_s"], figures["latency_p95_s"]
        lines.append(f"latency\tmedian {median:.2f} s after the word's end, 95th percentile {p95:.2f} s")
    return lines
