"""Keywords: clips or stretches of streams to train on, and how good a model is on those of development."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import Accelerator

from drsn_audio.config import ConfigError, ExperimentConfig, TrainConfig
from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.keyword import Clip, TrainingClips, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.shard_order import shard_order
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.evaluation.keyword import num_samples, run_trials
from drsn_audio.models.model import AudioModel, Augment
from drsn_audio.processes import Processes
from drsn_audio.training.augment import draw_masks, spec_augment
from drsn_audio.training.calibrate import DEV_SNR_DB, calibrate, describe_calibration
from drsn_audio.training.segments import Carried, stretch_loss
from drsn_audio.training.task import Losses, RowsPlan, Score

log = logging.getLogger("drsn_audio")


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
        order = shard_order(clips, store, config.data.shard_window, config.seed)
        self.plan = RowsPlan(len(clips), config.train.batch_size, config.seed, order)
        self.dataset = TrainingClips(clips, noise, store, stretch_samples(model, config.train), *drawn)
        self.log_prior = class_log_prior(clips, len(config.model.labels))
        self.carried = Carried(config.train.carry_share) if config.train.stretch_s else None

    def losses(self, model: AudioModel, batch: Batch, accelerator: Accelerator, step: int) -> Losses:
        if self.carried is not None:
            return stretch_step(model, batch, self.config, accelerator, step, self.carried)
        return training_step(model, batch, self.config, accelerator, step, self.log_prior.to(accelerator.device))

    def score(self, model: AudioModel, processes: Processes) -> Score:
        drawn = {"snr_db": DEV_SNR_DB, "draws": 1, "seed": self.config.evaluate.seed, "processes": processes}
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
    model: AudioModel,
    batch: Batch,
    config: ExperimentConfig,
    accelerator: Accelerator,
    step: int,
    log_prior: torch.Tensor,
) -> Losses:
    """Mix, forward: losses of clips."""
    wave = batch.mix()  # in full precision, as its levels ask for
    with accelerator.autocast():
        logits = model(wave, augment=masked(batch, config, step))
    adjustment = config.train.logit_adjustment * log_prior
    named = model.head.loss(logits.float(), None, batch.target, config.train.label_smoothing, adjustment)
    return Losses(named, len(wave))


def stretch_step(
    model: AudioModel,
    batch: Batch,
    config: ExperimentConfig,
    accelerator: Accelerator,
    step: int,
    carried: Carried,
) -> Losses:
    """As `training_step`, of stretches of streams, at least half as long as they can be."""
    most = batch.speech.shape[1] // model.block
    samples = model.block * int(draw_generator("stretch", config.seed, step).integers(most // 2, most + 1))
    wave = batch.mix()[:, :samples]
    memory, fresh = carried.begin(config.seed, step, batch.ids, wave.device)
    with accelerator.autocast():
        logits = model(wave, augment=masked(batch, config, step), memory=memory)
    carried.end(memory)
    speech = batch.speech[:, :samples]
    loss, frames = stretch_loss(
        logits.float(), speech, batch.target, batch.silence, fresh, model.block, config.model, config.train
    )
    return Losses({"frame_cross_entropy": loss}, frames)


def masked(batch: Batch, config: ExperimentConfig, step: int) -> Augment:
    """SpecAugment of the rows of a batch."""
    masks = draw_masks(config.augment, config.seed, step, batch.ids)
    return lambda spectrogram, _: spec_augment(spectrogram, config.augment, config.model.frontend.hop_ms, masks)


def stretch_samples(model: AudioModel, config: TrainConfig) -> int:
    """Samples of what training hears at once: of a clip, or of the longest stretch."""
    if not config.stretch_s:
        return num_samples(model)
    if not model.causal:
        raise ConfigError(f"train.stretch_s={config.stretch_s:g}: a model of whole clips has no streams: set it to 0")
    return round(config.stretch_s * model.config.frontend.sample_rate) // model.block * model.block
