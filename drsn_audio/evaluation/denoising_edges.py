"""What denoisers do where there is nothing to do, or nothing but noise: clean speech, digital silence, noise alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from lhotse.cut import Cut
from rich.progress import Progress

from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.noise_pool import NoisePool, noise_source
from drsn_audio.evaluation.denoising import Denoise, si_sdr, timed
from drsn_audio.evaluation.denoising_facts import MEAN, SI_SDR_RANGE_DB, bounds
from drsn_audio.evaluation.journal import Journal, answers
from drsn_audio.metrics.bootstrap import bootstrap_mean
from drsn_audio.processes import ALONE, Processes

SILENCE_S = 3.0
LEAST_NOISE_S = 1.0
ATTENUATION_RANGE_DB = (-60.0, 100.0)  # of a recording that becomes digital silence: infinite


def score_edges(
    systems: Mapping[str, Denoise],
    cuts: Sequence[Cut],
    noise: NoisePool,
    store: AudioStore,
    *,
    recordings: int,
    seed: int,
    replicates: int,
    progress: Progress | None = None,
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> list[dict[str, Any]]:
    """Of each system {"system", "clean", "silence", "noise"}, see `evaluate_denoisers`.

    Of each kind of noise at most `recordings` are heard, each by itself and at its own level: the first cut of those
    that last for a second, evenly spaced. Several processes share the waves, as in `score_denoisers`.
    """
    heard = {kind: _recordings(noise.cuts[kind], recordings) for kind in noise.kinds}
    total = len(systems) * (len(cuts) + sum(map(len, heard.values()))) / processes.count
    task = progress.add_task("clean speech and noise alone", total=total) if progress else None
    resampling = {"seed": seed, "replicates": replicates}
    found = []
    for name, system in systems.items():

        def process(wave: np.ndarray, name: str = name, system: Denoise = system) -> np.ndarray:
            if progress and task is not None:
                progress.advance(task)
            return timed(name, system, wave)[0]

        silence = timed(name, system, np.zeros(round(SILENCE_S * store.sample_rate), np.float32))[0]

        def measure(
            score: Callable[[np.ndarray, np.ndarray], float],
            of: Sequence[Cut],
            name: str = name,
            process: Denoise = process,
        ) -> list[float]:
            def hear(numbers: Sequence[int]) -> Iterator[float]:
                return (score(store(cut), process(store(cut))) for cut in (of[number] for number in numbers))

            return answers([[name, cut.id] for cut in of], hear, processes, journal)

        kept = measure(_limited_si_sdr, cuts)
        removed = {kind: measure(attenuation_db, of) for kind, of in heard.items()}
        speakers = [cut.supervisions[0].speaker or cut.id for cut in cuts]
        found.append(
            {
                "system": name,
                "clean": {"si_sdr_db": _mean(kept, speakers, None, **resampling)},
                "silence": {"peak": float(np.abs(silence).max()) if np.isfinite(silence).all() else None},
                "noise": _by_kind(removed, heard, **resampling),
            }
        )
    return found


def attenuation_db(noise: np.ndarray, processed: np.ndarray) -> float:
    """How much less power is left of noise alone, both [N], in dB, within ATTENUATION_RANGE_DB; NaN if not finite."""
    before, after = (float(np.square(wave, dtype=np.float64).sum()) for wave in (noise, processed))
    if not np.isfinite(after):
        return np.nan
    ratio_db = np.inf if after == 0 else 10 * np.log10(before / after)
    return float(np.clip(ratio_db, *ATTENUATION_RANGE_DB))


def _recordings(cuts: Sequence[Cut], most: int) -> list[Cut]:
    """A cut of each recording, by name; of more than `most` recordings as many, evenly spaced."""
    first: dict[str, Cut] = {}
    for cut in sorted(cuts, key=lambda cut: cut.id):
        if cut.duration >= LEAST_NOISE_S and np.isfinite(cut.custom["rms_db"]):
            first.setdefault(noise_source(cut), cut)
    chosen = [first[name] for name in sorted(first)]
    return [chosen[index] for index in np.linspace(0, len(chosen) - 1, min(most, len(chosen))).round().astype(int)]


def _by_kind(
    removed: Mapping[str, Sequence[float]], heard: Mapping[str, Sequence[Cut]], **resampling: Any
) -> list[dict[str, Any]]:
    """Attenuation per kind, then, where there are several, their mean."""
    found: list[dict[str, Any]] = []
    groups = {kind: [kind] for kind in removed} | ({MEAN: list(removed)} if len(removed) > 1 else {})
    for name, kinds in groups.items():
        values = [value for kind in kinds for value in removed[kind]]
        sources = [noise_source(cut) for kind in kinds for cut in heard[kind]]
        labels = [kind for kind in kinds for _ in heard[kind]]
        found.append({"noise_kind": name, "attenuation_db": _mean(values, sources, labels, **resampling)})
    return found


def _mean(
    values: Sequence[float], clusters: Sequence[str], groups: Sequence[str] | None, **resampling: Any
) -> dict[str, Any] | None:
    """Mean of what is a number, with its interval over `clusters`: speakers or, where there are groups, recordings."""
    kept = np.isfinite(values)
    if not kept.any():
        return None
    numbers, names = np.array(values)[kept], np.array(clusters)[kept]
    if groups is None:
        interval = bootstrap_mean(numbers, names, **resampling)
    else:
        nobody = np.zeros(len(numbers), dtype=int)
        interval = bootstrap_mean(numbers, nobody, names, groups=np.array(groups)[kept], **resampling)
    return bounds(interval) | {"trials": int(kept.sum())}


def _limited_si_sdr(clean: np.ndarray, processed: np.ndarray) -> float:
    return float(np.clip(si_sdr(clean, processed), *SI_SDR_RANGE_DB)) if np.isfinite(processed).all() else np.nan
