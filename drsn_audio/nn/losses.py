"""Losses of a denoiser: how far an estimated wave is from the clean one, as samples and as spectra.

All take estimate and clean [B, N], as long as each other, and give one value a row, [B], for the caller to weigh: a
row without speech has no SI-SDR.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from drsn_audio.projection import scaled_parts

RESOLUTIONS = ((256, 64), (512, 128), (1024, 256))  # window and hop in samples: 16, 32 and 64 ms at 16 kHz
SEGMENT = (512, 24)  # window in samples, frames of 16 ms: 0.4 s, as of STOI
FLOOR = 1e-5  # of a magnitude, whose window sums to one, in a logarithm: 100 dB below full scale


def si_sdr_loss(estimate: Tensor, clean: Tensor, *, most_db: float = 30.0) -> Tensor:
    """Minus the SI-SDR in dB, [B], that of `metrics.enhancement.si_sdr_db` but never beyond `most_db`.

    The error is taken as no smaller than the speech less `most_db`: an estimate that is as good as that gains nothing
    more, and a clean input, which is given back as it is, no longer outweighs all noisy ones. 0 where the clean wave
    is silent.
    """
    speech, error = scaled_parts(estimate, clean)
    speech_power, error_power = speech.square().sum(1), error.square().sum(1)
    spoken = clean.square().sum(1) > 0
    least = 10 ** (-most_db / 10) * speech_power
    tiny = torch.finfo(speech_power.dtype).tiny ** 0.5
    ratio_db = 10 * torch.log10((speech_power + tiny) / (error_power + least + tiny))
    return torch.where(spoken, -ratio_db, 0)


def multi_resolution_loss(
    estimate: Tensor, clean: Tensor, resolutions: Sequence[tuple[int, int]] = RESOLUTIONS
) -> Tensor:
    """Spectral convergence and log-magnitude distance, averaged over windows of several lengths, [B].

    Yamamoto, Song, Kim, "Parallel WaveGAN", ICASSP 2020, equations 4 to 6:
    |S - E| / |S| (Frobenius norms; S, E the magnitudes of clean and estimate) + mean |ln S - ln E|. Of a silent clean
    wave the first is left out: it divides by nothing.
    """
    total = estimate.new_zeros(len(estimate))
    for size, hop in resolutions:
        ours, wanted = magnitudes(estimate, size, hop), magnitudes(clean, size, hop)
        norm = wanted.square().sum((1, 2))
        distance = safe_root((wanted - ours).square().sum((1, 2)))
        convergence = torch.where(norm > 0, distance / safe_root(norm.clamp(min=1e-12)), 0)
        logs = (wanted.clamp(min=FLOOR).log() - ours.clamp(min=FLOOR).log()).abs().mean((1, 2))
        total = total + convergence + logs
    return total / len(resolutions)


def compressed_magnitude_loss(
    estimate: Tensor, clean: Tensor, *, size: int = 512, hop: int = 256, power: float = 0.3
) -> Tensor:
    """Mean square distance of the magnitudes, each raised to `power`, [B].

    Compression by 0.3 is near that of loudness, so that soft sounds, consonants and the noise in pauses, count beside
    loud vowels (Wilson et al., "Exploring tradeoffs in models for low-latency speech enhancement", IWAENC 2018).
    """
    ours, wanted = (magnitudes(wave, size, hop).clamp(min=FLOOR) ** power for wave in (estimate, clean))
    return (ours - wanted).square().mean((1, 2))


def intelligibility_loss(estimate: Tensor, clean: Tensor, *, sample_rate: int = 16000) -> Tensor:
    """1 less the mean correlation of envelopes in third-octave bands over 0.4 s, [B]: what STOI measures, smoothly.

    Taal, Hendriks, Heusdens, Jensen, "An algorithm for intelligibility prediction of time-frequency weighted noisy
    speech", IEEE TASLP 19(7), 2011, equations 1 to 5; at 16 kHz and in frames of 32 ms, without the clipping of
    equation 4, and without segments that are 40 dB or more softer than the loudest. 0 where the clean wave is silent.
    """
    size, frames = SEGMENT
    bands = third_octaves(size, sample_rate).to(clean.device)
    waves = estimate, clean
    envelopes = [safe_root(magnitudes(wave, size, size // 2).square().transpose(1, 2) @ bands) for wave in waves]
    missing = max(0, frames - envelopes[0].shape[1])
    ours, wanted = (F.pad(of, (0, 0, 0, missing)).unfold(1, frames, frames // 4) for of in envelopes)  # [B, S, 15, 24]
    power = wanted.square().sum((2, 3))  # [B, S]
    counted = (power > 0) & (power >= 1e-4 * power.amax(1, keepdim=True))
    ours, wanted = (of - of.mean(3, keepdim=True) for of in (ours, wanted))
    tiny = 1e-12
    norms = safe_root((ours.square().sum(3) + tiny) * (wanted.square().sum(3) + tiny))
    lack = (1 - (ours * wanted).sum(3) / norms).mean(2) * counted
    return lack.sum(1) / counted.sum(1).clamp(min=1)


def third_octaves(size: int, sample_rate: int) -> Tensor:
    """Which bins of a spectrum of `size` samples are in each of 15 bands from 150 Hz on, [size // 2 + 1, 15]."""
    hz = torch.arange(size // 2 + 1) * (sample_rate / size)
    centre = 150 * 2 ** (torch.arange(15) / 3)
    return ((hz[:, None] >= centre * 2 ** (-1 / 6)) & (hz[:, None] < centre * 2 ** (1 / 6))).float()


def magnitudes(wave: Tensor, size: int, hop: int) -> Tensor:
    """Wave [B, N] -> |STFT| [B, size // 2 + 1, T] by a Hann window that sums to one, no centring; in float32.

    Frames begin at every hop, and zeros follow the wave, so that N samples, however few, make at least one.
    """
    window = torch.hann_window(size, device=wave.device)
    with torch.autocast(wave.device.type, enabled=False):
        frames = -(-wave.shape[1] // hop)
        padded = F.pad(wave.float(), (0, (frames - 1) * hop + size - wave.shape[1]))
        spectrum = torch.fft.rfft(padded.unfold(1, size, hop) * (window / window.sum()))
        return safe_root(spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)


def safe_root(x: Tensor) -> Tensor:
    """Square root of x >= 0 whose derivative at 0 is 0 and not infinite: digital silence has a gradient, too."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)
