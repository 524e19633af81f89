"""Audio of one cut as a file in a shard, and back: the same samples, bit by bit."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf
from lhotse.cut import Cut

from drsn_audio.audio import AudioError, mpeg

FORMATS = ("flac", "wav")
# Of integer samples so many bits -> libsndfile's names in each format; what no integers hold is floats.
SUBTYPES = {"flac": {16: "PCM_16", 24: "PCM_24"}, "wav": {16: "PCM_16", 24: "PCM_24", 0: "FLOAT"}}
# Files that are put into a flac shard as they are: encoded anew, lossy ones would be larger by far.
COPIED = (".flac", ".mp3", ".ogg", ".opus")


class Stored(NamedTuple):
    """A file's bytes and its ending, without the dot."""

    data: bytes
    ending: str


def store_cut(cut: Cut, channels: np.ndarray, format: str) -> Stored:
    """A cut and its audio [C, N], as lhotse loads it -> the file, of which `decode` makes the same samples again.

    flac: lossless where the samples are of 16 or 24 bits; a whole file that is FLAC, or lossy, stays as it is. wav:
    any samples.

    Raises:
        AudioError: samples that the format does not hold.
    """
    whole = _whole_file(cut)
    if format == "flac" and whole is not None and whole.suffix.lower() in COPIED:
        stored = Stored(whole.read_bytes(), whole.suffix[1:].lower())
        if _same(stored, channels):
            return stored
    bits = bits_of(channels)
    subtype = SUBTYPES[format].get(bits)
    if subtype is None:
        raise AudioError("its samples are floats, which FLAC does not hold: convert with --format wav")
    samples = channels.T if not bits else (channels.T.astype(np.float64) * 2.0**31).astype(np.int32)
    buffer = io.BytesIO()
    sf.write(buffer, samples, cut.sampling_rate, subtype=subtype, format=format.upper())
    stored = Stored(buffer.getvalue(), format)
    if not _same(stored, channels):
        raise AudioError(f"does not come back from {format} as it was: convert with --format wav")
    return stored


def decode(data: bytes) -> np.ndarray:
    """A file's bytes -> its samples, float32 [C, N]."""
    tag = mpeg.TAG if mpeg.is_sync(data[:4]) else b""
    with sf.SoundFile(io.BytesIO(tag + data)) as file:  # sf.read seeks first, after which MP3 has other last bits
        return np.ascontiguousarray(file.read(dtype="float32", always_2d=True).T)


def bits_of(samples: np.ndarray) -> int:
    """The fewest bits, 16 or 24, whose integers hold float32 samples in [-1, 1) exactly; 0: none do."""
    if (samples.size and samples.max() >= 1) or (samples.size and samples.min() < -1):
        return 0
    for bits in (16, 24):
        steps = samples * np.float32(2 ** (bits - 1))
        if np.array_equal(steps, np.rint(steps)):
            return bits
    return 0


def _whole_file(cut: Cut) -> Path | None:
    """The file that a cut is all of."""
    recording = cut.recording
    (source, *more) = recording.sources
    whole = cut.start == 0 and cut.num_samples == recording.num_samples and not recording.transforms
    named = source.type == "file" and os.path.isfile(source.source)
    return Path(source.source) if whole and named and not more else None


def _same(stored: Stored, channels: np.ndarray) -> bool:
    try:
        return np.array_equal(decode(stored.data), channels)
    except sf.LibsndfileError:
        return False
