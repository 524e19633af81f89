"""How much different sound a set of long test streams holds: far less than its hours, for all is heard many times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lhotse.cut import Cut

from drsn_audio.evaluation.stream_facts import WORDS


def distinct_sound(cuts: Iterable[Cut]) -> dict[str, Any]:
    """Cuts that `drsn_audio.datasets.streams` wrote -> what is different in them, of words and of what is without any.

    {"words": {"utterances", "hours", "speakers"},
     "keyword_free": {"utterances", "hours", "speakers", "noise_hours"}}

    Hours of utterances are those of their clips. In streams of noise alone each recording is heard once at each level:
    the hours of one level are those of the recordings. Noise under speech is of the same recordings.
    """
    clips: dict[str, dict[str, float]] = {"words": {}, "keyword_free": {}}
    speakers: dict[str, set[str]] = {"words": set(), "keyword_free": set()}
    noise: dict[str, dict[float, float]] = {}  # hours by kind and level
    for cut in cuts:
        part = "words" if cut.custom["content"] == WORDS else "keyword_free"
        for said in cut.supervisions:
            clips[part][said.custom["utterance"]] = said.custom["clip_duration"] / 3600
            speakers[part].add(said.speaker or "")
        if cut.custom["content"] == "noise":
            at = noise.setdefault(cut.custom["noise_kind"], {})
            level_db = cut.custom["noise_level_db"]
            at[level_db] = at.get(level_db, 0.0) + cut.duration / 3600
    found: dict[str, Any] = {
        part: {"utterances": len(said), "hours": sum(said.values()), "speakers": len(speakers[part])}
        for part, said in clips.items()
    }
    found["keyword_free"]["noise_hours"] = sum(max(by_level.values()) for by_level in noise.values())
    return found
