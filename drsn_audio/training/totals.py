"""Figures of a step: sums over the shares of each process, then over processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from drsn_audio.datasets.batch import Batch


class Totals:
    """Kept on the device, so that one message adds them up and one copy brings them to Python."""

    def __init__(self, device: torch.device):
        self.device = device
        self.figures: dict[str, Tensor] = {}

    def add(self, name: str, value: Tensor | float) -> None:
        added = torch.as_tensor(value, dtype=torch.float32, device=self.device)
        self.figures[name] = self.figures[name] + added if name in self.figures else added

    def add_share(self, losses: Mapping[str, Tensor], weight: Tensor | float, batch: Batch, counts: bool) -> None:
        for name, value in losses.items():
            self.add(name, value.detach() * weight)
        self.add("weight", weight)
        self.add("rows", counts * len(batch.ids))
        self.add("sound_s", counts * batch.speech.numel() / batch.sample_rate)

    def over_processes(self, add_up: Callable[[Tensor], Tensor]) -> dict[str, float]:
        summed = add_up(torch.stack(list(self.figures.values())))
        return dict(zip(self.figures, summed.tolist(), strict=True))
