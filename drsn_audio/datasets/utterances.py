"""Utterances with their transcripts: which can be trained on, their batches by seconds, and the noise around each."""

from __future__ import annotations

import math
import operator
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from lhotse.cut import Cut
from torch.utils.data import Dataset

from drsn_audio.config import AugmentConfig
from drsn_audio.corpora.cuts import MIN_SPEECH_S, Skipped
from drsn_audio.datasets.batch import Example
from drsn_audio.datasets.cut_list import CutFacts, cut_facts, facts_of
from drsn_audio.datasets.draws import plan_by_seconds
from drsn_audio.datasets.manifests import AudioStore, ManifestError, check_level, measured_level_db
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.datasets.training_draws import SPEED_STEPS, TrainingDraws
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.noise.speed import change_speed
from drsn_audio.text import normalise_text

__all__ = ["TrainingUtterances", "Utterance", "Utterances", "plan_by_seconds", "utterances"]

# After the end of an utterance, at least, and as evaluation has it: a model hears the last label before it writes it.
TAIL_S = 0.5
SHOWN = 5  # names in a line of `describe_left_out`


@dataclass(frozen=True)
class Utterance:
    """targets: labels of its transcript, without blanks. level_db: of its speech, dB re full scale."""

    id: str
    targets: tuple[int, ...]
    speaker: str
    cut: Cut
    level_db: float
    duration_s: float


class Utterances(Sequence[Utterance]):
    """Utterances of which memory holds numbers alone: rows, their places in `cuts`, durations_s and levels_db, [n].

    The rest is made of the cut of each when it is asked for.
    """

    def __init__(
        self, cuts: Sequence[Cut], units: Units, rows: np.ndarray, durations_s: np.ndarray, levels_db: np.ndarray
    ):
        self.cuts, self.units, self.rows, self.durations_s, self.levels_db = cuts, units, rows, durations_s, levels_db

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> Utterances: ...
    def __getitem__(self, index: int | slice) -> Utterance | Utterances:
        if isinstance(index, slice):
            numbers = self.rows[index], self.durations_s[index], self.levels_db[index]
            return Utterances(self.cuts, self.units, *numbers)
        return _UtteranceOf(self, range(len(self))[index])


class _UtteranceOf(Utterance):
    """One of `Utterances`; its cut is read when it is asked for, and kept."""

    def __init__(self, all: Utterances, place: int):
        known = {"level_db": float(all.levels_db[place]), "duration_s": float(all.durations_s[place])}
        self.__dict__.update(known, _at=(all.cuts, int(all.rows[place]), all.units))

    def __getattr__(self, name: str) -> Any:
        if name not in ("id", "targets", "speaker", "cut"):
            raise AttributeError(name)
        cuts, row, units = self._at
        cut = cuts[row]
        facts = facts_of(cut)
        targets = tuple(units.encode(facts.text))
        self.__dict__.update(id=cut.id, targets=targets, speaker=facts.speaker or cut.id, cut=cut)
        return self.__dict__[name]


def utterances(
    cuts: Sequence[Cut],
    units: Units,
    max_duration_s: float,
    block: int,
    sample_rate: int,
    *,
    level: str = "p56",
    fastest: float = 1.0,
) -> tuple[Utterances, list[Skipped]]:
    """Cuts -> utterances that a CTC model can be trained on, and what is left out and why.

    Left out is an utterance whose audio is not there, is shorter than 25 ms or longer than max_duration_s; one
    without text, or with some for which there is no unit; and one whose labels, with a blank between equal ones, are
    more than its frames (of `block` samples at `sample_rate`) when it is played at the `fastest` speed: CTC has no
    path for it, and an infinite loss.

    Raises:
        ManifestError: a cut without a level; nothing is left.
        InputError: the units cannot encode any text at all (their SentencePiece model is missing or another one).
        ConfigError: an unknown level method.
    """
    check_level(level)
    units.encode("")
    frame_s = block / sample_rate * round(SPEED_STEPS * fastest) / SPEED_STEPS
    rows, durations_s, levels_db, left_out = array("q"), array("d"), array("d"), list[Skipped]()
    for row, facts in enumerate(cut_facts(cuts)):
        fault = unusable(facts, max_duration_s) or _without_path(facts, units, frame_s)
        if fault is not None:
            left_out.append(fault)
            continue
        rows.append(row)
        durations_s.append(facts.duration_s)
        levels_db.append(measured_level_db(facts.id, facts.custom, level))
    if not rows:
        first = f", first {left_out[0].path}: {left_out[0].reason}" if left_out else ""
        raise ManifestError(f"none of {len(left_out)} utterances can be used{first}")
    return Utterances(cuts, units, np.array(rows), np.array(durations_s), np.array(levels_db)), left_out


