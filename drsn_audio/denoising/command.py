"""The work of `drsn-audio denoise`: files of sound; their paths on stdout, what failed on stderr."""

from __future__ import annotations

import argparse
import errno
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from drsn_audio.audio import AudioError, AudioReader, is_one_file
from drsn_audio.denoising.base import AnyDenoiser
from drsn_audio.denoising.options import check_options
from drsn_audio.denoising.places import Input, Outputs, find_inputs, shared, stamp_of
from drsn_audio.denoising.writing import SoundWriter, sweep
from drsn_audio.errors import BAD_INPUT, InputError, one_line
from drsn_audio.hearing import MIN_DURATION_S
from drsn_audio.journal import JsonJournal
from drsn_audio.processes import ALONE, Processes

log = logging.getLogger("drsn_audio")

# What will not be better for the next file: the disk, not the name.
HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


class Journal(JsonJournal):
    """OUT/denoise.jsonl: a line for each sound that has been denoised, with its file below OUT."""

    what, command = "sounds", "drsn-audio denoise"

    def __init__(self, folder: Path, request: dict[str, Any], resume: bool, processes: Processes = ALONE):
        self.folder = folder
        super().__init__(folder / "denoise.jsonl", request, resume, processes)

    def _begin(self) -> None:
        super()._begin()
        if self._resume:
            sweep(self.folder)  # no other run is at work here

    def __exit__(self, *error: object) -> None:
        if self.empty and self._processes.is_main:
            self.path.unlink(missing_ok=True)  # the folder may be one of sounds that are not to be written over
        super().__exit__(*error)

    def earlier(self, given: Input) -> str | None:
        """The name below OUT of what an earlier run made of a sound, if neither has changed since."""
        answer = self.answer_of(given.key, given.stamp())
        there = answer is not None and stamp_of(self.folder / answer["file"]) == answer["stamp"]
        return answer["file"] if there else None

    def add(self, given: Input, path: Path) -> None:
        file = path.relative_to(self.folder)
        self.note(given.key, given.stamp(), {"file": str(file), "stamp": stamp_of(path)})


def run(options: argparse.Namespace, denoiser: AnyDenoiser, processes: Processes = ALONE) -> int:
    """Returns the exit status: 0, or 2 where a sound could not be denoised; the others are.

    Of several processes, each writes its share; then the main one tells all of it. The others return 0.

    Raises:
        InputError: options that cannot be used.
        OSError: the folder cannot be written to.
    """
    check_options(options)
    outputs = Outputs(Path(options.out), options.paths)
    if outputs.is_file and not processes.is_main:
        return 0
    few = not options.resume and processes.count == 1 and all(map(is_one_file, options.paths))
    request = {"model": identity(options.model, denoiser), "blend": options.blend}
    journal = Journal(Path(options.out), request, options.resume, processes)
    with nullcontext() if outputs.is_file or few else journal as opened:
        work = _Work(denoiser, options, opened, processes)
        try:
            if opened is not None and processes.count > 1:
                work.share()
            if processes.is_main:
                work.all(outputs)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("" if opened is None else "stopped; with --resume it goes on from here") from None
    return work.status


def identity(name: str, denoiser: AnyDenoiser) -> str | None:
    """sha256 of what decides what a denoiser makes of a sound."""
    if name.endswith(".onnx") and os.path.isfile(name):
        return hashlib.sha256(Path(name).read_bytes()).hexdigest()
    return getattr(denoiser, "info", {}).get("sha256")


