"""What the devices of a street do to sound: band limit, gain, clipping, 8-bit mu-law.

They stand at the end, after speech and noise have been mixed: an SNR that was asked for is that before the device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from drsn_audio.errors import InputError

ORDER = 4  # of each edge of the band: 24 dB an octave
RINGING_S = 0.1  # of silence beside the wave, in which the filter's ringing ends before it would wrap around
MU = 255
CODES = 127  # of each sign


@dataclass(frozen=True)
class DeviceEffects:
    """What a device does, in this order; each is off by default."""

    band_hz: tuple[float, float] | None = None  # lowest and highest frequency, e.g. (300, 3400): a telephone
    gain_db: float = 0.0
    clip_db: float | None = None  # dB re full scale that no sample exceeds
    mu_law: bool = False

    def __post_init__(self) -> None:
        if self.band_hz is not None and not 0 <= self.band_hz[0] < self.band_hz[1]:
            raise InputError(f"a band of {list(self.band_hz)} Hz: give the lowest and the highest, e.g. [300, 3400]")
        if not math.isfinite(self.gain_db):
            raise InputError(f"a gain of {self.gain_db} dB: give a number, e.g. 12")
        if self.clip_db is not None and not math.isfinite(self.clip_db):
            raise InputError(f"clipping at {self.clip_db} dB: give dB re full scale, e.g. -6")


def apply_effects(wave: Tensor, effects: DeviceEffects | Sequence[DeviceEffects], sample_rate: int) -> Tensor:
    """Wave [N] or [B, N] as devices pass it on, one for all rows or one for each; the same shape.

    The SNR of a mix is that before. A row whose device does nothing comes back as it is.
    """
    batch = wave if wave.ndim == 2 else wave[None]
    each = [effects] * len(batch) if isinstance(effects, DeviceEffects) else effects
    if len(each) != len(batch):
        raise ValueError(f"{len(each)} devices for {len(batch)} rows: give one, or one a row")
    nan = math.nan

    def column(values: list[float] | list[bool]) -> Tensor:
        return torch.tensor(values, device=wave.device)

    if any(effect.band_hz for effect in each):
        low_hz, high_hz = zip(*(effect.band_hz or (nan, nan) for effect in each), strict=True)
        batch = band_limit(batch, column(list(low_hz)), column(list(high_hz)), sample_rate)
    if any(effect.gain_db for effect in each):
        batch = batch * (10 ** (column([effect.gain_db for effect in each]) / 20))[:, None].to(wave.dtype)
    if any(effect.clip_db is not None for effect in each):
        batch = clip(batch, column([nan if effect.clip_db is None else effect.clip_db for effect in each]))
    if any(effect.mu_law for effect in each):
        batch = torch.where(column([effect.mu_law for effect in each])[:, None], mu_law(batch), batch)
    return batch if wave.ndim == 2 else batch[0]


def band_limit(wave: Tensor, low_hz: Tensor, high_hz: Tensor, sample_rate: int) -> Tensor:
    """Wave [B, N] between low_hz and high_hz, both [B] -> [B, N]; a row where one is NaN comes back as it is.

    3 dB down at each edge and falling by 24 dB an octave beyond (the magnitude of Butterworth filters), of zero
    phase, so that nothing is delayed. Over half the sample rate there is nothing to limit.
    """
    on = ~(low_hz.isnan() | high_hz.isnan())
    if not on.any():
        return wave
    rows = wave[on]
    length = next_fast_len(wave.shape[1] + math.ceil(RINGING_S * sample_rate), real=True)
    frequency_hz = torch.fft.rfftfreq(length, 1 / sample_rate, device=wave.device)
    low = (low_hz[on, None] / frequency_hz.clamp(min=1e-3)) ** (2 * ORDER)
    high = (frequency_hz / high_hz[on, None]) ** (2 * ORDER)
    gain = (1 / ((1 + low) * (1 + high)).sqrt()).to(wave.dtype)
    limited = torch.fft.irfft(torch.fft.rfft(rows, length) * gain, length)[:, : wave.shape[1]]
    return wave.masked_scatter(on[:, None], limited)


def clip(wave: Tensor, ceiling_db: Tensor) -> Tensor:
    """Wave [B, N] cut off at ceiling_db [B], dB re full scale, where a converter has no more numbers; NaN: as it is."""
    ceiling = (10 ** (ceiling_db.nan_to_num(math.inf) / 20))[:, None].to(wave.dtype)
    return wave.maximum(-ceiling).minimum(ceiling)


def mu_law(wave: Tensor) -> Tensor:
    """Wave to 8 bits, a sign and 127 steps that are mu-law's (ITU-T G.711, mu = 255), and back; clipped to -1..1.

    By the formula, |y| = ln(1 + mu |x|) / ln(1 + mu), not the standard's chords that come close to it. Silence, as in
    the standard, stays silence.
    """
    code = torch.round(torch.log1p(MU * wave.abs().clamp(max=1)) * (CODES / math.log1p(MU)))
    return wave.sign() * torch.expm1(code * (math.log1p(MU) / CODES)) / MU
