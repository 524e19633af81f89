"""The work of `drsn-audio classify`: keywords on stdout or in a file; how much was heard and what failed on stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TextIO

from drsn_audio.api import Classification, Recognizer
from drsn_audio.checks import check_answers
from drsn_audio.errors import BAD_INPUT, InputError, one_line
from drsn_audio.files import open_mode
from drsn_audio.hearing import MIN_DURATION_S, Hearing
from drsn_audio.journal import JsonJournal
from drsn_audio.processes import ALONE, Processes
from drsn_audio.transcribing.inputs import Input, find_inputs

Answer = list[Classification] | InputError


class Journal(JsonJournal):
    """FILE.journal, beside FILE, which is written when all has been heard."""

    what, command = "answers", "drsn-audio classify"


def run(options: argparse.Namespace, model: Recognizer, processes: Processes = ALONE) -> int:
    """Returns the exit status: 0, or 2 where a sound could not be heard; the others are.

    Of several processes, each hears its share; then the main one, which finds all of it in the journal, tells it. The
    others return 0.

    Raises:
        InputError: options that do not go together, or cannot be used.
        OSError: FILE cannot be written.
    """
    check_answers(options)
    work = _Work(options, model, processes)
    with ExitStack() as opened:
        try:
            if options.out or processes.count > 1:
                folder = Path(options.out).parent if options.out else Path(opened.enter_context(processes.scratch()))
                name = f"{Path(options.out).name if options.out else ''}.journal"
                request = {"model": model.info.get("sha256"), "reject_below": options.reject_below}
                work.hear_shares(opened.enter_context(Journal(folder / name, request, options.resume, processes)))
            if processes.is_main:
                work.tell()
        except KeyboardInterrupt:
            raise KeyboardInterrupt("stopped; with --resume it goes on from here" if options.out else "") from None
    return work.status


class _Work:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace, model: Recognizer, processes: Processes):
        self.status = 0
        self._options, self._model, self._processes = options, model, processes
        self._hearing = Hearing(model.sample_rate)
        self._journal: Journal | None = None
        self._failed: dict[str, str] = {}  # what is wrong with sounds that were tried, by key
        self._as_json = options.json or bool(options.out)
        self._heard_line = not options.quiet and processes.is_main and sys.stderr.isatty()
        self._seconds = 0.0
        self._file: TextIO = sys.stdout

    def hear_shares(self, journal: Journal) -> None:
        """Note what is not in the journal; when this returns, the main process has what all have noted."""
        self._journal = journal
        found = self._inputs(lambda place, error: None)  # which is for the main process to tell, at its place
        undone = (given for given in found if journal.answer_of(given.key, given.stamp()) is None)
        rank, count = self._processes.rank, self._processes.count
        for given, answer in self._hear(given for number, given in enumerate(undone) if number % count == rank):
            if isinstance(answer, InputError):
                self._failed[given.key] = str(answer)
            else:
                journal.note(given.key, given.stamp(), [vars(one) for one in answer])
        self._clear()
        for failed in journal.collect(self._failed):
            self._failed |= failed

    def tell(self) -> None:
        """All answers, in the order of the inputs, and what is wrong with the others."""
        out = self._options.out
        with _whole_file(Path(out)) if out else nullcontext(sys.stdout) as self._file:
            for given, answer in self._answers():
                if isinstance(answer, InputError):
                    self._fail(given, answer)
                    continue
                for one in answer:
                    self._print(self._line(given, one))
        if out:
            self._file = sys.stdout
            self._print(one_line(out))
        self._clear()

    def _answers(self) -> Iterator[tuple[Input, Answer]]:
        found = self._inputs(self._fail)
        if self._journal is None:
            yield from self._hear(found)
            return
        for given in found:
            noted = self._journal.answer_of(given.key, given.stamp())
            if noted is not None:
                yield given, [Classification(**one) for one in noted]
            elif given.key in self._failed:
                yield given, InputError(self._failed[given.key])
            else:  # it came, or changed, while the others were heard
                yield from self._hear([given])

    def _inputs(self, fault: Callable[[str, InputError], None]) -> Iterator[Input]:
        """Of all places; where there is nothing in one, the others go on."""
        for place in self._options.paths:
            try:
                yield from find_inputs(place, self._hearing)
            except InputError as error:
                fault(place, error)

    def _hear(self, inputs: Iterable[Input]) -> Iterator[tuple[Input, Answer]]:
        sounds = ((given, given.blocks()) for given in inputs)
        reject_below = self._options.reject_below
        return self._model.hear(sounds, MIN_DURATION_S, reject_below=reject_below, progress=self._heard)

    def _line(self, given: Input, answer: Classification) -> str:
        if self._as_json:
            cut = {"id": given.id} if given.cut else {}
            return json.dumps({"path": str(given.path), **cut, **vars(answer)})
        name = one_line(given.id or str(given.path))
        return f"{name}\t{answer.label}\t{answer.score:.3f}\t{answer.start:.2f}-{answer.end:.2f} s"

    def _fail(self, given: Input | str, error: InputError) -> None:
        self.status = BAD_INPUT
        if self._as_json:
            cut = {"id": given.id} if isinstance(given, Input) and given.cut else {}
            self._print(json.dumps({"path": str(given), **cut, "error": str(error)}))
        self._clear()
        print(f"error: {one_line(str(error))}", file=sys.stderr)

    def _print(self, line: str) -> None:
        self._clear()
        print(line, file=self._file, flush=self._file is sys.stdout)

    def _heard(self, seconds: float) -> None:
        self._seconds += seconds
        if self._heard_line:
            print(f"\r{self._seconds:,.0f} s of sound heard", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._heard_line:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def _whole_file(path: Path) -> Iterator[TextIO]:
    """A file of text that is there when the block has been left without an exception; then what was there is gone."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            yield file
        os.chmod(temporary, open_mode())
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
