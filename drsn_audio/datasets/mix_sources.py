"""Reading the inputs of mixes: each noise recording and room response once, as long as memory allows."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.audio import AudioError, read_audio
from drsn_audio.datasets.manifests import load_cut
from drsn_audio.datasets.mix_inputs import AudioRef
from drsn_audio.errors import InputError
from drsn_audio.noise.level import mean_of, rms_db
from drsn_audio.noise.reverb import Room, draw_room
from drsn_audio.noise.segment import cut_segment
from drsn_audio.noise.synth import SYNTHETIC_NOISES

CACHE_BYTES = 256 << 20  # of waves, for each process; the last one is kept however long it is


class NoisePart(NamedTuple):
    """One noise of a mix, as its manifest names it. file: None where it is synthesised from the seed.

    offset_samples, at the sample rate of the mix: where it begins in the recording, or in the loop of a short one.
    mean: the float32 that is taken off its samples, so that an offset is not amplified; that over the speech. Sets that
    were made before it was have none. gain: the float32 by which they are multiplied then.
    """

    noise_class: str
    source: str
    root: str | None
    file: str | None
    sha256: str | None
    cut: dict[str, Any] | None
    seed: int | None
    offset_samples: int
    gain: float
    mean: float = 0.0


class Sources:
    """Inputs below their roots: root name -> folder."""

    def __init__(self, roots: Mapping[str, Path], max_bytes: int = CACHE_BYTES):
        self.roots = dict(roots)
        self._max_bytes = max_bytes
        self._waves: OrderedDict[tuple, tuple[np.ndarray, float]] = OrderedDict()
        self._failed: dict[tuple, str] = {}
        self._sha256: dict[Path, str] = {}
        self._rooms: dict[tuple[int, int], Room] = {}

    def path(self, ref: AudioRef) -> Path:
        if ref.root not in self.roots:
            option = ref.root.partition("-")[0]  # of several noises the second is noise-2
            raise AudioError(f"{ref.file}: where the {ref.root} lies is not known: give --{option}-root")
        return self.roots[ref.root] / ref.file

    def speech(self, ref: AudioRef) -> tuple[np.ndarray, int]:
        """Mono wave [N] and its own sample rate."""
        if ref.cut is None:
            return read_audio(self.path(ref))
        rate = int(ref.cut["recording"]["sampling_rate"])
        return self._load(ref, rate), rate

    def recording(self, ref: AudioRef, sample_rate: int) -> tuple[np.ndarray, float]:
        """Noise or response [L], resampled, and its RMS without the mean in dB; kept for the next time.

        Raises:
            InputError: the file cannot be used, as it could not the first time.
        """
        key = (ref.root, ref.file, str(ref.cut), sample_rate)
        if key in self._failed:
            raise AudioError(self._failed[key])
        if key in self._waves:
            self._waves.move_to_end(key)
            return self._waves[key]
        try:
            wave = self._load(ref, sample_rate)
            found = wave, self._level_db(wave, ref)
            if found[1] == -np.inf:
                raise AudioError(f"{self.path(ref)}: silent noise, which no gain brings to an SNR: leave it out")
        except InputError as error:
            self._failed[key] = str(error)
            raise
        self._waves[key] = found
        while len(self._waves) > 1 and sum(wave.nbytes for wave, _ in self._waves.values()) > self._max_bytes:
            self._waves.popitem(last=False)
        return found

    def drawn_room(self, seed: int, sample_rate: int) -> Room:
        """Simulated once: that takes a third of a second."""
        if (seed, sample_rate) not in self._rooms:
            self._rooms[seed, sample_rate] = draw_room(np.random.default_rng(seed), sample_rate)
        return self._rooms[seed, sample_rate]

    def segment(self, part: NoisePart, num_samples: int, sample_rate: int) -> np.ndarray:
        """The piece [num_samples] of a noise without its mean, not yet multiplied by its gain."""
        if part.file is None or part.root is None:
            wave = SYNTHETIC_NOISES[part.noise_class](num_samples, sample_rate, part.seed or 0)
        else:
            recording, _ = self.recording(AudioRef(part.root, part.file, part.cut), sample_rate)
            wave = cut_segment(recording, num_samples, part.offset_samples, sample_rate)
        return wave - np.float32(part.mean)

    def sha256(self, ref: AudioRef) -> str:
        """Of a file, as it is now."""
        digest = hashlib.sha256()
        try:
            with open(self.path(ref), "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise AudioError(f"{self.path(ref)}: cannot be opened ({error.strerror}): check the path") from None
        return digest.hexdigest()

    def kept_sha256(self, ref: AudioRef) -> str:
        """The same of a noise or a response, which many mixes have: computed once."""
        path = self.path(ref)
        if path not in self._sha256:
            self._sha256[path] = self.sha256(ref)
        return self._sha256[path]

    def _level_db(self, wave: np.ndarray, ref: AudioRef) -> float:
        level_db = rms_db(wave)
        if 10 ** (level_db / 20) < abs(mean_of(wave)) and rms_db(self.speech(ref)[0]) == -np.inf:
            return -np.inf  # a constant, of whose ends the resampler has made a sound
        return level_db

    def _load(self, ref: AudioRef, sample_rate: int) -> np.ndarray:
        if ref.cut is None:
            return read_audio(self.path(ref), sample_rate)[0]
        from lhotse.serialization import deserialize_item

        path = self.path(ref)
        source = {**ref.cut["recording"]["sources"][0], "source": str(path)}
        cut = {**ref.cut, "recording": {**ref.cut["recording"], "sources": [source]}}
        try:
            loaded = deserialize_item(cut)
        except Exception as error:  # lhotse has many
            reason = " ".join(str(error).split())[:200]
            raise AudioError(
                f"{path}: its cut {ref.cut.get('id')} cannot be read ({reason}): prepare it again"
            ) from None
        return load_cut(loaded, sample_rate)
