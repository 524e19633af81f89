"""Streams through an exported model: numpy and ONNX Runtime alone, no torch."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.event import Event, EventMaker
from drsn_audio.streaming.probabilities import probabilities
from drsn_audio.streaming.samples import check_samples
from drsn_audio.streaming.tail import tail, within
from drsn_audio.streaming.writer import Writer

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

    Where the block is one of several `frames`, logits are [64, frames, K]. Of a denoiser they are gains, K its bins.

    A state is a dict of arrays [B, ...], so streams are taken out or joined along the first axis. `about` is what the
    file says of itself.

    Raises:
        InputError: there is no such file, or it is no exported stream of this version.
        ModuleNotFoundError: onnxruntime is not installed.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self.name = str(path)
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
        self.denoiser: dict[str, int] | None = self.about.get("denoiser")  # its bins and hop
        self.outputs: int = self.denoiser["bins"] if self.denoiser else len(self.labels)
        self.sample_rate: int = self.about["sample_rate"]
        self.block: int = self.about["block"]
        self.frames: int = self.about.get("frames", 1)
        self.temperature: float = self.about["temperature"]
        self._beginning = {name: decode_array(value) for name, value in self.about["beginning"].items()}
        self._outputs = ["logits", *(f"{NEXT}{name}" for name in self._beginning)]

    @property
    def frame_s(self) -> float:
        """Seconds of a frame of logits."""
        return self.block / self.frames / self.sample_rate

    def begin(self, streams: int = 1) -> State:
        """The state of streams that have heard nothing."""
        return {name: np.repeat(value, streams, axis=0) for name, value in self._beginning.items()}

    def __call__(self, samples: np.ndarray, state: Mapping[str, np.ndarray]) -> tuple[np.ndarray, State]:
        """Samples float32 [B, block] and the state of B streams -> logits [B, K] (of several frames [B, frames, K]),
        and the state after them.
        """
        logits, *after = self._session.run(self._outputs, {"samples": samples, **state})
        return logits, dict(zip(self._beginning, after, strict=True))


class OnnxStream:
    """One live stream through an exported model; `feed`, `flush`, `reset` and what they give are those of `Stream`.

    `logits` and `probabilities`, float32 [t, K], are of the frames that the last call added. `detector` replaces what
    the file of a keyword model says of how events are made. It runs on one thread: a step is too short to share.

    Raises:
        InputError: as `OnnxStep`, or a detector of words that are none of the model's labels, or for a CTC model; or
            the file is a denoiser's, whose stream is an `OnnxDenoiseStream`.
    """

    def __init__(self, path: str | Path, detector: DetectorConfig | None = None, threads: int = 1):
        self._step = OnnxStep(path, threads)
        if self._step.denoiser:
            raise InputError(f"{path}: takes noise away and names nothing: drsn-audio stream --denoise gives its sound")
        self.about = self._step.about
        self.labels, self.sample_rate, self.frame_s = self._step.labels, self._step.sample_rate, self._step.frame_s
        self.detector = self._event_maker(detector)
        self.reset()

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        self._layers = self._step.begin()
        self._waiting = np.zeros(0, np.float32)
        self._samples = 0  # that were fed
        self.detector.reset()
        self.ended = False
        self._answer(np.zeros((0, self._step.outputs), np.float32))

    def feed(self, samples: np.ndarray) -> list[Event]:
        """Samples [N] at the model's rate, N >= 0, in [-1, 1] -> what was recognised with them.

        Raises:
            InputError: samples that are no finite floats, [N]; they are not heard, and the stream goes on without
                them. Or the stream was flushed.
        """
        return self._answer(self._hear(check_samples(samples)))

    def flush(self) -> list[Event]:
        """End the sound, see `Stream.flush`. What follows needs a `reset`."""
        end_s, block = self._samples / self.sample_rate, self._step.block
        frame = block // self._step.frames
        silence = tail(self._samples, self.sample_rate, frame)
        frames = (len(self._waiting) + len(silence)) // frame
        heard = self._hear(np.pad(silence, (0, -(len(self._waiting) + len(silence)) % block)))
        self.ended = True
        return within(self._answer(heard[:frames]) + self.detector.finish(), end_s)

    @property
    def state(self) -> State:
        """All that is remembered, as arrays, copies: saved (`numpy.savez`) and assigned to a stream of the same model,
        that goes on from here.
        """
        if self.ended:
            raise InputError("the stream has ended and remembers nothing: reset it")
        layers = {f"layers/{name}": value.copy() for name, value in self._layers.items()}
        detector = {f"detector/{name}": value for name, value in self.detector.state.items()}
        counts = {"samples": np.array([self._samples], np.int64)}
        return {**layers, **detector, **counts, "waiting": self._waiting.copy()}

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        """Raises InputError where it is that of another model."""
        parts: dict[str, State] = {"layers": {}, "detector": {}, "samples": {}, "waiting": {}}
        for key in state:
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = np.array(state[key])
        begun = {name: value.shape for name, value in self._step.begin().items()}
        shapes = {name: value.shape for name, value in parts["layers"].items()}
        single = all(list(parts[name]) == [""] for name in ("samples", "waiting"))
        if shapes != begun or not single or len(parts) > 4:
            raise InputError("the state is that of a stream of another model: restore it with the model that made it")
        self.detector.state = parts["detector"]
        self._layers, self._waiting = parts["layers"], parts["waiting"][""]
        self._samples = int(parts["samples"][""][0])
        self.ended = False

    def _event_maker(self, detector: DetectorConfig | None) -> EventMaker:
        writer = self.about.get("writer")
        if writer is None:
            return Detector(self.labels, self.frame_s, detector or DetectorConfig.from_dict(self.about["detector"]))
        if detector is not None:
            raise InputError("the model writes what is said and has no thresholds: leave out the detector")
        return Writer(Units(writer["units"], self.labels), self.frame_s, writer["timing"])

    def _hear(self, samples: np.ndarray) -> np.ndarray:
        """Further samples [N] -> logits [t, K] of the steps that they complete."""
        if self.ended:
            raise InputError("the stream was flushed, which ends it: reset it before the next sound")
        self._samples += len(samples)
        wave, block = np.concatenate([self._waiting, samples]), self._step.block
        heard = [np.zeros((0, self._step.outputs), np.float32)]
        whole = len(wave) // block * block
        for begin in range(0, whole, block):
            logits, self._layers = self._step(wave[None, begin : begin + block], self._layers)
            heard.append(logits.reshape(-1, self._step.outputs))
        self._waiting = wave[whole:].copy()
        return np.concatenate(heard)

    def _answer(self, logits: np.ndarray) -> list[Event]:
        self.logits = self.probabilities = logits
        if not len(logits):  # as of most chunks that are shorter than a step
            return []
        self.probabilities = probabilities(logits, self._step.temperature)
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
