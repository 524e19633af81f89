"""Noise recordings by kind, and segments drawn from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut

from drsn_audio.audio import AudioError
from drsn_audio.config import ConfigError, NoiseSource
from drsn_audio.datasets.cut_parts import recording_of, sound_key
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_draw import Recording, draw_noise
from drsn_audio.datasets.noise_names import noise_name
from drsn_audio.datasets.shard_reader import draw_freely
from drsn_audio.noise.level import rms_db

KEYS = ("noise_kind", "noise_class", "source", "fold", "rms_db")


class NoiseSegment(NamedTuple):
    wave: np.ndarray  # [N]
    kind: str
    source: str  # the original recording: the cluster for intervals


class NoisePool:
    """Recordings of several manifests.

    For training a source is drawn by its weight, then one of its kinds, then a recording, each equally often. For
    evaluation the kind is given, and every recording of it is drawn equally often.
    """

    def __init__(self, sources: Sequence[NoiseSource], store: AudioStore):
        """Reads the manifests, no audio yet.

        Raises:
            ManifestError: a manifest that cannot be used or is not one of noise, or no recording is left of a source.
        """
        self.store = store
        self._levels_db: dict[str, float] = {}  # of recordings that were drawn
        self.cuts: dict[str, list[Cut]] = {}
        self._weights = np.array([source.weight for source in sources])
        self._sources: list[dict[str, list[Cut]]] = []
        for source in sources:
            kinds: dict[str, list[Cut]] = {}
            for cut in _chosen(source, store):
                kinds.setdefault(cut.custom["noise_kind"], []).append(cut)
            self._sources.append(kinds)
            for kind, cuts in kinds.items():
                self.cuts.setdefault(kind, []).extend(cuts)
        if not self.cuts:
            raise ManifestError("no noise manifest is given: name one that drsn-audio prepare made")
        if not (self._weights > 0).all():
            raise ConfigError(f"noise weights are {self._weights.tolist()}: give positive numbers")

    @property
    def kinds(self) -> list[str]:
        return sorted(self.cuts)

    def sources(self, kind: str) -> set[str]:
        """Original recordings of a kind."""
        return {noise_source(cut) for cut in self.cuts[kind]}

    def draw(
        self, num_samples: int, generator: np.random.Generator, kind: str | None = None, span: slice = slice(None)
    ) -> NoiseSegment:
        """A segment [num_samples] of a drawn recording (of `kind`, where it is given): see `draw_noise`.

        Raises:
            AudioError: a recording that was drawn cannot be read, or is silent.
        """
        if kind is None:
            share = self._weights.cumsum() / self._weights.sum()
            kinds = self._sources[min(int(share.searchsorted(generator.random(), "right")), len(share) - 1)]
            kind = sorted(kinds)[generator.integers(len(kinds))]
            cuts = kinds[kind]
        else:
            cuts = self.cuts[kind]
        load, rate = lambda number: self._recording(cuts[number]), self.store.sample_rate
        drawn = draw_noise(load, len(cuts), num_samples, span, rate, generator)
        return NoiseSegment(drawn.wave, kind, noise_source(cuts[drawn.recording]))

    def _recording(self, cut: Cut) -> Recording:
        """Measured when it is first drawn: the level in an old manifest may be that of an offset."""
        wave = self.store(cut)
        key = sound_key(cut)
        if key not in self._levels_db:
            self._levels_db[key] = rms_db(wave)
        if self._levels_db[key] == -math.inf:
            raise AudioError(f"{_place(cut)}: silent noise, which no gain brings to an SNR: leave it out")
        return Recording(wave, self._levels_db[key])


def _place(cut: Cut) -> str:
    recording = recording_of(cut)
    return cut.id if recording is None else str(recording.sources[0].source)


def noise_source(cut: Cut) -> str:
    return noise_name(str(cut.custom["noise_class"]), str(cut.custom["source"]))


def _chosen(source: NoiseSource, store: AudioStore) -> list[Cut]:
    """The cuts of a source's kinds and folds."""
    cuts = read_cuts([source.manifest])
    draw_freely(cuts, store.shards)
    for cut in cuts:
        lacking = [key for key in KEYS if key not in (cut.custom or {})]
        if lacking:
            raise ManifestError(
                f"{source.manifest}: {cut.id} carries no {', '.join(lacking)}: this is no noise manifest, name one"
            )
    chosen = [
        cut
        for cut in cuts
        if (not source.kinds or cut.custom["noise_kind"] in source.kinds)
        and (not source.folds or cut.custom["fold"] in source.folds)
    ]
    if not chosen:
        kinds, folds = (sorted({cut.custom[key] for cut in cuts}) for key in ("noise_kind", "fold"))
        raise ManifestError(
            f"{source.manifest}: nothing is left of kinds {list(source.kinds)} and folds {list(source.folds)}: "
            f"it holds kinds {kinds} and folds {folds}"
        )
    return chosen
