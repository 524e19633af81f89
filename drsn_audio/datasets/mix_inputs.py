"""What `mix_files` mixes: utterances and noises of a file, a folder, a glob pattern or a manifest of cuts."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut

from drsn_audio.audio import AudioError, find_audio, read_audio
from drsn_audio.datasets.manifests import load_cut, read_cuts
from drsn_audio.datasets.noise_pool import PAUSE_DB, TRIES
from drsn_audio.errors import InputError
from drsn_audio.noise.level import rms_db
from drsn_audio.noise.synth import SYNTHETIC_NOISES

LOOP_FADE_S = 0.05


class Utterance(NamedTuple):
    """id: the cut's, or the path below the folder; relative: where the mix goes; cut: if of a manifest."""

    id: str
    path: Path
    relative: Path
    cut: Cut | None

    def read(self) -> tuple[np.ndarray, int]:
        """Mono wave [N] and its own sample rate."""
        if self.cut is None:
            return read_audio(self.path)
        return load_cut(self.cut, self.cut.sampling_rate), self.cut.sampling_rate


class NoiseItem(NamedTuple):
    """A noise recording; source and noise_class are its own names where it is of no manifest."""

    id: str
    path: Path
    noise_class: str
    source: str
    cut: Cut | None


class DrawnNoise(NamedTuple):
    wave: np.ndarray  # [N]
    path: Path | None  # None: synthesised
    noise_class: str
    source: str
    offset_s: float


def is_manifest(place: str | Path) -> bool:
    return str(place).endswith((".jsonl", ".jsonl.gz"))


def is_one_file(place: str | Path) -> bool:
    """An audio file named outright, be it there or not."""
    found_outright = Path(place).exists() or not glob.has_magic(str(place))
    return found_outright and not Path(place).is_dir() and not is_manifest(place)


def find_speech(place: str | Path) -> Iterator[Utterance]:
    """Utterances, one by one.

    Raises:
        AudioError: nothing there.
        ManifestError: a manifest that cannot be used.
    """
    if is_manifest(place):
        for cut in read_cuts([place]):
            path = _cut_path(cut)
            parts = [part for part in PurePosixPath(cut.id).parts if part not in ("/", "..")]
            name = Path(*parts)
            yield Utterance(cut.id, path, name if name.suffix == path.suffix else Path(f"{name}{path.suffix}"), cut)
        return
    root = search_root(place)
    for path in find_audio(place):
        relative = path.relative_to(root)
        yield Utterance(relative.as_posix(), path, relative, None)


def search_root(place: str | Path) -> Path:
    """Where a search starts: a folder itself, the parent of a file, a pattern up to its first wildcard."""
    place = Path(place)
    if place.is_dir():
        return place
    if is_one_file(place):
        return place.parent
    parents = [parent for parent in place.parents if not glob.has_magic(str(parent))]
    return parents[0]


def find_noises(place: str | Path) -> dict[str, list[NoiseItem]]:
    """Noise recordings by kind, sorted by id; the kind is a cut's, or the name of the folder or the one file.

    Raises:
        AudioError: nothing there.
        ManifestError: a manifest that cannot be used.
    """
    kinds: dict[str, list[NoiseItem]] = {}
    if is_manifest(place):
        for cut in sorted(read_cuts([place]), key=lambda cut: cut.id):
            custom = cut.custom or {}
            noise_class = custom.get("noise_class", "unknown")
            item = NoiseItem(cut.id, _cut_path(cut), noise_class, str(custom.get("source", cut.id)), cut)
            kinds.setdefault(custom.get("noise_kind", "other"), []).append(item)
        return kinds
    if is_one_file(place) and not Path(place).exists():
        raise AudioError(
            f"{place}: no such noise: name a file, a folder, a manifest, or {' | '.join(SYNTHETIC_NOISES)}"
        )
    root = search_root(place)
    kind = Path(place).stem if is_one_file(place) else root.resolve().name
    for path in find_audio(place):
        name = path.relative_to(root).as_posix()
        kinds.setdefault(kind, []).append(NoiseItem(name, path, kind, name, None))
    return kinds


class RecordedNoise:
    """Segments of the recordings of one kind."""

    def __init__(self, items: list[NoiseItem]):
        self.items = items
        # The noise may be a single recording of an hour.
        self._read = lru_cache(maxsize=4)(self._read_item)

    def __call__(
        self, num_samples: int, sample_rate: int, rng: np.random.Generator
    ) -> tuple[DrawnNoise | None, list[tuple[Path, str]]]:
        """A drawn segment [num_samples], and the recordings that were drawn before it but cannot be used.

        None where no recording can be used. Pauses of a recording are avoided.
        """
        unusable = []
        for index in rng.permutation(len(self.items)).tolist():
            item = self.items[index]
            try:
                wave = self._read(index, sample_rate)
            except InputError as error:
                unusable.append((item.path, str(error)))
                continue
            segment, offset = _draw_segment(wave, num_samples, sample_rate, rng)
            if segment.any():
                noise = DrawnNoise(segment, item.path, item.noise_class, item.source, offset / sample_rate)
                return noise, unusable
            unusable.append((item.path, "silent wherever it was drawn: leave it out"))
        return None, unusable

    def _read_item(self, index: int, sample_rate: int) -> np.ndarray:
        item = self.items[index]
        wave = load_cut(item.cut, sample_rate) if item.cut else read_audio(item.path, sample_rate)[0]
        if rms_db(wave) == -np.inf:
            raise AudioError(f"{item.path}: silent noise, which no gain brings to an SNR: leave it out")
        return wave


def _draw_segment(
    wave: np.ndarray, num_samples: int, sample_rate: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """A piece [num_samples] of a wave, looped where it is longer than the wave, and its offset."""
    floor_db = rms_db(wave) - PAUSE_DB
    looped = len(wave) < num_samples
    wave = loop(wave, sample_rate) if looped else wave
    for _ in range(TRIES):
        offset = int(rng.integers(len(wave) if looped else len(wave) - num_samples + 1))
        segment = wave[offset : offset + num_samples]
        if looped:
            segment = np.resize(np.roll(wave, -offset), num_samples)
        if rms_db(segment) >= floor_db:
            break
    return segment, offset


def draw_synthetic(
    kind: str, num_samples: int, sample_rate: int, rng: np.random.Generator
) -> tuple[DrawnNoise, list[tuple[Path, str]]]:
    """A place of its own for every draw; nothing can be wrong with it."""
    seed = int(rng.integers(2**31))
    wave = SYNTHETIC_NOISES[kind](num_samples, sample_rate, seed)
    return DrawnNoise(wave, None, kind, f"{kind}-{seed}", 0.0), []


def loop(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Wave [N] -> one period of it, shorter by the cross-fade of 50 ms in which its end meets its start."""
    fade = min(round(LOOP_FADE_S * sample_rate), len(wave) // 2)
    rise = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / max(fade, 1)).astype(np.float32)
    period = wave[: len(wave) - fade].copy()
    period[:fade] = period[:fade] * rise + wave[len(wave) - fade :] * rise[::-1]
    return period


def _cut_path(cut: Cut) -> Path:
    return Path(cut.recording.sources[0].source)
