"""Optimiser, learning-rate schedule, moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from drsn_audio.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW; what is one number a channel (biases, norms, priors) is not decayed. The encoder has its own rate."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        rate = config.learning_rate * (config.encoder_rate if name.startswith("encoder.") else 1.0)
        decay = config.weight_decay if parameter.numel() > parameter.shape[0] else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]
    )


def make_schedule(optimizer: torch.optim.Optimizer, total_steps: int, warmup_share: float) -> LambdaLR:
    """Linear warm-up over `warmup_share` of all steps, then a cosine to zero."""
    warmup = max(1, round(total_steps * warmup_share))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total_steps - warmup))))

    return LambdaLR(optimizer, factor)


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average of weights and BatchNorm statistics: what is evaluated and saved.

    The decay grows from 0.1 to `decay`, as (1 + n) / (10 + n) after n steps, so that the start is soon forgotten.
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor | int) -> None:
        n = float(steps)
        weight = 1 - min(decay, (1 + n) / (10 + n))
        for average, value in zip(averages, current, strict=True):
            if average.is_floating_point():
                average.lerp_(value, weight)
            else:  # BatchNorm's count of batches
                average.copy_(value)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)
