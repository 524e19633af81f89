"""Noise recordings by kind, and segments drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut

from drsn_audio.config import NoiseSource
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.noise.level import rms_db

# A drawn segment this far below its recording's level is a pause in it, and is drawn again: raised to the wanted
# SNR it would be the hiss of the microphone, not the noise that the label names.
PAUSE_DB = 20.0
TRIES = 8


class NoiseSegment(NamedTuple):
    wave: np.ndarray  # [N]
    kind: str
    source: str  # the original recording: the cluster for intervals


class NoisePool:
    """Recordings of several manifests; every kind is drawn equally often, and every cut of a kind."""

    def __init__(self, sources: Sequence[NoiseSource], store: AudioStore):
        self.store = store
        self.cuts: dict[str, list[Cut]] = {}
        for source in sources:
            for cut in read_cuts([source.manifest]):
                kind, fold = cut.custom["noise_kind"], cut.custom["fold"]
                if (not source.kinds or kind in source.kinds) and (not source.folds or fold in source.folds):
                    self.cuts.setdefault(kind, []).append(cut)
        if not self.cuts:
            raise ManifestError(
                f"no noise recording is left of {[s.manifest for s in sources]}: check its kinds and folds"
            )

    @property
    def kinds(self) -> list[str]:
        return sorted(self.cuts)

    def sources(self, kind: str) -> set[str]:
        """Original recordings of a kind."""
        return {noise_source(cut) for cut in self.cuts[kind]}

    def draw(self, num_samples: int, generator: np.random.Generator, kind: str | None = None) -> NoiseSegment:
        """A segment [num_samples] of a drawn recording (of `kind`), looped where the recording is shorter."""
        kind = kind or self.kinds[generator.integers(len(self.kinds))]
        for _ in range(TRIES):
            cut = self.cuts[kind][generator.integers(len(self.cuts[kind]))]
            recording = self.store(cut)
            offset = int(generator.integers(max(1, len(recording) - num_samples + 1)))
            segment = recording[offset : offset + num_samples]
            if rms_db(segment) >= cut.custom["rms_db"] - PAUSE_DB:
                break
        if len(segment) < num_samples:
            segment = np.resize(segment, num_samples)
        return NoiseSegment(segment, kind, noise_source(cut))


def noise_source(cut: Cut) -> str:
    return f"{cut.custom['noise_class']}/{cut.custom['source']}"
