"""Denoising and keywords on one encoder: clips as a keyword model hears them, and what they were before the noise."""

from __future__ import annotations

from accelerate import Accelerator

from drsn_audio.config import ConfigError, ExperimentConfig
from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.models.model import AudioModel
from drsn_audio.training.denoising import loss_weights
from drsn_audio.training.keyword import KeywordTask
from drsn_audio.training.task import Losses


class JointTask(KeywordTask):
    """See `Task`. Without weights of the denoiser's losses the keywords alone are learnt, in the same network.

    No spectrum is masked (SpecAugment): the denoiser could not give back what is covered. Scored as keywords are.
    """

    def __init__(self, config: ExperimentConfig, model: AudioModel, store: AudioStore):
        if config.train.stretch_s:
            raise ConfigError(
                f"train.stretch_s={config.train.stretch_s:g}: a joint model learns from clips: set it to 0"
            )
        super().__init__(config, model, store)
        self.weights = loss_weights(config.train)

    def losses(self, model: AudioModel, batch: Batch, accelerator: Accelerator, step: int) -> Losses:
        noisy, clean = batch.mix_and_speech()
        with accelerator.autocast():
            outputs = model(noisy)
        smoothing = self.config.train.label_smoothing
        found = model.head.loss(outputs.float(), noisy, clean, batch.target, self.weights, smoothing)
        return Losses({name: self.weights.get(name, 1.0) * value for name, value in found.items()}, len(noisy))
