"""How much the shrinkage of every block takes away of what it hears: the alphas of its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from drsn_audio.models.model import AudioModel
from drsn_audio.nn.shrinkage import ChannelWiseShrinkage, SqueezeExcitation

KINDS = (ChannelWiseShrinkage, SqueezeExcitation)  # what has a gate; channel-shared thresholds are of the first


@torch.inference_mode()
def block_alphas(model: AudioModel, wave: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
    """Wave [B, N], lengths [B] in samples -> by the name of each block, in the order in which they are heard, its
    alpha = tau / mean |x|, in (0, 1): [B, C or 1, F or 1, T or 1], one a channel unless it is shared, one a frequency
    and one a frame where the block has such thresholds. Where a gate stands in the place of a threshold (`se`), what
    it multiplies by, of the same shape. A model that has neither: {}.

    Frames beyond a length are in it, and mean nothing. The model is heard in eval mode, and left as it was.
    """
    found: dict[str, Tensor] = {}

    def keep(block: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_gate: nn.Module, _inputs: Any, alpha: Tensor) -> None:
            found[block] = alpha.float()

        return hook

    device = next(model.parameters()).device
    hooks = []
    try:
        for name, module in model.named_modules():
            if isinstance(module, KINDS):
                hooks.append(module.gate.register_forward_hook(keep(name.removesuffix(".shrinkage"))))
        with in_eval_mode(model):
            model(wave.to(device), None if lengths is None else lengths.to(device))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def mean_alphas(model: AudioModel, waves: Iterable[Tensor]) -> dict[str, np.ndarray]:
    """Waves [S, N], each an utterance under S conditions -> by block [S]: the mean alpha of each condition over the
    utterances, and over channels, frequencies and frames.
    """
    rows: dict[str, list[Tensor]] = {}
    for wave in waves:
        for block, alpha in block_alphas(model, wave).items():
            rows.setdefault(block, []).append(alpha.mean((1, 2, 3)).cpu())
    return {block: torch.stack(means).mean(0).numpy() for block, means in rows.items()}


def alpha_name(model: AudioModel) -> str:
    """What the numbers of `block_alphas` are: "alpha", or "gate" where they multiply; "" where there are none."""
    kinds = {isinstance(module, SqueezeExcitation) for module in model.modules() if isinstance(module, KINDS)}
    return "" if not kinds else "gate" if kinds == {True} else "alpha"


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """The model in eval mode; afterwards each part of it in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
