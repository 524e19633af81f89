"""What of a training's settings cannot be, told before anything is read."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from drsn_audio.config import ConfigError, TrainConfig

DEVICES: dict[str, Callable[[], bool]] = {
    "auto": lambda: True,
    "cpu": lambda: True,
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}


def fix_algorithms(config: TrainConfig) -> None:
    """With train.deterministic, those of which a GPU, too, gives the same bits each time; a warning tells where there
    is none.
    """
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the GPU is first used
    torch.use_deterministic_algorithms(config.deterministic, warn_only=True)


def check_settings(config: TrainConfig) -> None:
    """Raises ConfigError."""
    if config.device not in DEVICES:
        raise ConfigError(f"train.device={config.device!r} is unknown: use one of {', '.join(DEVICES)}")
    if not DEVICES[config.device]():
        raise ConfigError(f"train.device={config.device}: torch finds none here: use auto or cpu")
    for key, least in (("epochs", 1), ("accumulate", 1), ("checkpoints", 1), ("encoder_rate", 0), ("explosion", 0)):
        if getattr(config, key) < least:
            raise ConfigError(f"train.{key}={getattr(config, key):g}: give {least} or more")
    if config.checkpoint_minutes <= 0 or config.checkpoint_steps < 0:
        given = f"train.checkpoint_minutes={config.checkpoint_minutes:g} checkpoint_steps={config.checkpoint_steps}"
        raise ConfigError(f"{given}: give minutes above 0, and 0 or more steps")
    if not 0 <= config.false_accept_rate <= 1:
        raise ConfigError(f"train.false_accept_rate={config.false_accept_rate}: give a share, e.g. 0.05")
    if config.stretch_s and config.stretch_s < 0.5:
        raise ConfigError(f"train.stretch_s={config.stretch_s:g}: give seconds that hold a word, e.g. 2.4, or 0")
    if not 0 <= config.carry_share <= 1:
        raise ConfigError(f"train.carry_share={config.carry_share}: give a share from 0 to 1")
    if config.batch_size < 2:
        raise ConfigError(f"train.batch_size={config.batch_size}: give 2 or more, BatchNorm needs them")
