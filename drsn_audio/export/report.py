"""What an exported model lost, and what it gained: the same sound through PyTorch and through the files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drsn_audio.export.denoise_report import denoiser_report, denoiser_text
from drsn_audio.export.timing import onnx_step, timing_text, timings, torch_step
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.onnx import OnnxStream
from drsn_audio.streaming.probabilities import probabilities
from drsn_audio.streaming.tail import with_tail, within


def parity_report(model: AudioModel, files: dict[str, Path], wave: np.ndarray) -> dict[str, Any]:
    """Files (kind -> exported step) against the model, on sound [N] at its rate, in plain values for JSON.

    Of each file: the largest and the mean difference of logits; the share of frames whose most probable label is the
    same, and how many; how many events are made of both, as the file says, alike in label and time, of a CTC model
    its words and their text; its size; and, as of PyTorch, the median time of a step of one stream on one thread, also
    as a share of what it hears. Of a denoiser, see `denoiser_report`.
    """
    if model.config.head == "denoise":
        return denoiser_report(model, files, wave)
    with torch.inference_mode():
        ended = with_tail(wave, model.config.frontend.sample_rate)
        logits = model(torch.from_numpy(ended)[None].to(model.frontend.window.device))[0].float().cpu().numpy()
    first = OnnxStream(next(iter(files.values())))
    events = first.detector.step(probabilities(logits, first.about["temperature"])) + first.detector.finish()
    expected = _told(within(events, len(wave) / first.sample_rate))
    writes = model.config.head == "ctc"
    report: dict[str, Any] = {
        "seconds": round(len(wave) / first.sample_rate, 3),
        "frames": len(logits),
        "largest_logit": float(np.abs(logits).max()),
        "torch": {"events": len(expected)} | ({"text": _text(expected)} if writes else {}),
    }
    for kind, path in files.items():
        stream = OnnxStream(path)
        events, heard = stream.feed(wave), stream.logits
        events = _told(events + stream.flush())
        heard = np.concatenate([heard, stream.logits])
        report[kind] = {
            "file": path.name,
            "bytes": path.stat().st_size,
            "max_logit_difference": float(np.abs(heard - logits).max()),
            "mean_logit_difference": float(np.abs(heard - logits).mean()),
            "frames_of_equal_label": int((heard.argmax(1) == logits.argmax(1)).sum()),
            "agreement": float((heard.argmax(1) == logits.argmax(1)).mean()),
            "events": len(events),
            "equal_events": (_places(expected) & _places(events)).total(),
        }
        if writes:
            report[kind] |= {"text": _text(events), "equal_text": _text(events) == report["torch"]["text"]}
    steps = {"torch": torch_step(model, wave)} | {kind: onnx_step(path, wave) for kind, path in files.items()}
    for kind, taken in timings(steps, len(wave), first.sample_rate).items():
        report[kind] |= taken
    return report


def as_text(report: dict[str, Any], kinds: list[str]) -> str:
    """The report for a reader, a line each for PyTorch and the files."""
    if "largest_logit" not in report:
        return denoiser_text(report, kinds)
    what = "words" if "text" in report["torch"] else "events"
    lines = [
        f"{report['sound']}: {report['seconds']:g} s, {report['frames']} frames, "
        f"logits up to {report['largest_logit']:.1f}",
        f"torch   {report['torch']['events']} {what}; {timing_text(report['torch'])}",
    ]
    for kind in kinds:
        of = report[kind]
        text = {True: ", the same text", False: ", another text", None: ""}[of.get("equal_text")]
        lines.append(
            f"{kind:<7} {of['file']}, {of['bytes'] / 1000:.0f} kB; logits differ by at most "
            f"{of['max_logit_difference']:.2g} (mean {of['mean_logit_difference']:.2g}); "
            f"{100 * of['agreement']:.2f} % of frames have the same label; {of['events']} {what}, "
            f"{of['equal_events']} of them as with torch{text}; {timing_text(of)}"
        )
    return "\n".join(lines)


def _told(events: list[Event]) -> list[Event]:
    """Those that stay."""
    return [event for event in events if event.kind != "partial"]


def _places(events: list[Event]) -> Counter[tuple[str, float]]:
    """Counted: those of the tail have one time."""
    return Counter((event.label, event.time) for event in events)


def _text(events: list[Event]) -> str:
    return " ".join(event.label for event in events)
