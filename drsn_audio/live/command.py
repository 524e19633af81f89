"""The work of `drsn-audio stream`: events on stdout as they come; the level, notes and the summary on stderr.

Words that are not sealed are shown with the level, where stderr is a terminal, or with --json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.live.meter import Meter
from drsn_audio.live.microphone import Microphone, list_inputs
from drsn_audio.live.options import check_options, parse_threshold
from drsn_audio.live.pcm import FORMATS, PcmFormat, PcmSource
from drsn_audio.live.session import Session
from drsn_audio.live.source import FileSource, Source, paced
from drsn_audio.live.stopping import Stopped, Stopper
from drsn_audio.model_sources import check_streams
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.writer import Writer
from drsn_audio.text import Vocabulary

log = logging.getLogger("drsn_audio")


def run(options: argparse.Namespace) -> int:
    """Returns the exit status: 0 at the end of the sound, 128 and the number of the signal that ended it before."""
    if options.list_devices:
        print("\n".join(list_inputs()) or "no input device")
        return 0
    check_options(options)
    if options.denoise:
        from drsn_audio.live.denoise import denoise

        return denoise(options)
    stream = open_stream(options.model, options.threshold, options.threshold_shift)
    judge = open_reference(options, stream.detector) if options.reference else None
    meter = Meter(sys.stderr if sys.stderr.isatty() and not options.quiet else None)
    session = Session(stream, tell_json if options.json else tell_text, meter, judge is not None)
    losses: dict[str, float] = {}
    with Stopper() as stopper:
        failed = None
        try:
            listen(options, session, stopper, losses)
        except InputError as error:  # what was heard until then is told first
            failed = error
        except Stopped:
            pass
        finally:
            meter.clear()
        if failed is None or session.samples:
            session.end()
            ended = failed is None and stopper.signal is None
            figures = {"reference": judge(session.events, session.heard_s, ended)} if judge else {}
            summarise({**session.summary(), **losses, **figures}, options)
        if failed is not None:
            raise failed
    return 0 if stopper.signal is None else 128 + stopper.signal


def open_reference(
    options: argparse.Namespace, detector: Any
) -> Callable[[Sequence[Event], float, bool], dict[str, Any]]:
    """What was said, for this `Detector` or `Writer` -> what makes figures of events, of the seconds heard, and
    of whether the sound ended there by itself.
    """
    if isinstance(detector, Writer):
        from drsn_audio.live.said import judge_words, read_said

        said = read_said(options.reference, options.source)
        return lambda events, heard_s, ended: judge_words(events, said, detector.units, heard_s, ended)
    from drsn_audio.live.reference import judge, read_reference

    spoken = read_reference(options.reference, options.source)
    return lambda events, heard_s, ended: judge(events, spoken, detector.keywords, heard_s, ended)


def listen(options: argparse.Namespace, session: Session, stopper: Stopper, losses: dict[str, float]) -> None:
    """Hear the source to its end. Raises Stopped where a signal came before it, and whatever the source raises."""
    rate = session.sample_rate
    with stopper.waiting():
        source = open_source(options, rate)
    hear_source(options, source, rate, session.hear, stopper, losses)


def hear_source(
    options: argparse.Namespace,
    source: Source,
    rate: int,
    hear: Callable[[np.ndarray], None],
    stopper: Stopper,
    losses: dict[str, float],
) -> None:
    """`hear` the blocks [N] of a source at this rate, to its end; it is closed. Raises as `listen`."""
    try:
        log.info("%s%s", source.about(rate), "; Ctrl-C ends it" if options.source in ("-", "mic") else "")
        blocks = source.blocks(rate, options.chunk_ms / 1000)
        if options.realtime:
            blocks = paced(blocks, rate)
        while (block := next_block(blocks, stopper)) is not None:
            hear(block)
    finally:
        source.close()
        losses.update(source.losses())


def next_block(blocks: Iterator[np.ndarray], stopper: Stopper) -> np.ndarray | None:
    with stopper.waiting():
        return next(blocks, None)


def open_source(options: argparse.Namespace, sample_rate: int) -> Source:
    """What the options name, for a model of this rate; of a pipe it waits for the first bytes."""
    if options.source == "mic":
        return Microphone(options.device, sample_rate)
    if options.source != "-":
        return FileSource(options.source)
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("stdin is no pipe: arecord -f S16_LE -r 16000 -t raw | drsn-audio stream -")
    form = PcmFormat(options.rate or sample_rate, options.channels or 1, options.format or next(iter(FORMATS)))
    return PcmSource(sys.stdin.buffer, form)


def open_stream(model: str, thresholds: Sequence[str], shift: float) -> Any:
    """A model's name, run folder, checkpoint or .onnx -> its stream, a `Stream` or an `OnnxStream`.

    Raises:
        InputError: no such model, or one of whole clips; thresholds that are none, or for a model that writes.
    """
    if model.endswith(".onnx"):
        from drsn_audio.streaming.onnx import OnnxStream  # needs no torch

        stream: Any = OnnxStream(model)
        if not stream.about.get("tuned", True) and isinstance(stream.detector, Detector):
            log.info("%s was tuned for no rate of false alarms: it answers from probability 0.5 on", model)
    else:
        import torch

        from drsn_audio.api import Denoiser, load

        torch.set_num_threads(1)  # a block of sound is too little to share: threads would wait for each other
        recognizer = load(model)
        check_streams(model, recognizer.module.config.head, recognizer.module.causal, denoise=False)
        assert not isinstance(recognizer, Denoiser)
        stream = recognizer.stream()
    if isinstance(stream.detector, Writer):
        if thresholds or shift:
            raise InputError(f"{model} writes what is said and has no thresholds: leave out --threshold and its shift")
        return stream
    config = change_thresholds(stream.detector.config, thresholds, shift)
    if config != stream.detector.config:
        stream.detector = Detector(stream.labels, stream.frame_s, config)
    return stream


def change_thresholds(config: DetectorConfig, given: Sequence[str], shift: float) -> DetectorConfig:
    """`given` P: that of every keyword; WORD=P: of this one. Then all are moved by `shift` in log-odds, up if positive.

    Raises:
        InputError: no number, none between 0 and 1, or a word that is no keyword.
    """
    thresholds = dict(config.thresholds)
    for text in given:
        word, threshold = parse_threshold(text)
        keyword = Vocabulary(thresholds).find(word)
        if word and keyword is None:
            raise InputError(f"--threshold {text}: the model's keywords are {', '.join(thresholds)}")
        thresholds.update({keyword: threshold} if keyword else dict.fromkeys(thresholds, threshold))
    if not math.isfinite(shift):
        raise InputError(f"--threshold-shift {shift}: give a number of log-odds, such as 0.5")
    if shift:
        from drsn_audio.metrics.streaming import shifted_thresholds

        thresholds = shifted_thresholds(thresholds, shift)
    return dataclasses.replace(config, thresholds=thresholds)


def tell_text(event: Event) -> None:
    """A keyword with the time at which it was heard, a word with those of its start and end; none that may grow."""
    if event.kind != "partial":
        place = f"{event.start:.2f}-{event.end:.2f} s" if event.kind == "final" else f"{event.time:.2f} s"
        print(f"{place}\t{event.label}\t{event.score:.3f}", flush=True)


def tell_json(event: Event) -> None:
    rounded = {key: round(value, 6) if isinstance(value, float) else value for key, value in vars(event).items()}
    print(json.dumps(rounded), flush=True)


def summarise(figures: dict[str, Any], options: argparse.Namespace) -> None:
    """With --json the last line of stdout; else the summary on stderr, and what the reference says on stdout."""
    if options.json:
        print(json.dumps({"kind": "summary", **figures}), flush=True)
        return
    if not options.quiet:
        print(summary_line(figures), file=sys.stderr)
    if "reference" in figures:
        from drsn_audio.live.reference import reference_lines
        from drsn_audio.live.said import word_lines
        from drsn_audio.text import outside_line

        lines = word_lines if "wer" in figures["reference"] else reference_lines
        print("\n".join(lines(figures["reference"])), flush=True)
        if line := outside_line(figures["reference"]["outside_vocabulary"], of_words=True):
            log.info("%s", line)


def summary_line(figures: dict[str, Any]) -> str:
    """What went wrong is named only where it did."""
    events = figures.get("events")
    parts = [
        f"{figures['heard_s']:.1f} s heard",
        *([] if events is None else [f"{events} event{'s' * (events != 1)}"]),
        f"real-time factor {figures['real_time_factor']:.4f}",
    ]
    for key, text in (
        ("clipped_s", "{} s clipped at full scale"),
        ("refused_s", "{} s of NaN and the like, heard as silence"),
        ("dropped_s", "{} s dropped, for the model is too slow here"),
        ("overflows", "sound was lost {} times before it came here"),
    ):
        if figures.get(key):
            parts.append(text.format(figures[key]))
    return ", ".join(parts)
