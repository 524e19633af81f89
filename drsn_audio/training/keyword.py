"""Keywords: clips or stretches of streams to train on, and how good a model is on those of development."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from drsn_audio.config import ConfigError, ExperimentConfig, TrainConfig
from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.draws import plan_batches
from drsn_audio.datasets.keyword import Clip, TrainingClips, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.evaluation.keyword import num_samples, run_trials
from drsn_audio.models.model import AudioModel
from drsn_audio.training.augment import spec_augment
from drsn_audio.training.calibrate import DEV_SNR_DB, calibrate, describe_calibration
from drsn_audio.training.segments import Carried, stretch_loss
from drsn_audio.training.task import Score, make_loader

log = logging.getLogger("drsn_audio")


class Planned:
    """Batch sampler: the plan of one epoch, as (epoch, index) pairs."""

    def __init__(self, count: int, batch_size: int, seed: int):
        self.count, self.batch_size, self.seed, self.epoch = count, batch_size, seed, 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in plan_batches(self.count, self.batch_size, self.seed, self.epoch):
            yield [(self.epoch, index) for index in batch]

    def __len__(self) -> int:
        return len(plan_batches(self.count, self.batch_size, self.seed, 0))

    def steps(self, epochs: int) -> int:
        """Batches of so many epochs."""
        return len(self) * epochs


class KeywordTask:
    """See `Task`."""

    def __init__(self, config: ExperimentConfig, model: AudioModel, store: AudioStore):
        self.config, self.store = config, store
        heard = dataclasses.replace(config.data, silence_share=config.augment.silence_share)
        clips = keyword_clips(read_cuts(config.data.train), config.model.labels, heard)
        self.dev = keyword_clips(read_cuts(config.data.dev), config.model.labels, config.data)
        noise = NoisePool(config.data.noise_train, store)
        self.dev_noise = NoisePool(config.data.noise_dev, store)
        rooms = RoomPool(config.data.rooms, store) if config.data.rooms else None
        drawn = config.augment, config.seed, rooms, config.data.level
        self.plan = Planned(len(clips), config.train.batch_size, config.seed)
        data = TrainingClips(clips, noise, store, stretch_samples(model, config.train), *drawn)
        self.loader = make_loader(data, self.plan, config.train.workers)
        self.log_prior = class_log_prior(clips, len(config.model.labels))
        self.carried = Carried(config.train.carry_share) if config.train.stretch_s else None

    def losses(self, model: torch.nn.Module, batch: Batch, accelerator: Accelerator, step: int) -> dict[str, Tensor]:
        if self.carried is not None:
            return stretch_step(model, batch, self.config, accelerator, step, self.carried)
        return training_step(model, batch, self.config, accelerator, step, self.log_prior.to(accelerator.device))

    def score(self, model: AudioModel) -> Score:
        drawn = {"snr_db": DEV_SNR_DB, "draws": 1, "seed": self.config.evaluate.seed}
        trials = run_trials(model, self.dev, self.dev_noise, self.store, **drawn)  # type: ignore[arg-type]
        accuracy = sum(t.accuracy for t in trials) / len(trials)
        return Score(accuracy, {"dev_accuracy": accuracy}, f"dev accuracy {accuracy:.1%}")

    def finish(self, checkpoint: Path) -> None:
        log.info(describe_calibration(calibrate(checkpoint, self.config)))


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
