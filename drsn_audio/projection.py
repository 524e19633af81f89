"""A wave as a multiple of another and what is left: what losses and measures of enhanced speech share."""

from __future__ import annotations

from torch import Tensor


def scaled_parts(estimate: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate x and clean s [B, N] -> a s and x - a s, a = <x, s> / |s|^2: what x has of s, and what it has beside it.

    Le Roux, Wisdom, Erdogan, Hershey, "SDR - half-baked or well done?", ICASSP 2019. Of a silent s there is nothing.
    """
    power = clean.square().sum(1, keepdim=True)
    share = (estimate * clean).sum(1, keepdim=True) / power.where(power > 0, 1)
    return share * clean, estimate - share * clean
