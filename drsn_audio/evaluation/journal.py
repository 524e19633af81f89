"""What an evaluation has been answered, so that one that was cut short, at whatever moment, can go on.

OUT/evaluate.journal, until run.json is written: a line that says what is evaluated on what, then a line for each unit,
which is what is asked at once: a batch, or an utterance, in one kind and draw of noise, at all SNRs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from drsn_audio.config import DataConfig, EvaluateConfig, NoiseSource
from drsn_audio.datasets.manifests import file_sha256, scan_cuts
from drsn_audio.evaluation.shares import share
from drsn_audio.journal import JsonJournal
from drsn_audio.processes import ALONE, Processes

NAME = "evaluate.journal"
Answer = TypeVar("Answer")


class Journal(JsonJournal):
    """`with Journal(folder, request, resume, processes) as journal: ...`, for `answers`; then journal.remove().

    As `JsonJournal`, see `request_of`.
    """

    what, command = "answers", "drsn-audio evaluate"

    def __init__(self, folder: Path, request: dict[str, Any], resume: bool, processes: Processes = ALONE):
        super().__init__(folder / NAME, request, resume, processes)
        self._asked = 0

    def number(self, units: int) -> int:
        """The first of so many units, each of which is asked in its turn by every process and in every run."""
        self._asked += units
        return self._asked - units

    def remove(self) -> None:
        """When all is written, by the main process; no other one notes anything any more."""
        for path in [*self._parts(), self.path]:
            path.unlink(missing_ok=True)


def answers(
    units: Sequence[Any],
    hear: Callable[[Sequence[int]], Iterable[Answer]],
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> list[Answer]:
    """The answer to each unit. All processes must call this: each hears a share, and all get all answers.

    `units`, and with a journal the answers, too, are for JSON, without tuples. A unit says all that its answer depends
    on beyond the journal's request. `hear` takes numbers of units to their answers, in that order; what is in the
    journal is not heard again.
    """
    first = journal.number(len(units)) if journal else 0
    found: dict[int, Answer] = {}
    if journal:
        noted = ((number, journal.answer_of(str(first + number), unit)) for number, unit in enumerate(units))
        found = {number: answer for number, answer in noted if answer is not None}
    own = share([number for number in range(len(units)) if number not in found], processes.rank, processes.count)
    heard: dict[int, Answer] = {}
    for number, answer in zip(own, hear(own), strict=True):
        if journal:
            journal.note(str(first + number), units[number], answer)
        heard[number] = answer
    for part in processes.gather(heard):
        found |= part
    return [found[number] for number in range(len(units))]


def request_of(
    checkpoint: Mapping[str, Any],
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    *,
    data: DataConfig,
    evaluate: EvaluateConfig,
    decoder: Mapping[str, Any],
) -> dict[str, Any]:
    """All that decides what the answers are. Files count by what is in them; `decoder` may name some.

    Raises:
        ManifestError: a manifest that cannot be used.
        OSError: a file of the decoder that cannot be read.
    """
    for path in [*manifests, *(source.manifest for source in noise)]:
        next(scan_cuts(path), None)
    files = {key: file_sha256(decoder[key]) for key in ("language_model", "lexicon") if decoder.get(key)}
    return {
        "model": checkpoint.get("sha256"),
        "manifest": [file_sha256(path) for path in manifests],
        "noise": [[file_sha256(source.manifest), source.kinds, source.folds] for source in noise],
        "seed": evaluate.seed,
        "snr": list(evaluate.snr_db),
        "draws": evaluate.draws,
        "level": data.level,
        "decoder": {**decoder, **files},
    }


def digest(names: Iterable[str]) -> str:
    """Short, for many names in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def packed(numbers: np.ndarray) -> list[Any]:
    """Float32 [B, K] -> for JSON, to the last bit."""
    return [numbers.shape[-1], base64.b64encode(numbers.astype("<f4").tobytes()).decode()]


def unpacked(numbers: Sequence[Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(numbers[1]), "<f4").reshape(-1, numbers[0]).astype(np.float32)
