"""What a cut of a manifest, as it stands there, has of its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.audio import AudioError


def is_whole(cut: Mapping[str, Any]) -> bool:
    """Whether a cut is all of a file of one channel, which can then be read in blocks."""
    recording = cut["recording"]
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
