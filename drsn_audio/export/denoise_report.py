"""What an exported denoiser lost, and what it gained: its gains, the sound that it gives, and its time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drsn_audio.export.timing import Step, timing_text, timings
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.denoising import DenoiseStream
from drsn_audio.streaming.onnx_denoising import OnnxDenoiseStream

LOWEST_DB = -200.0  # of a difference; what is less is none


def denoiser_report(model: AudioModel, files: dict[str, Path], wave: np.ndarray) -> dict[str, Any]:
    """Files (kind -> exported step) against the model, on sound [N] at its rate, in plain values for JSON.

    Of each file: the largest and the mean difference of gains; the largest difference of a sample of the sound that is
    given back, and the power of that difference in dB re the sound; its size; and, as of PyTorch, the median time of a
    step of one stream on one thread, sound to sound, also as a share of what it hears.
    """
    with torch.inference_mode():
        heard = torch.from_numpy(wave)[None].to(model.frontend.window.device)
        clean = model.denoise(heard)[0].float().cpu().numpy()
    gains = _heard(DenoiseStream(model), wave)[1]
    report: dict[str, Any] = {
        "seconds": round(len(wave) / model.config.frontend.sample_rate, 3),
        "frames": len(gains),
        "mean_gain": float(gains.mean()),
        "torch": {},
    }
    steps = {"torch": _step(DenoiseStream(model), wave, model.block)}
    for kind, path in files.items():
        made, of_file = _heard(OnnxDenoiseStream(path), wave)
        report[kind] = {
            "file": path.name,
            "bytes": path.stat().st_size,
            "max_gain_difference": float(np.abs(of_file - gains).max()),
            "mean_gain_difference": float(np.abs(of_file - gains).mean()),
            "max_sample_difference": float(np.abs(made - clean).max()),
            "difference_db": difference_db(made, clean),
        }
        stream = OnnxDenoiseStream(path)
        steps[kind] = _step(stream, wave, stream.about["block"])
    for kind, taken in timings(steps, len(wave), model.config.frontend.sample_rate).items():
        report[kind] |= taken
    return report


def denoiser_text(report: dict[str, Any], kinds: list[str]) -> str:
    """The report for a reader, a line each for PyTorch and the files."""
    lines = [
        f"{report['sound']}: {report['seconds']:g} s, {report['frames']} frames, mean gain {report['mean_gain']:.2f}",
        f"torch   {timing_text(report['torch'])}",
    ]
    for kind in kinds:
        of = report[kind]
        lines.append(
            f"{kind:<7} {of['file']}, {of['bytes'] / 1000:.0f} kB; gains differ by at most "
            f"{of['max_gain_difference']:.2g} (mean {of['mean_gain_difference']:.2g}); samples by at most "
            f"{of['max_sample_difference']:.2g}, {of['difference_db']:.0f} dB re the sound; {timing_text(of)}"
        )
    return "\n".join(lines)


def difference_db(made: np.ndarray, wanted: np.ndarray) -> float:
    """Power of the difference of two sounds [N], in dB re the second; LOWEST_DB where there is none."""
    difference, power = (float(np.square(part, dtype=np.float64).sum()) for part in (made - wanted, wanted))
    if not difference:
        return LOWEST_DB
    ratio_db = 10 * math.log10(difference / power) if power else -LOWEST_DB
    return LOWEST_DB if ratio_db < LOWEST_DB else ratio_db


def _heard(stream: Any, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sound [N] that a stream gives, and its gains [T, bins]."""
    parts = [(stream.feed(wave), stream.gains), (stream.flush(), stream.gains)]
    sound, gains = zip(*parts, strict=True)
    return np.concatenate(sound), np.concatenate(gains)


def _step(stream: Any, wave: np.ndarray, samples: int) -> Step:
    return Step(lambda begin: stream.feed(wave[begin : begin + samples]), samples)
