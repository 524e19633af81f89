"""Noisy speech whose clean form is known, and what denoisers make of it: the same trials for each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from lhotse.cut import Cut
from rich.progress import Progress

from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.journal import Journal, answers
from drsn_audio.evaluation.transcripts import as_example
from drsn_audio.metrics.enhancement import si_sdr_db
from drsn_audio.metrics.perceptual import dnsmos, pesq_wb, stoi
from drsn_audio.models.model import AudioModel
from drsn_audio.processes import ALONE, Processes

Denoise = Callable[[np.ndarray], np.ndarray]  # noisy float32 [N] -> the speech in it, float32 [N], in its place
# Speaker, noise recording, samples, seconds by system, values by system and measure; for JSON.
Trial = list[Any]
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
        for kind in noise.kinds:
            for draw in range(draws):
                yield from _at_snrs(cut, noise, store, snr_db, level, seed, kind, draw)


def _at_snrs(
    cut: Cut, noise: NoisePool, store: AudioStore, snr_db: Sequence[float], level: str, seed: int, kind: str, draw: int
) -> Iterator[NoisySpeech]:
    """In the same segment of noise."""
    speaker, size = cut.supervisions[0].speaker or cut.id, len(store(cut))
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
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> Scores:
    """Every system, and the noisy wave itself ("noisy"), on every trial: SI-SDR and `measures`, see `measure`.

    DNSMOS is slow: `dnsmos_utterances` says how many utterances, evenly spaced, get it, in all of their trials. Of
    several processes, which all call this, each takes a share of the trials, and all get the scores of all.

    Raises:
        ValueError: a system is called "noisy", or gives back a wave of another length.
        ModuleNotFoundError: the library of a measure is not installed.
    """
    if NOISY in systems:
        raise ValueError(f"a system is called {NOISY!r}, as the wave before them is: call it otherwise")
    every = -(-len(cuts) // dnsmos_utterances) if dnsmos_utterances else 0
    asked = {cut.id for cut in cuts[::every]} if every else set()
    snr_db, rate = list(dict.fromkeys(snr_db)), store.sample_rate
    units = [(cut, kind, draw) for cut in cuts for kind in noise.kinds for draw in range(draws)]

    def wanted(cut: Cut) -> list[str]:
        return [*measures, *(("dnsmos",) if cut.id in asked else ())]

    def hear(numbers: Sequence[int]) -> Iterator[list[Trial]]:
        task = progress.add_task("denoise", total=len(numbers) * len(snr_db)) if progress else None
        for cut, kind, draw in (units[number] for number in numbers):
            found: list[Trial] = []
            for trial in _at_snrs(cut, noise, store, snr_db, level, seed, kind, draw):
                row, taken_s = {NOISY: measure(trial.clean, trial.noisy, rate, wanted(cut))}, {NOISY: 0.0}
                for name, system in systems.items():
                    estimate, taken_s[name] = timed(name, system, trial.noisy)
                    row[name] = measure(trial.clean, estimate, rate, wanted(cut))
                found.append([trial.speaker, trial.noise_source, len(trial.noisy), taken_s, row])
                if progress and task is not None:
                    progress.advance(task)
            yield found

    of_units = answers([[cut.id, kind, draw, wanted(cut)] for cut, kind, draw in units], hear, processes, journal)
    return _scores(units, snr_db, rate, [NOISY, *systems], of_units)


def _scores(
    units: Sequence[tuple[Cut, str, int]],
    snr_db: Sequence[float],
    sample_rate: int,
    systems: Sequence[str],
    of_units: Sequence[Sequence[Trial]],
) -> Scores:
    """Utterances, each in a kind and a draw of noise, with their trials at each SNR -> scores."""
    scores = Scores(cpu_s=dict.fromkeys(systems, 0.0))
    rows: list[dict[str, dict[str, float]]] = []
    for (cut, kind, _), of_snrs in zip(units, of_units, strict=True):
        for snr, (speaker, source, size, taken_s, row) in zip(snr_db, of_snrs, strict=True):
            rows.append(row)
            scores.ids.append(cut.id)
            scores.speakers.append(speaker)
            scores.noise_kinds.append(kind)
            scores.noise_sources.append(source)
            scores.snr_db.append(snr)
            scores.sound_s += size / sample_rate
            for system in systems:
                scores.cpu_s[system] += taken_s[system]
    for name in dict.fromkeys(key for row in rows for key in row[NOISY]):
        scores.values[name] = {system: np.array([row[system].get(name, np.nan) for row in rows]) for system in systems}
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