def unusable(facts: CutFacts, max_duration_s: float) -> Skipped | None:
    """What is wrong with an utterance for any model: its audio is lost, too short or too long, or it has no text."""
    if not facts.stored and not os.path.isfile(facts.source):
        return Skipped(_path(facts), "is not there: restore it, or prepare the corpus again", "lost audio")
    if facts.duration_s < MIN_SPEECH_S:
        return Skipped(_path(facts), f"is {1000 * facts.duration_s:g} ms long, too short for speech", "too short")
    if facts.duration_s > max_duration_s:
        reason = f"is {facts.duration_s:.1f} s long, over data.max_duration_s={max_duration_s:g}: cut it at pauses"
        return Skipped(_path(facts), reason, "too long")
    spoken = any(map(str.isalnum, facts.text)) or normalise_text(facts.text)
    return None if spoken else Skipped(_path(facts), "has no transcript", "empty transcript")


def _without_path(facts: CutFacts, units: Units, frame_s: float) -> Skipped | None:
    """What is wrong with an utterance for CTC: no units for its text, or more labels than frames."""
    try:
        targets = units.encode(facts.text)
    except InputError as error:
        return Skipped(_path(facts), str(error), "text without units")
    needed = len(targets) + sum(map(operator.eq, targets, targets[1:]))
    frames = math.ceil(facts.duration_s / frame_s - 1e-6)
    if needed <= frames:
        return None
    reason = f"has {needed} labels, counting the blanks that part equal ones, in {frames} frames"
    return Skipped(_path(facts), reason, "transcript longer than its frames")


def _path(facts: CutFacts) -> Path:
    return Path(facts.id if facts.stored else facts.source)


def describe_left_out(left_out: Sequence[Skipped]) -> list[str]:
    """A line for each kind of fault: how many utterances, and the first files."""
    kinds: dict[str, list[Skipped]] = {}
    for fault in left_out:
        kinds.setdefault(fault.kind, []).append(fault)
    lines = []
    for kind, faults in kinds.items():
        names = [str(fault.path) for fault in faults[:SHOWN]]
        names += [f"{len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        count = "1 utterance" if len(faults) == 1 else f"{len(faults)} utterances"
        lines.append(f"left out: {count}, {kind} ({', '.join(names)}); the first {faults[0].reason}")
    return lines


def row_samples(duration_s: float, slowest: float, sample_rate: int, block: int) -> int:
    """Samples of a row that holds an utterance, played at the `slowest` speed, and the tail; in whole blocks.

    The rows of a batch have those of its longest utterance, and these over the sample rate are the seconds that
    `plan_by_seconds` caps.
    """
    speed = round(SPEED_STEPS * slowest) / SPEED_STEPS
    return math.ceil(((duration_s / speed + TAIL_S) * sample_rate + 2) / block) * block  # 2: resampling rounds up


class TrainingUtterances(Dataset):
    """(epoch, index, num_samples) -> Example, all of it drawn from (seed, epoch, utterance id).

    The utterance, played at the drawn speed, lies whole within num_samples (see `row_samples`), at a drawn place that
    leaves the tail after it. `rooms` are for augment.reverb_share; `level`, p56 or rms, is how speech is measured
    after it.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        noise: NoisePool,
        store: AudioStore,
        augment: AugmentConfig,
        seed: int,
        rooms: RoomPool | None = None,
        level: str = "p56",
    ):
        self.draws = TrainingDraws(noise, store, augment, seed, rooms, level)
        self.utterances = utterances

    def __getitem__(self, key: tuple[int, int, int]) -> Example:
        epoch, index, num_samples = key
        utterance = self.utterances[index]
        drawn = self.draws.begin(epoch, utterance.id)
        wave = change_speed(self.draws.store(utterance.cut), drawn.speed)
        slack = num_samples - len(wave) - round(TAIL_S * self.draws.store.sample_rate)
        if slack < 0:
            raise ValueError(f"{utterance.id}: {len(wave)} samples and the tail do not fit in {num_samples}")
        # A quarter begin with the row, as a recording may with its first word; after a quarter comes the tail alone.
        start = min(max(int(drawn.rng.integers(-(slack // 2), slack + slack // 2 + 1)), 0), slack)
        speech = np.zeros(num_samples, np.float32)
        speech[start : start + len(wave)] = wave
        return self.draws.surround(
            speech, start, start + len(wave), drawn, level_db=utterance.level_db, target=utterance.targets
        )
