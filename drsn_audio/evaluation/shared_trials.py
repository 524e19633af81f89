"""Trials that several trained models are put to: clips with a keyword each, or utterances to be written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import Progress

from drsn_audio.config import EvaluateConfig, ExperimentConfig
from drsn_audio.datasets.keyword import keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.decoding.units import Units
from drsn_audio.evaluation.keyword import Trials, run_trials
from drsn_audio.evaluation.run import count_speakers
from drsn_audio.evaluation.transcription import refuse_mixes, usable
from drsn_audio.evaluation.transcripts import Transcripts, run_transcripts
from drsn_audio.metrics.wer import word_errors
from drsn_audio.models.model import AudioModel

Scores = Sequence[np.ndarray]  # of each trial, one array [n] for each condition


@dataclass(frozen=True)
class Candidate:
    """A trained run: its folder, its config, its model and what the checkpoint says of it.

    `as_written`, of a model that writes: a transcript -> the text that it would write at best.
    """

    run: str
    config: ExperimentConfig
    model: AudioModel
    checkpoint: Mapping[str, Any]
    as_written: Callable[[str], str] = str


class SharedTrials(ABC):
    """Those of one test: `ask` puts a model to them, and leaves in `conditions` which they are, in their order.

    `weights`: the mean of a condition is the sum of its scores over that of its weights.
    """

    measure: str
    utterances: int
    speakers: int

    def __init__(self, noise: NoisePool, store: AudioStore, evaluate: EvaluateConfig):
        self.noise, self.store = noise, store
        self.conditions: Sequence[Trials | Transcripts] = []
        self.weights: Scores = []
        self.asked: dict[str, Any] = {"snr_db": evaluate.snr_db, "draws": evaluate.draws, "seed": evaluate.seed}

    @abstractmethod
    def ask(self, candidate: Candidate, progress: Progress | None) -> Scores: ...


class KeywordTrials(SharedTrials):
    """1 where a keyword was named right."""

    measure = "accuracy"

    def __init__(self, first: Candidate, noise: NoisePool, store: AudioStore):
        data, evaluate = first.config.data, first.config.evaluate
        super().__init__(noise, store, evaluate)
        self.clips = keyword_clips(read_cuts(data.test), first.model.config.labels, data)
        self.batch_size = evaluate.batch_size
        self.utterances = sum(clip.cut is not None for clip in self.clips)
        self.speakers = count_speakers([clip.speaker for clip in self.clips])

    def ask(self, candidate: Candidate, progress: Progress | None) -> Scores:
        trials = run_trials(
            candidate.model,
            self.clips,
            self.noise,
            self.store,
            **self.asked,
            batch_size=self.batch_size,
            progress=progress,
        )
        self.conditions, self.weights = trials, [np.ones(len(one.targets)) for one in trials]
        return [one.correct for one in trials]


class WordTrials(SharedTrials):
    """Errors of the words written, by greedy decoding; the weight is how many were said."""

    measure = "wer"

    def __init__(self, first: Candidate, noise: NoisePool, store: AudioStore):
        data = first.config.data
        super().__init__(noise, store, first.config.evaluate)
        self.cuts, _ = usable(read_cuts(data.test), data.max_duration_s)
        refuse_mixes(self.cuts)
        self.level = data.level
        self.utterances = len(self.cuts)
        self.speakers = len({cut.supervisions[0].speaker or cut.id for cut in self.cuts})

    def ask(self, candidate: Candidate, progress: Progress | None) -> Scores:
        settings = candidate.model.config
        written = run_transcripts(
            candidate.model,
            self.cuts,
            self.noise,
            self.store,
            units=Units(settings.units, settings.labels),
            **self.asked,
            level=self.level,
            progress=progress,
        )
        counts = [word_errors(list(map(candidate.as_written, one.references)), one.hypotheses) for one in written]
        self.conditions, self.weights = written, [one.lengths for one in counts]
        return [one.errors for one in counts]
