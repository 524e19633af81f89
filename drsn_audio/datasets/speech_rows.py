"""Rows of speech that a denoiser is to give back: utterances or words of one speaker, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut
from torch.utils.data import Dataset

from drsn_audio.config import AugmentConfig, ConfigError, RowsConfig
from drsn_audio.datasets.batch import Example
from drsn_audio.datasets.cut_list import chosen, cut_facts
from drsn_audio.datasets.manifests import AudioStore, speech_level_db
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.shard_reader import draw_freely
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.datasets.training_draws import Drawn, TrainingDraws, uniform
from drsn_audio.noise.speed import change_speed

LEVEL_DB = -26.0  # of the speech, before the gain of the row
MOST_GAIN_DB = 40.0  # by which a soft recording is raised at most, with the noise that is in it


class Row(NamedTuple):
    """Speech [N], from which sample to which it is spoken in, and the names of the recordings."""

    speech: np.ndarray
    first: int
    end: int
    names: list[str]


class TrainingRows(Dataset):
    """(epoch, index) -> Example of num_samples: speech and, around it, what `TrainingDraws` draws; target is 0.

    A manifest is drawn first, by its weight, then one of its speakers, and of that speaker recordings, with a gap
    before each, until the row is full: the first begins somewhere within itself where it is longer than the row, the
    last is cut off by its end. A share of the rows, augment.silence_share, are noise alone.

    Raises:
        ConfigError: settings that make no sense.
    """

    def __init__(
        self,
        manifests: Sequence[Sequence[Cut]],
        noise: NoisePool,
        store: AudioStore,
        num_samples: int,
        rows: RowsConfig,
        augment: AugmentConfig,
        seed: int,
        rooms: RoomPool | None = None,
        level: str = "p56",
    ):
        weights = rows.weights or [1.0] * len(manifests)
        if len(weights) != len(manifests) or min(weights) <= 0:
            raise ConfigError(f"data.rows.weights={list(weights)}: give a positive number for each of data.train")
        if len(rows.gap_s) != 2 or not 0 <= rows.gap_s[0] <= rows.gap_s[1]:
            raise ConfigError(f"data.rows.gap_s={list(rows.gap_s)}: give the shortest and the longest, e.g. [0.1, 0.6]")
        self.draws = TrainingDraws(noise, store, augment, seed, rooms, level)
        self.rows, self.num_samples = rows, num_samples
        self.shares = np.cumsum(weights) / np.sum(weights)
        for cuts in manifests:
            draw_freely(cuts, store.shards)
        self.speakers = [_by_speaker(cuts) for cuts in manifests]

    def __len__(self) -> int:
        return self.rows.count

    def __getitem__(self, key: tuple[int, int]) -> Example:
        epoch, index = key
        drawn = self.draws.begin(epoch, f"row-{index:06d}")
        silence_share = self.draws.augment.silence_share
        if drawn.rng.random() < silence_share:
            level_db = uniform(drawn.rng, self.draws.augment.silence_db)
            drawn = drawn._replace(snr_db=0.0, gain_db=0.0)
            row: Row = Row(np.zeros(self.num_samples, np.float32), 0, self.num_samples, [])
        else:
            level_db = LEVEL_DB
            row = self._speech(drawn)
        return self.draws.surround(
            *row[:3], drawn,
            level_db=level_db, target=0, silence=not row.names, name=f"{drawn.id}: {', '.join(row.names)}",
        )  # fmt: skip

    def _speech(self, drawn: Drawn) -> Row:
        """Of one speaker, at one speed."""
        rng, rate = drawn.rng, self.draws.store.sample_rate
        speakers = self.speakers[min(int(self.shares.searchsorted(rng.random(), "right")), len(self.shares) - 1)]
        cuts = speakers[int(rng.integers(len(speakers)))]
        speech, names = np.zeros(self.num_samples, np.float32), list[str]()
        at = first = round(uniform(rng, self.rows.gap_s) * rate)
        while at < self.num_samples:
            cut = cuts[int(rng.integers(len(cuts)))]
            wave = self._excerpt(cut, drawn.speed, rng, anywhere=not names)[: self.num_samples - at]
            speech[at : at + len(wave)] = wave
            names.append(cut.id)
            end = at + len(wave)
            at = end + round(uniform(rng, self.rows.gap_s) * rate)
        return Row(speech, first, end, names)

    def _excerpt(self, cut: Cut, speed: Fraction, rng: np.random.Generator, anywhere: bool) -> np.ndarray:
        """A recording at LEVEL_DB, no more of it than a row; `anywhere`: from a drawn place on."""
        wave, most = self.draws.store(cut), int(self.num_samples * speed) + 1
        begin = int(rng.integers(len(wave) - most)) if anywhere and len(wave) > most else 0
        gain_db = min(MOST_GAIN_DB, LEVEL_DB - speech_level_db(cut, self.draws.level))
        return change_speed(wave[begin : begin + most], speed) * np.float32(10 ** (gain_db / 20))


def _by_speaker(cuts: Sequence[Cut]) -> list[Sequence[Cut]]:
    speakers: dict[str, list[tuple[str, int]]] = {}
    for row, facts in enumerate(cut_facts(cuts)):
        speakers.setdefault(facts.speaker or facts.id, []).append((facts.id, row))
    return [chosen(cuts, [row for _, row in sorted(speakers[name])]) for name in sorted(speakers)]
