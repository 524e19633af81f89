"""Running sums over the steps of an epoch, for its averages; a training that is gone on with goes on with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Sums:
    """Of the steps since the last epoch that was logged, which is `epoch`."""

    def __init__(
        self,
        epoch: int = 0,
        steps: int = 0,
        losses: Mapping[str, tuple[float, int]] | None = None,
        rows: int = 0,
        sound_s: float = 0.0,
        seconds: float = 0.0,
    ):
        self.epoch, self.steps, self.rows, self.sound_s, self.seconds = epoch, steps, rows, sound_s, seconds
        self.losses = {name: (total, count) for name, (total, count) in (losses or {}).items()}

    def add(self, losses: Mapping[str, float], rows: int, sound_s: float, seconds: float) -> None:
        for name, value in losses.items():
            total, count = self.losses.get(name, (0.0, 0))
            self.losses[name] = total + value, count + 1
        self.steps += 1
        self.rows += rows
        self.sound_s += sound_s
        self.seconds += seconds

    def means(self) -> dict[str, float]:
        return {name: total / count for name, (total, count) in self.losses.items()}

    def per_second(self) -> dict[str, float]:
        seconds = max(self.seconds, 1e-9)
        return {
            "steps_per_s": self.steps / seconds,
            "rows_per_s": self.rows / seconds,
            "sound_s_per_s": self.sound_s / seconds,
        }

    def state(self) -> dict[str, Any]:
        return {**vars(self), "losses": {name: list(pair) for name, pair in self.losses.items()}}
