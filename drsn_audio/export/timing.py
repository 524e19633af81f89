"""How long a step of a stream takes, of the model and of its exported files."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.batch import StreamBatch
from drsn_audio.streaming.onnx import OnnxStep

ROUNDS, STEPS = 20, 20  # timed: one after the other gets so many steps, so often; the first round is not counted


class Step(NamedTuple):
    """`run` hears so many samples of the sound from one on."""

    run: Callable[[int], Any]
    samples: int


def torch_step(model: AudioModel, wave: np.ndarray) -> Step:
    streams: StreamBatch[int] = StreamBatch(model)
    return Step(lambda begin: streams.feed({0: wave[begin : begin + model.block]}), model.block)


def onnx_step(path: Path, wave: np.ndarray) -> Step:
    step = OnnxStep(path)
    state = step.begin()

    def run(begin: int) -> None:
        nonlocal state
        _, state = step(wave[None, begin : begin + step.block], state)

    return Step(run, step.block)


def timings(steps: Mapping[str, Step], samples: int, sample_rate: int) -> dict[str, dict[str, float]]:
    """Of each kind of step, on a sound of so many samples: its length, its median time, and that as a share of it."""
    found = {}
    for kind, median_s in _median_s(steps, samples).items():
        step_s = steps[kind].samples / sample_rate
        found[kind] = {"step_ms": 1000 * step_s, "median_ms": 1000 * median_s, "real_time_factor": median_s / step_s}
    return found


def timing_text(of: Mapping[str, Any]) -> str:
    """What `timings` says of one, for a reader."""
    return f"{of['median_ms']:.3f} ms a step of {of['step_ms']:g} ms, real-time factor {of['real_time_factor']:.5f}"


def _median_s(steps: Mapping[str, Step], samples: int) -> dict[str, float]:
    """Median seconds of each step on one thread: of its own time, whatever else the machine does. In turns, for what
    it shares with others, its cache and its clock, is so much at one time and so much at another.
    """
    times: dict[str, list[float]] = {kind: [] for kind in steps}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for turn in range(ROUNDS + 1):
            for kind, step in steps.items():
                for place in range(STEPS):
                    begin = (turn * STEPS + place) % (samples // step.samples) * step.samples
                    started = time.thread_time()
                    step.run(begin)
                    if turn:
                        times[kind].append(time.thread_time() - started)
    finally:
        torch.set_num_threads(threads)
    return {kind: statistics.median(taken) for kind, taken in times.items()}
