"""Reading manifests and the audio that they name."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import Recording
from lhotse.cut import Cut

from drsn_audio.audio import AudioError, resample
from drsn_audio.config import ConfigError
from drsn_audio.datasets.cut_list import CutList
from drsn_audio.datasets.cut_parts import recording_of, sound_key
from drsn_audio.datasets.lhotse_audio import load_audio
from drsn_audio.datasets.manifest_lines import ManifestError, scan_cuts, scan_lines
from drsn_audio.datasets.shard_index import INDEX, is_shards, read_shards, shard_lines
from drsn_audio.datasets.shard_reader import ShardReader
from drsn_audio.downmix import downmix

__all__ = ["AudioStore", "CutList", "ManifestError", "read_cuts", "scan_cuts"]

_shards = ShardReader()  # of this process, for who has none of their own
MANY = 2000  # cuts; fewer are a list in memory, 10 MB at most
LEVEL_KEYS = {"p56": "active_level_db", "rms": "rms_db"}  # of a speech cut, by data.level


def read_cuts(paths: Iterable[str | Path]) -> Sequence[Cut]:
    """Cuts of several manifests (.jsonl or .jsonl.gz) or folders of shards, in order; many stay on the disk, see
    `CutList`.

    Raises:
        ManifestError: no paths; a file is missing, is not a manifest of cuts, is empty; two cuts have the same id.
    """
    cuts = open_cuts([str(path) for path in paths])
    return cuts if len(cuts) >= MANY or cuts.shard_paths else list(cuts)


def open_cuts(paths: Sequence[str]) -> CutList:
    """`read_cuts`, all of which stay on the disk."""
    if not paths:
        raise ManifestError("no manifest is given: name one that drsn-audio prepare or mix made")
    sources: list[tuple[str, Iterator[tuple[bytes, dict[str, Any]]], int]] = []
    places: list[str] = []  # of the audio of each shard
    for path in paths:
        if is_shards(path):
            for shard in read_shards(path):
                sources.append((str(shard.cuts), shard_lines(shard), len(places)))
                places.append(shard.audio)
        else:
            sources.append((path, scan_lines(path), -1))
    return CutList(sources, partial(open_cuts, [os.path.abspath(path) for path in paths]), places)


def check_level(level: str) -> None:
    """Raises ConfigError where `level` is none of the ways in which speech is measured."""
    if level not in LEVEL_KEYS:
        raise ConfigError(f"data.level={level!r} is unknown: use p56 or rms")


def speech_level_db(cut: Cut, level: str, required: bool = True) -> float:
    """Level in dB re full scale that `prepare` has measured of a cut's speech; NaN where it has none.

    Raises:
        ManifestError: it has none, but is required.
    """
    return measured_level_db(cut.id, cut.custom or {}, level, required)


def measured_level_db(id: str, custom: Mapping[str, Any], level: str, required: bool = True) -> float:
    """`speech_level_db` of the cut of this id, which carries `custom`."""
    key = LEVEL_KEYS[level]
    level_db = custom.get(key, math.nan)
    if required and not math.isfinite(level_db):
        raise ManifestError(f"{id}: carries no {key}, which an SNR needs: make it with drsn-audio prepare")
    return level_db


def file_sha256(path: str | Path) -> str:
    """What a report names, so that a reader knows it is the same file; of shards, shards.json."""
    path, found = Path(path), hashlib.sha256()
    with open(path / INDEX if path.is_dir() else path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def load_cut(cut: Cut, sample_rate: int, shards: ShardReader | None = None) -> np.ndarray:
    """Audio of a cut, mono, float32 [N] at sample_rate; out of shards by that reader.

    Raises:
        AudioError: the file is lost or cannot be read.
    """
    wave = downmix(load_channels(cut, shards).T, cut.sampling_rate)
    return resample(wave, cut.sampling_rate, sample_rate)


def load_channels(cut: Cut, shards: ShardReader | None = None) -> np.ndarray:
    """`load_cut` as it lies there, float32 [C, N]."""
    recording = recording_of(cut)
    if _in_shards(recording):
        return (shards or _shards)(cut)
    source = recording.sources[0].source if recording else cut.id
    try:
        if os.path.exists(source) and not os.path.isfile(source):
            raise AudioError("a folder, a pipe or a device")  # opening a pipe would wait for its writer
        channels = load_audio(cut)
    except Exception as error:
        reason = "no such file" if not Path(source).exists() else " ".join(str(error).split())[:200]
        raise AudioError(f"{source}: named by the manifest but not readable ({reason}): prepare it again") from None
    if not np.isfinite(channels).all():
        raise AudioError(f"{source}: holds NaN or infinite samples: repair or re-export it, and prepare it again")
    return channels


def _in_shards(recording: Recording | None) -> bool:
    return recording is not None and recording.sources[0].type == "shar"


class AudioStore:
    """Waves of cuts, kept in memory up to `max_bytes`, so that an epoch does not decode the files again.

    What lies in shards is not kept: there is more of it than memory, and `shards` holds what is near.
    """

    def __init__(self, sample_rate: int, max_bytes: int = 4 << 30):
        self.sample_rate, self.shards = sample_rate, ShardReader()
        self._left = max_bytes
        self._waves: dict[str, np.ndarray] = {}

    def __call__(self, cut: Cut) -> np.ndarray:
        """float32 [N]; not to be written to."""
        if _in_shards(recording_of(cut)):
            return load_cut(cut, self.sample_rate, self.shards)
        key = sound_key(cut)  # not by its id: a speech and a noise manifest may both know one
        wave = self._waves.get(key)
        if wave is None:
            wave = load_cut(cut, self.sample_rate)
            if wave.nbytes <= self._left:
                self._left -= wave.nbytes
                self._waves[key] = wave
        return wave
