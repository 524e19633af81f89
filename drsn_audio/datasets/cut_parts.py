"""What the sound of a cut is made of, and what a cut has of its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsn_audio.audio import AudioError

if TYPE_CHECKING:
    from lhotse import Recording
    from lhotse.cut import Cut

# Names, words and measurements: what changes none of the samples of a cut.
SILENT_KEYS = {"id", "recording_id", "supervisions", "custom", "features"}


def sound_key(cut: Cut | Mapping[str, Any], *, places: bool = True) -> str:
    """Return the identity of a cut's sound: two cuts with equal keys have the same samples.

    Everything counts that lhotse makes the samples of: files, start, duration, channels, sample rate, transforms, and
    so with each track of a mixed cut. cut: also as its manifest has it. places: without them, the folders and names of
    the files do not count.
    """

    def sounding(value: Any) -> Any:
        if isinstance(value, Mapping):
            left_out = SILENT_KEYS if places else {*SILENT_KEYS, "source"}
            return {key: sounding(own) for key, own in value.items() if key not in left_out and own is not None}
        return [sounding(own) for own in value] if isinstance(value, list | tuple) else value

    if not isinstance(cut, Mapping):
        recording = getattr(cut, "recording", None)
        if recording is not None:  # half the time of to_dict, which is asked for every example of a training
            cut = {**vars(cut), "recording": recording.to_dict(), "type": type(cut).__name__}
        else:
            cut = cut.to_dict()
    return json.dumps(sounding(cut), sort_keys=True, default=repr)


def recording_of(cut: Cut) -> Recording | None:
    """Return the recording of a cut, of a mixed one that of its first track that has one; None of padding alone."""
    parts = (cut, *(track.cut for track in getattr(cut, "tracks", ())))
    return next((found for part in parts if (found := getattr(part, "recording", None)) is not None), None)


def is_whole(cut: Mapping[str, Any]) -> bool:
    """Whether a cut is all of a file of one channel, which can then be read in blocks."""
    recording = cut.get("recording")
    if recording is None or len(recording["sources"]) != 1 or recording["sources"][0]["type"] != "file":
        return False
    missing_s = recording["duration"] - cut["duration"]
    one_channel = len(recording.get("channel_ids") or [0]) == 1
    plain = not recording.get("transforms")
    return cut["start"] == 0 and abs(missing_s) * recording["sampling_rate"] < 1 and one_channel and plain


def read_part(path: Path, cut: Mapping[str, Any]) -> tuple[np.ndarray, int]:
    """The samples of a cut as they are, float32 [N, channels], and their rate in Hz.

    Raises:
        AudioError: the cut or its file cannot be read, or holds NaN or infinite samples.
    """
    from lhotse.serialization import deserialize_item

    from drsn_audio.datasets.lhotse_audio import load_audio

    try:
        loaded = deserialize_item(dict(cut))
        samples = load_audio(loaded).T
    except Exception as error:  # lhotse has many
        reason = " ".join(str(error).split())[:200]
        raise AudioError(f"{path}: its cut {cut['id']} cannot be read ({reason}): prepare it again") from None
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: holds NaN or infinite samples: repair or re-export it, and prepare it again")
    return np.ascontiguousarray(samples, np.float32), int(loaded.sampling_rate)
