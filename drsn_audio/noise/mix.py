"""Mixing speech and noise at an exact signal-to-noise ratio, on tensors of any device.

An SNR is the level of the speech (its active level, ITU-T P.56, see level.py) over the RMS of the noise
over the span of the speech: samples start[b] <= n < start[b] + lengths[b]. Both are measured without their means.
The speech keeps its own mean; of the noise, the mean over the span is taken off, for its gain would multiply it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from drsn_audio.errors import InputError
from drsn_audio.noise.level import ROUNDING, rms_db, speech_level_db


def mix_at_snr(
    speech: Tensor,
    noise: Tensor,
    snr_db: Tensor,
    *,
    speech_level_db: Tensor,
    start: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Speech and noise [B, N] -> (noisy, noise part), both [B, N]; noisy = speech + noise part.

    The speech is never changed. The noise loses its mean over the span; it goes on outside of it.
    snr_db [B] in dB: +inf means no noise, and needs no level. speech_level_db [B] in dB re full scale.
    start, lengths [B]: the span of the speech in samples; the whole of N where they are not given.

    Raises:
        InputError: names the rows whose speech has no level, whose noise is silent (or constant) over the span,
            whose span is empty or whose SNR is NaN or -inf.
    """
    if speech.shape != noise.shape:
        raise ValueError(f"speech {list(speech.shape)} and noise {list(noise.shape)} differ: cut both to [B, N]")
    clean = snr_db == math.inf
    _refuse(snr_db.isnan() | (snr_db == -math.inf), "an SNR of NaN or -inf: give a number, or inf for clean")
    _refuse(~speech_level_db.isfinite() & ~clean, "speech without a level: leave it out, or ask for inf")
    noise_part, silent = _at_level(noise, speech_level_db - snr_db, start, lengths)
    _refuse(silent & ~clean, "silent or non-finite noise where the speech is: draw another")
    if silent.any():
        noise_part = noise_part.masked_fill(silent[:, None], 0)
    return speech + noise_part, noise_part


def combine_noises(
    noises: Tensor, gains_db: Tensor, *, start: Tensor | None = None, lengths: Tensor | None = None
) -> Tensor:
    """Several noises at once, [B, K, N] -> their sum [B, N], such as a car that passes a babble.

    Each loses its mean over the span of the speech, is brought to an RMS of 1 there and then to its gain, gains_db
    [B, K]: in dB relative to the first where that has 0. -inf leaves one out. `mix_at_snr` of the sum gives the SNR of
    all together.

    Raises:
        InputError: names the rows of which a noise that is not left out is silent over the span, or has a gain that
            is NaN or +inf, or whose first noise is left out.
    """
    _refuse(gains_db.isnan().any(1) | (gains_db == math.inf).any(1), "a gain of NaN or +inf: give dB, or -inf for none")
    left_out = gains_db == -math.inf
    _refuse(left_out[:, 0], "its first noise is left out, to which the others are relative: give it 0 dB")
    spans = [None if bound is None else bound.repeat_interleave(noises.shape[1]) for bound in (start, lengths)]
    centred, rms = _centred(noises.flatten(0, 1), *spans)
    centred, rms = centred.view_as(noises), rms.view_as(gains_db)
    factors = (_amplitude(gains_db) / rms).masked_fill(left_out, 0).to(noises.dtype)  # what is left out may have no RMS
    total = centred[:, 0] * factors[:, :1]
    for place in range(1, noises.shape[1]):
        total.addcmul_(centred[:, place], factors[:, place : place + 1])
    _refuse(~total.sum(1).isfinite(), "one of its noises is silent or non-finite where the speech is: draw another")
    return total


def noise_at_level(
    noise: Tensor, level_db: Tensor, *, start: Tensor | None = None, lengths: Tensor | None = None
) -> Tensor:
    """Noise [B, N] at an RMS of level_db [B], dB re full scale, over the span: where nobody speaks.

    Raises:
        InputError: names the rows whose noise is silent over the span, or whose level is NaN or infinite.
    """
    _refuse(~level_db.isfinite(), "a level that is NaN or infinite: give dB re full scale, e.g. -30")
    noise, silent = _at_level(noise, level_db, start, lengths)
    _refuse(silent, "silent or non-finite noise: draw another")
    return noise


