"""Streams through an exported model: numpy and ONNX Runtime alone, no torch."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.probabilities import probabilities
from drsn_audio.streaming.samples import check_samples

FORMAT = 1
KEY = "drsn_audio"  # of the file's metadata, JSON
NEXT = "next/"  # what the state after a block is called, before the name of the state

State = dict[str, np.ndarray]


def encode_array(value: np.ndarray) -> dict[str, Any]:
    """A float32 array for JSON; zeros, which are most of a state that begins, take no room."""
    values = np.asarray(value, "<f4")
    encoded = base64.b64encode(values.tobytes()).decode() if values.any() else None
    return {"shape": list(values.shape), "base64": encoded}


def decode_array(described: Mapping[str, Any]) -> np.ndarray:
    """What `encode_array` gave."""
    if described["base64"] is None:
        return np.zeros(described["shape"], np.float32)
    values = np.frombuffer(base64.b64decode(described["base64"]), "<f4")
    return values.reshape(described["shape"]).astype(np.float32)


class OnnxStep:
    """An exported model: a block of any number of streams at once, their state in the caller's hands.

        state = step.begin(64)
        logits, state = step(samples, state)    # [64, block] -> [64, K]

    A state is a dict of arrays [B, ...], so streams are taken out or joined along the first axis. `about` is what the
    file says of itself.

    Raises:
        InputError: there is no such file, or it is no exported stream of this version.
        ModuleNotFoundError: onnxruntime is not installed.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self._session = _open(Path(path), threads)
        metadata = self._session.get_modelmeta().custom_metadata_map
        try:
            self.about: dict[str, Any] = json.loads(metadata[KEY])
            known = self.about["format"] == FORMAT
        except (KeyError, ValueError, TypeError):
            raise InputError(f"{path}: an ONNX file, but not of drsn-audio export: export the model again") from None
        if not known:
            raise InputError(
                f"{path}: exported by another version of drsn_audio (format {self.about['format']}, "
                f"this one reads {FORMAT}): export the model again"
            )
        self.labels: list[str] = self.about["labels"]
        self.sample_rate: int = self.about["sample_rate"]
        self.block: int = self.about["block"]
        self.temperature: float = self.about["temperature"]
        self._beginning = {name: decode_array(value) for name, value in self.about["beginning"].items()}
        self._outputs = ["logits", *(f"{NEXT}{name}" for name in self._beginning)]

    @property
    def frame_s(self) -> float:
        """Seconds of a block, and of the frame of logits that it gives."""
        return self.block / self.sample_rate

    def begin(self, streams: int = 1) -> State:
        """The state of streams that have heard nothing."""
        return {name: np.repeat(value, streams, axis=0) for name, value in self._beginning.items()}

    def __call__(self, samples: np.ndarray, state: Mapping[str, np.ndarray]) -> tuple[np.ndarray, State]:
        """Samples float32 [B, block] and the state of B streams -> logits [B, K], and the state after them."""
        logits, *after = self._session.run(self._outputs, {"samples": samples, **state})
        return logits, dict(zip(self._beginning, after, strict=True))


class OnnxStream:
    """One live stream through an exported model; `feed`, `flush`, `reset` and what they give are those of `Stream`.

    `logits` and `probabilities`, float32 [t, K], are of the frames that the last call added. `detector` replaces what
    the file says of how events are made. It runs on one thread: a step is too short to share.

    Raises:
        InputError: as `OnnxStep`, or a detector of words that are none of the model's labels.
    """

    def __init__(self, path: str | Path, detector: DetectorConfig | None = None, threads: int = 1):
        self._step = OnnxStep(path, threads)
        self.about = self._step.about
        self.labels, self.sample_rate, self.frame_s = self._step.labels, self._step.sample_rate, self._step.frame_s
        config = detector or DetectorConfig.from_dict(self.about["detector"])
        self.detector = Detector(self.labels, self.frame_s, config)
        self.reset()

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        self._layers = self._step.begin()
        self._waiting = np.zeros(0, np.float32)
        self.detector.reset()
        self.ended = False
        self._answer([])

    def feed(self, samples: np.ndarray) -> list[Event]:
        """Samples [N] at the model's rate, N >= 0, in [-1, 1] -> what was recognised with them.

        Raises:
            InputError: samples that are no finite floats, [N]; they are not heard, and the stream goes on without
                them. Or the stream was flushed.
        """
        if self.ended:
            raise InputError("the stream was flushed, which ends it: reset it before the next sound")
        wave = np.concatenate([self._waiting, check_samples(samples)])
        block, heard = self._step.block, []
        for begin in range(0, len(wave) - block + 1, block):
            logits, self._layers = self._step(wave[None, begin : begin + block], self._layers)
            heard.append(logits)
        self._waiting = wave[len(heard) * block :].copy()
        return self._answer(heard)

    def flush(self) -> list[Event]:
        """The sound has ended: silence fills its last block. What follows needs a `reset`."""
        events = self.feed(np.zeros(-len(self._waiting) % self._step.block, np.float32))
        self.ended = True
        return events

    @property
    def state(self) -> State:
        """All that is remembered, as arrays, copies: saved (`numpy.savez`) and assigned to a stream of the same model,
        that goes on from here.
        """
        if self.ended:
            raise InputError("the stream has ended and remembers nothing: reset it")
        layers = {f"layers/{name}": value.copy() for name, value in self._layers.items()}
        detector = {f"detector/{name}": value for name, value in self.detector.state.items()}
        return {**layers, **detector, "waiting": self._waiting.copy()}

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        """Raises InputError where it is that of another model."""
        parts: dict[str, State] = {"layers": {}, "detector": {}, "waiting": {}}
        for key in state:
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = np.array(state[key])
        begun = {name: value.shape for name, value in self._step.begin().items()}
        shapes = {name: value.shape for name, value in parts["layers"].items()}
        if shapes != begun or list(parts["waiting"]) != [""] or len(parts) > 3:
            raise InputError("the state is that of a stream of another model: restore it with the model that made it")
        self.detector.state = parts["detector"]
        self._layers, self._waiting = parts["layers"], parts["waiting"][""]
        self.ended = False

    def _answer(self, heard: list[np.ndarray]) -> list[Event]:
        self.logits = np.concatenate([np.zeros((0, len(self.labels)), np.float32), *heard])
        self.probabilities = probabilities(self.logits, self._step.temperature)
        return self.detector.step(self.probabilities)


def _open(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): check the path and its permissions") from None
    try:
        return onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen kinds, and no common one
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{path}: not an ONNX model that can be run ({reason}): export it again") from None
