"""The training loop."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

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
from torch.utils.data import DataLoader

from drsn_audio.config import ConfigError, ExperimentConfig, TrainConfig, config_to_dict, config_to_yaml
from drsn_audio.datasets.batch import Batch, collate
from drsn_audio.datasets.draws import plan_batches
from drsn_audio.datasets.keyword import Clip, TrainingClips, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.evaluation.keyword import num_samples, run_trials
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.files import write_whole
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters
from drsn_audio.training.augment import spec_augment
from drsn_audio.training.calibrate import DEV_SNR_DB, calibrate, describe_calibration
from drsn_audio.training.optim import make_average, make_optimizer, make_schedule
from drsn_audio.training.segments import Carried, stretch_loss
from drsn_audio.training.start import start_from

log = logging.getLogger("drsn_audio")

DEVICES: dict[str, Callable[[], bool]] = {
    "auto": lambda: True,
    "cpu": lambda: True,
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}
CACHE_BYTES = 4 << 30  # of decoded audio; each loader process keeps a store of its own


class Planned:
    """Batch sampler: the plan of one epoch, as (epoch, index) pairs."""

    def __init__(self, count: int, batch_size: int, seed: int):
        self.count, self.batch_size, self.seed, self.epoch = count, batch_size, seed, 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in plan_batches(self.count, self.batch_size, self.seed, self.epoch):
            yield [(self.epoch, index) for index in batch]

    def __len__(self) -> int:
        return len(plan_batches(self.count, self.batch_size, self.seed, 0))


def train(config: ExperimentConfig) -> Path:
    """Train on config.data, keep the best and the last checkpoint in the run folder. Returns the best one's path.

    Raises:
        ConfigError, ManifestError, AudioError: what the config names cannot be used.
    """
    _check(config.train)
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
    heard = dataclasses.replace(config.data, silence_share=config.augment.silence_share)
    clips = keyword_clips(read_cuts(config.data.train), config.model.labels, heard)
    dev = keyword_clips(read_cuts(config.data.dev), config.model.labels, config.data)
    noise = NoisePool(config.data.noise_train, store)
    dev_noise = NoisePool(config.data.noise_dev, store)
    rooms = RoomPool(config.data.rooms, store) if config.data.rooms else None
    drawn = config.augment, config.seed, rooms, config.data.level
    plan = Planned(len(clips), config.train.batch_size, config.seed)
    loader = DataLoader(
        TrainingClips(clips, noise, store, stretch_samples(model, config.train), *drawn),
        batch_sampler=plan,
        collate_fn=collate,
        num_workers=config.train.workers,
        persistent_workers=config.train.workers > 0,  # else they decode every file again each epoch
        generator=torch.Generator(),  # else a draw of the global one, which depends on the number of workers
    )

    run = Path(config.run)
    run.mkdir(parents=True, exist_ok=True)
    write_whole(run / "config.yaml", config_to_yaml(config).encode(), sync=True)
    log_prior = class_log_prior(clips, len(config.model.labels)).to(accelerator.device)
    sizes = {"parameters": count_parameters(model), "multiply_adds": count_multiply_adds(model)}
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    average = make_average(model, config.train.ema_decay)
    averaged: AudioModel = average.module  # type: ignore[assignment]
    optimizer = make_optimizer(model, config.train)
    total_steps = min(len(plan) * config.train.epochs, config.train.max_steps or 2**62)
    schedule = make_schedule(optimizer, total_steps, config.train.warmup_share)
    wrapped, optimizer = accelerator.prepare(model, optimizer)

    watch = Watch(run, total_steps, f"{config.model.shrinkage} {sizes['parameters']:,} parameters")
    learnt_from = {"init": config.init, "data": config_to_dict(config.data)}
    info: dict[str, Any] = {"seed": config.seed, **sizes, "metrics": {}, **learnt_from, **provenance()}
    step, best = 0, -1.0
    carried = Carried(config.train.carry_share) if config.train.stretch_s else None
    with watch:
        for epoch in range(config.train.epochs):
            plan.epoch = epoch
            model.train()
            started = time.perf_counter()
            for batch in loader:
                moved = batch.to(accelerator.device)
                if carried is None:
                    losses = training_step(wrapped, moved, config, accelerator, step, log_prior)
                else:
                    losses = stretch_step(wrapped, moved, config, accelerator, step, carried)
                loss = torch.stack(list(losses.values())).sum()
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
            trials = run_trials(averaged, dev, dev_noise, store, snr_db=DEV_SNR_DB, draws=1, seed=config.evaluate.seed)
            accuracy = sum(t.accuracy for t in trials) / len(trials)
            info["metrics"] = {"dev_accuracy": accuracy, "epoch": epoch + 1}
            save_checkpoint(run, "last", averaged, step=step, info=info)
            if accuracy > best:
                best = accuracy
                save_checkpoint(run, "best", averaged, step=step, info=info)
            watch.epoch(step, epoch + 1, accuracy, best, seconds)
            if step == total_steps:
                break
    log.info(describe_calibration(calibrate(run / "best.json", config)))
    return run / "best.json"


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


def class_log_prior(clips: Sequence[Clip], num_classes: int) -> torch.Tensor:
    """Log of each class's share of the clips, [K]; a class without clips counts as one clip."""
    counts = torch.bincount(torch.tensor([clip.target for clip in clips]), minlength=num_classes)
    return (counts.clamp(min=1) / len(clips)).log()


