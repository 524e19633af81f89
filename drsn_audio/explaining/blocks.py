"""What the blocks of a model did with a sound: for the picture, and in numbers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch

from drsn_audio.evaluation.alphas import Shrunk, block_shrinkage
from drsn_audio.models.encoder import Encoder
from drsn_audio.models.model import AudioModel
from drsn_audio.reports.thresholds import BlockPanels

SPREAD = (0.1, 0.9)  # quantiles of alpha


class BlockFacts(NamedTuple):
    """Numbers of a block as JSON has them, and what is drawn of it."""

    numbers: dict[str, Any]
    panels: BlockPanels


def hear_blocks(model: AudioModel, wave: np.ndarray) -> list[BlockFacts]:
    """Wave [N] at the model's rate -> each block, in the order in which they are heard; [] where nothing shrinks."""
    shrunk = block_shrinkage(model, torch.from_numpy(wave)[None])
    return [describe(model, name, block, len(wave)) for name, block in shrunk.items()]


def describe(model: AudioModel, name: str, block: Shrunk, samples: int) -> BlockFacts:
    """Of batches of one; frames that begin beyond the sound, which fill a causal model's last block, are left out."""
    frame = model.frontend.hop * math.prod(time_strides(model, name))
    frames = -(-samples // frame)
    x, y = block.x[0, ..., :frames].cpu(), block.y[0, ..., :frames].cpu()
    alpha, is_gate = block.alpha[0, ..., :frames].cpu(), block.tau is None
    zero = (y == 0).float()
    effect = y.abs().sum(0) / x.abs().sum(0).clamp(min=1e-12) if is_gate else zero.mean(0)
    low, high = torch.quantile(_thinned(alpha), torch.tensor(SPREAD)).tolist()
    numbers = {
        "block": name,
        "kind": "gate" if is_gate else "alpha",
        "alpha": round(float(alpha.mean()), 4),
        "alpha_low": round(low, 4),
        "alpha_high": round(high, 4),
        "tau": None if block.tau is None else float(f"{block.tau[0, ..., :frames].mean():.4g}"),
        "zeroed": round(float(zero.mean()), 4),
    }
    over_time = alpha.mean(0).numpy() if model.causal else None
    panels = BlockPanels(
        short_name(name), "gate" if is_gate else "alpha", alpha.mean(2).numpy(), over_time, effect.numpy(),
        len(x), frame / model.config.frontend.sample_rate, rows_a_band(model, x.shape[1]), float(numbers["zeroed"]),
    )  # fmt: skip
    return BlockFacts(numbers, panels)


def short_name(block: str) -> str:
    """E.g. "encoder.stages.0.1" -> "stages.0.1": what is behind the encoder has names of other kinds."""
    return block.removeprefix("encoder.").removeprefix("head.").removesuffix(".block")


def time_strides(model: AudioModel, block: str) -> list[int]:
    """Those of the encoder up to a block; blocks of heads come behind all of it, and stride no further."""
    parts = block.split(".")
    strides = model.encoder.time_strides
    return strides[: int(parts[2]) + 1] if parts[:2] == ["encoder", "stages"] else strides


def rows_a_band(model: AudioModel, bands: int) -> int:
    """How many rows of the spectrogram one band of a block stands for: all, where frequencies were joined."""
    rows = model.frontend.bins
    assert isinstance(model.encoder, Encoder)
    size = int(model.encoder.stem.stride[0])
    for _ in model.encoder.stages:
        if -(-rows // size) == bands:
            return size
        size *= 2
    return rows


def _thinned(values: torch.Tensor, most: int = 1 << 22) -> torch.Tensor:
    """Values [n], of many every so many: torch's quantile takes at most 16 million."""
    return values.flatten()[:: 1 + values.numel() // most]
