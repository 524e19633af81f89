"""A mix from what its manifest says was drawn: the one way by which it is made, and made again."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from drsn_audio.datasets.mix_inputs import AudioRef
from drsn_audio.datasets.mix_noise import sum_of
from drsn_audio.datasets.mix_outputs import Mixed
from drsn_audio.datasets.mix_sources import Sources
from drsn_audio.noise.recorder import DeviceEffects, apply_effects
from drsn_audio.noise.reverb import direct_delay, reverberate


@dataclass(frozen=True)
class Reverb:
    """The room of a mix: a response from a file, or drawn from a seed by the image-source method.

    sha256: of the file, or of the float32 samples of a drawn response. Times in s, distance in m; None: not known.
    """

    file: str | None
    cut: dict[str, Any] | None
    seed: int | None
    sha256: str
    direct_sample: int
    rt60_s: float | None
    distance_m: float | None


def respond(reverb: Reverb, sources: Sources, sample_rate: int) -> np.ndarray:
    """The response [R] of a recorded draw."""
    if reverb.file is None:
        return sources.drawn_room(reverb.seed or 0, sample_rate).response
    return sources.recording(AudioRef("rooms", reverb.file, reverb.cut), sample_rate)[0]


def in_room(wave: np.ndarray, response: np.ndarray, direct_sample: int) -> np.ndarray:
    """Speech [N] as it is heard in a room [N], its direct sound where it was."""
    batch = torch.from_numpy(np.require(wave, np.float32, ["C", "W"]))[None]
    taps = torch.from_numpy(np.require(response, np.float32, ["C", "W"]))[None]
    return reverberate(batch, taps, torch.tensor([direct_sample]))[0].numpy()


def direct_of(response: np.ndarray) -> int:
    return int(direct_delay(response))


def padded(wave: np.ndarray, lead_in: int, trail: int) -> np.ndarray:
    """Speech [N] -> [lead_in + N + trail], with digital silence before and after."""
    return np.pad(wave, (lead_in, trail)) if lead_in or trail else wave


def mix_parts(
    clean: np.ndarray, noises: list[np.ndarray], gains: list[float], effects: DeviceEffects | None, sample_rate: int
) -> Mixed:
    """Clean speech [N] and noises [N] -> the mix as the device records it, and both parts as they were before it."""
    noise = sum_of(noises, gains)
    noisy = clean + noise
    if effects is not None:
        noisy = apply_effects(torch.from_numpy(noisy), effects, sample_rate).numpy()
    return Mixed(noisy, clean, noise)


def scaled(mixed: Mixed, scale: float) -> Mixed:
    return mixed if scale == 1 else Mixed(*(np.float32(scale) * part for part in mixed))


def effects_from(facts: dict[str, Any] | None) -> DeviceEffects | None:
    if facts is None:
        return None
    return DeviceEffects(**{**facts, "band_hz": tuple(facts["band_hz"]) if facts["band_hz"] else None})


def effects_facts(effects: DeviceEffects | None) -> dict[str, Any] | None:
    if effects is None:
        return None
    facts = asdict(effects)
    return {**facts, "band_hz": list(facts["band_hz"]) if facts["band_hz"] else None}


def json_snr(snr_db: float) -> float | None:
    return None if snr_db == math.inf else snr_db  # JSON has no infinity