def training_step(
    model: torch.nn.Module,
    batch: Batch,
    config: ExperimentConfig,
    accelerator: Accelerator,
    step: int,
    log_prior: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """Mix, forward: named losses of one batch."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    plain = accelerator.unwrap_model(model)
    wave = batch.mix()  # in full precision, as its levels ask for
    with accelerator.autocast():
        logits = model(
            wave,
            augment=lambda s, _: spec_augment(s, config.augment, config.model.frontend.hop_ms, generator),
        )
        adjustment = config.train.logit_adjustment * log_prior
        return plain.head.loss(logits, None, batch.target, config.train.label_smoothing, adjustment)


def stretch_step(
    model: torch.nn.Module,
    batch: Batch,
    config: ExperimentConfig,
    accelerator: Accelerator,
    step: int,
    carried: Carried,
) -> dict[str, torch.Tensor]:
    """As `training_step`, of stretches of streams, at least half as long as they can be."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    plain = accelerator.unwrap_model(model)
    most = batch.speech.shape[1] // plain.block
    samples = plain.block * int(torch.randint(most // 2, most + 1, (), generator=generator))
    wave = batch.mix()[:, :samples]
    memory, fresh = carried.begin(len(wave), wave.device, generator)
    with accelerator.autocast():
        logits = model(
            wave,
            augment=lambda s, _: spec_augment(s, config.augment, config.model.frontend.hop_ms, generator),
            memory=memory,
        )
    carried.end(memory)
    speech = batch.speech[:, :samples]
    return stretch_loss(logits, speech, batch.target, batch.silence, fresh, plain.block, config.model, config.train)


def stretch_samples(model: AudioModel, config: TrainConfig) -> int:
    """Samples of what training hears at once: of a clip, or of the longest stretch."""
    if not config.stretch_s:
        return num_samples(model)
    if not model.causal:
        raise ConfigError(f"train.stretch_s={config.stretch_s:g}: a model of whole clips has no streams: set it to 0")
    return round(config.stretch_s * model.config.frontend.sample_rate) // model.block * model.block


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

    def __enter__(self) -> Watch:
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()
        self.writer.close()

    def step(self, step: int, losses: dict[str, torch.Tensor], learning_rate: float, norm: Any) -> None:
        self.progress.advance(self.task)
        if step % 10 == 0:
            for name, value in losses.items():
                self.writer.add_scalar(f"train/{name}", value.item(), step)
            self.writer.add_scalar("train/learning_rate", learning_rate, step)
            self.writer.add_scalar("train/gradient_norm", float(norm), step)

    def epoch(self, step: int, epoch: int, accuracy: float, best: float, seconds: float) -> None:
        self.writer.add_scalar("dev/accuracy", accuracy, step)
        self.writer.add_scalar("train/epoch_seconds", seconds, step)
        self.progress.update(self.task, description=f"epoch {epoch}: dev accuracy {accuracy:.1%}, best {best:.1%}")
        line = {
            "epoch": epoch,
            "step": step,
            "dev_accuracy": accuracy,
            "best": best,
            "seconds": round(seconds, 2),
        }
        with self.log.open("a") as file:
            file.write(json.dumps(line) + "\n")
