"""Noisy speech whose clean form is known: what denoisers are compared on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut

from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.transcripts import as_example


class NoisySpeech(NamedTuple):
    """noisy, clean [N], aligned. noise_source: the recording, the cluster for intervals."""

    id: str
    speaker: str
    noise_kind: str
    noise_source: str
    snr_db: float
    noisy: np.ndarray
    clean: np.ndarray


def noisy_speech(
    cuts: Sequence[Cut],
    noise: NoisePool,
    store: AudioStore,
    *,
    snr_db: Sequence[float],
    draws: int,
    seed: int,
    level: str = "p56",
) -> Iterator[NoisySpeech]:
    """Every utterance in every kind of noise at every SNR, `draws` times.

    The segment of noise depends on (seed, utterance id, kind, draw) alone, so it is the same at every SNR and for
    every denoiser.
    """
    for cut in cuts:
        speaker = cut.supervisions[0].speaker or cut.id
        for kind in noise.kinds:
            for draw in range(draws):
                size = len(store(cut))
                batch = collate([as_example(cut, noise, store, size, level, seed, kind, draw)])
                for snr in snr_db:
                    noisy, clean = (wave[0].numpy() for wave in batch.mix_and_speech(snr))
                    yield NoisySpeech(cut.id, speaker, kind, batch.noise_source[0], snr, noisy, clean)
