"""What a user calls: load a model, classify sound."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import torch
from torch import Tensor

from drsn_audio.audio import AudioError, read_audio, resample
from drsn_audio.datasets.keyword import SILENCE, UNKNOWN
from drsn_audio.models.checkpoint import CheckpointError, load_checkpoint
from drsn_audio.models.model import AudioModel

log = logging.getLogger("drsn_audio")

WINDOWS_A_CLIP = 4  # longer sound is heard through a window that moves by a quarter of itself
BATCH_WINDOWS = 64


@dataclass(frozen=True)
class Classification:
    """The word of a clip; score and scores are probabilities, start and end seconds of the window that held it."""

    label: str
    score: float
    scores: dict[str, float]
    start: float
    end: float


def load(source: str | Path, device: str = "cpu") -> Recognizer:
    """A trained model: a run folder, or a checkpoint's .json.

    Raises:
        CheckpointError: nothing there, or a checkpoint that is torn or was changed.
        ValueError: a device that is not there.
    """
    path = Path(source)
    if path.is_dir():
        path = path / "best.json"
    elif path.suffix != ".json":
        raise CheckpointError(f"{source}: no such run folder: name one, or the .json of a checkpoint")
    model, info = load_checkpoint(path)
    try:
        model = model.to(device)
    except (RuntimeError, AssertionError) as error:  # torch's ways to say so
        raise ValueError(f"device {device!r}: {str(error).splitlines()[0]} Use cpu, or what torch has here") from None
    return Recognizer(model, info)


class Recognizer:
    """A loaded model. `info` is what its checkpoint says of it; `module` the `AudioModel`, in eval mode."""

    def __init__(self, module: AudioModel, info: dict[str, Any]):
        self.module = module.eval()
        self.info = info
        self.labels: list[str] = list(module.config.labels)
        self.sample_rate = module.config.frontend.sample_rate
        self._said = False

    def __call__(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Wave [B, N], lengths [B] in samples -> logits [B, K]."""
        with torch.inference_mode():
            return self.module(wave, lengths)

    def classify(self, audio: str | Path | np.ndarray | Tensor, sample_rate: int | None = None) -> Classification:
        """A file, or samples [N] at `sample_rate` (default: the model's) -> Classification.

        Of sound longer than the model's clip, the window in which a keyword is most probable is what counts.

        Raises:
            AudioError: a file that cannot be used, or samples that are not finite or not one-dimensional.
        """
        wave = self.read(audio) if isinstance(audio, str | Path) else self._samples(np.asarray(audio), sample_rate)
        windows, starts = self._windows(wave)
        parts = [self._scores(windows[i : i + BATCH_WINDOWS]) for i in range(0, len(windows), BATCH_WINDOWS)]
        return self._decide(np.concatenate(parts), starts, len(wave))

    def classify_files(
        self, paths: Iterable[str | Path], min_duration_s: float = 0.0
    ) -> Iterator[tuple[Path, Classification | AudioError]]:
        """Many files, batched: each path with its Classification, or with what is wrong with it, in order."""
        waiting: list[tuple[Path, AudioError | tuple[np.ndarray, np.ndarray, int]]] = []
        count = 0
        for path in map(Path, paths):
            try:
                wave = self.read(path)
                if len(wave) < min_duration_s * self.sample_rate:
                    raise AudioError(
                        f"{path}: is {1000 * len(wave) / self.sample_rate:.1f} ms long, too short for a word"
                    )
                windows, starts = self._windows(wave)
                waiting.append((path, (windows, starts, len(wave))))
                count += len(windows)
            except AudioError as error:
                waiting.append((path, error))
            if count >= BATCH_WINDOWS or len(waiting) >= BATCH_WINDOWS:
                yield from self._answer(waiting)
                waiting, count = [], 0
        yield from self._answer(waiting)

    def read(self, path: str | Path) -> np.ndarray:
        """A file at the model's rate, float32 [N]; says once where that took resampling or down-mixing."""
        wave, rate = read_audio(path)
        channels = 1 if self._said else sf.info(path).channels
        if not self._said and (rate != self.sample_rate or channels > 1):
            self._said = True
            log.info(
                "%s is %d Hz with %d channel(s): such files are converted to %d Hz mono (said once)",
                path, rate, channels, self.sample_rate,
            )  # fmt: skip
        return resample(wave, rate, self.sample_rate)

    def _samples(self, samples: np.ndarray, sample_rate: int | None) -> np.ndarray:
        if samples.ndim != 1 or samples.size == 0:
            raise AudioError(f"samples have the shape {list(samples.shape)}: give one channel, [N], N > 0")
        if not np.issubdtype(samples.dtype, np.floating):
            raise AudioError(f"samples are {samples.dtype}: divide them by full scale, to floats in [-1, 1]")
        if not np.isfinite(samples).all():
            raise AudioError("samples hold NaN or infinite values: find where they come from")
        if sample_rate is not None and sample_rate <= 0:
            raise AudioError(f"sample_rate is {sample_rate}: give it in Hz")
        return resample(samples, sample_rate or self.sample_rate, self.sample_rate)

    def _windows(self, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wave [N] -> windows [W, clip], a view where it can be, and their starts [W] in samples."""
        size = round(self.module.config.clip_s * self.sample_rate)
        if len(wave) <= size:
            return wave[None], np.zeros(1, int)
        last = len(wave) - size
        starts = np.unique([*range(0, last, size // WINDOWS_A_CLIP), last])  # the last window ends with the sound
        return np.lib.stride_tricks.sliding_window_view(wave, size)[starts], starts

    def _scores(self, windows: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Windows, each [clip] or shorter -> probabilities [W, K]."""
        device = next(self.module.parameters()).device
        lengths = torch.tensor([len(window) for window in windows], device=device)
        size = max(len(window) for window in windows)
        wave = torch.from_numpy(np.stack([np.pad(window, (0, size - len(window))) for window in windows])).to(device)
        logits = self.module.head.last(self(wave, lengths), self.module.output_lengths(lengths))
        return logits.softmax(-1).cpu().numpy()

    def _answer(self, waiting: list) -> Iterator[tuple[Path, Classification | AudioError]]:
        usable = [item for _, item in waiting if not isinstance(item, AudioError)]
        windows = [window for item in usable for window in item[0]]
        parts = [self._scores(windows[i : i + BATCH_WINDOWS]) for i in range(0, len(windows), BATCH_WINDOWS)]
        scores = np.concatenate(parts) if parts else np.empty((0, len(self.labels)))
        for path, item in waiting:
            if isinstance(item, AudioError):
                yield path, item
                continue
            windows, starts, length = item
            yield path, self._decide(scores[: len(windows)], starts, length)
            scores = scores[len(windows) :]

    def _decide(self, scores: np.ndarray, starts: np.ndarray, length: int) -> Classification:
        """Probabilities [W, K] of windows -> the answer of the window in which a keyword is most probable."""
        keywords = [i for i, label in enumerate(self.labels) if label not in (SILENCE, UNKNOWN)]
        best = int(scores[:, keywords or slice(None)].max(axis=1).argmax())
        named = {label: round(float(p), 6) for label, p in zip(self.labels, scores[best], strict=True)}
        label = self.labels[int(scores[best].argmax())]
        start = float(starts[best]) / self.sample_rate
        end = min(start + self.module.config.clip_s, length / self.sample_rate)
        return Classification(label, named[label], named, round(start, 3), round(end, 3))
