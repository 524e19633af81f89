"""Noisy speech whose clean form is known, and what denoisers make of it: the same trials for each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from lhotse.cut import Cut
from rich.progress import Progress

from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.transcripts import as_example
from drsn_audio.metrics.enhancement import si_sdr_db
from drsn_audio.metrics.perceptual import dnsmos, pesq_wb, stoi
from drsn_audio.models.model import AudioModel

Denoise = Callable[[np.ndarray], np.ndarray]  # noisy float32 [N] -> the speech in it, float32 [N], in its place
NOISY = "noisy"  # the system that does nothing
DNSMOS = {"dnsmos_overall": "overall", "dnsmos_signal": "signal", "dnsmos_background": "background"}


class NoisySpeech(NamedTuple):
    """noisy, clean [N], aligned. noise_source: the recording, the cluster for intervals."""

    id: str
    speaker: str
    noise_kind: str
    noise_source: str
    snr_db: float
    noisy: np.ndarray
    clean: np.ndarray


@dataclass
class Scores:
    """Of n trials, in the order of `noisy_speech`; values[measure][system] is float64 [n], NaN where there is none.

    `cpu_s[system]` is what a system took for all of them, of the one thread that called it; `sound_s` what they last.
    """

    ids: list[str] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)
    noise_kinds: list[str] = field(default_factory=list)
    noise_sources: list[str] = field(default_factory=list)
    snr_db: list[float] = field(default_factory=list)
    values: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    sound_s: float = 0.0


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


def denoiser(model: AudioModel) -> Denoise:
    """A model with model.head=denoise, in eval mode, as a function of one wave."""
    model.eval()
    device = next(model.parameters()).device

    @torch.inference_mode()
    def denoise(noisy: np.ndarray) -> np.ndarray:
        return model.denoise(torch.from_numpy(noisy)[None].to(device))[0].cpu().numpy()

    return denoise


def score_denoisers(
    systems: Mapping[str, Denoise],
    cuts: Sequence[Cut],
    noise: NoisePool,
    store: AudioStore,
    *,
    snr_db: Sequence[float],
    draws: int,
    seed: int,
    level: str = "p56",
    measures: Sequence[str] = ("stoi", "pesq"),
    dnsmos_utterances: int = 0,
    progress: Progress | None = None,
) -> Scores:
    """Every system, and the noisy wave itself ("noisy"), on every trial: SI-SDR and `measures`, see `measure`.

    DNSMOS is slow: `dnsmos_utterances` says how many utterances, evenly spaced, get it, in all of their trials.

    Raises:
        ValueError: a system is called "noisy", or gives back a wave of another length.
        ModuleNotFoundError: the library of a measure is not installed.
    """
    if NOISY in systems:
        raise ValueError(f"a system is called {NOISY!r}, as the wave before them is: call it otherwise")
    every = -(-len(cuts) // dnsmos_utterances) if dnsmos_utterances else 0
    asked = {cut.id for cut in cuts[::every]} if every else set()
    snr_db = list(dict.fromkeys(snr_db))
    task = progress.add_task("denoise", total=len(cuts) * len(noise.kinds) * draws * len(snr_db)) if progress else None
    scores = Scores(cpu_s=dict.fromkeys([NOISY, *systems], 0.0))
    rows: list[dict[str, dict[str, float]]] = []  # of each trial, by system and measure
    for trial in noisy_speech(cuts, noise, store, snr_db=snr_db, draws=draws, seed=seed, level=level):
        wanted = [*measures, *(("dnsmos",) if trial.id in asked else ())]
        rate, row = store.sample_rate, {NOISY: measure(trial.clean, trial.noisy, store.sample_rate, wanted)}
        for name, system in systems.items():
            estimate, taken_s = timed(name, system, trial.noisy)
            scores.cpu_s[name] += taken_s
            row[name] = measure(trial.clean, estimate, rate, wanted)
        rows.append(row)
        scores.ids.append(trial.id)
        scores.speakers.append(trial.speaker)
        scores.noise_kinds.append(trial.noise_kind)
        scores.noise_sources.append(trial.noise_source)
        scores.snr_db.append(trial.snr_db)
        scores.sound_s += len(trial.noisy) / rate
        if progress and task is not None:
            progress.advance(task)
    for name in dict.fromkeys(key for row in rows for key in row[NOISY]):
        scores.values[name] = {
            system: np.array([row[system].get(name, np.nan) for row in rows]) for system in scores.cpu_s
        }
    return scores


def timed(name: str, system: Denoise, noisy: np.ndarray) -> tuple[np.ndarray, float]:
    """What a system makes of a wave [N], and the seconds that this thread worked for it.

    Raises:
        ValueError: it gives back a wave of another length.
    """
    before_s = time.thread_time()
    estimate = system(noisy)
    taken_s = time.thread_time() - before_s
    if estimate.shape != noisy.shape:
        raise ValueError(f"{name} makes {list(estimate.shape)} of a wave {list(noisy.shape)}: pad or cut it")
    return estimate, taken_s


def measure(clean: np.ndarray, processed: np.ndarray, sample_rate: int, measures: Sequence[str]) -> dict[str, float]:
    """Clean and processed [N] -> si_sdr_db, and of `measures` stoi, pesq, and dnsmos as the three in DNSMOS.

    A processed wave that is not finite has none: NaN.
    """
    finite = bool(np.isfinite(processed).all())
    functions: dict[str, Callable[[], float]] = {"stoi": partial(stoi, clean, processed, sample_rate)}
    functions["pesq"] = partial(pesq_wb, clean, processed, sample_rate)
    found = {"si_sdr_db": si_sdr(clean, processed)}
    for name in measures:
        if name == "dnsmos":
            opinions = dnsmos(processed, sample_rate)._asdict() if finite else dict.fromkeys(DNSMOS.values(), np.nan)
            found |= {key: opinions[part] for key, part in DNSMOS.items()}
        else:
            found[name] = functions[name]() if finite else np.nan
    return found


def si_sdr(clean: np.ndarray, processed: np.ndarray) -> float:
    """SI-SDR in dB of waves [N]; see `metrics.enhancement.si_sdr_db`."""
    return float(si_sdr_db(torch.from_numpy(processed)[None], torch.from_numpy(clean)[None]))
