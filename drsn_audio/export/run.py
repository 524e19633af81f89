"""A checkpoint -> an ONNX file, its 8-bit form, and what became of the numbers."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio._version import __version__
from drsn_audio.audio import read_audio, resample
from drsn_audio.config import SILENCE, UNKNOWN
from drsn_audio.errors import InputError
from drsn_audio.export.onnx import export_onnx
from drsn_audio.export.quantise import quantise_onnx
from drsn_audio.export.report import parity_report
from drsn_audio.export.sound import SAMPLE_RATE, noisy_speech
from drsn_audio.files import write_whole
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.detector import DetectorConfig

DURATION_S = 60.0  # of the sound that is compared; of another one that 8-bit ranges are taken from
COMPARED, CALIBRATED = 0, 1  # their seeds


def export_model(
    model: AudioModel,
    out: Path,
    *,
    detector: DetectorConfig,
    temperature: float = 1.0,
    int8: bool = False,
    audio: Path | None = None,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `out`, with `int8` `<stem>.int8.onnx` beside it, and `<stem>.report.json`; returns what that holds.

    `audio`: a sound file to compare on, instead of noisy speech that is made for it. `about`: see `export_onnx`.

    Raises:
        InputError: a model of whole clips, a name that does not end in .onnx, or audio shorter than a block.
        AudioError: audio that cannot be read.
        ModuleNotFoundError: onnx, onnxscript or onnxruntime are not installed.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: name a file that ends in .onnx")
    rate, words = model.config.frontend.sample_rate, [w for w in model.config.labels if w not in (SILENCE, UNKNOWN)]
    if audio is None:
        wave, sound = _made(rate, words, COMPARED)
    else:
        wave, sound = read_audio(audio, rate)[0], audio.name
    if len(wave) < model.block:
        raise InputError(f"{audio}: shorter than the {model.block} samples that are heard at once: give longer sound")
    export_onnx(model, out, detector=detector, temperature=temperature, about=about or {})
    files = {"float": out}
    if int8:
        files["int8"] = out.with_suffix(".int8.onnx")
        quantise_onnx(out, files["int8"], _made(rate, words, CALIBRATED)[0])
    report = {
        "sound": sound,
        **parity_report(model, files, wave, detector),
        "about": about or {},
        "versions": {"drsn-audio": __version__, "python": platform.python_version()}
        | {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
        "machine": {"platform": platform.platform(), "processor": platform.machine()},
    }
    write_whole(out.with_suffix(".report.json"), (json.dumps(report, indent=2) + "\n").encode())
    return report


def _made(sample_rate: int, words: list[str], seed: int) -> tuple[np.ndarray, str]:
    wave, what = noisy_speech(DURATION_S, words or ["word"], seed)
    return resample(wave, SAMPLE_RATE, sample_rate), what
