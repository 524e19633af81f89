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
KEYS = ("noise_kind", "noise_class", "source", "fold", "rms_db")


class NoiseSegment(NamedTuple):
    wave: np.ndarray  # [N]
    kind: str
    source: str  # the original recording: the cluster for intervals


class NoisePool:
    """Recordings of several manifests; every kind is drawn equally often, and every cut of a kind."""

    def __init__(self, sources: Sequence[NoiseSource], store: AudioStore):
        """Reads the manifests, no audio yet.

        Raises:
            ManifestError: a manifest that cannot be used or is not one of noise, or no recording is left of a source.
        """
        self.store = store
        self.cuts: dict[str, list[Cut]] = {}
        for source in sources:
            for cut in _chosen(source):
                self.cuts.setdefault(cut.custom["noise_kind"], []).append(cut)
        if not self.cuts:
            raise ManifestError("no noise manifest is given: name one that drsn-audio prepare made")

    @property
    def kinds(self) -> list[str]:
        return sorted(self.cuts)

    def sources(self, kind: str) -> set[str]:
        """Original recordings of a kind."""
        return {noise_source(cut) for cut in self.cuts[kind]}

    def draw(
        self, num_samples: int, generator: np.random.Generator, kind: str | None = None, span: slice = slice(None)
    ) -> NoiseSegment:
        """A segment [num_samples] of a drawn recording (of `kind`), looped where the recording is shorter.

        It is no pause over `span`, where the speech is to be.
        """
        kind = kind or self.kinds[generator.integers(len(self.kinds))]
        for _ in range(TRIES):
            cut = self.cuts[kind][generator.integers(len(self.cuts[kind]))]
            recording = self.store(cut)
            offset = int(generator.integers(max(1, len(recording) - num_samples + 1)))
            segment = _piece(recording, offset, num_samples)
            if rms_db(segment[span]) >= cut.custom["rms_db"] - PAUSE_DB:
                return NoiseSegment(segment, kind, noise_source(cut))
        # Little but pauses in this kind: its loudest sample goes to the middle of the span.
        first, stop, _ = span.indices(num_samples)
        segment = _piece(recording, int(np.abs(recording).argmax()) - (first + stop) // 2, num_samples)
        return NoiseSegment(segment, kind, noise_source(cut))


def noise_source(cut: Cut) -> str:
    return f"{cut.custom['noise_class']}/{cut.custom['source']}"


def _piece(recording: np.ndarray, offset: int, num_samples: int) -> np.ndarray:
    """Samples [num_samples] from an offset on; before the start comes the end, and after it the start."""
    if 0 <= offset <= len(recording) - num_samples:
        return recording[offset : offset + num_samples]
    return recording.take(np.arange(offset, offset + num_samples), mode="wrap")


def _chosen(source: NoiseSource) -> list[Cut]:
    """The cuts of a source's kinds and folds."""
    cuts = read_cuts([source.manifest])
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
