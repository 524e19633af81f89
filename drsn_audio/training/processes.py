"""Several processes at one training: each hears its share of every batch, and all have the same weights."""

from __future__ import annotations

import logging
import os

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from drsn_audio.config import ConfigError, TrainConfig

log = logging.getLogger("drsn_audio")


def start_processes(config: TrainConfig) -> Accelerator:
    """This process among those that `accelerate launch` has started: its device, its precision.

    Raises:
        ConfigError: a precision that is unknown, or that the device does not have.
    """
    precision = "no" if config.precision == "fp32" else config.precision  # accelerate's word for none that is mixed
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if launched not in ("no", precision):
        log.warning("accelerate's mixed_precision=%s is not used: train.precision=%s says", launched, config.precision)
    AcceleratorState._reset_state()  # global: an earlier call may have had another precision
    try:
        # Else accelerate takes several processes without a GPU for one each.
        cpu = config.device == "cpu" or not (torch.cuda.is_available() or torch.backends.mps.is_available())
        return Accelerator(cpu=cpu, mixed_precision=precision)
    except ValueError as error:
        raise ConfigError(f"train.precision={config.precision}: {error}") from None


def add_up(model: nn.Module, figures: Tensor, accelerator: Accelerator) -> Tensor:
    """Add up the gradients and the `figures` [n] of all processes, and average what else they learn (BatchNorm's
    statistics, a label prior). Returns the sums of the figures.

    It all goes in one message, once a step and after the last backward pass: these models are small, and their
    gradients take less time to send than to be sent piece by piece while others are computed.
    """
    if accelerator.num_processes == 1:
        return figures
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    kept = model.state_dict().keys()  # others are constants
    learnt = [buffer for name, buffer in model.named_buffers() if name in kept and buffer.is_floating_point()]
    pieces = [*gradients, *(buffer / accelerator.num_processes for buffer in learnt), figures]
    sums = accelerator.reduce(torch.cat([piece.reshape(-1) for piece in pieces]))
    *summed, figures = sums.split([piece.numel() for piece in pieces])
    for tensor, values in zip([*gradients, *learnt], summed, strict=True):
        tensor.copy_(values.view(tensor.shape))
    return figures


def seed_step(seed: int, step: int, place: int, device: torch.device) -> None:
    """What dropout draws in a step depends on (seed, step, place of this piece of the batch) alone, so that a training
    that is resumed needs no state of a generator.
    """
    number = ((seed * 1_000_003 + step) * 4_099 + place) % 2**63
    torch.default_generator.manual_seed(number)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(number)
