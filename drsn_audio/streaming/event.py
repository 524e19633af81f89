"""What a live stream says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that was recognised; seconds from the beginning of the stream.

    kind: keyword | partial | final. score: 0 to 1. start, end: the stretch of sound that the word lies in. time: when
    the event was given out.
    """

    kind: str
    label: str
    score: float
    start: float
    end: float
    time: float
