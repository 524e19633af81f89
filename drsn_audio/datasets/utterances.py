"""Utterances with their transcripts: which can be trained on, their batches by seconds, and the noise around each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut
from torch.utils.data import Dataset

from drsn_audio.config import AugmentConfig, ConfigError
from drsn_audio.corpora.cuts import MIN_SPEECH_S, Skipped
from drsn_audio.datasets.batch import Example
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import AudioStore, ManifestError, check_level, speech_level_db
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.datasets.training_draws import SPEED_STEPS, TrainingDraws
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.noise.speed import change_speed

# After the end of an utterance, at least, and as evaluation has it: a model hears the last label before it writes it.
TAIL_S = 0.5
# Lengths are drawn so far (as a share, to either side) off the true ones before they are sorted into batches.
JITTER = 0.04
SHOWN = 5  # names in a line of `describe_left_out`


class Utterance(NamedTuple):
    """targets: labels of its transcript, without blanks. level_db: of its speech, dB re full scale."""

    id: str
    targets: tuple[int, ...]
    speaker: str
    cut: Cut
    level_db: float

    @property
    def duration_s(self) -> float:
        return self.cut.duration


def utterances(
    cuts: Sequence[Cut],
    units: Units,
    max_duration_s: float,
    block: int,
    sample_rate: int,
    *,
    level: str = "p56",
    fastest: float = 1.0,
) -> tuple[list[Utterance], list[Skipped]]:
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
    kept: list[Utterance] = []
    left_out: list[Skipped] = []
    for cut in cuts:
        made = _utterance(cut, units, max_duration_s, frame_s, level)
        if isinstance(made, Skipped):
            left_out.append(made)
        else:
            kept.append(made)
    if not kept:
        first = f", first {left_out[0].path}: {left_out[0].reason}" if left_out else ""
        raise ManifestError(f"none of {len(left_out)} utterances can be used{first}")
    return kept, left_out


def unusable(cut: Cut, max_duration_s: float) -> Skipped | None:
    """What is wrong with an utterance for any model: its audio is lost, too short or too long, or it has no text."""
    path = _source(cut)
    if not path.is_file():
        return Skipped(path, "is not there: restore it, or prepare the corpus again", "lost audio")
    if cut.duration < MIN_SPEECH_S:
        return Skipped(path, f"is {1000 * cut.duration:g} ms long, too short for speech", "too short")
    if cut.duration > max_duration_s:
        reason = f"is {cut.duration:.1f} s long, over data.max_duration_s={max_duration_s:g}: cut it at pauses"
        return Skipped(path, reason, "too long")
    return None if _text(cut) else Skipped(path, "has no transcript", "empty transcript")


def _utterance(cut: Cut, units: Units, max_duration_s: float, frame_s: float, level: str) -> Utterance | Skipped:
    fault, path, text = unusable(cut, max_duration_s), _source(cut), _text(cut)
    if fault is not None:
        return fault
    try:
        targets = units.encode(text)
    except InputError as error:
        return Skipped(path, str(error), "text without units")
    needed = len(targets) + sum(a == b for a, b in pairwise(targets))
    frames = math.ceil(cut.duration / frame_s - 1e-6)
    if needed > frames:
        reason = f"has {needed} labels, counting the blanks that part equal ones, in {frames} frames"
        return Skipped(path, reason, "transcript longer than its frames")
    speaker = (cut.supervisions[0].speaker if cut.supervisions else None) or cut.id
    return Utterance(cut.id, tuple(targets), speaker, cut, speech_level_db(cut, level))


def _source(cut: Cut) -> Path:
    return Path(cut.recording.sources[0].source if cut.has_recording else cut.id)


def _text(cut: Cut) -> str:
    return " ".join(supervision.text or "" for supervision in cut.supervisions).strip()


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


def plan_by_seconds(durations_s: Sequence[float], max_padded_s: float, seed: int, epoch: int) -> list[list[int]]:
    """Seconds of each utterance -> batches of their indices, in an order of its own for each (seed, epoch).

    Each index is in one batch, and count * longest <= max_padded_s in every one. Utterances of like length are put
    together; lengths drawn a little off the true ones decide which, so that no two epochs have the same batches.
    How many batches there are differs a little from epoch to epoch.

    Raises:
        ConfigError: an utterance is longer than max_padded_s: it would fit no batch.
    """
    seconds = np.asarray(durations_s, float)
    if len(seconds) and seconds.max() > max_padded_s:
        longest = float(seconds.max())
        raise ConfigError(
            f"train.max_padded_s={max_padded_s:g}: the longest utterance needs {longest:.2f} s: raise it, or lower "
            "data.max_duration_s"
        )
    rng = draw_generator("batches by seconds", seed, epoch)
    order = np.argsort(seconds * rng.uniform(1 - JITTER, 1 + JITTER, len(seconds)), kind="stable")[::-1]
    batches: list[list[int]] = []
    longest = 0.0
    for index in order.tolist():
        longest = max(longest, seconds[index])
        if not batches or (len(batches[-1]) + 1) * longest > max_padded_s:
            batches.append([])
            longest = seconds[index]
        batches[-1].append(index)
    return [batches[place] for place in rng.permutation(len(batches))]


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
