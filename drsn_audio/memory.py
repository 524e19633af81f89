"""What a causal model remembers of the sound before: how its layers see, block by block, what they see at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Remembers:
    """A layer that looks back: `memory_name` is what its tensors are called, see `name_layers`."""

    memory_name = ""


def name_layers(model: nn.Module) -> None:
    """Give each layer that looks back its place in the model as its name."""
    for name, layer in model.named_modules():
        if isinstance(layer, Remembers):
            layer.memory_name = name


class Memory:
    """The past of B streams: name of a layer's tensor -> tensor [B, ...].

    A layer asks for its `past`, with what stands for it at the beginning of a stream, and leaves by `keep` what the
    next block is to see. Offline the memory is empty, every stream begins, and the block is the whole wave.

    `fresh` [B] marks streams that begin with this block, whatever the tensors hold for them; None: all do where there
    are no tensors, else none.
    """

    def __init__(self, tensors: Mapping[str, Tensor] | None = None, fresh: Tensor | None = None):
        self.tensors = dict(tensors or {})
        self.fresh = fresh
        self.kept: dict[str, Tensor] = {}
        self.beginning: dict[str, Tensor] = {}

    def past(self, name: str, beginning: Tensor) -> Tensor:
        """The tensor of this name; `beginning`, of the same shape, for streams that begin."""
        self.beginning[name] = beginning
        stored = self.tensors.get(name)
        if stored is None:
            return beginning
        if self.fresh is None:
            return stored
        return torch.where(self.fresh.view(-1, *[1] * (stored.dim() - 1)), beginning, stored)

    def keep(self, name: str, value: Tensor) -> None:
        self.kept[name] = value

    def after(self) -> dict[str, Tensor]:
        """What was kept of this block, cut off from the graph of its gradients: the next block's tensors."""
        return {name: value.detach() for name, value in self.kept.items()}

    def extend(self, name: str, x: Tensor, count: int) -> Tensor:
        """x [..., T] with the last `count` values before it in front, zeros at the beginning of a stream."""
        if not count:
            return x
        x = torch.cat([self.past(name, x.new_zeros(*x.shape[:-1], count)), x], dim=-1)
        self.keep(name, x[..., -count:])
        return x
