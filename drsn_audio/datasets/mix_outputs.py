"""Files of a mix and its stems: unclipped, in the sample format of the input, the same bytes whenever they are made."""

from __future__ import annotations

import errno
import hashlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf

from drsn_audio.audio import AudioError, encode_audio, libsndfile_format, writes
from drsn_audio.files import same_file, write_whole

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOATS = ("FLOAT", "DOUBLE")
KEPT_ENDINGS = (".wav", ".flac", ".aiff", ".aif", ".w64", ".au", ".caf", ".rf64")  # the others lose something
# What will not be better for the next file: the disk, not the name.
HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


class OutError(AudioError):
    """OUT takes no more files: there is no use in going on."""


class Target(NamedTuple):
    """Names of a mix and its stems, below OUT; subtype is libsndfile's name of their sample format."""

    name: str
    subtype: str | None
    stems: bool

    @property
    def names(self) -> list[str]:
        """Of the mix, then of the clean and the noise part."""
        return [self.name, *stem_names(self.name)] if self.stems else [self.name]

    def subtypes(self) -> list[str | None]:
        stem = self.subtype if self.subtype and writes("WAV", self.subtype) else "FLOAT"
        return [self.subtype, stem, stem] if self.stems else [self.subtype]


class Mixed(NamedTuple):
    """Parts [N] of one mix as they are written; but for a device's effects, noisy = clean + noise."""

    noisy: np.ndarray
    clean: np.ndarray
    noise: np.ndarray


def stem_names(name: str) -> list[str]:
    return [str(Path(name).with_suffix(f".{part}.wav")) for part in ("clean", "noise")]


def output_name(relative: Path, form: str | None) -> Path:
    """Name of the mix of a file. A lossy file keeps its whole name, for a.mp3 and a.wav may both be there."""
    if form:
        return relative.with_suffix(f".{form}")
    return relative if relative.suffix.lower() in KEPT_ENDINGS else Path(f"{relative}.wav")


def target_for(name: str, like: Path, stems: bool) -> Target:
    """In the sample format of the file `like`, where a file of that name can hold it."""
    form = libsndfile_format(name)
    subtype = next((s for s in (sample_format(like), "FLOAT", "PCM_24") if s and writes(form, s)), None)
    return Target(name, subtype, stems)


def sample_format(path: Path) -> str | None:
    """libsndfile's name for the samples of a file if they are plain integers or floats; None if lossy."""
    try:
        subtype = sf.info(path).subtype
    except (sf.LibsndfileError, RuntimeError):  # a manifest may name files that only Lhotse can read
        return None
    return subtype if subtype in BITS or subtype in FLOATS else None


def scale_for(mixed: Mixed, target: Target) -> float:
    """1, or the power of two that all parts are multiplied by, so that a file of integers does not clip.

    A power of two, as the thresholds of P.56 are: what is written measures at the SNR asked for.
    """
    if target.subtype in FLOATS:
        return 1.0
    top = 1 - 2.0 ** (1 - BITS.get(target.subtype or "", 16))  # the lowest integer is -1 itself
    written = mixed if target.stems else mixed[:1]
    peak = max(max(float(samples.max()) / top, -float(samples.min())) for samples in written)
    return 2.0 ** -max(0, math.ceil(math.log2(peak))) if peak > 0 else 1.0


def write_mix(
    out: Path, target: Target, mixed: Mixed, sample_rate: int, inputs: Iterable[Path], spare: Path | None
) -> list[str]:
    """Write a mix and its stems below OUT -> the sha256 of each; spare: folder for what is not whole yet.

    Raises:
        AudioError: one of the files is an input, or cannot be written.
        OutError: and no other file could be.
    """
    for name in target.names:
        path = out / name
        if any(same_file(path, source) for source in inputs):
            raise AudioError(f"{path}: is an input of this mix: choose another OUT")
    digests = []
    for name, samples, subtype in zip(target.names, mixed, target.subtypes(), strict=False):
        data = encode_audio(out / name, samples, sample_rate, subtype)
        put(out / name, data, spare)
        digests.append(hashlib.sha256(data).hexdigest())
    return digests


def put(path: Path, data: bytes, spare: Path | None = None) -> None:
    """Write a file so that it is whole or not there; spare: a folder on the same disk, else the file's own.

    Raises:
        AudioError: it cannot be written.
        OutError: and no other file could be.
    """
    try:
        write_whole(path, data, spare)
    except OSError as error:
        if error.errno in HOPELESS:
            remedy = "make room or choose another OUT; the same command then goes on from here"
            raise OutError(f"{path}: cannot be written ({error.strerror}): {remedy}") from None
        raise AudioError(f"{path}: cannot be written ({error.strerror}): choose another place") from None


def folder_name(snr_db: float) -> str:
    """5 -> "5dB"; inf -> "clean"."""
    return "clean" if snr_db == math.inf else f"{snr_db:g}dB"
