"""`drsn-audio stream --denoise`: sound without its noise on stdout as it comes; the level and the summary on stderr."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from drsn_audio.denoising.rates import AnyRate, at_rate
from drsn_audio.errors import InputError
from drsn_audio.live.command import hear_source, open_source, summary_line
from drsn_audio.live.meter import Meter
from drsn_audio.live.pcm import FORMATS, PcmSource, encode_pcm
from drsn_audio.live.session import Hearer
from drsn_audio.live.stopping import Stopped, Stopper
from drsn_audio.streaming.cleaning import Cleaner

log = logging.getLogger("drsn_audio")


def denoise(options: argparse.Namespace) -> int:
    """Returns the exit status: 0 at the end of the sound, 128 and the number of the signal that ended it before."""
    cleaner = open_cleaner(options.model, options.blend)
    out = open_stdout()
    meter = Meter(sys.stderr if sys.stderr.isatty() and not options.quiet else None)
    losses: dict[str, float] = {}
    session = None
    with Stopper() as stopper:
        failed = None
        try:
            with stopper.waiting():
                source = open_source(options, cleaner.sample_rate)
            rate, encoding = cleaner.sample_rate, next(iter(FORMATS))
            if isinstance(source, PcmSource):
                rate, encoding = source.form.sample_rate, source.form.encoding
            session = SoundSession(at_rate(cleaner, rate), encoding, out, meter)
            log.info("stdout: %s, %d Hz, 1 channel", encoding, rate)
            hear_source(options, source, rate, session.hear, stopper, losses)
        except InputError as error:  # what was heard until then is given first
            failed = error
        except Stopped:
            pass
        finally:
            meter.clear()
        if session is not None and (failed is None or session.samples):
            session.end()
            if not options.quiet:
                print(summary_line({**session.summary(), **losses}), file=sys.stderr)
        if failed is not None:
            raise failed
    return 0 if stopper.signal is None else 128 + stopper.signal


def open_cleaner(model: str, blend: float) -> Cleaner:
    """A denoiser's name, run folder, checkpoint or .onnx -> its stream of one channel.

    Raises:
        InputError: no such model, or one that is no denoiser; a blend that is no share.
    """
    if model.endswith(".onnx"):
        from drsn_audio.streaming.onnx import OnnxStep  # needs neither torch nor soundfile
        from drsn_audio.streaming.onnx_denoising import OnnxGains

        return Cleaner(OnnxGains(OnnxStep(model)), blend)
    import torch

    from drsn_audio.api import load_denoiser

    torch.set_num_threads(1)  # a block of sound is too little to share: threads would wait for each other
    return load_denoiser(model).cleaner(1, blend)


def open_stdout() -> BinaryIO:
    """Raises InputError where it is a terminal, which would show the sound as letters."""
    if sys.stdout.isatty():
        raise InputError("stdout is a terminal: pipe the sound on, ... | aplay -f S16_LE -r 16000, or into a file")
    return sys.stdout.buffer


class SoundSession(Hearer):
    """`hear` it blocks, then `end` it; what is finished of the sound goes to `out` at once, as PCM."""

    def __init__(
        self,
        stream: AnyRate,
        encoding: str,
        out: BinaryIO,
        meter: Meter,
        clock: Callable[[], float] = time.perf_counter,
    ):
        super().__init__(stream.sample_rate, meter, clock)
        self._stream, self._encoding, self._out = stream, encoding, out

    def _feed(self, block: np.ndarray) -> None:
        self._give(self._timed(lambda: self._stream.feed(block[:, None])))

    def _flush(self) -> None:
        self._give(self._timed(self._stream.flush))

    def _give(self, samples: np.ndarray) -> None:
        if len(samples):
            self._out.write(encode_pcm(samples[:, 0], self._encoding))
            self._out.flush()

    def summary(self) -> dict[str, Any]:
        """Figures of all that was heard."""
        return self.figures()
