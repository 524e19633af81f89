"""What `streaming.py` times: each listener in a process of its own, with nothing that the others need."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any, NamedTuple

import numpy as np

WARM_UP_S = 10  # after which memory is measured and chunks count
PEERS = ("pocketsphinx", "pymicro-wakeword", "pyopen-wakeword")
# Those of drsn_audio/evaluation/wake_peers.py hear one wake word here; pocketsphinx all ten commands.
WAKE_WORD = "hey_jarvis"


class Times(NamedTuple):
    """CPU time of all threads of the process, s: of each chunk [n]; `own`: what part of it was the calling thread's."""

    chunks: np.ndarray
    own: float


class Worker:
    """A listener in its own process, on one core; it works only while it is asked."""

    def __init__(self, context: SpawnContext, source: str, core: int):
        """Raises RuntimeError, with what is wrong, where the listener cannot be had."""
        self._here, there = context.Pipe()
        self._process = context.Process(target=serve, args=(there, source, core), daemon=True)
        self._process.start()
        there.close()
        self.about: dict[str, Any] = self._ask(None)

    def time(self, samples: np.ndarray, chunk: int) -> Times:
        """Feed samples [N] in chunks of that many."""
        return self._ask((samples, chunk))

    def time_batch(self, samples: np.ndarray, streams: int) -> float:
        """CPU seconds in which an .onnx file hears samples [N] as so many streams at once, detectors included."""
        return self._ask((samples, streams, "streams"))

    def memory_mb(self) -> float:
        """Resident memory now."""
        return self._ask("memory")

    def close(self) -> None:
        self._here.close()
        self._process.join()

    def _ask(self, question: object) -> Any:
        try:
            if question is not None:
                self._here.send(question)
            answer = self._here.recv()
        except (EOFError, BrokenPipeError):
            raise RuntimeError("its process died") from None
        if isinstance(answer, Exception):
            raise RuntimeError(str(answer))
        return answer


def serve(connection: Connection, source: str, core: int) -> None:
    """The worker's side: answer questions until the other side is closed."""
    os.sched_setaffinity(0, {core})
    try:
        listener, about = build(source)
    except (ImportError, ValueError, OSError) as error:
        connection.send(RuntimeError(str(error)))
        return
    connection.send(about)
    while True:
        try:
            question = connection.recv()
        except EOFError:
            return
        if question == "memory":
            connection.send(resident_mb())
        elif question[-1] == "streams":
            connection.send(feed_batch(source, *question[:2]))
        else:
            connection.send(feed(listener, *question))


def build(source: str) -> tuple[Any, dict[str, Any]]:
    """A peer's name, an .onnx file, or what `drsn_audio.load` takes -> what can be fed, and what to say of it."""
    weights = None  # SHA-256 of ours
    if source == "pocketsphinx":
        from drsn_audio.evaluation.wake_peers import THRESHOLDS, PocketSphinxKeyphrases

        listener: Any = PocketSphinxKeyphrases(THRESHOLDS[1])
        words = len(listener.labels)
    elif source in PEERS:
        from drsn_audio.evaluation.wake_peers import MicroWakeWords, OpenWakeWords

        listener = (MicroWakeWords if source == "pymicro-wakeword" else OpenWakeWords)([WAKE_WORD])
        words = 1
    elif source.endswith(".onnx"):
        from drsn_audio.streaming.onnx import OnnxStream

        listener = OnnxStream(source)
        words = len(listener.detector.config.thresholds)
        weights = listener.about.get("checkpoint")
    else:
        import torch

        import drsn_audio
        from drsn_audio.errors import InputError

        torch.set_num_threads(1)
        model = drsn_audio.load(source)
        if isinstance(model, drsn_audio.Denoiser):
            raise InputError(f"{source}: takes noise away and hears no words: name another model")
        listener, weights = model.stream(), model.info["sha256"]
        words = len(listener.detector.config.thresholds)
    return listener, {"block_ms": 1000 * listener.frame_s, "words": words, "weights": weights}


def feed(listener: Any, samples: np.ndarray, chunk: int) -> Times:
    """Feed whole chunks of samples, and time each."""
    times, own = [], time.thread_time()
    for start in range(0, len(samples) - chunk + 1, chunk):
        begin = time.process_time()
        listener.feed(samples[start : start + chunk])
        times.append(time.process_time() - begin)
    own = time.thread_time() - own
    return Times(np.array(times), own / max(sum(times), 1e-9))


def feed_batch(path: str, samples: np.ndarray, streams: int) -> float:
    """Each stream hears the samples from another place on: CPU time of all their blocks."""
    from drsn_audio.streaming.detector import Detector, DetectorConfig
    from drsn_audio.streaming.onnx import OnnxStep
    from drsn_audio.streaming.probabilities import probabilities

    step = OnnxStep(path)
    config = DetectorConfig.from_dict(step.about["detector"])
    detectors = [Detector(step.labels, step.frame_s, config) for _ in range(streams)]
    whole = samples[: len(samples) // step.block * step.block].reshape(-1, step.block)
    shifts = np.arange(streams) * len(whole) // streams
    state = step.begin(streams)
    logits, state = step(whole[shifts], state)  # the first call at a batch size prepares it
    begin = time.process_time()
    for block in range(len(whole)):
        logits, state = step(whole[(shifts + block) % len(whole)], state)
        found = probabilities(logits, step.temperature)
        for detector, row in zip(detectors, found, strict=True):
            detector.step(row[None])
    return time.process_time() - begin


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
