"""How much the shrinkage of every block takes away of what it hears: thresholds, and the alphas they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from drsn_audio.models.model import AudioModel
from drsn_audio.nn.shrinkage import ChannelWiseShrinkage, SqueezeExcitation

KINDS = (ChannelWiseShrinkage, SqueezeExcitation)  # what has a gate; channel-shared thresholds are of the first


class Shrunk(NamedTuple):
    """What one block's shrinkage did: with x [B, C, F, T] that came in and y that went out.

    alpha, tau: [B, C or 1, 1 or F, 1 or T]. Where a gate stands in the place of a threshold, alpha is what it
    multiplies by, and there is no tau.
    """

    x: Tensor
    y: Tensor
    alpha: Tensor
    tau: Tensor | None


@torch.inference_mode()
def block_shrinkage(model: AudioModel, wave: Tensor, lengths: Tensor | None = None) -> dict[str, Shrunk]:
    """Wave [B, N], lengths [B] in samples -> by the name of each block, in the order in which they are heard, what its
    shrinkage did. A model that has neither thresholds nor gates: {}.

    Frames beyond a length are in it, and mean nothing. The model is heard in eval mode, and left as it was.
    """
    gated: dict[str, tuple[Tensor, Tensor]] = {}
    found: dict[str, Shrunk] = {}

    def keep_gate(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_gate: nn.Module, inputs: Any, alpha: Tensor) -> None:
            gated[name] = inputs[0], alpha

        return hook

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, y: Tensor) -> None:
            average, alpha = gated.pop(name)
            tau = module.scaled(alpha, average).float() if isinstance(module, ChannelWiseShrinkage) else None
            found[name] = Shrunk(inputs[0].float(), y.float(), alpha.float(), tau)

        return hook

    device = next(model.parameters()).device
    hooks = []
    try:
        for name, module in model.named_modules():
            if isinstance(module, KINDS):
                block = name.removesuffix(".shrinkage")
                hooks.append(module.gate.register_forward_hook(keep_gate(block)))
                hooks.append(module.register_forward_hook(keep(block)))
        with in_eval_mode(model):
            model(wave.to(device), None if lengths is None else lengths.to(device))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def block_alphas(model: AudioModel, wave: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
    """The alphas of `block_shrinkage` alone: tau / mean |x|, in (0, 1), or what a gate multiplies by."""
    return {name: shrunk.alpha for name, shrunk in block_shrinkage(model, wave, lengths).items()}


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
