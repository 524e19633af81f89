"""Street and factory noise made by `drsn_audio.noise.synth`: as many recordings as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from drsn_audio.audio import write_audio
from drsn_audio.corpora.cuts import NoiseFile
from drsn_audio.corpora.prepare import Prepared, map_parallel, prepare, unit_hash
from drsn_audio.errors import InputError


class _Recipe(NamedTuple):
    kind: str
    path: Path
    seed: int


def prepare_synthetic_noise(
    source: None,
    out: str | Path,
    *,
    kinds: Sequence[str] = ("street", "factory"),
    count: int = 50,
    duration_s: float = 10.0,
    sample_rate: int = 16000,
    folds: int = 5,
    seed: int = 0,
    progress: bool = True,
) -> Prepared:
    """Write OUT/audio/KIND-SEED-N.flac and their noise manifest. Every recording is a place of its own.

    Recording N is the same whatever `count` is, and lies in fold N % folds + 1.

    Args:
        source: None; nothing is read.
        out: folder of the recordings and the manifest.
        kinds: lines of SYNTHETIC_NOISES.
        count: recordings of each kind.
        duration_s: of each recording.
        sample_rate: in Hz.
        folds: how many to spread the recordings over, to train on some and test on others.
        seed: of the whole set; two seeds have no recording in common.
        progress: show a bar on stderr.

    Raises:
        InputError: a source, an unknown kind, or a count, duration or number of folds that is not positive.
    """
    from drsn_audio.noise.synth import SYNTHETIC_NOISES

    if source is not None:
        raise InputError(f"synthetic-noise reads nothing, but the source is {str(source)!r}: leave it out")
    unknown = [kind for kind in kinds if kind not in SYNTHETIC_NOISES]
    if unknown:
        raise InputError(f"no synthetic noise {unknown[0]!r}: choose among {', '.join(SYNTHETIC_NOISES)}")
    if count < 1 or folds < 1 or not duration_s > 0:
        raise InputError(f"count {count}, folds {folds} and duration_s {duration_s} must be positive")

    folder = Path(out).absolute() / "audio"
    recipes, noise = [], []
    for kind in kinds:
        for index in range(count):
            id = f"{kind}-{seed}-{index:04d}"
            path = folder / f"{id}.flac"
            recipes.append(_Recipe(kind, path, int(unit_hash(f"{kind}/{index}", seed) * 2**32)))
            noise.append(NoiseFile(id, path, kind, noise_class=kind, source=id, fold=index % folds + 1))
    write = partial(_write, num_samples=round(duration_s * sample_rate), sample_rate=sample_rate)
    map_parallel(write, recipes, "synthesising noise", progress)
    return prepare("synthetic-noise", out, noise=noise, progress=progress)


def _write(recipe: _Recipe, num_samples: int, sample_rate: int) -> None:
    from drsn_audio.noise.synth import SYNTHETIC_NOISES

    wave = SYNTHETIC_NOISES[recipe.kind](num_samples, sample_rate, recipe.seed)
    peak = abs(wave).max()
    write_audio(recipe.path, wave / max(1.0, peak / 0.99), sample_rate, "PCM_16")
