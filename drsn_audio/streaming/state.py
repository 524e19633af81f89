"""All that a stream remembers, as one object: to be saved, restored, and moved between devices."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from drsn_audio.errors import InputError
from drsn_audio.files import write_whole

FORMAT = "drsn_audio stream 2"


@dataclass
class StreamState:
    """layers: name -> tensor [1, ...] of each layer that looks back; waiting [n]: samples that are no whole block yet;
    frames: how many frames of logits were given out; detector: what its detector remembers.
    """

    layers: dict[str, Tensor]
    waiting: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    frames: int = 0
    detector: dict[str, np.ndarray] = field(default_factory=dict)

    def to(self, device: torch.device | str) -> StreamState:
        """The same on another device; nothing is shared with this one."""
        layers = {name: tensor.to(device, copy=True) for name, tensor in self.layers.items()}
        detector = {name: value.copy() for name, value in self.detector.items()}
        return StreamState(layers, self.waiting.copy(), self.frames, detector)

    def save(self, path: str | Path) -> None:
        """Write it to a file (safetensors); it is either whole or not there."""
        tensors = {f"layers/{name}": tensor.cpu().contiguous() for name, tensor in self.layers.items()}
        arrays = {f"detector/{name}": value for name, value in self.detector.items()} | {"waiting": self.waiting}
        tensors |= {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}
        about = {"format": FORMAT, "frames": json.dumps(self.frames)}
        write_whole(Path(path), save(tensors, metadata=about))

    @staticmethod
    def load(path: str | Path) -> StreamState:
        """What `save` wrote, on the CPU. Raises InputError where that is not what the file holds."""
        try:
            with safe_open(str(path), "pt") as file:
                about = file.metadata() or {}
                if about.get("format") != FORMAT:
                    raise InputError(f"{path}: not the state of a stream of this version: start the stream anew")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        except FileNotFoundError:
            raise InputError(f"{path}: no such file: check the path") from None
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: not the state of a stream ({error}): start the stream anew") from None
        waiting = tensors.pop("waiting").numpy()
        parts: dict[str, dict[str, Tensor]] = {"layers": {}, "detector": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        detector = {name: tensor.numpy() for name, tensor in parts["detector"].items()}
        return StreamState(parts["layers"], waiting, json.loads(about["frames"]), detector)