def measure_snr(
    speech: Tensor, noise_part: Tensor, sample_rate: int, lengths: Tensor | None = None, level: str = "p56"
) -> Tensor:
    """SNR in dB [B] of the two parts [B, N] of a mix, measured anew from their samples."""
    ends = [speech.shape[1]] * len(speech) if lengths is None else lengths.tolist()
    spans = zip(speech.numpy(force=True), noise_part.numpy(force=True), ends, strict=True)
    return torch.tensor([speech_level_db(s[:end], sample_rate, level) - rms_db(n[:end]) for s, n, end in spans])


def _at_level(noise: Tensor, level_db: Tensor, start: Tensor | None, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Noise [B, N], without its mean, at an RMS of level_db [B] over the span, and [B]: True where that cannot be."""
    noise, rms = _centred(noise, start, lengths)
    factor = (_amplitude(level_db) / rms).to(noise.dtype)
    noise *= factor[:, None]
    if start is None and lengths is None:
        return noise, ~factor.isfinite()  # every sample has entered the RMS
    return noise, ~noise.sum(dim=1).isfinite()  # a sum shows any NaN, and is quicker than asking each sample


def _centred(noise: Tensor, start: Tensor | None, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Noise [B, N] without its mean over the span, and its RMS [B] there: 0 of a constant, NaN of an empty span."""
    begin = torch.zeros(len(noise), dtype=torch.long, device=noise.device) if start is None else start.clamp(min=0)
    end = torch.full_like(begin, noise.shape[1])
    if lengths is not None:
        end = ((0 if start is None else start) + lengths).clamp(max=noise.shape[1])
    count = (end - begin).clamp(min=0)
    whole = start is None and lengths is None
    inside = None
    if whole:
        mean = noise.sum(1)
    elif noise.device.type == "cpu":  # in a sixth of the time that a mask takes
        spans = list(zip(begin.tolist(), (begin + count).tolist(), strict=True))
        mean = torch.stack([row[first:stop].sum() for row, (first, stop) in zip(noise, spans, strict=True)])
    else:
        inside = _span(noise, start, lengths)
        mean = noise.where(inside, 0).sum(1)
    mean = (mean / count.clamp(min=1)).masked_fill(count == 1, 0)  # as in level.py
    centred = noise - mean[:, None]
    if whole:
        norm = torch.linalg.vector_norm(centred, dim=1)
    elif inside is None:
        rows = zip(centred, spans, strict=True)
        norm = torch.stack([torch.linalg.vector_norm(row[first:stop]) for row, (first, stop) in rows])
    else:
        norm = torch.linalg.vector_norm(centred.where(inside, 0), dim=1)
    if not ((norm > 1e-15) & (norm < 1e15)).all():
        # By the peak: the squares of a quiet float32 recording underflow, those of a loud one overflow.
        inside = centred.where(_span(noise, start, lengths), 0)
        peak = inside.abs().amax(dim=1)
        norm = (torch.linalg.vector_norm(inside / peak[:, None], dim=1) * peak).where(peak > 0, 0)
    rms = norm / count.sqrt()
    return centred, rms.masked_fill(rms <= ROUNDING * mean.abs(), 0)


def _span(wave: Tensor, start: Tensor | None, lengths: Tensor | None) -> Tensor:
    """Bool [B, N]: True within the span."""
    sample = torch.arange(wave.shape[1], device=wave.device)
    begin = torch.zeros(len(wave), dtype=torch.long, device=wave.device) if start is None else start
    inside = (sample >= begin[:, None]).expand(wave.shape)
    return inside if lengths is None else inside & (sample < (begin + lengths)[:, None])


def _amplitude(level_db: Tensor) -> Tensor:
    return 10 ** (level_db / 20)


def _refuse(wrong: Tensor, reason: str) -> None:
    if wrong.any():
        rows = wrong.nonzero().flatten().tolist()
        raise InputError(f"rows {rows} of the batch: {reason}")
