"""The training loop."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import set_seed
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from drsn_audio.config import ConfigError, ExperimentConfig, TrainConfig, config_to_dict, config_to_yaml
from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.errors import InputError
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.files import write_whole
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters
from drsn_audio.training.denoising import DenoisingTask
from drsn_audio.training.joint import JointTask
from drsn_audio.training.keyword import KeywordTask
from drsn_audio.training.optim import make_average, make_optimizer, make_schedule
from drsn_audio.training.start import start_from
from drsn_audio.training.task import Score, Task
from drsn_audio.training.transcription import TranscriptionTask, with_labels

log = logging.getLogger("drsn_audio")

DEVICES: dict[str, Callable[[], bool]] = {
    "auto": lambda: True,
    "cpu": lambda: True,
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}
TASKS: dict[str, Callable[[ExperimentConfig, AudioModel, AudioStore], Task]] = {
    "keyword": KeywordTask,
    "ctc": TranscriptionTask,
    "denoise": DenoisingTask,
    "joint": JointTask,
}
CACHE_BYTES = 4 << 30  # of decoded audio; each loader process keeps a store of its own


def train(config: ExperimentConfig) -> Path:
    """Train on config.data, keep the best and the last checkpoint in the run folder. Returns the best one's path.

    Raises:
        ConfigError, ManifestError, AudioError: what the config names cannot be used.
    """
    _check(config.train)
    config = with_labels(config)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    set_seed(config.seed)
    AcceleratorState._reset_state()  # global: an earlier call may have had another precision
    try:
        accelerator = Accelerator(cpu=config.train.device == "cpu", mixed_precision=config.train.precision)
    except ValueError as error:
        raise ConfigError(f"train.precision={config.train.precision}: {error}") from None
    if accelerator.num_processes > 1:
        raise ConfigError("training runs in one process so far: start it without accelerate launch")
    model = AudioModel(config.model)
    if config.init:
        start_from(model, config.init)
    store = AudioStore(config.model.frontend.sample_rate, CACHE_BYTES // max(1, config.train.workers))
    task = TASKS[config.model.head](config, model, store)

    run = Path(config.run)
    run.mkdir(parents=True, exist_ok=True)
    write_whole(run / "config.yaml", config_to_yaml(config).encode(), sync=True)
    sizes = {"parameters": count_parameters(model), "multiply_adds": count_multiply_adds(model)}
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    average = make_average(model, config.train.ema_decay)
    averaged: AudioModel = average.module  # type: ignore[assignment]
    optimizer = make_optimizer(model, config.train)
    total_steps = min(task.plan.steps(config.train.epochs), config.train.max_steps or 2**62)
    schedule = make_schedule(optimizer, total_steps, config.train.warmup_share)
    wrapped, optimizer = accelerator.prepare(model, optimizer)

    watch = Watch(run, total_steps, f"{config.model.shrinkage} {sizes['parameters']:,} parameters")
    learnt_from = {"init": config.init, "data": config_to_dict(config.data)}
    info: dict[str, Any] = {"seed": config.seed, **sizes, "metrics": {}, **learnt_from, **provenance()}
    step, best = 0, None
    with watch:
        for epoch in range(config.train.epochs):
            task.plan.epoch = epoch
            model.train()
            started = time.perf_counter()
            for batch in task.loader:
                losses = task.losses(wrapped, batch.to(accelerator.device), accelerator, step)
                loss = torch.stack(list(losses.values())).sum()
                if not torch.isfinite(loss):
                    _stop(run, step, losses, batch)
                optimizer.zero_grad()
                accelerator.backward(loss)
                norm = accelerator.clip_grad_norm_(wrapped.parameters(), config.train.clip_norm)
                optimizer.step()
                schedule.step()
                average.update_parameters(model)
                step += 1
                watch.step(step, losses, float(schedule.get_last_lr()[0]), norm)
                if step == total_steps:
                    break
            seconds = time.perf_counter() - started
            score = task.score(averaged)
            info["metrics"] = {**score.figures, "epoch": epoch + 1}
            save_checkpoint(run, "last", averaged, step=step, info=info)
            if best is None or score.better > best.better:
                best = score
                save_checkpoint(run, "best", averaged, step=step, info=info)
            watch.epoch(step, epoch + 1, score, best, seconds)
            if step == total_steps:
                break
    task.finish(run / "best.json")
    return run / "best.json"


def _stop(run: Path, step: int, losses: dict[str, torch.Tensor], batch: Batch) -> NoReturn:
    """The loss is NaN or infinite: the weights stay what they were, and what was heard is written down."""
    found = {"step": step, "losses": {name: str(value.item()) for name, value in losses.items()}}
    path = run / "stopped.json"
    write_whole(path, (json.dumps({**found, "utterances": list(batch.ids)}, indent=2) + "\n").encode())
    raise InputError(
        f"step {step}: the loss is {sum(value.item() for value in losses.values())}: {path} names the utterances of "
        "its batch: look at them, or lower train.learning_rate"
    )


def _check(config: TrainConfig) -> None:
    if config.device not in DEVICES:
        raise ConfigError(f"train.device={config.device!r} is unknown: use one of {', '.join(DEVICES)}")
    if not DEVICES[config.device]():
        raise ConfigError(f"train.device={config.device}: torch finds none here: use auto or cpu")
    if config.epochs < 1:
        raise ConfigError(f"train.epochs={config.epochs}: give 1 or more")
    if config.encoder_rate < 0:
        raise ConfigError(f"train.encoder_rate={config.encoder_rate}: give 0 or more")
    if not 0 <= config.false_accept_rate <= 1:
        raise ConfigError(f"train.false_accept_rate={config.false_accept_rate}: give a share, e.g. 0.05")
    if config.stretch_s and config.stretch_s < 0.5:
        raise ConfigError(f"train.stretch_s={config.stretch_s:g}: give seconds that hold a word, e.g. 2.4, or 0")
    if not 0 <= config.carry_share <= 1:
        raise ConfigError(f"train.carry_share={config.carry_share}: give a share from 0 to 1")
    if config.batch_size < 2:
        raise ConfigError(f"train.batch_size={config.batch_size}: give 2 or more, BatchNorm needs them")


class Watch:
    """Progress bar on stderr, TensorBoard, and one JSON line an epoch in log.jsonl."""

    def __init__(self, run: Path, total_steps: int, title: str):
        from torch.utils.tensorboard import SummaryWriter  # takes half a second to import

        self.writer = SummaryWriter(str(run / "tensorboard"))
        self.log = run / "log.jsonl"
        self.log.unlink(missing_ok=True)
        self.progress = Progress(
            TextColumn("train"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
        )
        self.task = self.progress.add_task(title, total=total_steps)
        self.losses: dict[str, list[float]] = {}  # of each step of the epoch

    def __enter__(self) -> Watch:
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()
        self.writer.close()

    def step(self, step: int, losses: dict[str, torch.Tensor], learning_rate: float, norm: Any) -> None:
        self.progress.advance(self.task)
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(value.item())
        if step % 10 == 0:
            for name, value in losses.items():
                self.writer.add_scalar(f"train/{name}", value.item(), step)
            self.writer.add_scalar("train/learning_rate", learning_rate, step)
            self.writer.add_scalar("train/gradient_norm", float(norm), step)

    def epoch(self, step: int, epoch: int, score: Score, best: Score, seconds: float) -> None:
        for name, value in score.figures.items():
            self.writer.add_scalar(name.replace("_", "/", 1), value, step)
        self.writer.add_scalar("train/epoch_seconds", seconds, step)
        self.progress.update(self.task, description=f"epoch {epoch}: {score.words}; best {best.words}")
        losses = {f"train_{name}": sum(values) / len(values) for name, values in self.losses.items()}
        self.losses.clear()
        line = {
            "epoch": epoch,
            "step": step,
            **score.figures,
            "best": next(iter(best.figures.values())),
            **losses,
            "seconds": round(seconds, 2),
        }
        with self.log.open("a") as file:
            file.write(json.dumps(line) + "\n")
