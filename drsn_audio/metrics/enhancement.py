"""How much of the noise is gone: measures of processed speech against the clean."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from drsn_audio.projection import scaled_parts


@torch.no_grad()
def segmental_snr_db(
    clean: Tensor,
    processed: Tensor,
    sample_rate: int,
    lengths: Tensor | None = None,
    *,
    frame_ms: float = 32.0,
    range_db: tuple[float, float] = (-10.0, 35.0),
    silence_db: float = 40.0,
) -> Tensor:
    """Segmental SNR in dB [B]: the mean over frames with speech of 10 log10(sum clean^2 / sum (clean - processed)^2).

    Hansen & Pellom, "An effective quality evaluation protocol for speech enhancement algorithms", ICSLP 1998; Loizou,
    "Speech Enhancement: Theory and Practice", 2nd ed. 2013, section 11.1. The frames are rectangular and stand side by
    side; samples after the last whole one do not count. Each SNR is first limited to `range_db`: a frame that is
    restored perfectly, or drowned, would decide the mean by itself.

    Args:
        clean: [B, N].
        processed: [B, N], aligned with the clean; the noisy speech itself gives the value before enhancement.
        sample_rate: in Hz.
        lengths: [B], the samples of each row that count; all N where it is not given.
        frame_ms: of a frame.
        range_db: the lowest and the highest SNR of a frame.
        silence_db: a frame that is softer than the loudest of its row by more than this holds no speech.

    Returns:
        float64 [B]; NaN for a row without speech: digitally silent, or shorter than a frame.

    Raises:
        ValueError: the waves differ in shape or are no batches, or a frame is shorter than a sample.
    """
    if clean.ndim != 2 or clean.shape != processed.shape:
        raise ValueError(f"clean {list(clean.shape)} and processed {list(processed.shape)}: give both as [B, N]")
    size = round(frame_ms * sample_rate / 1000)
    if size < 1:
        raise ValueError(f"frames of {frame_ms} ms at {sample_rate} Hz hold no sample: give more")
    frames = clean.shape[1] // size
    if frames == 0:
        return torch.full((len(clean),), math.nan, dtype=torch.float64, device=clean.device)
    speech, error = (
        x[:, : frames * size].reshape(len(clean), frames, size).double().square().sum(2)
        for x in (clean, clean.double() - processed.double())
    )
    if lengths is not None:
        whole = torch.arange(1, frames + 1, device=clean.device) * size <= lengths.to(clean.device)[:, None]
        speech = speech.masked_fill(~whole, 0)  # as silence
    loudest = speech.amax(1, keepdim=True)
    spoken = (speech > 0) & (speech >= loudest * 10 ** (-silence_db / 10))
    snr_db = (10 * torch.log10(speech / error)).clamp(*range_db)
    return snr_db.where(spoken, 0).sum(1) / spoken.sum(1)


@torch.no_grad()
def si_sdr_db(estimate: Tensor, clean: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, [B]: estimate and clean [B, N], aligned with each other.

    Le Roux, Wisdom, Erdogan, Hershey, "SDR - half-baked or well done?", ICASSP 2019, equations 2 and 3:
    10 log10(|a s|^2 / |a s - x|^2) with a = <x, s> / |s|^2, no means subtracted.

    Returns:
        float64 [B]; inf where the estimate is the clean wave times a number, -inf where it has nothing of it, NaN for
        a row whose clean wave is silent.

    Raises:
        ValueError: the waves differ in shape or are no batches.
    """
    if clean.ndim != 2 or clean.shape != estimate.shape:
        raise ValueError(f"clean {list(clean.shape)} and estimate {list(estimate.shape)}: give both as [B, N]")
    speech, error = scaled_parts(estimate.double(), clean.double())
    ratio_db = 10 * torch.log10(speech.square().sum(1) / error.square().sum(1))
    silent = clean.square().sum(1) == 0
    nothing = estimate.square().sum(1) == 0
    return ratio_db.where(~nothing, -math.inf).where(~silent, math.nan)
