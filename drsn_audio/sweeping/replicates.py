"""Resampled means of many values over the same trials, by the same draws: sums and differences of them then need no
further resampling.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

import numpy as np


class Group(NamedTuple):
    """Trials that are averaged by themselves; str [n] each."""

    speakers: np.ndarray
    noises: np.ndarray | None  # None of clean speech


class Resampling:
    """The draws of `drsn_audio.metrics.bootstrap.bootstrap_replicates`, made once for all values of all groups.

    Each replicate draws speakers among those of all groups, and noise recordings among those that occur in the same
    groups; a trial weighs the product of how often its two were drawn.
    """

    def __init__(self, groups: Mapping[Hashable, Group], seed: int, replicates: int):
        self._places = {name: place for place, name in enumerate(groups)}
        speaker_of = _codes([group.speakers for group in groups.values()])
        noise_of = _codes([_noise_names(name, group) for name, group in groups.items()])
        self._strata = _strata(noise_of)
        self._several_speakers = max(codes.max() for codes in speaker_of) > 0
        for_speakers, *for_strata = np.random.default_rng(seed).spawn(2 + int(self._strata.max()))
        speakers = _draw(1 + max(int(codes.max()) for codes in speaker_of), replicates, for_speakers)
        noises = np.empty((self._strata.size, replicates))
        for stratum, generator in enumerate(for_strata):
            members = np.flatnonzero(self._strata == stratum)
            noises[members] = _draw(members.size, replicates, generator)
        self._groups = [_Drawn(*codes, speakers, noises) for codes in zip(speaker_of, noise_of, strict=True)]

    def means(self, name: Hashable, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Of a group's values [n]: their mean, and that of each replicate [replicates], NaN where it has no trial."""
        return self._groups[self._places[name]].means(values)

    def vary(self, names: Iterable[Hashable]) -> bool:
        """Whether resampling these groups can change anything: there are several speakers, or recordings."""
        strata = {int(one) for name in names for one in self._strata[self._groups[self._places[name]].noises]}
        return bool(self._several_speakers or any(np.sum(self._strata == stratum) > 1 for stratum in strata))


class _Drawn:
    """One group's speakers [S] and recordings [N], how often each was drawn, and the cell S x N of each trial."""

    def __init__(self, speaker: np.ndarray, noise: np.ndarray, speakers_drawn: np.ndarray, noises_drawn: np.ndarray):
        speakers, row = np.unique(speaker, return_inverse=True)
        self.noises, column = np.unique(noise, return_inverse=True)
        self._shape = speakers.size, self.noises.size
        self._cell = row * self.noises.size + column
        self._by_speaker, self._by_noise = speakers_drawn[speakers], noises_drawn[self.noises]
        total = self._weighed(np.ones(speaker.size))
        self._total = np.where(total > 0, total, np.nan)

    def means(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        return float(values.mean()), self._weighed(values) / self._total

    def _weighed(self, values: np.ndarray) -> np.ndarray:
        """Trials [n] -> their weighed sum in each replicate."""
        sums = np.bincount(self._cell, values, self._shape[0] * self._shape[1]).reshape(self._shape)
        return np.sum((sums.T @ self._by_speaker) * self._by_noise, axis=0)


def _noise_names(name: Hashable, group: Group) -> np.ndarray:
    """Clean speech has one recording of its own, which every replicate draws once."""
    return group.noises if group.noises is not None else np.full(group.speakers.size, f"clean {name}")


def _codes(names: list[np.ndarray]) -> list[np.ndarray]:
    """Names of each group -> their numbers 0, 1, ..., in sorted order over all groups."""
    codes = np.unique(np.concatenate(names), return_inverse=True)[1]
    return np.split(codes, np.cumsum([len(of_group) for of_group in names])[:-1])


def _strata(noise_of: list[np.ndarray]) -> np.ndarray:
    """Numbers of recordings in each group -> int [recordings]: equal where they occur in the same groups."""
    occurs = np.zeros((1 + max(int(codes.max()) for codes in noise_of), len(noise_of)), dtype=bool)
    for place, codes in enumerate(noise_of):
        occurs[codes, place] = True
    return np.unique(occurs, axis=0, return_inverse=True)[1].ravel()


def _draw(items: int, replicates: int, generator: np.random.Generator) -> np.ndarray:
    """How often each item falls in a resample of all of them, float64 [items, replicates]."""
    return generator.multinomial(items, np.full(items, 1 / items), size=replicates).T.astype(np.float64)
