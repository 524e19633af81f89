"""The work of `drsn-audio transcribe`: transcripts on stdout or in a folder; progress and what failed on stderr."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsn_audio.decoding.transcript import Transcript
from drsn_audio.errors import BAD_INPUT, InputError, one_line
from drsn_audio.hearing import MIN_DURATION_S, Hearing
from drsn_audio.processes import ALONE, Processes
from drsn_audio.text import outside_line
from drsn_audio.transcribing.inputs import Input, find_inputs
from drsn_audio.transcribing.journal import Journal
from drsn_audio.transcribing.options import SUBTITLES, given_of_beam
from drsn_audio.transcribing.outputs import OutFolder, as_dict, render
from drsn_audio.transcribing.progress import ProgressLine
from drsn_audio.transcribing.references import References, Score, read_references, score_lines
from drsn_audio.transcribing.shares import hear_shares
from drsn_audio.transcribing.transcriber import Transcriber

if TYPE_CHECKING:
    from drsn_audio.decoding.beam import BeamConfig

log = logging.getLogger("drsn_audio")

# What will not be better for the next file: the disk, not the name.
HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


def run(options: argparse.Namespace, model: Transcriber, processes: Processes = ALONE) -> int:
    """Returns the exit status: 0, or 2 where a sound could not be transcribed; the others are.

    Of several processes, each hears its share; then the main one, which finds all of it in the journal, gives it as a
    single one would. The others return 0.
    """
    beam = beam_config(options, model)
    references = read_references(options.reference, options.paths) if options.reference else References()
    score = Score(references, model.as_written, model.units.outside) if options.reference else None
    shown = not options.quiet and sys.stderr.isatty()
    hearing = Hearing(model.sample_rate)
    with ProgressLine(shown) as line, journal_of(options, model, beam, processes) as journal:
        try:
            failed: dict[str, str] = {}
            if processes.count > 1:
                failed = hear_shares(options.paths, hearing, model, journal, processes, beam, line)
            if not processes.is_main:
                return 0
            work = _Work(options, hearing, journal, references, score, line, failed)
            for given, answer in model.hear(
                work.sounds(), MIN_DURATION_S, beam=beam, progress=line.heard, in_order=not options.out
            ):
                work.answer(given, answer)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("stopped; with --resume it goes on from here" if options.out else "") from None
        line.clear()
        log.info("%s", line.text())
        work.tell_score()
    return work.status


def beam_config(options: argparse.Namespace, model: Transcriber) -> BeamConfig | None:
    """What the options and the checkpoint say of the beam search; None: no option asks for it."""
    given = given_of_beam(options)
    if not given:
        return None
    from drsn_audio.decoding import beam
    from drsn_audio.decoding.hotwords import parse_hotwords

    if "hotword" in given:
        given["hotwords"] = parse_hotwords(given.pop("hotword"))
    return beam.beam_config(model.info, **given)


@contextmanager
def journal_of(
    options: argparse.Namespace, model: Transcriber, beam: BeamConfig | None, processes: Processes = ALONE
) -> Iterator[Any]:
    """The journal of the folder; without one None, but of several processes one for as long as they work."""
    if not options.out and processes.count == 1:
        yield None
        return
    decoder: dict[str, Any] = {} if beam is None else dict(vars(beam))
    for name in ("language_model", "lexicon"):
        if decoder.get(name):
            status = os.stat(decoder[name])
            decoder[name] = [os.path.abspath(decoder[name]), status.st_size, status.st_mtime_ns]
    request = {"model": model.info.get("sha256"), "decoder": decoder}
    with ExitStack() as opened:
        folder = options.out or opened.enter_context(processes.scratch())
        yield opened.enter_context(Journal(Path(folder), request, options.resume, processes))


class _Work:
    """One call of the command: what is to be heard, and what is done with each answer."""

    def __init__(
        self,
        options: argparse.Namespace,
        hearing: Hearing,
        journal: Journal | None,
        references: References,
        score: Score | None,
        line: ProgressLine,
        failed: Mapping[str, str],
    ):
        """`failed`: what is wrong, by key, with sounds that were tried already."""
        self.status = 0
        self._places: list[str] = options.paths
        self._form: str = options.format
        self._folder = OutFolder(Path(options.out), options.format) if options.out else None
        self._as_json = options.json or (options.format == "json" and not options.out)
        self._hearing, self._journal = hearing, journal
        self._references, self._score, self._line, self._failed = references, score, line, failed

    def sounds(self) -> Iterator[tuple[Input, Iterator[np.ndarray]]]:
        """Those that no earlier run has heard; a place where there is none has failed, the others go on."""
        for place in self._places:
            try:
                for given in find_inputs(place, self._hearing):
                    earlier = self._journal.earlier(given) if self._journal else None
                    if earlier is not None:
                        self._give(given, earlier)
                    elif given.key in self._failed:
                        self._fail(given, InputError(self._failed[given.key]))
                    else:
                        yield given, given.blocks()
            except InputError as error:
                self._fail(place, error)

    def answer(self, given: Input, answer: Transcript | InputError) -> None:
        if isinstance(answer, InputError):
            self._fail(given, answer)
            return
        if self._journal:
            self._journal.add(given, answer)
        self._give(given, answer)

    def _give(self, given: Input, transcript: Transcript) -> None:
        """Write it, score it, and say so."""
        path = None
        if self._folder:
            try:
                path = self._folder.write(given, transcript, self._references.files)
            except InputError as error:
                self._fail(given, error)
                return
            except OSError as error:
                if error.errno in HOPELESS:
                    raise
                reason = f"its transcript cannot be written ({error.strerror})"
                self._fail(given, InputError(f"{given}: {reason}: choose another -o"))
                return
        self._line.done()
        if self._score and not self._score.add(given, transcript.text):
            log.warning("%s: the reference has no text of it", one_line(str(given.id or given.path)))
        if self._as_json:
            self._print(json.dumps(as_dict(given, transcript)))
        elif path:
            self._print(one_line(str(path)))
        elif self._form in SUBTITLES:
            self._print(render(given, transcript, self._form), end="")
        else:
            self._print(f"{one_line(given.id or str(given.path))}\t{transcript.text}")

    def _fail(self, given: Input | str, error: InputError) -> None:
        self.status = BAD_INPUT
        if self._as_json:
            cut = {"id": given.id} if isinstance(given, Input) and given.cut else {}
            path = given.path if isinstance(given, Input) else given
            self._print(json.dumps({"path": str(path), **cut, "error": str(error)}))
        self._line.clear()
        print(f"error: {one_line(str(error))}", file=sys.stderr)

    def tell_score(self) -> None:
        if self._score is None:
            return
        figures = self._score.figures()
        if self._as_json:
            self._print(json.dumps({"kind": "reference", **figures}))
        else:
            self._print("\n".join(score_lines(figures)))
        if line := outside_line(figures["outside_vocabulary"]):
            log.info("%s", line)

    def _print(self, text: str, end: str = "\n") -> None:
        self._line.clear()
        print(text, end=end, flush=True)
