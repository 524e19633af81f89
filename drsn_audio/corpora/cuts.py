"""One audio file -> one Lhotse cut with its levels; cuts -> a manifest.

A speech cut has one supervision (text, speaker, language, gender where it is known) and custom active_level_db
(ITU-T P.56), rms_db and activity; a noise cut has custom noise_kind, noise_class, fold, source and rms_db. Levels are
in dB re full scale, measured at the file's own sample rate on the mean of the channels, or on the one that is taken.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drsn_audio.audio import AudioError, AudioReader
from drsn_audio.files import write_whole

if TYPE_CHECKING:
    from lhotse.cut import Cut

    from drsn_audio.noise.level import ActiveLevel

MIN_SPEECH_S = 0.025


@dataclass(frozen=True)
class SpeechFile:
    """One recording of one utterance."""

    id: str
    path: Path
    part: str  # train | dev | test
    text: str
    speaker: str
    language: str = "en"
    gender: str | None = None


@dataclass(frozen=True)
class NoiseFile:
    """One noise recording, or a slice of one."""

    id: str
    path: Path
    kind: str  # street | machinery | factory | background | other | ...
    noise_class: str  # e.g. jackhammer
    source: str  # id of the original recording, which several slices share
    fold: int = 0  # 0: the corpus has none
    channel: int | None = None  # of a file with several; None: all of them, whose mean is heard


class Skipped(NamedTuple):
    """What a corpus holds, or should hold, and no manifest does: an audio file, a line of a list, an empty folder."""

    path: Path  # of the audio, the list or the folder
    reason: str
    kind: str = "unusable audio"  # in a few words: faults of one kind are counted together


class _Measured(NamedTuple):
    sample_rate: int
    num_samples: int
    num_channels: int
    level: ActiveLevel


def make_cut(file: SpeechFile | NoiseFile) -> Cut | Skipped:
    """Read and measure a file. Unreadable and silent ones, and speech too short or without level, are skipped."""
    if not is_unicode(file.path):
        return Skipped(file.path, "its name is not UTF-8, which no manifest can hold: rename it")
    measured = _measure(file.path, file.channel if isinstance(file, NoiseFile) else None)
    if isinstance(measured, Skipped):
        return measured
    if isinstance(file, SpeechFile) and measured.num_samples < MIN_SPEECH_S * measured.sample_rate:
        return Skipped(file.path, f"is too short for speech ({measured.num_samples} samples)", "short audio")
    if measured.level.rms_db == -math.inf:
        return Skipped(file.path, "is digitally silent", "silent audio")
    if isinstance(file, NoiseFile):
        return _noise_cut(file, measured)
    if measured.level.activity == 0:
        return Skipped(file.path, "has no measurable speech level", "silent audio")
    return _speech_cut(file, measured)


def is_unicode(path: Path) -> bool:
    """Whether a file's name is text, not bytes that only the file system knows."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def write_cuts(cuts: Iterable[Cut], path: Path) -> None:
    """Cuts, sorted by id, one JSON object a line, gzipped without a time; the file is whole or not there.

    Raises:
        AudioError: the folder cannot be written to.
    """
    lines = [json.dumps(cut.to_dict(), ensure_ascii=False) for cut in sorted(cuts, key=lambda cut: cut.id)]
    data = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
    try:
        write_whole(path, data)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written ({error.strerror}): choose another place") from None


def _measure(path: Path, channel: int | None) -> _Measured | Skipped:
    from drsn_audio.noise.level import active_level

    try:
        with AudioReader(path) as reader:
            sample_rate, num_channels = reader.sample_rate, reader.channels
            if channel is None:
                wave = np.concatenate(list(reader.blocks()))
            elif channel < num_channels:
                wave = np.concatenate([block[:, channel] for block in reader.frames()])
            else:
                return Skipped(path, f"has {num_channels} channels: none is the {channel + 1}th")
    except AudioError as error:
        return Skipped(path, str(error).removeprefix(f"{path}: "), "undecodable audio")
    return _Measured(sample_rate, wave.size, num_channels, active_level(wave, sample_rate))


def _cut(file: SpeechFile | NoiseFile, measured: _Measured) -> Cut:
    from lhotse import Recording
    from lhotse.audio import AudioSource

    source = AudioSource(type="file", channels=list(range(measured.num_channels)), source=str(file.path))
    recording = Recording(
        id=file.id,
        sources=[source],
        sampling_rate=measured.sample_rate,
        num_samples=measured.num_samples,
        duration=measured.num_samples / measured.sample_rate,
    )
    cut = recording.to_cut()  # a MonoCut; a MultiCut where there are several channels
    cut.id = file.id
    return cut


def _speech_cut(file: SpeechFile, measured: _Measured) -> Cut:
    from lhotse import SupervisionSegment

    cut = _cut(file, measured)
    supervision = SupervisionSegment(
        id=file.id,
        recording_id=file.id,
        start=0.0,
        duration=cut.duration,
        channel=cut.channel,
        text=file.text,
        language=file.language,
        speaker=file.speaker,
        gender=file.gender,
    )
    cut.supervisions = [supervision]
    level = measured.level
    cut.custom = {
        "active_level_db": round(level.active_db, 3),
        "rms_db": round(level.rms_db, 3),
        "activity": round(level.activity, 4),
    }
    return cut


def _noise_cut(file: NoiseFile, measured: _Measured) -> Cut:
    cut = _cut(file, measured)
    if file.channel is not None and measured.num_channels > 1:
        cut = cut.to_mono()[file.channel]
        cut.id = file.id
    cut.custom = {
        "noise_kind": file.kind,
        "noise_class": file.noise_class,
        "fold": file.fold,
        "source": file.source,
        "rms_db": round(measured.level.rms_db, 3),
    }
    return cut
