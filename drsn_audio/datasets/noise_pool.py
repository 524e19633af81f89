"""Noise recordings by kind, and segments drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut

from drsn_audio.config import ConfigError, NoiseSource
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_names import noise_name
from drsn_audio.datasets.shard_reader import draw_freely
from drsn_audio.noise.segment import cut_segment

# A drawn segment this far below its recording's level is a pause in it, and is drawn again: raised to the wanted
# SNR it would be the hiss of the microphone, not the noise that the label names.
PAUSE_DB = 20.0
TRIES = 8
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
        """A segment [num_samples] of a drawn recording (of `kind`, where it is given), looped where that is shorter.

        It is no pause over `span`, where the speech is to be.
        """
        if kind is None:
            share = self._weights.cumsum() / self._weights.sum()
            drawn = self._sources[min(int(share.searchsorted(generator.random(), "right")), len(share) - 1)]
            kind = sorted(drawn)[generator.integers(len(drawn))]
            cuts = drawn[kind]
        else:
            cuts = self.cuts[kind]
        for _ in range(TRIES):
            cut = cuts[generator.integers(len(cuts))]
            recording = self.store(cut)
            offset = int(generator.integers(max(1, len(recording) - num_samples + 1)))
            segment = cut_segment(recording, num_samples, offset, self.store.sample_rate)
            heard = segment[span]
            if float(np.dot(heard, heard)) >= len(heard) * 10 ** ((cut.custom["rms_db"] - PAUSE_DB) / 10):
                return NoiseSegment(segment, kind, noise_source(cut))
        # Little but pauses in this kind: its loudest sample goes to the middle of the span.
        first, stop, _ = span.indices(num_samples)
        offset = int(np.abs(recording).argmax()) - (first + stop) // 2
        segment = cut_segment(recording, num_samples, offset, self.store.sample_rate)
        return NoiseSegment(segment, kind, noise_source(cut))


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
