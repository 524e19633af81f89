"""The work of `drsn-audio denoise`: files of sound; their paths on stdout, what failed on stderr."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
import time
from pathlib import Path

from drsn_audio.audio import AudioError, AudioReader
from drsn_audio.denoising.base import AnyDenoiser
from drsn_audio.denoising.places import Input, Outputs, find_inputs
from drsn_audio.denoising.writing import SoundWriter
from drsn_audio.errors import BAD_INPUT, InputError, one_line
from drsn_audio.hearing import MIN_DURATION_S
from drsn_audio.streaming.blending import check_blend

log = logging.getLogger("drsn_audio")

# What will not be better for the next file: the disk, not the name.
HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


def run(options: argparse.Namespace, denoiser: AnyDenoiser) -> int:
    """Returns the exit status: 0, or 2 where a sound could not be denoised; the others are.

    Raises:
        InputError: options that cannot be used.
        OSError: the folder cannot be written to.
    """
    check_blend(options.blend)
    work = _Work(denoiser, Outputs(Path(options.out), options.paths), options.blend, options.quiet)
    for place in options.paths:
        try:
            for given in find_inputs(place, Path(options.out)):
                work.denoise(given)
        except InputError as error:
            work.fail(error)
    work.clear()
    log.info("%s", work.text())
    return work.status


class _Work:
    """One call of the command. A line on the terminal says how much was heard."""

    def __init__(self, denoiser: AnyDenoiser, outputs: Outputs, blend: float, quiet: bool):
        self._denoiser, self._outputs, self._blend = denoiser, outputs, blend
        self._shown = not quiet and sys.stderr.isatty()
        self.status, self._files, self._seconds, self._began = 0, 0, 0.0, time.perf_counter()

    def denoise(self, given: Input) -> None:
        """Write it, and say so, or what is wrong with it."""
        try:
            path = self._write(given)
        except InputError as error:
            self.fail(error)
        except OSError as error:
            if error.errno in HOPELESS:
                raise
            self.fail(AudioError(f"{given.path}: its sound cannot be written ({error.strerror}): give another -o"))
        else:
            self._files += 1
            self.clear()
            print(one_line(str(path)), flush=True)

    def _write(self, given: Input) -> Path:
        with AudioReader(given.path) as reader:
            rate, heard = reader.sample_rate, 0
            with self._open(given, reader) as writer:
                sound = reader.frames()
                for count, clean in self._denoiser.clean(sound, rate, reader.channels, self._blend, str(given.path)):
                    writer.write(clean)
                    heard += count
                    self._heard(count / rate)
                if heard < MIN_DURATION_S * rate:
                    raise AudioError(f"{given.path}: is {1000 * heard / rate:.1f} ms long: give 25 ms or more")
            return writer.target.path

    def _open(self, given: Input, reader: AudioReader) -> SoundWriter:
        """Of the first target that libsndfile writes."""
        *others, last = self._outputs.targets(given, reader)
        for target in others:
            self._outputs.claim(target.path, given)
            try:
                return SoundWriter(target, reader.sample_rate, reader.channels)
            except AudioError:
                continue
        self._outputs.claim(last.path, given)
        return SoundWriter(last, reader.sample_rate, reader.channels)

    def fail(self, error: InputError) -> None:
        self.status = BAD_INPUT
        self.clear()
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

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
