"""What an exported model lost, and what it gained: the same sound through PyTorch and through the files."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.batch import StreamBatch
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.onnx import OnnxStep, OnnxStream
from drsn_audio.streaming.probabilities import probabilities

ROUNDS, STEPS = 20, 20  # timed: one after the other gets so many steps, so often; the first round is not counted


def parity_report(
    model: AudioModel, files: dict[str, Path], wave: np.ndarray, detector: DetectorConfig
) -> dict[str, Any]:
    """Files (kind -> exported step) against the model, on sound [N] at its rate, in plain values for JSON.

    Of each file: the largest and the mean difference of logits; the share of frames whose most probable label is the
    same, and how many; how many events the detector makes of both, alike in label and time; its size; and, as of
    PyTorch, the median time of a step of one stream on one thread, also as a share of the block's length.
    """
    with torch.inference_mode():
        logits = model(torch.from_numpy(wave)[None].to(model.frontend.window.device))[0].float().cpu().numpy()
    step = OnnxStep(next(iter(files.values())))
    expected = Detector(step.labels, step.frame_s, detector).step(probabilities(logits, step.temperature))
    report: dict[str, Any] = {
        "seconds": round(len(wave) / step.sample_rate, 3),
        "frames": len(logits),
        "largest_logit": float(np.abs(logits).max()),
        "torch": {"events": len(expected)},
    }
    told = {(event.label, event.time) for event in expected}
    for kind, path in files.items():
        stream = OnnxStream(path, detector)
        events = stream.feed(wave)
        heard = stream.logits
        if len(wave) % step.block:
            events += stream.flush()
            heard = np.concatenate([heard, stream.logits])
        report[kind] = {
            "file": path.name,
            "bytes": path.stat().st_size,
            "max_logit_difference": float(np.abs(heard - logits).max()),
            "mean_logit_difference": float(np.abs(heard - logits).mean()),
            "frames_of_equal_label": int((heard.argmax(1) == logits.argmax(1)).sum()),
            "agreement": float((heard.argmax(1) == logits.argmax(1)).mean()),
            "events": len(events),
            "equal_events": len(told & {(event.label, event.time) for event in events}),
        }
    steps = {"torch": _torch_step(model, wave)} | {kind: _onnx_step(path, wave) for kind, path in files.items()}
    for kind, median_s in _median_s(steps, len(wave) // step.block, step.block).items():
        report[kind] |= {"median_ms": 1000 * median_s, "real_time_factor": median_s / step.frame_s}
    return report


def as_text(report: dict[str, Any], kinds: list[str]) -> str:
    """The report for a reader, a line each for PyTorch and the files."""
    lines = [
        f"{report['sound']}: {report['seconds']:g} s, {report['frames']} frames, "
        f"logits up to {report['largest_logit']:.1f}",
        f"torch   {report['torch']['events']} events; {_timing(report['torch'])}",
    ]
    for kind in kinds:
        of = report[kind]
        lines.append(
            f"{kind:<7} {of['file']}, {of['bytes'] / 1000:.0f} kB; logits differ by at most "
            f"{of['max_logit_difference']:.2g} (mean {of['mean_logit_difference']:.2g}); "
            f"{100 * of['agreement']:.2f} % of frames have the same label; {of['events']} events, "
            f"{of['equal_events']} of them as with torch; {_timing(of)}"
        )
    return "\n".join(lines)


def _timing(of: dict[str, Any]) -> str:
    return f"{of['median_ms']:.3f} ms a step, real-time factor {of['real_time_factor']:.5f}"


def _torch_step(model: AudioModel, wave: np.ndarray) -> Callable[[int], Any]:
    streams: StreamBatch[int] = StreamBatch(model)
    return lambda begin: streams.feed({0: wave[begin : begin + model.block]})


def _onnx_step(path: Path, wave: np.ndarray) -> Callable[[int], Any]:
    step = OnnxStep(path)
    state = step.begin()

    def run(begin: int) -> None:
        nonlocal state
        _, state = step(wave[None, begin : begin + step.block], state)

    return run


def _median_s(steps: dict[str, Callable[[int], Any]], blocks: int, block: int) -> dict[str, float]:
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
                    begin = (turn * STEPS + place) % blocks * block
                    started = time.thread_time()
                    step(begin)
                    if turn:
                        times[kind].append(time.thread_time() - started)
    finally:
        torch.set_num_threads(threads)
    return {kind: statistics.median(taken) for kind, taken in times.items()}
