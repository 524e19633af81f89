"""A little speech and noise in files, to be mixed."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile as sf

RATE = 16000


class Inputs(NamedTuple):
    """speech: two speakers in LibriSpeech's layout, 5 utterances; noise: two recordings of 2 s, one of 0.2 s."""

    speech: Path
    noise: Path


def write_noise(path: Path, seed: int, seconds: float = 0.5, rate: int = RATE, gain: float = 0.05, **kwargs) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = gain * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    sf.write(path, wave.clip(-1, 1), rate, **kwargs)
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    speech = tmp_path / "LibriSpeech"
    number = 0
    for chapter in ("11/100", "11/101", "22/200"):
        speaker_id, chapter_id = chapter.split("/")
        lines = []
        for i in range(1 if chapter == "11/101" else 2):
            name = f"{speaker_id}-{chapter_id}-{i:04d}"
            write_noise(speech / "dev-clean" / chapter / f"{name}.flac", number, seconds=0.3 + 0.1 * i)
            lines.append(f"{name} WORDS OF {number}\n")
            number += 1
        (speech / "dev-clean" / chapter / f"{speaker_id}-{chapter_id}.trans.txt").write_text("".join(lines))
    (speech / "SPEAKERS.TXT").write_text("11 | F | dev-clean | 8 | Ann\n22 | M | dev-clean | 8 | Bob\n")
    for i, seconds in enumerate((2, 2, 0.2)):
        write_noise(tmp_path / "hall" / f"{i}.wav", 100 + i, seconds=seconds, gain=0.02 * (i + 1))
    return Inputs(speech, tmp_path / "hall")


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Folder -> relative path and content of every file."""

    def read(folder: Path) -> dict[str, bytes]:
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}

    return read


@pytest.fixture
def lines_of() -> Callable[[Path], list[dict[str, Any]]]:
    """Manifest -> its lines."""

    def read(manifest: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in gzip.decompress(manifest.read_bytes()).decode().splitlines()]

    return read
