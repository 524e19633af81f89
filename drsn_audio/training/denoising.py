"""Denoising: rows of noisy speech to be given back without the noise, and how much of it goes on those of development."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from drsn_audio.config import ConfigError, ExperimentConfig
from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.speech_rows import TrainingRows
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.evaluation.denoising import noisy_speech
from drsn_audio.metrics.enhancement import si_sdr_db
from drsn_audio.models.model import AudioModel
from drsn_audio.nn.losses import compressed_magnitude_loss, multi_resolution_loss, si_sdr_loss
from drsn_audio.nn.synthesis import apply_gains
from drsn_audio.overlap import delay
from drsn_audio.training.calibrate import DEV_SNR_DB
from drsn_audio.training.task import RowsPlan, Score, make_loader

DEV_UTTERANCES = 40  # at most; evenly spaced, so that every speaker is among them
LOSS_RMS = 0.05  # of the noisy wave where spectra are compared, whatever its level was


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
        rows = TrainingRows(speech, noise, store, size, config.data.rows, *drawn)
        self.plan = RowsPlan(len(rows), config.train.batch_size, config.seed)
        self.loader = make_loader(rows, self.plan, config.train.workers)

    def losses(self, model: torch.nn.Module, batch: Batch, accelerator: Accelerator, step: int) -> dict[str, Tensor]:
        noisy, clean = batch.mix_and_speech()
        with accelerator.autocast():
            gains = model(noisy)
        hop = accelerator.unwrap_model(model).block
        late = delay(gains.shape[2], hop)
        return denoising_losses(apply_gains(noisy, gains, hop)[:, late:], noisy, clean[:, :-late], self.config)

    @torch.inference_mode()
    def score(self, model: AudioModel) -> Score:
        device = next(model.parameters()).device
        drawn = {"snr_db": DEV_SNR_DB, "draws": 1, "seed": self.config.evaluate.seed, "level": self.config.data.level}
        gained = []
        for trial in noisy_speech(self.dev, self.dev_noise, self.store, **drawn):  # type: ignore[arg-type]
            noisy, clean = (torch.from_numpy(wave)[None] for wave in (trial.noisy, trial.clean))
            estimate = model.denoise(noisy.to(device)).cpu()
            gained.append(float(si_sdr_db(estimate, clean) - si_sdr_db(noisy, clean)))
        mean = sum(gained) / len(gained)
        return Score(mean, {"dev_si_sdr_improvement_db": mean}, f"dev SI-SDR +{mean:.2f} dB")

    def finish(self, checkpoint: Path) -> None:
        pass


def denoising_losses(estimate: Tensor, noisy: Tensor, clean: Tensor, config: ExperimentConfig) -> dict[str, Tensor]:
    """Estimate, clean [B, N] and the noisy wave that the estimate was made of -> weighted losses.

    Spectra are compared at one level of the noisy wave, so that no row counts for more because it is louder.
    """
    train = config.train
    gain = LOSS_RMS / noisy.square().mean(1, keepdim=True).sqrt().clamp(min=1e-6)
    ours, wanted = estimate * gain, clean * gain
    return {
        "si_sdr": train.si_sdr_weight * si_sdr_loss(estimate, clean).mean(),
        "spectral": train.spectral_weight * multi_resolution_loss(ours, wanted).mean(),
        "magnitude": train.magnitude_weight * compressed_magnitude_loss(ours, wanted).mean(),
    }
