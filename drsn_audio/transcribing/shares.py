"""What is to be transcribed, shared by the processes of one command: each hears its share, and notes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.hearing import MIN_DURATION_S, Hearing
from drsn_audio.processes import Processes
from drsn_audio.transcribing.inputs import Input, find_inputs
from drsn_audio.transcribing.journal import Journal
from drsn_audio.transcribing.progress import ProgressLine
from drsn_audio.transcribing.transcriber import Transcriber

if TYPE_CHECKING:
    from drsn_audio.decoding.beam import BeamConfig


def hear_shares(
    places: Sequence[str],
    hearing: Hearing,
    model: Transcriber,
    journal: Journal,
    processes: Processes,
    beam: BeamConfig | None,
    line: ProgressLine,
) -> dict[str, str]:
    """All processes call it; when it returns the main one's journal has all that could be heard.

    -> what is wrong with the others, by key, from all processes. `line` of the main one knows how much all have heard.
    """
    failed: dict[str, str] = {}
    sounds = _share(_undone(find_all(places, hearing), journal), processes)
    for given, answer in model.hear(sounds, MIN_DURATION_S, beam=beam, progress=line.heard, in_order=False):
        if isinstance(answer, InputError):
            failed[given.key] = str(answer)
        else:
            journal.add(given, answer)
    line.clear()
    for rank, (errors, seconds) in enumerate(journal.collect((failed, line.seconds))):
        if rank != processes.rank:
            failed.update(errors)
            line.seconds += seconds
    return failed


def find_all(places: Sequence[str], hearing: Hearing) -> Iterator[Input]:
    """The inputs of all places that hold any; what is wrong with one the main process tells, in the end."""
    for place in places:
        try:
            yield from find_inputs(place, hearing)
        except InputError:
            continue


def _undone(inputs: Iterable[Input], journal: Journal) -> Iterator[Input]:
    return (given for given in inputs if journal.earlier(given) is None)


def _share(inputs: Iterable[Input], processes: Processes) -> Iterator[tuple[Input, Iterator[np.ndarray]]]:
    """Every count-th, beginning with the rank-th."""
    for number, given in enumerate(inputs):
        if number % processes.count == processes.rank:
            yield given, given.blocks()
