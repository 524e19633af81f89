"""Levels of speech and noise: RMS, and the active speech level of ITU-T P.56; both without the mean.

The mean of a recording is the offset of a sound card. It is no sound and counts for no level: a wave that differs from
a constant by no more than rounding errors has the level of digital silence, -inf. A single sample has no mean apart
from itself, and counts as it is.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from drsn_audio.errors import InputError

TIME_CONSTANT_S = 0.03
HANGOVER_S = 0.2
MARGIN_DB = 15.9
NOT_FINITE = "the wave holds NaN or infinite samples: repair it"

STEP_DB = 20 * math.log10(2)  # between thresholds
BLOCK = 32  # samples that one matrix product averages
CHUNK = 2**18  # samples of a batch at once: an hour then needs no more memory than a minute
EXPONENTS = 2048  # of a float64, biased by 1023; 0 is zero itself
ROUNDING = 1e-6  # what is so small a part of the mean is the rounding of float32 samples, or of a resampler


class ActiveLevel(NamedTuple):
    """`active_db` and `rms_db` in dB re full scale (20 log10 of the RMS), `activity` in 0..1."""

    active_db: float
    rms_db: float
    activity: float


class ActiveLevels(NamedTuple):
    """The same of every row of a batch: float64 tensors [B]."""

    active_db: Tensor
    rms_db: Tensor
    activity: Tensor


def rms_db(wave: np.ndarray) -> float:
    """Wave [N] -> level without the mean, in dB re full scale: 0 for a square wave of amplitude 1, -inf for a constant.

    Raises:
        InputError: not one-dimensional, or NaN or infinite samples.
    """
    _refuse_channels(wave)
    if wave.size == 0:
        return -math.inf
    mean = mean_of(wave)
    if not math.isfinite(mean):
        raise InputError(NOT_FINITE)
    power = 0.0
    for begin in range(0, wave.size, CHUNK):
        samples = wave[begin : begin + CHUNK].astype(np.float64) - mean
        # np.dot would start BLAS threads, which wait for each other on a busy machine.
        power += float(np.einsum("i,i->", samples, samples))
    power /= wave.size
    if not math.isfinite(power):
        raise InputError(NOT_FINITE)
    return 10 * math.log10(power) if power > (ROUNDING * mean) ** 2 else -math.inf


def mean_of(wave: np.ndarray) -> float:
    """Mean of a wave [N], summed in float64; 0 of fewer than two samples."""
    with np.errstate(invalid="ignore"):
        return float(wave.mean(dtype=np.float64)) if wave.size > 1 else 0.0


def active_levels(wave: Tensor, sample_rate: int, lengths: Tensor | None = None) -> ActiveLevels:
    """Active speech level of every row of a batch [B, N], ITU-T P.56 (12/2011) method B: the RMS without the pauses.

    The mean of each row is taken off first, as the input filter of a voltmeter does.

    The active level over a threshold is sought that exceeds the threshold by 15.9 dB, interpolating between
    thresholds a factor of two apart. On clips of a second, where a syllable more or less may hang on that, a
    gain that is no power of two moves the level of some by a dB or two more. What the standard leaves open:

    - The thresholds are all powers of two, not fifteen of them, so the level may be as low as float32 holds.
    - Activity lasts for 0.2 s at least, or to the ends of a shorter clip, whose envelope has no time to rise.
    - Where no threshold is that close (a lone click), the highest that the envelope reaches counts.

    It is computed in float64 on the device of the wave (for MPS, which has none, on the CPU, and given in float32).

    Args:
        wave: [B, N] of any float type.
        sample_rate: in Hz.
        lengths: [B], the samples of each row that count; all N where it is not given.

    Returns:
        active_db is -inf and activity 0 for a row that is empty, digitally silent or constant.

    Raises:
        InputError: names the rows that hold NaN or infinite samples; or a sample rate that is not positive.
    """
    levels = _measure(wave, sample_rate, lengths)
    rows = (~(levels.rms_db < math.inf)).nonzero().flatten().tolist()
    if rows:
        raise InputError(f"rows {rows} of the batch hold NaN or infinite samples: repair them")
    return levels


def active_level(wave: np.ndarray, sample_rate: int) -> ActiveLevel:
    """`active_levels` of one wave [N].

    Raises:
        InputError: not one-dimensional, NaN or infinite samples, or a sample rate that is not positive.
    """
    _refuse_channels(wave)
    # Torch takes neither negative strides nor, without a warning, what cannot be written to.
    batch = torch.from_numpy(np.require(wave, requirements=["C", "W"]))[None]
    level = ActiveLevel(*(fact.item() for fact in _measure(batch, sample_rate, None)))
    if not level.rms_db < math.inf:
        raise InputError(NOT_FINITE)
    return level


def speech_level_db(wave: np.ndarray, sample_rate: int, method: str = "p56") -> float:
    """Level of a speech wave [N] in dB re full scale by "p56" (active speech only) or "rms" (all of it)."""
    if method == "p56":
        return active_level(wave, sample_rate).active_db
    if method == "rms":
        return rms_db(wave)
    raise InputError(f"no level method {method!r}: choose p56 or rms")


@torch.no_grad()
def _measure(wave: Tensor, sample_rate: int, lengths: Tensor | None) -> ActiveLevels:
    """`active_levels`, where a row of NaN or infinite samples has such an RMS."""
    if sample_rate <= 0:
        raise InputError(f"sample_rate is {sample_rate}: give it in Hz")
    if wave.ndim != 2:
        raise ValueError(f"a batch of shape {list(wave.shape)}: give [B, N]")
    if wave.device.type == "mps":
        return ActiveLevels(*(fact.float().to(wave.device) for fact in _measure(wave.cpu(), sample_rate, lengths)))
    batch, size = wave.shape
    samples = torch.full((batch,), size, device=wave.device) if lengths is None else lengths.to(wave.device)
    if lengths is not None and (samples > size).any():
        raise ValueError(f"lengths up to {int(samples.max())} in a batch of {size} samples: give at most these")
    chunk = BLOCK * max(1, CHUNK // BLOCK // max(1, batch))
    chunks = [slice(start, start + chunk) for start in range(0, size, chunk)]
    total = torch.zeros(batch, dtype=torch.float64, device=wave.device)
    for part in chunks:
        total += _masked(wave[:, part].double(), lengths, part.start).sum(1)
    mean = (total / samples.clamp(min=1)).masked_fill(samples == 1, 0)
    meter = _Voltmeter(mean, sample_rate)
    for part in chunks:
        meter.feed(_masked(wave[:, part].double() - mean[:, None], lengths, part.start), samples - part.start)
    return meter.levels(samples)


def _masked(wave: Tensor, lengths: Tensor | None, start: int) -> Tensor:
    """Chunk [B, N] that begins at a sample of its batch, with zeros from lengths [B] on."""
    if lengths is None:
        return wave
    sample = torch.arange(start, start + wave.shape[1], device=wave.device)
    return wave.masked_fill(sample >= lengths.to(wave.device)[:, None], 0)


class _Voltmeter:
    """The speech voltmeter of P.56 for a batch of B waves, of the given means [B], that come in chunks.

    The thresholds are powers of two, so how high the envelope is among them is the exponent of its float, and a
    sample is active over a threshold if the highest exponent of the last 0.2 s is over it: one histogram of these
    holds the activity over every threshold. It needs no loop over thresholds, nor the RMS beforehand.
    """

    def __init__(self, mean: Tensor, sample_rate: int):
        batch, device = len(mean), mean.device
        self.mean = mean
        self.keep = math.exp(-1 / (sample_rate * TIME_CONSTANT_S))
        self.hangover = math.ceil(HANGOVER_S * sample_rate)
        self.energy = torch.zeros(batch, dtype=torch.float64, device=device)
        self.state = torch.zeros(batch, 2, dtype=torch.float64, device=device)  # both averages, at the last sample
        self.recent = torch.zeros(batch, self.hangover, dtype=torch.int16, device=device)  # exponents
        self.histogram = torch.zeros(batch, EXPONENTS, dtype=torch.int64, device=device)

    def feed(self, wave: Tensor, left: Tensor) -> None:
        """The next chunk [B, N], float64 without the mean; of each row `left` [B] samples count, and the rest is 0.

        All chunks but the last are of whole blocks.
        """
        samples = torch.nn.functional.pad(wave, (0, -wave.shape[1] % BLOCK)).abs()
        self.energy += torch.linalg.vector_norm(samples, dim=1).square()

        envelope, self.state = _average_twice(samples, self.keep, self.state)
        exponents = (envelope[:, : wave.shape[1]].view(torch.int64) >> 52).to(torch.int16) & (EXPONENTS - 1)  # no sign
        exponents = torch.cat([self.recent, exponents], dim=1)
        self.recent = exponents[:, exponents.shape[1] - self.hangover :]
        highest = _running_maximum(exponents, self.hangover + 1)
        highest = highest.masked_fill(torch.arange(wave.shape[1], device=wave.device) >= left[:, None], 0)
        row = torch.arange(len(wave), dtype=torch.int32, device=wave.device)[:, None]
        bins = highest.int().add_(EXPONENTS * row)
        self.histogram += torch.bincount(bins.flatten(), minlength=self.histogram.numel()).view_as(self.histogram)

    def levels(self, samples: Tensor) -> ActiveLevels:
        """Levels of the waves that were fed, of which `samples` [B] count."""
        power = self.energy / samples.clamp(min=1)
        rms_db = 10 * torch.log10(power.masked_fill(power <= (ROUNDING * self.mean).square(), 0))
        heard = rms_db.isfinite()
        if not heard.any():
            return ActiveLevels(rms_db, rms_db, torch.zeros_like(rms_db))
        at_least = self.histogram.flip(1).cumsum(1).flip(1)  # samples active over 2 ** (exponent - 1023)
        highest = (at_least[:, 1:] > 0).sum(1)

        # No level lies below the RMS, so thresholds more than the margin below it cannot be the answer.
        lowest = ((rms_db - MARGIN_DB) / STEP_DB + 1023).floor().clamp(min=1).minimum(highest.double())
        first, last = int(lowest.where(heard, EXPONENTS).min()) - 1, int(highest.where(heard, 0).max())
        exponent = torch.arange(first, last + 1, dtype=torch.float64, device=samples.device)
        active = at_least[:, first : last + 1].maximum(samples.clamp(max=self.hangover)[:, None])
        level_db = rms_db[:, None] + 10 * torch.log10(samples[:, None] / active.double())
        above_db = level_db - STEP_DB * (exponent - 1023)

        near = (above_db <= MARGIN_DB) | (exponent >= highest[:, None])
        index = near.int().argmax(1, keepdim=True).clamp(min=1)
        level_0, level_1 = (level_db.gather(1, i).squeeze(1) for i in (index - 1, index))
        above_0, above_1 = (above_db.gather(1, i).squeeze(1) for i in (index - 1, index))
        share = ((above_0 - MARGIN_DB) / (above_0 - above_1)).where(above_1 <= MARGIN_DB, 1)
        active_db = (level_0 + share * (level_1 - level_0)).where(heard, rms_db)
        activity = (10 ** ((rms_db - active_db) / 10)).clamp(max=1).where(heard, 0)
        return ActiveLevels(active_db, rms_db, activity)


def _average_twice(wave: Tensor, keep: float, state: Tensor) -> tuple[Tensor, Tensor]:
    """Two exponential averages in a row: p_t = keep p_{t-1} + (1 - keep) x_t, and q the same of p.

    Wave [B, N], N a multiple of BLOCK, and both averages before it, state [B, 2] -> q [B, N], and both after it.
    One matrix product averages a block as if nothing had gone before it; what had is added then: n samples on,
    keep^n p and keep^n (q + n (1 - keep) p) are left of the averages p and q.
    """
    n, fade, sums = _powers(keep, wave.device)
    blocks = wave.reshape(len(wave), wave.shape[1] // BLOCK, BLOCK)
    q = blocks @ ((1 - keep) ** 2 * (n - n[:, None] + 1) * sums)
    p_end = blocks @ ((1 - keep) * sums[:, -1])

    keep_block = keep**BLOCK
    p_before = _decaying_sum(torch.cat([state[:, :1], p_end], 1), keep_block)
    q_end = q[:, :, -1] + keep_block * BLOCK * (1 - keep) * p_before[:, :-1]
    q_before = _decaying_sum(torch.cat([state[:, 1:], q_end], 1), keep_block)
    before = torch.stack([p_before, q_before], 2)
    q.view(-1, BLOCK).addmm_(before[:, :-1].reshape(-1, 2), torch.stack([n * (1 - keep) * fade, fade]))
    return q.reshape(wave.shape), before[:, -1]


def _decaying_sum(x: Tensor, keep: float) -> Tensor:
    """As `smoothing.decayed_sum`, for one decay, whose powers are kept: in half the time on a clip of a second."""
    _, fade, sums = _powers(keep, x.device)
    blocks = torch.nn.functional.pad(x, (0, -x.shape[1] % BLOCK)).unflatten(1, (-1, BLOCK))
    y = blocks @ sums
    if y.shape[1] > 1:
        before = _decaying_sum(y[:, :-1, -1], keep**BLOCK)
        y[:, 1:] += before[:, :, None] * fade
    return y.flatten(1)[:, : x.shape[1]]


@lru_cache(maxsize=32)
def _powers(keep: float, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """n = 1 .. BLOCK, keep^n, and the matrix [BLOCK, BLOCK] of keep^(column - row), 0 below its diagonal."""
    n = torch.arange(1, BLOCK + 1, dtype=torch.float64, device=device)
    return n, keep**n, (keep ** (n - n[:, None]).clamp(min=0)).triu()


def _running_maximum(x: Tensor, window: int) -> Tensor:
    """Maximum over the last `window` of x [B, window - 1 + N] -> [B, N], by windows doubled in turn."""
    size = 1
    while 2 * size <= window:
        x = torch.maximum(x[:, size:], x[:, :-size])
        size *= 2
    rest = window - size
    return torch.maximum(x[:, rest:], x[:, : x.shape[1] - rest])


def _refuse_channels(wave: np.ndarray) -> None:
    if wave.ndim != 1:
        raise InputError(f"a wave of shape {wave.shape}: give one channel, [N]")
