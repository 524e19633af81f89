"""From where to where a word goes in its clip: the stretch that holds all but the outermost parts of its energy."""

from __future__ import annotations

import torch
from torch import Tensor

ENERGY = (0.02, 0.98)


def word_span(
    wave: Tensor, lengths: Tensor | None = None, energy: tuple[float, float] = ENERGY
) -> tuple[Tensor, Tensor]:
    """Samples (start [B], end [B], int64) such that wave[b, start[b]:end[b]] is the word of clip b.

    The energy of a clip is summed up from its beginning: `start` is the sample at which the sum reaches the share
    energy[0] of the whole, `end` the one after that at which it reaches energy[1]. What lies outside is mostly the
    silence that a clip was cut with. Loud noise in the clip widens the span.

    wave: [B, N] of any real type; lengths: [B], the samples of each clip that count (default: N). Sums are float64,
    so that the end of a long clip counts as exactly as its beginning. A clip of digital silence has no word: (0, 0).

    Raises:
        ValueError: unless 0 <= energy[0] < energy[1] <= 1.
    """
    if not 0 <= energy[0] < energy[1] <= 1:
        raise ValueError(f"energy is {energy}: give two shares of the whole, the smaller one first")
    power = wave.to(torch.float64).square()
    if lengths is not None:
        samples = torch.arange(wave.shape[-1], device=wave.device)
        power = power * (samples < lengths.to(wave.device)[:, None])
    sums = torch.nn.functional.pad(power, (0, 1)).cumsum(-1)  # one sample of silence: a clip of none has a sum, too
    total = sums[:, -1:]
    shares = total * torch.tensor(energy, dtype=torch.float64, device=wave.device)
    # A share of nothing is reached with the first sample that is not digital silence.
    start, last = torch.searchsorted(sums, shares.clamp(min=torch.finfo(torch.float64).tiny)).unbind(-1)
    heard = total[:, 0] > 0
    return start * heard, (last + 1) * heard
