"""A step of a stream as a module of tensors alone: samples and state in, logits and state out."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from drsn_audio.errors import InputError
from drsn_audio.memory import Memory
from drsn_audio.models.model import AudioModel
from drsn_audio.nn.masking import MaskedBatchNorm2d
from drsn_audio.nn.shrinkage import Gate

MOST_BLOCKS = 32  # a step: the stream is behind by so much


class StreamStep(nn.Module):
    """A causal model in eval mode that hears `blocks` blocks: samples [B, blocks * block], state -> logits, state.

    Logits are [B, K] of one block, [B, blocks, K] of several, which take less time together than one after the other.
    The state is a tensor [B, ...] for each of `names`, in their order; `beginning` has that of a stream that begins,
    [1, ...].

    Raises:
        InputError: a model of whole clips, or no such number of blocks.
    """

    def __init__(self, model: AudioModel, blocks: int = 1):
        super().__init__()
        if not 1 <= blocks <= MOST_BLOCKS:
            raise InputError(f"a step of {blocks} blocks: give 1 to {MOST_BLOCKS}")
        if not model.causal:
            raise InputError("a model of whole clips has no step: export a causal one, e.g. commands-12-stream")
        self.model, self.blocks = model.eval(), blocks
        memory = Memory()
        with torch.no_grad():
            model(torch.zeros(1, self.samples, device=model.frontend.window.device), memory=memory)
        self.names = list(memory.kept)
        self.beginning = {name: memory.beginning[name].detach().clone() for name in self.names}

    @property
    def samples(self) -> int:
        """What a step hears."""
        return self.blocks * self.model.block

    def forward(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        memory = Memory(dict(zip(self.names, state, strict=True)))
        logits = self.model(samples, memory=memory)
        return (logits[:, 0] if self.blocks == 1 else logits, *(memory.kept[name] for name in self.names))


class Affine(nn.Module):
    """What BatchNorm is once it is trained: x [B, C, F, T] -> gain [C, 1, 1] * x + offset [C, 1, 1]."""

    gain: Tensor
    offset: Tensor

    def __init__(self, norm: nn.BatchNorm2d):
        super().__init__()
        assert norm.running_var is not None
        assert norm.running_mean is not None
        gain = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
        offset = -norm.running_mean * gain + (0 if norm.bias is None else norm.bias)
        self.register_buffer("gain", gain.detach()[:, None, None])
        self.register_buffer("offset", offset.detach()[:, None, None])

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.gain * x + self.offset


def without_norms(model: AudioModel) -> AudioModel:
    """A copy that gives the same in eval mode, its BatchNorms joined with what stands before them, or two operations.

    Those after a convolution, or before one with a ReLU between, are left to the exporter.
    """
    model = copy.deepcopy(model).eval()
    for layer in model.modules():
        if isinstance(layer, Gate):
            layer.fc1 = fuse_conv_bn_eval(layer.fc1, layer.bn)
            layer.bn = _Same()  # type: ignore[assignment]
    norm = getattr(model.encoder, "input_norm", None)
    if isinstance(norm, MaskedBatchNorm2d):
        model.encoder.input_norm = Affine(norm)  # type: ignore[assignment]
    return model


class _Same(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x