class _Work:
    """One call of the command. A line on the terminal says how much was heard."""

    def __init__(
        self, denoiser: AnyDenoiser, options: argparse.Namespace, journal: Journal | None, processes: Processes
    ):
        self._denoiser, self._options, self._journal, self._processes = denoiser, options, journal, processes
        self._outputs = Outputs(Path(options.out), options.paths)
        self._failed: dict[str, str] = {}  # what is wrong with sounds that were tried, by key
        self._shown = not options.quiet and processes.is_main and sys.stderr.isatty()
        self.status, self._files, self._seconds, self._began = 0, 0, 0.0, time.perf_counter()

    def share(self) -> None:
        """Denoise what falls to this process and is not done; then the main one's journal has what all have done."""
        assert self._journal is not None
        for given in shared(self._inputs(lambda error: None), self._processes):
            if self._journal.earlier(given) is None:
                try:
                    self._journal.add(given, self._write(given))
                except InputError as error:
                    self._failed[given.key] = str(error)
        self._clear()
        for rank, (failed, seconds) in enumerate(self._journal.collect((self._failed, self._seconds))):
            if rank != self._processes.rank:
                self._failed |= failed
                self._seconds += seconds

    def all(self, outputs: Outputs) -> None:
        """Tell what is done, and do the rest. `outputs`: as nobody has claimed any of them yet."""
        self._outputs = outputs
        for given in self._inputs(self._fail):
            try:
                path = self._done(given) or self._write(given)
            except InputError as error:
                self._fail(error)
                continue
            if self._journal and self._journal.earlier(given) is None:
                self._journal.add(given, path)
            self._files += 1
            self._clear()
            print(one_line(str(path)), flush=True)
        self._clear()
        log.info("%s", self.text())

    def _inputs(self, fault: Callable[[InputError], None]) -> Iterator[Input]:
        """Of all places; where there is nothing in one, the others go on."""
        for place in self._options.paths:
            try:
                yield from find_inputs(place, Path(self._options.out))
            except InputError as error:
                fault(error)

    def _done(self, given: Input) -> Path | None:
        """What was made of a sound before. Raises InputError where it failed, or the file is another's."""
        if given.key in self._failed:
            raise InputError(self._failed[given.key])
        file = self._journal.earlier(given) if self._journal else None
        if file is None or not self._outputs.holds(given, file):
            return None
        path = self._outputs.out / file
        self._outputs.claim(path, given)
        return path

    def _write(self, given: Input) -> Path:
        try:
            return self._denoise(given)
        except OSError as error:
            if error.errno in HOPELESS:
                raise
            reason = f"its sound cannot be written ({error.strerror})"
            raise AudioError(f"{given.path}: {reason}: give another -o") from None

    def _denoise(self, given: Input) -> Path:
        with AudioReader(given.path) as reader:
            rate, channels, sound = given.sound(reader)
            heard = 0
            with self._open(given, reader, rate, channels) as writer:
                for count, clean in self._denoiser.clean(sound, rate, channels, self._options.blend, str(given.path)):
                    writer.write(clean)
                    heard += count
                    self._heard(count / rate)
                if heard < MIN_DURATION_S * rate:
                    raise AudioError(f"{given.path}: is {1000 * heard / rate:.1f} ms long: give 25 ms or more")
            return writer.target.path

    def _open(self, given: Input, reader: AudioReader, sample_rate: int, channels: int) -> SoundWriter:
        """Of the first target that libsndfile writes."""
        *others, last = self._outputs.targets(given, reader)
        for target in others:
            self._outputs.claim(target.path, given)
            try:
                return SoundWriter(target, sample_rate, channels)
            except AudioError:
                continue
        self._outputs.claim(last.path, given)
        return SoundWriter(last, sample_rate, channels)

    def _fail(self, error: InputError) -> None:
        self.status = BAD_INPUT
        self._clear()
        print(f"error: {one_line(str(error))}", file=sys.stderr)

    def text(self) -> str:
        """What has been done so far."""
        taken_s = time.perf_counter() - self._began
        files = f"{self._files} file{'s' * (self._files != 1)} done"
        return f"{files}, {self._seconds:,.0f} s of sound heard, {self._seconds / taken_s:.1f} x real time"

    def _heard(self, seconds: float) -> None:
        self._seconds += seconds
        if self._shown:
            print(f"\r\x1b[K{self.text()}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
