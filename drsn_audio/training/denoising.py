"""Denoising: rows of noisy speech to be given back without the noise, and the gain in SI-SDR on development speech."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from accelerate import Accelerator

from drsn_audio.config import ConfigError, ExperimentConfig, TrainConfig
from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.speech_rows import TrainingRows
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.evaluation.denoising import noisy_speech
from drsn_audio.evaluation.shares import joined, share
from drsn_audio.metrics.enhancement import si_sdr_db
from drsn_audio.models.heads.denoise import LOSSES
from drsn_audio.models.model import AudioModel
from drsn_audio.processes import Processes
from drsn_audio.training.calibrate import DEV_SNR_DB
from drsn_audio.training.task import Losses, RowsPlan, Score

DEV_UTTERANCES = 20  # at most; evenly spaced, so that every speaker is among them


class DenoisingTask:
    """See `Task`."""

    def __init__(self, config: ExperimentConfig, model: AudioModel, store: AudioStore):
        self.config, self.store = config, store
        size = round(config.train.stretch_s * store.sample_rate) // model.block * model.block
        if not size:
            raise ConfigError("train.stretch_s=0: give the seconds of a row that a denoiser is trained on, e.g. 4")
        dev = sorted(read_cuts(config.data.dev), key=lambda cut: cut.id)
        self.dev = dev[:: math.ceil(len(dev) / DEV_UTTERANCES)]
        noise = NoisePool(config.data.noise_train, store)
        self.dev_noise = NoisePool(config.data.noise_dev, store)
        rooms = RoomPool(config.data.rooms, store) if config.data.rooms else None
        speech = [read_cuts([path]) for path in config.data.train]
        drawn = config.augment, config.seed, rooms, config.data.level
        self.dataset = TrainingRows(speech, noise, store, size, config.data.rows, *drawn)
        self.plan = RowsPlan(len(self.dataset), config.train.batch_size, config.seed)
        self.carried = None
        self.weights = loss_weights(config.train)
        if not self.weights:
            raise ConfigError("train.si_sdr_weight and the other weights of losses: give one above 0, none below")

    def losses(self, model: AudioModel, batch: Batch, accelerator: Accelerator, step: int) -> Losses:
        noisy, clean = batch.mix_and_speech()
        with accelerator.autocast():
            gains = model(noisy)
        losses = model.head.loss(gains.float(), noisy, clean, self.weights)
        return Losses({name: self.weights[name] * value for name, value in losses.items()}, len(noisy))

    @torch.inference_mode()
    def score(self, model: AudioModel, processes: Processes) -> Score:
        device = next(model.parameters()).device
        drawn = {"snr_db": DEV_SNR_DB, "draws": 1, "seed": self.config.evaluate.seed, "level": self.config.data.level}
        gained = []
        own = share(self.dev, processes.rank, processes.count)
        for trial in noisy_speech(own, self.dev_noise, self.store, **drawn):  # type: ignore[arg-type]
            noisy, clean = (torch.from_numpy(wave)[None] for wave in (trial.noisy, trial.clean))
            estimate = model.denoise(noisy.to(device)).cpu()
            gained.append(float(si_sdr_db(estimate, clean) - si_sdr_db(noisy, clean)))
        gained = joined(processes.gather(gained))
        mean = sum(gained) / len(gained)
        return Score(mean, {"dev_si_sdr_improvement_db": mean}, f"dev SI-SDR +{mean:.2f} dB")

    def finish(self, checkpoint: Path) -> None:
        pass


def loss_weights(config: TrainConfig) -> dict[str, float]:
    """The losses of a denoiser that count. Raises ConfigError for a weight below 0."""
    weights = {name: getattr(config, f"{name}_weight") for name in LOSSES}
    if min(weights.values()) < 0:
        raise ConfigError("train.si_sdr_weight and the other weights of losses: give one above 0, none below")
    return {name: weight for name, weight in weights.items() if weight}
