"""What a user calls: load a model, classify, transcribe or denoise sound."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from drsn_audio.audio import AudioError
from drsn_audio.decoding.detections import DETECT_BELOW, Heard, WindowAnswers
from drsn_audio.decoding.listening import Listener, Sound
from drsn_audio.denoising.denoiser import Denoiser
from drsn_audio.errors import InputError
from drsn_audio.hearing import Hearing
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.model_sources import check_head
from drsn_audio.models.checkpoint import CheckpointError, find_checkpoint, load_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.stream import Stream
from drsn_audio.transcribing.transcriber import Transcriber

log = logging.getLogger("drsn_audio")

Key = TypeVar("Key")
WINDOWS_A_CLIP = 8  # longer sound is heard through a window that moves by an eighth of itself


@dataclass(frozen=True)
class Classification:
    """A word and where it is: start and end in seconds.

    `scores` are the probabilities of all labels, in the window where the word is most probable; `score` is that of
    `label`. A keyword below the reject threshold is answered with "unknown", although it may be the most probable
    label: `score` is then the probability of "unknown" (0 where the model has no such label), and `scores` still has
    the keyword's.
    """

    label: str
    score: float
    scores: dict[str, float]
    start: float
    end: float


def load(source: str | Path, device: str = "cpu") -> Recognizer | Transcriber | Denoiser:
    """A trained model: a run folder, a checkpoint's .json, or the name of a shipped one, e.g. "commands-12".

    Where `source` is none of these and no path here, a text "owner/name" or "owner/name@revision" is a model of the
    Hugging Face Hub (`pip install 'drsn-audio[hub]'`). It is downloaded once, and checked as any checkpoint is.

    One of keywords is a Recognizer, one that writes (model.head=ctc) a Transcriber, one that takes noise away
    (model.head=denoise) a Denoiser.

    Raises:
        CheckpointError: nothing there, or a checkpoint that is torn or was changed; the Hub cannot be asked.
        InputError: a device that is not there.
    """
    model, info = load_checkpoint(find_checkpoint(source))
    try:
        model = model.to(device)
    except (RuntimeError, AssertionError) as error:  # torch's ways to say so
        raise InputError(f"device {device!r}: {str(error).splitlines()[0]} Use cpu, or what torch has here") from None
    if model.config.head == "denoise":
        return Denoiser(model, info)
    return Transcriber(model, info) if model.config.head == "ctc" else Recognizer(model, info)


def load_recognizer(source: str | Path, device: str = "cpu") -> Recognizer:
    """As `load`, of a model of keywords; raises InputError for another."""
    model = load(source, device)
    check_head(source, model.module.config.head, "classify")
    assert isinstance(model, Recognizer)
    return model


def load_transcriber(source: str | Path, device: str = "cpu") -> Transcriber:
    """As `load`, of a model that writes; raises InputError for another."""
    model = load(source, device)
    check_head(source, model.module.config.head, "transcribe")
    assert isinstance(model, Transcriber)
    return model


def load_denoiser(source: str | Path, device: str = "cpu") -> Denoiser:
    """As `load`, of a model that takes noise away; raises InputError for another."""
    model = load(source, device)
    check_head(source, model.module.config.head, "denoise")
    assert isinstance(model, Denoiser)
    return model


class Recognizer:
    """A loaded model. `info` is what its checkpoint says of it; `module` the `AudioModel`, in eval mode.

    `info["calibration"]` may hold a `temperature`, which divides the logits, and `reject_below`, the probability below
    which a keyword is answered with "unknown".
    """

    def __init__(self, module: AudioModel, info: dict[str, Any]):
        """Raises CheckpointError where the calibration is none."""
        self.module = module.eval()
        self.info = info
        self.labels: list[str] = list(module.config.labels)
        self.sample_rate = module.config.frontend.sample_rate
        calibration = info.get("calibration") or {}
        if not isinstance(calibration, dict):
            raise CheckpointError(f"calibration of the checkpoint is {calibration!r}: calibrate it again")
        self.temperature = calibration.get("temperature", 1.0)
        self.reject_below = calibration.get("reject_below", 0.0)
        for key, value, least in (("temperature", self.temperature, 1e-3), ("reject_below", self.reject_below, 0)):
            if not isinstance(value, int | float) or not least <= value < np.inf:
                raise CheckpointError(f"calibration.{key} of the checkpoint is {value!r}: calibrate it again")
        self._hearing = Hearing(self.sample_rate)

    def __call__(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Wave [B, N], lengths [B] in samples -> logits [B, K]."""
        with torch.inference_mode():
            return self.module(wave, lengths)

    def classify(
        self,
        audio: str | Path | np.ndarray | Tensor,
        sample_rate: int | None = None,
        *,
        reject_below: float | None = None,
    ) -> Classification:
        """A file, or samples [N] at `sample_rate` (default: the model's) -> the most probable word in it.

        `reject_below` replaces the checkpoint's; 0 turns it off.

        Raises:
            AudioError: a file that cannot be used, or samples that are not finite or not one-dimensional.
            InputError: a `reject_below` that is no probability.
        """
        return _best(self.detect(audio, sample_rate, reject_below=reject_below))

    def detect(
        self,
        audio: str | Path | np.ndarray | Tensor,
        sample_rate: int | None = None,
        *,
        reject_below: float | None = None,
        windows_a_clip: int = WINDOWS_A_CLIP,
    ) -> list[Classification]:
        """As `classify`, but all words of a sound that is longer than the model's clip, in order of time.

        Where there is none, one Classification says "unknown" or "silence" of the whole; so it does, or names the
        word, of a sound that is no longer than a clip. In longer sound keywords below probability 0.5 are not heard,
        unless `reject_below` is given.

        Raises:
            AudioError: as `classify`.
        """
        path = Path(audio) if isinstance(audio, str | Path) else None
        blocks = self._hearing.file(path) if path else iter([self._hearing.samples(np.asarray(audio), sample_rate)])
        ((_, answer),) = self._hear([(path, blocks)], reject_below=reject_below, windows_a_clip=windows_a_clip)
        if isinstance(answer, AudioError):
            raise answer
        return answer

    def detect_files(
        self,
        paths: Iterable[str | Path],
        min_duration_s: float = 0.0,
        *,
        reject_below: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[tuple[Path, list[Classification] | AudioError]]:
        """Many files, batched: each path with what `detect` says of it, or with what is wrong with it, in order.

        `progress` is told, batch by batch, how many seconds of sound were heard anew. Memory depends on neither the
        number of files nor their length.
        """
        sounds = ((path, self._hearing.file(path)) for path in map(Path, paths))
        yield from self.hear(sounds, min_duration_s, reject_below=reject_below, progress=progress)

    def hear(
        self,
        sounds: Iterable[tuple[Key, Iterator[np.ndarray]]],
        min_duration_s: float = 0.0,
        *,
        reject_below: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[tuple[Key, list[Classification] | AudioError]]:
        """As `detect_files`, of sounds, each in blocks, float32 [N] at the model's rate.

        A key names its sound in messages.
        """
        return self._hear(sounds, min_duration_s, reject_below, progress=progress)

    def classify_files(
        self, paths: Iterable[str | Path], min_duration_s: float = 0.0, *, reject_below: float | None = None
    ) -> Iterator[tuple[Path, Classification | AudioError]]:
        """As `detect_files`, but the most probable word of each."""
        for path, answer in self.detect_files(paths, min_duration_s, reject_below=reject_below):
            yield path, answer if isinstance(answer, AudioError) else _best(answer)

    def stream(self, detector: DetectorConfig | None = None) -> Stream:
        """A live stream: `feed` it samples, and it answers with events. `detector` replaces the model's own.

        Raises:
            InputError: a model of whole clips, which cannot stream, or a detector of words that are none of its labels.
        """
        return Stream(
            self.module, Detector(self.labels, self.frame_s, detector or self.detector_config()), self.temperature
        )

    @property
    def frame_s(self) -> float:
        """Seconds of a frame of a causal model's logits."""
        return self.module.block / self.sample_rate

    def detector_config(self) -> DetectorConfig:
        """How events are made of probabilities: as the model was tuned, else 0.5 for every keyword.

        Raises:
            CheckpointError: what the checkpoint says of it is not to be understood.
        """
        found = self.info.get("detector")
        if found is None:
            log.info("the model was tuned for no rate of false alarms: it answers from probability 0.5 on")
            keywords = [label for label in self.labels if label not in (SILENCE, UNKNOWN)]
            return DetectorConfig(dict.fromkeys(keywords, 0.5), window_s=self.module.config.clip_s)
        try:
            return DetectorConfig.from_dict(found["config"], self.labels)
        except (InputError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(f"the detector of the checkpoint cannot be used ({error}): tune it again") from None

    def _hear(
        self,
        sounds: Iterable[tuple[Key, Iterator[np.ndarray]]],
        min_duration_s: float = 0.0,
        reject_below: float | None = None,
        windows_a_clip: int = WINDOWS_A_CLIP,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[tuple[Key, list[Classification] | AudioError]]:
        thresholds = [self.reject_below, max(self.reject_below, DETECT_BELOW)]
        if reject_below is not None:
            if not 0 <= reject_below <= 1:
                raise InputError(f"reject_below is {reject_below}: give a probability, from 0 (off) to 1")
            thresholds = [reject_below, reject_below]
        clip_s = self.module.config.clip_s
        size = round(clip_s * self.sample_rate)
        hop = max(1, size // windows_a_clip)
        listener = Listener(self._probabilities, self.sample_rate, size, hop, min_duration_s, progress)
        for sound in listener.hear(
            Sound(key, blocks, WindowAnswers(self.labels, clip_s, *thresholds)) for key, blocks in sounds
        ):
            yield sound.key, sound.error or [self._classification(heard) for heard in sound.answers.answers()]

    def _probabilities(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Windows, each [clip] or shorter -> probabilities [W, K]."""
        device = next(self.module.parameters()).device
        sizes = [len(window) for window in windows]
        wave = np.stack([np.pad(window, (0, max(sizes) - len(window))) for window in windows])
        lengths = torch.tensor(sizes, device=device)
        logits = self.module.head.last(
            self(torch.from_numpy(wave).to(device), lengths), self.module.output_lengths(lengths)
        )
        return (logits.float() / self.temperature).softmax(-1).cpu().numpy()

    def _classification(self, heard: Heard) -> Classification:
        scores = {label: round(float(p), 6) for label, p in zip(self.labels, heard.probabilities, strict=True)}
        return Classification(
            heard.label, round(heard.score, 6), scores, round(heard.start_s, 3), round(heard.end_s, 3)
        )


def _best(answers: list[Classification]) -> Classification:
    return max(answers, key=lambda answer: answer.score)
