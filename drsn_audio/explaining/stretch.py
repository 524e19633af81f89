"""Which part of a sound a model hears, and what it answers to that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from drsn_audio.api import WINDOWS_A_CLIP, Classification, Recognizer
from drsn_audio.audio import AudioError, sliding_windows
from drsn_audio.denoising.denoiser import Denoiser
from drsn_audio.explaining.options import DURATION_S
from drsn_audio.hearing import MIN_DURATION_S
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.transcribing.inputs import Input
from drsn_audio.transcribing.transcriber import Transcriber

Model = Recognizer | Transcriber | Denoiser
BATCH_WINDOWS = 64


class Span(NamedTuple):
    """A word, and where it is, in seconds from the start of the sound."""

    text: str
    start_s: float
    end_s: float


class Heard(NamedTuple):
    """What a model heard of a sound: wave [N] at its rate, from start_s on; `is_part`: there is more of it.

    `answer`, as JSON says it: {"label", "score"} of a model of keywords, {"text"} of one that writes, else {}.
    """

    wave: np.ndarray
    start_s: float
    is_part: bool
    answer: dict[str, str | float]
    words: list[Span]


def hears_clips(model: Model) -> bool:
    """Whether it hears no more than a clip at once."""
    return isinstance(model, Recognizer) and not model.module.causal


def hear(model: Model, given: Input, at_s: float | None = None, duration_s: float | None = None) -> Heard:
    """A sound -> what is heard of it, and the answer; no more of it is in memory than that.

    Of a model of clips that is the clip in which it hears its surest word, or the one that begins at `at_s`. Other
    models hear `duration_s` (default: 10 s), as if nothing had been before.

    Raises:
        AudioError: a file that cannot be used, less than 25 ms to be heard, or an `at_s` beyond the end.
    """
    if isinstance(model, Recognizer) and hears_clips(model):
        if at_s is None:
            return _surest_clip(model, given)
        duration_s = model.module.config.clip_s
    rate = model.sample_rate
    start, size = round((at_s or 0) * rate), round((duration_s or DURATION_S) * rate)
    wave, samples = cut(given.blocks(), start, size)
    if len(wave) < MIN_DURATION_S * rate:
        if start:
            raise AudioError(f"{given}: ends at {samples / rate:.3f} s: --at {at_s:g} leaves nothing to hear")
        raise AudioError(f"{given}: is {1000 * samples / rate:.1f} ms long, too short to be heard")
    answer, words = _answer(model, wave, start / rate)
    return Heard(wave, start / rate, start > 0 or samples > start + size, answer, words)


def cut(blocks: Iterable[np.ndarray], start: int, size: int) -> tuple[np.ndarray, int]:
    """Blocks of a sound -> its samples [size or fewer] from `start` on, and how many samples were read in all.

    What comes after is not read, but for the next block that there is.
    """
    parts, read = [np.zeros(0, np.float32)], 0
    for block in blocks:
        if read + len(block) > start:  # not even a view of nothing is kept of what comes before
            parts.append(block[max(0, start - read) : max(0, start + size - read)])
        read += len(block)
        if read > start + size:
            break
    return np.concatenate(parts), read


def _answer(model: Model, wave: np.ndarray, start_s: float) -> tuple[dict[str, str | float], list[Span]]:
    if isinstance(model, Recognizer):
        answers = model.detect(wave)
        best = max(answers, key=lambda one: one.score)
        return _named(best), [span for one in answers for span in _span(one, start_s)]
    if isinstance(model, Transcriber):
        said = model.transcribe(wave)
        return {"text": said.text}, [Span(word.text, start_s + word.start, start_s + word.end) for word in said.words]
    return {}, []


def _surest_clip(model: Recognizer, given: Input) -> Heard:
    """The sound is heard once for its words, and up to the surest once more for the clip in which it is."""
    ((_, answers),) = model.hear([(given, given.blocks())], MIN_DURATION_S)
    if isinstance(answers, AudioError):
        raise answers
    best = max(answers, key=lambda one: one.score)
    start, wave, is_part = find_clip(model, given.blocks(), best)
    return Heard(wave, start / model.sample_rate, is_part, _named(best), _span(best, 0.0))


def find_clip(model: Recognizer, blocks: Iterator[np.ndarray], answer: Classification) -> tuple[int, np.ndarray, bool]:
    """Blocks of a sound, and what `detect` says of it -> the window whose probabilities those of the answer are: its
    start in samples, its samples, and whether there is more of the sound.
    """
    size = round(model.module.config.clip_s * model.sample_rate)
    wanted = np.array(list(answer.scores.values()))
    best, found, windows = np.inf, (0, np.zeros(0, np.float32)), 0
    for batch in _batches(_around(blocks, size, answer, model.sample_rate)):
        rows = _probabilities(model, np.stack([window for _, window in batch]))
        distances = np.abs(rows - wanted).max(axis=1)
        nearest, windows = int(distances.argmin()), windows + len(batch)
        if distances[nearest] < best:
            best, found = distances[nearest], (batch[nearest][0], batch[nearest][1].copy())
    return *found, windows > 1


def _around(
    blocks: Iterator[np.ndarray], size: int, answer: Classification, rate: int
) -> Iterator[tuple[int, np.ndarray]]:
    """The windows of `detect` that hear some of the answer's span, by their starts."""
    for start, window in sliding_windows(blocks, size, max(1, size // WINDOWS_A_CLIP)):
        if start > answer.end * rate:
            return
        if start + size >= answer.start * rate:
            yield start, window


def _batches(windows: Iterator[tuple[int, np.ndarray]]) -> Iterator[list[tuple[int, np.ndarray]]]:
    batch: list[tuple[int, np.ndarray]] = []
    for window in windows:
        batch.append(window)
        if len(batch) == BATCH_WINDOWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _probabilities(model: Recognizer, windows: np.ndarray) -> np.ndarray:
    """Windows [W, N] -> [W, K]."""
    device = next(model.module.parameters()).device
    logits = model(torch.from_numpy(windows).to(device)).float()
    return (logits / model.temperature).softmax(-1).cpu().numpy()


def _named(answer: Classification) -> dict[str, str | float]:
    return {"label": answer.label, "score": answer.score}


def _span(answer: Classification, start_s: float) -> list[Span]:
    """Of a keyword, else nothing."""
    if answer.label in (SILENCE, UNKNOWN):
        return []
    return [Span(answer.label, start_s + answer.start, start_s + answer.end)]
