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
