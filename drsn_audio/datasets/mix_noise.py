"""Drawing the noise of a mix: a recording of its kind, and a piece of it; or the seed of a synthesised place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from drsn_audio.datasets.mix_inputs import NoiseItem, find_noises, name_of, noise_root, reference
from drsn_audio.datasets.mix_sources import NoisePart, Sources
from drsn_audio.datasets.noise_draw import Recording, draw_noise
from drsn_audio.errors import InputError
from drsn_audio.noise.level import mean_of, rms_db
from drsn_audio.noise.synth import SYNTHETIC_NOISES

Unusable = list[tuple[Path, str]]  # files, with the reason


class Drawn(NamedTuple):
    """part: what the manifest is to say, with no gain yet; wave [num_samples], without its mean."""

    part: NoisePart
    wave: np.ndarray


class Noise(Protocol):
    """Noise of one kind."""

    def draw(
        self, sources: Sources, num_samples: int, span: slice, sample_rate: int, rng: np.random.Generator
    ) -> tuple[Drawn | None, Unusable]:
        """A piece that is no pause over the span of the speech, and the files that were drawn in vain before it.

        None where no file can be used.
        """


class RecordedNoise:
    """Pieces of recordings; root: the name under which `folder` stands in the manifest."""

    def __init__(self, items: Sequence[NoiseItem], root: str, folder: Path):
        self.items = [(item, reference(root, folder, item.path, item.cut)) for item in items]

    def draw(
        self, sources: Sources, num_samples: int, span: slice, sample_rate: int, rng: np.random.Generator
    ) -> tuple[Drawn | None, Unusable]:
        unusable: Unusable = []
        usable, last = list(self.items), 0

        def load(number: int) -> Recording:
            nonlocal last
            last = number
            return Recording(*sources.recording(usable[number][1], sample_rate))

        while usable:
            try:
                drawn = draw_noise(load, len(usable), num_samples, span, sample_rate, rng)
                if rms_db(drawn.wave[span]) == -np.inf:
                    raise InputError("silent wherever it was drawn: leave it out")
            except InputError as error:  # the others are drawn from
                item, _ = usable.pop(last)
                unusable.append((item.path, str(error)))
                continue
            item, ref = usable[drawn.recording]
            sha256 = sources.kept_sha256(ref)
            part = NoisePart(
                item.noise_class, item.source, ref.root, ref.file, sha256, ref.cut, None, drawn.offset, 0.0
            )
            return _centred(part, drawn.wave, span), unusable
        return None, unusable


class SyntheticNoise:
    """A place of its own for every draw; nothing can be wrong with it."""

    def __init__(self, kind: str):
        self.kind = kind

    def draw(
        self, sources: Sources, num_samples: int, span: slice, sample_rate: int, rng: np.random.Generator
    ) -> tuple[Drawn | None, Unusable]:
        seed = int(rng.integers(2**31))
        part = NoisePart(self.kind, f"{self.kind}-{seed}", None, None, None, None, seed, 0, 0.0)
        return _centred(part, sources.segment(part, num_samples, sample_rate), span), []


def _centred(part: NoisePart, wave: np.ndarray, span: slice) -> Drawn:
    """Without the mean over the span of the speech, which the manifest is to name."""
    mean = np.float32(mean_of(wave[span]))
    return Drawn(part._replace(mean=float(mean)), wave - mean)


def noises_of(place: str | Path, root: str) -> tuple[dict[str, Noise], Path | None, list[str]]:
    """A noise by its name or place -> by kind, the folder that `root` stands for, and the ids of all recordings.

    Raises:
        AudioError: nothing there.
        ManifestError: a manifest that cannot be used.
    """
    if str(place) in SYNTHETIC_NOISES:
        return {str(place): SyntheticNoise(str(place))}, None, [str(place)]
    kinds = find_noises(place)
    folder = noise_root(item for items in kinds.values() for item in items)
    names = [f"{kind}: {name_of(item)}" for kind, items in kinds.items() for item in items]
    return {kind: RecordedNoise(items, root, folder) for kind, items in kinds.items()}, folder, names


def all_noises(places: Sequence[str | Path]) -> tuple[dict[str, Noise], dict[str, Path], list[str]]:
    """Noises of several names and places -> by kind, the folders that their roots stand for, and the ids of all.

    Roots are noise, noise-2, noise-3, ... in the order of the places that hold recordings.

    Raises:
        AudioError: nothing there.
        InputError: no place, or two that hold noise of one kind.
        ManifestError: a manifest that cannot be used.
    """
    if not places:
        raise InputError(f"no noise: name a file, a folder, a manifest, or {' | '.join(SYNTHETIC_NOISES)}")
    kinds: dict[str, Noise] = {}
    roots: dict[str, Path] = {}
    names: list[str] = []
    holders: dict[str, str | Path] = {}
    for place in places:
        root = f"noise-{len(roots) + 1}" if roots else "noise"
        found, folder, ids = noises_of(place, root)
        for kind in found:
            if kind in holders:
                raise InputError(
                    f"{place}: holds noise of the kind {kind!r}, as {holders[kind]} does: rename one of the two, or "
                    "mix each into an OUT of its own"
                )
            holders[kind] = place
        if folder:
            roots[root] = folder
        kinds |= found
        names += ids
    return kinds, roots, names


def background_of(place: str | Path) -> tuple[Noise, Path | None, list[str]]:
    """The same of a background: recordings of all kinds are drawn equally often."""
    kinds, folder, names = noises_of(place, "background")
    if folder is None:
        return kinds[str(place)], None, names
    items = [item for noise in kinds.values() if isinstance(noise, RecordedNoise) for item, _ in noise.items]
    return RecordedNoise(items, "background", folder), folder, names


def gains(waves: Sequence[np.ndarray], relative_db: Sequence[float], span: slice, level_db: float) -> list[float]:
    """Gains, as float32 holds them, that bring the sum of noises [N] to an RMS of level_db over the span.

    relative_db: level of each against the first. They are what the manifest keeps and what the samples are multiplied
    by, so that a mix can be made again without measuring anything.

    Raises:
        InputError: a noise that is silent over the span, or so quiet that float32 has no such gain.
    """
    levels_db = [rms_db(wave[span]) for wave in waves]
    if -np.inf in levels_db:
        raise InputError("silent noise where the speech is, which no gain brings to an SNR: leave it out")
    factors = [10 ** ((own - level) / 20) for own, level in zip(relative_db, levels_db, strict=True)]
    total = sum(factor * wave[span].astype(np.float64) for factor, wave in zip(factors, waves, strict=True))
    overall = 10 ** ((level_db - rms_db(np.asarray(total))) / 20)
    found = [float(np.float32(overall * factor)) for factor in factors]
    if not all(0 < gain < np.inf for gain in found):
        raise InputError(
            f"noise at {min(levels_db):.0f} dB, which no float32 brings to {level_db:.0f} dB: leave it out"
        )
    return found


def sum_of(waves: Sequence[np.ndarray], factors: Sequence[float]) -> np.ndarray:
    """Noises [N], each multiplied by its gain, float32 [N]."""
    total = np.float32(factors[0]) * waves[0].astype(np.float32, copy=False)
    for wave, factor in zip(waves[1:], factors[1:], strict=True):
        total += np.float32(factor) * wave.astype(np.float32, copy=False)
    return total


def folders_of(kinds: Mapping[str, object]) -> dict[str, str]:
    """Kind -> the name of its folder.

    Raises:
        InputError: two kinds have one.
    """
    names = {kind: kind.replace("/", "_") for kind in kinds}
    double = {kind for kind, name in names.items() if list(names.values()).count(name) > 1}
    if double:
        raise InputError(f"noise kinds {sorted(double)} would share one folder: rename one of them in the manifest")
    return names
