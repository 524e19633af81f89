"""A checkpoint -> an ONNX file, its 8-bit form, and what became of the numbers."""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio._version import __version__
from drsn_audio.audio import read_audio, resample
from drsn_audio.config import ModelConfig
from drsn_audio.errors import InputError
from drsn_audio.export.onnx import export_onnx
from drsn_audio.export.quantise import quantise_onnx
from drsn_audio.export.report import parity_report
from drsn_audio.export.sound import SAMPLE_RATE, noisy_speech
from drsn_audio.files import write_whole
from drsn_audio.labels import BLANK, SILENCE, UNKNOWN
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.detector import DetectorConfig

log = logging.getLogger("drsn_audio")

DURATION_S = 60.0  # of the sound that is compared; of another one that 8-bit ranges are taken from
WRITING_BLOCKS = 4  # a step of a model that writes: half the time, for words that are told 0.1 s later
PANGRAM = "the quick brown fox jumps over the lazy dog"
COMPARED, CALIBRATED = 0, 1  # their seeds


def export_model(
    model: AudioModel,
    out: Path,
    *,
    detector: DetectorConfig | None = None,
    timing: Mapping[str, Any] | None = None,
    temperature: float = 1.0,
    blocks: int | None = None,
    int8: bool = False,
    audio: Path | None = None,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `out`, with `int8` `<stem>.int8.onnx` beside it, and `<stem>.report.json`; returns what that holds.

    `audio`: a sound file to compare on, instead of noisy speech that is made for it. `blocks`: how many a step hears;
    None: one of a keyword model, WRITING_BLOCKS of a CTC model. `detector`, `timing`, `about`: see `export_onnx`.

    Raises:
        InputError: a model of whole clips, a name that does not end in .onnx, audio shorter than a step, or no such
            number of blocks.
        AudioError: audio that cannot be read.
        ModuleNotFoundError: onnx, onnxscript or onnxruntime are not installed.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: name a file that ends in .onnx")
    step = _Steps()
    rate, words = model.config.frontend.sample_rate, _words(model.config)
    step.begin("making the sound to compare on" if audio is None else "reading the sound to compare on")
    if audio is None:
        wave, sound = _made(rate, words, COMPARED)
    else:
        wave, sound = read_audio(audio, rate)[0], audio.name
    if blocks is None:
        blocks = WRITING_BLOCKS if model.config.head == "ctc" else 1
    if len(wave) < blocks * model.block:
        samples = blocks * model.block
        raise InputError(f"{audio}: shorter than the {samples} samples that are heard at once: give longer sound")
    events: dict[str, Any] = {"detector": detector, "timing": timing}
    step.begin("translating the model to ONNX")
    export_onnx(model, out, **events, temperature=temperature, blocks=blocks, about=about or {})
    files = {"float": out}
    if int8:
        step.begin("making the 8-bit file, of other sound")
        files["int8"] = out.with_suffix(".int8.onnx")
        quantise_onnx(out, files["int8"], _made(rate, words, CALIBRATED)[0])
    step.begin(f"comparing with PyTorch on {len(wave) / rate:.0f} s of sound, and timing")
    report = {
        "sound": sound,
        **parity_report(model, files, wave),
        "about": about or {},
        "versions": {"drsn-audio": __version__, "python": platform.python_version()}
        | {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
        "machine": {"platform": platform.platform(), "processor": platform.machine()},
    }
    write_whole(out.with_suffix(".report.json"), (json.dumps(report, indent=2) + "\n").encode())
    step.begin("done")
    return report


class _Steps:
    """What export is doing, a line each as it begins, with the time since the first."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def begin(self, what: str) -> None:
        log.info("export, %.0f s: %s", time.perf_counter() - self._began, what)


def _words(config: ModelConfig) -> list[str]:
    """What is said in the sound that is made: the words that the model knows, or words of every letter."""
    if config.head == "denoise" or (config.head == "ctc" and config.units != "words"):
        return PANGRAM.split()
    return [word for word in config.labels if word not in (BLANK, SILENCE, UNKNOWN)] or ["word"]


def _made(sample_rate: int, words: list[str], seed: int) -> tuple[np.ndarray, str]:
    wave, what = noisy_speech(DURATION_S, words, seed)
    return resample(wave, SAMPLE_RATE, sample_rate), what
