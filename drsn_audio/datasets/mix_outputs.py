"""What `mix_files` writes: a mix and its stems, unclipped, in the sample format of the input, and its cut."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile as sf
import torch
from lhotse import Recording, SupervisionSegment
from lhotse.cut import Cut, MonoCut
from lhotse.utils import fastcopy

from drsn_audio.audio import AudioError, write_audio
from drsn_audio.noise.mix import mix_at_snr

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOATS = ("FLOAT", "DOUBLE")


class Target(NamedTuple):
    """Where a mix goes; `subtype` is libsndfile's name of the sample format, of the mix and of its stems."""

    path: Path
    subtype: str | None
    clean: Path | None
    noise: Path | None

    @property
    def paths(self) -> list[Path]:
        return [path for path in (self.path, self.clean, self.noise) if path]


class Mixed(NamedTuple):
    """Parts [N] of one mix as they are written: noisy = clean + noise, all of them multiplied by `scale`."""

    noisy: np.ndarray
    clean: np.ndarray
    noise: np.ndarray
    scale: float


def target_for(path: Path, like: Path, stems: bool) -> Target:
    """Places of a mix and its stems, in the sample format of the file `like` where `path` can hold it."""
    name = {"AIF": "AIFF", "OPUS": "OGG"}.get(path.suffix[1:].upper(), path.suffix[1:].upper())
    subtype = next((s for s in (sample_format(like), "FLOAT", "PCM_24") if s and _holds(name, s)), None)
    parts = [path.with_suffix(f".{part}.wav") if stems else None for part in ("clean", "noise")]
    return Target(path, subtype, *parts)


def sample_format(path: Path) -> str | None:
    """libsndfile's name for the samples of a file if they are plain integers or floats; None if lossy."""
    try:
        subtype = sf.info(path).subtype
    except (sf.LibsndfileError, RuntimeError):  # a manifest may name files that only Lhotse can read
        return None
    return subtype if subtype in BITS or subtype in FLOATS else None


def mix_parts(wave: np.ndarray, noise: np.ndarray, snr_db: float, level_db: float, target: Target) -> Mixed:
    """Mix waves [N] at an SNR; where `target` holds integers and would clip, all parts are halved."""
    batch = torch.from_numpy(np.stack([wave, noise]).astype(np.float32))
    level = torch.tensor([level_db], dtype=torch.float64)
    _, part = mix_at_snr(batch[:1], batch[1:], torch.tensor([snr_db], dtype=torch.float64), speech_level_db=level)
    noise_part = part[0].numpy()
    noisy = wave + noise_part
    written = [noisy, wave, noise_part] if target.clean else [noisy]
    scale = 1.0
    if target.subtype not in FLOATS:
        top = 1 - 2.0 ** (1 - BITS.get(target.subtype or "", 16))  # the lowest integer is -1 itself
        peak = max(max(samples.max() / top, -samples.min()) for samples in written)
        # By a power of two, as the thresholds of P.56 are: what is written measures at the SNR asked for.
        scale = 2.0 ** -max(0, math.ceil(math.log2(peak)))
    factor = np.float32(scale)
    return Mixed(factor * noisy, factor * wave, factor * noise_part, scale)


def write_mix(target: Target, mixed: Mixed, sample_rate: int, inputs: list[Path]) -> None:
    """Write the mix and, where the target names them, its stems.

    Raises:
        AudioError: one of the files is an input, or cannot be written.
    """
    for path in target.paths:
        if path.exists() and any(path.samefile(source) for source in inputs if source.exists()):
            raise AudioError(f"{path}: is an input of this mix: choose another OUT")
    write_audio(target.path, mixed.noisy, sample_rate, target.subtype)
    if target.clean and target.noise:
        subtype = target.subtype if target.subtype and _holds("WAV", target.subtype) else "FLOAT"
        write_audio(target.clean, mixed.clean, sample_rate, subtype)
        write_audio(target.noise, mixed.noise, sample_rate, subtype)


def mixed_cut(
    cut_id: str, path: Path, num_samples: int, sample_rate: int, like: Cut | None, custom: dict[str, Any]
) -> Cut:
    """Cut of a written mix; its supervisions are those of the cut that it was mixed from."""
    duration_s = num_samples / sample_rate
    source = {"type": "file", "channels": [0], "source": str(path.absolute())}
    recording = Recording.from_dict(
        {
            "id": cut_id,
            "sources": [source],
            "sampling_rate": sample_rate,
            "num_samples": num_samples,
            "duration": duration_s,
        }
    )
    supervisions: list[SupervisionSegment] = [
        fastcopy(supervision, id=f"{cut_id}/{i}" if i else cut_id, recording_id=cut_id, channel=0)
        for i, supervision in enumerate(like.supervisions if like else [])
    ]
    return MonoCut(cut_id, 0.0, duration_s, 0, supervisions, recording=recording, custom=custom)


def _holds(name: str, subtype: str) -> bool:
    return name in sf.available_formats() and sf.check_format(name, subtype)


def folder_name(snr_db: float) -> str:
    """5 -> "5dB"; inf -> "clean"."""
    return "clean" if snr_db == math.inf else f"{snr_db:g}dB"
