"""What changes from step to step, and how it is taken down and put up again, to the bit."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import gather_object
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from drsn_audio.config import TrainConfig
from drsn_audio.models.model import AudioModel
from drsn_audio.nn.masking import synchronise_norms
from drsn_audio.training.optim import make_average, make_optimizer, make_schedule
from drsn_audio.training.processes import add_up
from drsn_audio.training.segments import Carried


class Learner:
    """A model on its device, the moving average of its weights, optimiser, schedule, and what streams remember."""

    def __init__(
        self,
        model: AudioModel,
        config: TrainConfig,
        total_steps: int,
        accelerator: Accelerator,
        carried: Carried | None = None,
    ):
        if config.sync_norm and accelerator.num_processes > 1 and accelerator.device.type == "cuda":
            synchronise_norms(model)
        self.accelerator, self.clip_norm, self.carried = accelerator, config.clip_norm, carried
        self.device = accelerator.device
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        self.average: AveragedModel = make_average(self.model, config.ema_decay)
        plain = make_optimizer(self.model, config)
        self.schedule: LambdaLR = make_schedule(plain, total_steps, config.warmup_share)
        self.optimizer: AcceleratedOptimizer = accelerator.prepare(plain)

    @property
    def averaged(self) -> AudioModel:
        return self.average.module  # type: ignore[return-value]

    def add_up(self, figures: Tensor) -> Tensor:
        return add_up(self.model, figures, self.accelerator)

    @property
    def learning_rate(self) -> float:
        return float(self.schedule.get_last_lr()[0])

    def step(self, weight: float) -> float:
        """Move the weights by the gradients, which are sums of this `weight`. Returns the norm of their mean."""
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        torch._foreach_div_(gradients, weight)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.model)
        return float(norm)

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors by name, and the rest, for JSON. Every process is to call it: it holds what they all remember."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        optimizer = self.optimizer.optimizer.state_dict()
        for number, state in optimizer["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        if self.carried is not None:
            for rank, remembered in enumerate(gather_object([self.carried.pack()])):
                tensors |= {f"carried.{rank}.{name}": value for name, value in remembered.items()}
        scaler = self.accelerator.scaler
        facts = {
            # Of a tensor in another layout the same sums may be rounded otherwise.
            "strides": {name: value.stride() for name, value in tensors.items()},
            "processes": self.accelerator.num_processes,
            "groups": optimizer["param_groups"],
            "schedule": self.schedule.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
        }
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}, facts

    def unpack(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Be what another one was when it was packed. Streams of another number of processes begin anew."""
        laid_out = {
            name: torch.empty_strided(value.shape, facts["strides"][name], dtype=value.dtype).copy_(value)
            for name, value in tensors.items()
        }
        self.model.load_state_dict(_below("model", laid_out))
        self.average.load_state_dict(_below("average", laid_out))
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in _below("optimizer", laid_out).items():
            number, _, key = name.partition(".")
            states.setdefault(int(number), {})[key] = value
        self.optimizer.optimizer.load_state_dict({"state": states, "param_groups": facts["groups"]})
        self.schedule.load_state_dict(facts["schedule"])
        if facts["scaler"] is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(facts["scaler"])
        if self.carried is not None:
            own = _below(f"carried.{self.accelerator.process_index}", laid_out)
            self.carried.unpack(own if facts["processes"] == self.accelerator.num_processes else {}, self.device)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
