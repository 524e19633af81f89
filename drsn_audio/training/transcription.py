"""Transcription by CTC: utterances or stretches of connected words, and the word error rate on those of development."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from drsn_audio.config import ConfigError, ExperimentConfig
from drsn_audio.corpora.prepare import write_faults
from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.shard_order import ShardOrder, shard_order
from drsn_audio.datasets.strings import TrainingStrings
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.datasets.utterances import (
    TrainingUtterances,
    describe_left_out,
    plan_by_seconds,
    row_samples,
    utterances,
)
from drsn_audio.decoding.units import CHARACTERS, Units, piece_labels
from drsn_audio.evaluation.transcripts import run_transcripts
from drsn_audio.metrics.wer import character_errors, word_errors
from drsn_audio.models.model import AudioModel
from drsn_audio.processes import Processes
from drsn_audio.training.augment import draw_masks, spec_augment
from drsn_audio.training.calibrate import DEV_SNR_DB
from drsn_audio.training.task import Losses, RowsPlan, Score

log = logging.getLogger("drsn_audio")


def with_labels(config: ExperimentConfig) -> ExperimentConfig:
    """The config with the labels that its units bring with them.

    Raises:
        ConfigError: a SentencePiece model that is missing, or is one of other labels.
    """
    if config.model.head != "ctc":
        return config
    labels = list(config.model.labels)
    known = {"characters": lambda: CHARACTERS, "sentencepiece": lambda: piece_labels(config.data.sentencepiece)}
    if config.model.units in known:
        own = known[config.model.units]()
        if labels and labels != own:
            raise ConfigError(f"model.labels are not those of model.units={config.model.units}: leave model.labels out")
        labels = own
    return dataclasses.replace(config, model=dataclasses.replace(config.model, labels=labels))


class SecondsPlan:
    """Utterances of like length, as many as fit into so many seconds, as (epoch, index, samples of the row); in
    `order`, if they are in shards.
    """

    def __init__(
        self,
        samples: list[int],
        sample_rate: int,
        max_padded_s: float,
        seed: int,
        order: ShardOrder | None = None,
    ):
        self.samples, self.max_padded_s, self.seed, self.order = np.array(samples), max_padded_s, seed, order
        self.seconds = self.samples / sample_rate

    def batches(self, epoch: int) -> list[list[tuple[int, int, int]]]:
        longest = [(batch, int(self.samples[batch].max())) for batch in self._planned(epoch)]
        return [[(epoch, index, samples) for index in batch] for batch, samples in longest]

    def steps(self, epochs: int) -> int:
        return sum(len(self._planned(epoch)) for epoch in range(epochs))

    def _planned(self, epoch: int) -> list[list[int]]:
        blocks = self.order.blocks(epoch) if self.order else None
        return plan_by_seconds(self.seconds, self.max_padded_s, self.seed, epoch, blocks)


class TranscriptionTask:
    """See `Task`."""

    def __init__(self, config: ExperimentConfig, model: AudioModel, store: AudioStore):
        self.config, self.store = config, store
        self.units = Units(config.model.units, config.model.labels, config.data.sentencepiece)
        self.dev = read_cuts(config.data.dev)
        noise = NoisePool(config.data.noise_train, store)
        self.dev_noise = NoisePool(config.data.noise_dev, store)
        rooms = RoomPool(config.data.rooms, store) if config.data.rooms else None
        drawn = config.augment, config.seed, rooms, config.data.level
        self.plan: Any
        self.dataset: Any
        self.carried = None
        if config.data.strings.rows:
            strings, rate = config.data.strings, store.sample_rate
            size = round(config.train.stretch_s * rate) // model.block * model.block
            speech = read_cuts(strings.speech) if strings.speech else []
            words = [read_cuts([path]) for path in config.data.train]
            self.dataset = TrainingStrings(words, speech, self.units, noise, store, size, strings, *drawn)
            self.plan = RowsPlan(strings.rows, config.train.batch_size, config.seed)
        else:
            self.dataset, self.plan = self._utterances(model, noise, drawn)

    def _utterances(self, model: AudioModel, noise: NoisePool, drawn: Any) -> tuple[TrainingUtterances, SecondsPlan]:
        config, rate = self.config, self.store.sample_rate
        if config.train.max_padded_s <= 0:
            raise ConfigError("train.max_padded_s is 0: give the seconds of sound of a batch, padding included")
        kept, left_out = utterances(
            read_cuts(config.data.train), self.units, config.data.max_duration_s, model.block, rate,
            level=config.data.level, fastest=config.augment.speed[1],
        )  # fmt: skip
        for line in describe_left_out(left_out):
            log.info(line)
        Path(config.run).mkdir(parents=True, exist_ok=True)
        write_faults(left_out, Path(config.run))
        samples = [row_samples(each.duration_s, config.augment.speed[0], rate, model.block) for each in kept]
        order = shard_order(kept, self.store, config.data.shard_window, config.seed)
        plan = SecondsPlan(samples, rate, config.train.max_padded_s, config.seed, order)
        return TrainingUtterances(kept, noise, self.store, *drawn), plan

    def losses(self, model: AudioModel, batch: Batch, accelerator: Accelerator, step: int) -> Losses:
        config = self.config
        wave = batch.mix()  # heard to the end of the row: its noise goes on there, and no length tells where words end
        masks = draw_masks(config.augment, config.seed, step, batch.ids)
        with accelerator.autocast():
            logits = model(
                wave,
                augment=lambda s, _: spec_augment(s, config.augment, config.model.frontend.hop_ms, masks),
            )
        windows = None
        if config.data.strings.emit_s and batch.spans.shape[1]:
            windows = emission_frames(batch.spans, model.block, config.data.strings.emit_s * self.store.sample_rate)
        named = model.head.loss(
            logits.float(), None, batch.target, label_prior=config.train.label_prior, windows=windows
        )
        return Losses(named, (batch.target >= 0).sum().clamp(min=1))

    def score(self, model: AudioModel, processes: Processes) -> Score:
        drawn = {"snr_db": DEV_SNR_DB, "draws": 1, "seed": self.config.evaluate.seed, "level": self.config.data.level}
        written = run_transcripts(
            model,
            self.dev,
            self.dev_noise,
            self.store,
            units=self.units,
            processes=processes,
            **drawn,  # type: ignore[arg-type]
        )
        words = [word_errors(one.references, one.hypotheses).rate for one in written]
        letters = [character_errors(one.references, one.hypotheses).rate for one in written]
        wer, cer = sum(words) / len(words), sum(letters) / len(letters)
        figures = {"dev_wer": wer, "dev_cer": cer, "dev_wer_clean": words[0]}
        return Score(-(wer if self.units.kind == "words" else cer), figures, f"dev WER {wer:.1%}, CER {cer:.1%}")

    def finish(self, checkpoint: Path) -> None:
        pass


def emission_frames(spans: Tensor, block: int, later: float) -> Tensor:
    """Spans [B, U, 2] of labels in samples -> the frames, first and last, in which each may be given: from that in
    which it begins to `later` samples after its end. -1 stays -1.
    """
    first = torch.div(spans[..., 0], block, rounding_mode="floor")
    last = torch.div(spans[..., 1] + later, block, rounding_mode="floor").long()
    return torch.where(spans < 0, spans, torch.stack([first, last], -1))
