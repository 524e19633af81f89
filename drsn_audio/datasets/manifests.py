"""Reading manifests and the audio that they name."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lhotse.cut import Cut
from lhotse.serialization import deserialize_item

from drsn_audio.audio import AudioError, resample
from drsn_audio.config import ConfigError
from drsn_audio.errors import InputError

LEVEL_KEYS = {"p56": "active_level_db", "rms": "rms_db"}  # of a speech cut, by data.level


class ManifestError(InputError):
    """A manifest that cannot be used. The message is one line."""


def read_cuts(paths: Iterable[str | Path]) -> list[Cut]:
    """Cuts of several manifests (.jsonl or .jsonl.gz), in order.

    Raises:
        ManifestError: no paths; a file is missing, is not a manifest of cuts, is empty; two cuts have the same id.
    """
    paths = list(paths)
    if not paths:
        raise ManifestError("no manifest is given: name one that drsn-audio prepare or mix made")
    cuts: list[Cut] = []
    for path in paths:
        cuts += (_as_cut(line, path) for line in scan_cuts(path))
    seen: set[str] = set()
    for cut in cuts:
        if cut.id in seen:
            raise ManifestError(f"two utterances have the id {cut.id!r}: give each corpus its manifest once")
        seen.add(cut.id)
    return cuts


def scan_cuts(path: str | Path) -> Iterator[dict[str, Any]]:
    """Cuts of one manifest as they stand there, one by one; memory does not grow with the manifest.

    A relative path of audio is one below the manifest's folder, if a file is there, so that a folder of both can be
    moved; else it is left as it is, relative to where one stands.

    Raises:
        ManifestError: as read_cuts, except for ids that are there twice.
    """
    if not Path(path).is_file():
        raise ManifestError(f"{path}: no such manifest: make it with drsn-audio prepare")
    empty = True
    try:
        opened = gzip.open if str(path).endswith(".gz") else open
        with opened(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                cut = json.loads(line)
                if not str(cut.get("type", "")).endswith("Cut"):
                    continue  # a manifest of recordings or supervisions
                empty = False
                for source in cut.get("recording", {}).get("sources", []):
                    beside = Path(path).parent / str(source["source"])
                    if source["type"] == "file" and not os.path.isabs(source["source"]) and beside.is_file():
                        source["source"] = str(beside.absolute())
                yield cut
    except (OSError, EOFError, zlib.error, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ManifestError(
            f"{path}: not a readable manifest ({_reason(error)}): make it with drsn-audio prepare"
        ) from None
    if empty:
        raise ManifestError(f"{path}: holds no cuts: it must be a Lhotse manifest of cuts")


def _as_cut(line: dict[str, Any], path: str | Path) -> Cut:
    try:
        return deserialize_item(line)
    except Exception as error:  # lhotse has many
        raise ManifestError(
            f"{path}: not a readable manifest ({_reason(error)}): make it with drsn-audio prepare"
        ) from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def check_level(level: str) -> None:
    """Raises ConfigError where `level` is none of the ways in which speech is measured."""
    if level not in LEVEL_KEYS:
        raise ConfigError(f"data.level={level!r} is unknown: use p56 or rms")


def speech_level_db(cut: Cut, level: str, required: bool = True) -> float:
    """Level in dB re full scale that `prepare` has measured of a cut's speech; NaN where it has none.

    Raises:
        ManifestError: it has none, but is required.
    """
    key = LEVEL_KEYS[level]
    level_db = (cut.custom or {}).get(key, math.nan)
    if required and not math.isfinite(level_db):
        raise ManifestError(f"{cut.id}: carries no {key}, which an SNR needs: make it with drsn-audio prepare")
    return level_db


def file_sha256(path: str | Path) -> str:
    """What a report names, so that a reader knows it is the same file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def load_cut(cut: Cut, sample_rate: int) -> np.ndarray:
    """Audio of a cut, mono, float32 [N] at sample_rate.

    Raises:
        AudioError: the file is lost or cannot be read.
    """
    source = cut.recording.sources[0].source if cut.has_recording else cut.id
    try:
        if os.path.exists(source) and not os.path.isfile(source):
            raise AudioError("a folder, a pipe or a device")  # opening a pipe would wait for its writer
        channels = cut.load_audio()
    except Exception as error:
        reason = "no such file" if not Path(source).exists() else " ".join(str(error).split())[:200]
        raise AudioError(f"{source}: named by the manifest but not readable ({reason}): prepare it again") from None
    if not np.isfinite(channels).all():
        raise AudioError(f"{source}: holds NaN or infinite samples: repair or re-export it, and prepare it again")
    return resample(channels.mean(axis=0), cut.sampling_rate, sample_rate)


class AudioStore:
    """Waves of cuts, kept in memory up to `max_bytes`, so that an epoch does not decode the files again."""

    def __init__(self, sample_rate: int, max_bytes: int = 4 << 30):
        self.sample_rate = sample_rate
        self._left = max_bytes
        self._waves: dict[tuple, np.ndarray] = {}

    def __call__(self, cut: Cut) -> np.ndarray:
        """float32 [N]; not to be written to."""
        # By what it is made of: a speech and a noise manifest may both know an id.
        key = (cut.recording.sources[0].source, cut.start, cut.duration)
        wave = self._waves.get(key)
        if wave is None:
            wave = load_cut(cut, self.sample_rate)
            if wave.nbytes <= self._left:
                self._left -= wave.nbytes
                self._waves[key] = wave
        return wave
