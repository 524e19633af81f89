"""Stretches of connected words for training: strung together anew each epoch, of recordings of single words."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut
from torch.utils.data import Dataset

from drsn_audio.config import AugmentConfig, ConfigError, StringsConfig
from drsn_audio.datasets.batch import Example
from drsn_audio.datasets.connect import cut_word
from drsn_audio.datasets.cut_list import chosen, cut_facts
from drsn_audio.datasets.manifests import AudioStore, speech_level_db
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.shard_reader import draw_freely
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.datasets.training_draws import SPEED_STEPS, TrainingDraws, uniform
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.labels import UNKNOWN
from drsn_audio.noise.speed import change_speed

LEVEL_DB = -26.0  # of the words, before their spread
TAIL_S = 0.4  # after the last word, in which it may still be given


class Said(NamedTuple):
    """What a stretch holds: labels, the samples from and to which each is spoken where that is known, and of what."""

    targets: list[int]
    spans: list[tuple[int, int]]
    names: list[str]


class TrainingStrings(Dataset):
    """(epoch, index) -> Example of num_samples in which words follow each other, all drawn from (seed, epoch, index).

    A word is drawn first, each label equally often, then one of the manifests that have it, by its weight, and of
    that a recording. Rows of running speech hold one utterance, whose words are labels or unknown.

    Raises:
        ConfigError: units other than words, a label of which there is no recording, or settings that make no sense.
    """

    def __init__(
        self,
        manifests: Sequence[Sequence[Cut]],
        speech: Sequence[Cut],
        units: Units,
        noise: NoisePool,
        store: AudioStore,
        num_samples: int,
        strings: StringsConfig,
        augment: AugmentConfig,
        seed: int,
        rooms: RoomPool | None = None,
        level: str = "p56",
    ):
        if units.kind != "words":
            raise ConfigError(f"model.units={units.kind}: strings are of words: set data.strings.rows to 0")
        _check(strings, units)
        self.draws = TrainingDraws(noise, store, augment, seed, rooms, level)
        self.units, self.strings, self.num_samples = units, strings, num_samples
        for cuts in (*manifests, speech):
            draw_freely(cuts, store.shards)
        self.recordings = _recordings(manifests, units, strings.weights)
        wanted = [label for label in units.labels[1:] if label != UNKNOWN or strings.unknown_share]
        lacking = [word for word in wanted if word not in self.recordings]
        if lacking:
            raise ConfigError(f"data.train holds no recording of {', '.join(lacking)}: add a manifest of them")
        self.words = [word for word in wanted if word != UNKNOWN]
        longest_s = num_samples / store.sample_rate - TAIL_S
        if longest_s < 2:
            raise ConfigError(f"train.stretch_s={longest_s + TAIL_S:g}: words need 3 s or more to be strung together")
        facts = enumerate(cut_facts(speech))
        rows = [row for row, one in facts if one.duration_s < longest_s and self._labels(one.word or "")]
        self.speech = chosen(speech, rows)
        if strings.speech_share and not self.speech:
            raise ConfigError(f"data.strings.speech: all is longer than {longest_s:.1f} s: raise train.stretch_s")

    def __len__(self) -> int:
        return self.strings.rows

    def __getitem__(self, key: tuple[int, int]) -> Example:
        epoch, index = key
        drawn = self.draws.begin(epoch, f"string-{index:06d}")
        speech, level_db = np.zeros(self.num_samples, np.float32), LEVEL_DB
        if drawn.rng.random() < self.draws.augment.silence_share:
            said = Said([], [], [])
            level_db = uniform(drawn.rng, self.draws.augment.silence_db)
            drawn = drawn._replace(snr_db=0.0, gain_db=0.0)
        elif drawn.rng.random() < self.strings.speech_share:
            said = self._utterance(speech, drawn.rng)
        else:
            said = self._string(speech, drawn.rng)
        sounding = np.flatnonzero(speech) if said.targets else np.array([0, self.num_samples - 1])
        return self.draws.surround(
            speech,
            int(sounding[0]),
            int(sounding[-1]) + 1,
            drawn,
            level_db=level_db,
            target=tuple(said.targets),
            silence=not said.targets,
            spans=said.spans,
            name=f"{drawn.id}: {', '.join(said.names)}",
        )

    def _string(self, speech: np.ndarray, rng: np.random.Generator) -> Said:
        """Fill the stretch with words until the next one would not fit."""
        rate, said, at = self.draws.store.sample_rate, Said([], [], []), 0
        while True:
            pause = rng.random() < self.strings.pause_share
            at += round(uniform(rng, self.strings.pause_s if pause else self.strings.gap_s) * rate)
            cut = self._draw(rng)
            wave, start, end = self._word(cut, rng)
            if at + len(wave) + round(TAIL_S * rate) > len(speech):
                if said.targets:
                    return said
                at = 0
            speech[at : at + len(wave)] = wave
            word = self.units.vocabulary.find(cut.supervisions[0].text or "") or UNKNOWN
            said.targets.append(self.units.index[word])
            said.spans.append((at + start, at + end))
            said.names.append(cut.id)
            at += len(wave)

    def _draw(self, rng: np.random.Generator) -> Cut:
        word = UNKNOWN if rng.random() < self.strings.unknown_share else self.words[rng.integers(len(self.words))]
        sources, shares = self.recordings[word]
        cuts = sources[int(shares.searchsorted(rng.random(), "right"))]
        return cuts[int(rng.integers(len(cuts)))]

    def _word(self, cut: Cut, rng: np.random.Generator) -> tuple[np.ndarray, int, int]:
        """A recording at its drawn speed and level, cut to its word."""
        speed = Fraction(round(SPEED_STEPS * uniform(rng, self.draws.augment.speed)), SPEED_STEPS)
        store = self.draws.store
        wave, start, end = cut_word(change_speed(store(cut), speed)[: self.num_samples // 2], store.sample_rate)
        spread_db = float(np.clip(rng.normal(0, self.strings.level_spread_db), -10, 10))
        return self._at_level(wave, cut, spread_db), start, end

    def _utterance(self, speech: np.ndarray, rng: np.random.Generator) -> Said:
        cut = self.speech[int(rng.integers(len(self.speech)))]
        wave = self.draws.store(cut)
        at = int(rng.integers(len(speech) - len(wave) - round(TAIL_S * self.draws.store.sample_rate) + 1))
        speech[at : at + len(wave)] = self._at_level(wave, cut)
        return Said(self._labels(cut.supervisions[0].text), [], [cut.id])

    def _at_level(self, wave: np.ndarray, cut: Cut, above_db: float = 0.0) -> np.ndarray:
        return wave * np.float32(10 ** ((LEVEL_DB + above_db - speech_level_db(cut, self.draws.level)) / 20))

    def _labels(self, text: str) -> list[int]:
        try:
            return self.units.encode(text)
        except InputError:  # words that are none, and no label for them
            return []


def _check(strings: StringsConfig, units: Units) -> None:
    for key in ("pause_share", "unknown_share", "speech_share"):
        if not 0 <= getattr(strings, key) <= 1:
            raise ConfigError(f"data.strings.{key}={getattr(strings, key)}: give a share from 0 to 1")
    for key in ("gap_s", "pause_s"):
        bounds = getattr(strings, key)
        if len(bounds) != 2 or not 0 <= bounds[0] <= bounds[1]:
            raise ConfigError(f"data.strings.{key}={list(bounds)}: give the shortest and the longest, e.g. [0, 0.5]")
    if strings.unknown_share and UNKNOWN not in units.index:
        raise ConfigError(f"data.strings.unknown_share={strings.unknown_share}: {UNKNOWN!r} is no label: give 0")


def _recordings(
    manifests: Sequence[Sequence[Cut]], units: Units, weights: Sequence[float]
) -> dict[str, tuple[list[Sequence[Cut]], np.ndarray]]:
    """Word -> its cuts of each manifest that has it, and the sums of their shares."""
    weights = list(weights) or [1.0] * len(manifests)
    if len(weights) != len(manifests) or min(weights) <= 0:
        raise ConfigError(f"data.strings.weights={weights}: give a positive number for each of data.train")
    found: dict[str, list[tuple[Sequence[Cut], float]]] = {}
    for cuts, weight in zip(manifests, weights, strict=True):
        by_word: dict[str, list[int]] = {}
        for row, facts in enumerate(cut_facts(cuts)):
            by_word.setdefault(units.vocabulary.find(facts.word or "") or UNKNOWN, []).append(row)
        for word, rows in by_word.items():
            found.setdefault(word, []).append((chosen(cuts, rows), weight))
    shares = {word: np.array([weight for _, weight in of_word]) for word, of_word in found.items()}
    return {
        word: ([cuts for cuts, _ in of_word], (shares[word] / shares[word].sum()).cumsum()[:-1])
        for word, of_word in found.items()
    }
