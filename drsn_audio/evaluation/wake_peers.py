"""Other recognisers that listen live, behind the calls of our own stream: feed, flush, reset."""

from __future__ import annotations

import ctypes
import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.tail import tail, within

SAMPLE_RATE = 16000  # of all of them; they take 16-bit samples
LOG_BASE = math.log(1.0001)  # of pocketsphinx's scores
SCORE_SHIFT = 1024  # of which it drops so many steps
SEGMENT_SCORE = 1500  # and what it takes off the score of a keyphrase that it reports
DELAY_S = 0.1  # by which it waits for a likelier end
LOWEST = -30.0  # decimal logarithm of a keyphrase's likelihood ratio; no word that matters is less likely
UTTERANCE_S = 30.0
LONGEST_S = 1.0  # of a keyphrase; noise alone passes for one that lasts ten seconds, and then scores highest of all
# Of pocketsphinx, by false alarms an hour: provisional, counted and chosen as benchmarks/wake_words.py --tune does, but
# on 30 of the 59 development streams (1.8 h without keywords, 1678 keywords in the others). 100 is the end of the grid.
THRESHOLDS: dict[int, dict[str, float]] = {
    1: {
        "yes": 15, "no": 20, "up": 100, "down": 16, "left": 21, "right": 20, "on": 100, "off": 100, "stop": 31, "go": 18
    },
    10: {
        "yes": 11, "no": 15, "up": 100, "down": 7, "left": 14, "right": 15, "on": 100, "off": 100, "stop": 7, "go": 18
    },
}  # fmt: skip
OPEN_THRESHOLD = 0.5  # pyopen-wakeword's own example


class Candidate(NamedTuple):
    """A keyphrase that pocketsphinx would hear, s after the stream's beginning, with a threshold up to this ratio."""

    label: str
    time: float
    log10_ratio: float


class Listener:
    """Samples in chunks of any size -> events, the same ones whatever the chunks.

    `block` is how many samples the recogniser takes at once.
    """

    block: int
    labels: Sequence[str]
    sample_rate = SAMPLE_RATE

    def __init__(self) -> None:
        self.reset()

    @property
    def frame_s(self) -> float:
        """Seconds of a block; an answer may take several."""
        return self.block / SAMPLE_RATE

    def __call__(self, blocks: Iterable[np.ndarray]) -> list[Event]:
        """A whole stream, in blocks, from its beginning: what `drsn_audio.evaluation.stream_events.hear` asks."""
        self.reset()
        return [event for block in blocks for event in self.feed(block)] + self.flush()

    def reset(self) -> None:
        """Begin anew."""
        self._waiting = np.zeros(0, np.float32)
        self._heard = 0
        self._begin()

    def feed(self, samples: np.ndarray) -> list[Event]:
        """Samples float32 [N] in [-1, 1] at 16 kHz -> what was recognised with them."""
        self._waiting = np.concatenate([self._waiting, samples])
        whole = len(self._waiting) // self.block * self.block
        pcm = (self._waiting[:whole].clip(-1, 1) * 32767).round().astype("<i2")
        self._waiting = self._waiting[whole:]
        events = []
        for block in pcm.reshape(-1, self.block):
            self._heard += self.block
            events += self._hear(block.tobytes())
        return events

    def flush(self) -> list[Event]:
        """End the sound with the tail that our own streams have. What follows needs a `reset`."""
        samples = self._heard + len(self._waiting)
        events = self.feed(tail(samples, SAMPLE_RATE, self.block)) + self._end()
        return within(events, samples / SAMPLE_RATE)

    def _event(self, label: str, score: float, start: float | None = None, end: float | None = None) -> Event:
        """Of now; where a recogniser does not say when the word was, of the second before."""
        now = self._heard / SAMPLE_RATE
        return Event("keyword", label, score, max(0.0, now - 1) if start is None else start, end or now, now)

    def _begin(self) -> None:
        raise NotImplementedError

    def _hear(self, pcm: bytes) -> list[Event]:
        raise NotImplementedError

    def _end(self) -> list[Event]:
        return []


class PocketSphinxKeyphrases(Listener):
    """pocketsphinx's keyphrase search: a keyword is heard where it is so much likelier than any row of phones.

    `thresholds` are decimal logarithms of that likelihood ratio, one a keyword: -20 is what its lists of keyphrases
    write as 1e-20. As its own examples do, the utterance ends where something was heard, and the next begins. An
    event's score is r / (1 + r) of the ratio r.
    """

    block = 160  # of its features

    def __init__(self, thresholds: Mapping[str, float]):
        """Raises InputError where a keyword is not in its dictionary."""
        self.labels, self.thresholds = list(thresholds), dict(thresholds)
        super().__init__()

    def _begin(self) -> None:
        import pocketsphinx

        # Another decoder: it remembers the noise and the mean spectrum of what it heard before.
        self._decoder = pocketsphinx.Decoder(samprate=SAMPLE_RATE, lm=None, loglevel="FATAL")
        lacking = [label for label in self.labels if not self._decoder.lookup_word(label)]
        if lacking:
            raise InputError(f"{', '.join(lacking)}: not in pocketsphinx's dictionary: leave out what it cannot know")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "keyphrases"
            path.write_text("".join(f"{label} /{10**ratio:.4e}/\n" for label, ratio in self.thresholds.items()))
            self._decoder.add_kws("keyphrases", str(path))
        self._decoder.activate_search("keyphrases")
        self._decoder.start_utt()
        self._begun_s = 0.0

    def _hear(self, pcm: bytes) -> list[Event]:
        self._decoder.process_raw(pcm)
        return self._next() if self._decoder.hyp() else []

    def _end(self) -> list[Event]:
        return self._next()

    def _next(self) -> list[Event]:
        """End the utterance, begin the next -> what was heard in it."""
        return [self._event(label, _probability(ratio), start, end) for label, start, end, ratio in self._segments()]

    def _segments(self) -> list[tuple[str, float, float, float]]:
        """End the utterance, begin the next -> each keyword in it: label, start, end, logarithm of its ratio."""
        self._decoder.end_utt()
        begun_s, self._begun_s = self._begun_s, self._heard / SAMPLE_RATE
        found = []
        for segment in self._decoder.seg() if self._decoder.hyp() else []:
            start_s, end_s = segment.start_frame * self.frame_s, (segment.end_frame + 1) * self.frame_s
            if end_s - start_s <= LONGEST_S:
                ratio = _log10_ratio(segment.prob)
                found.append((segment.word.strip(), begun_s + start_s, begun_s + end_s, ratio))
        self._decoder.start_utt()
        return found


class KeyphraseCandidates(PocketSphinxKeyphrases):
    """Everything that is likelier than by a low threshold: thresholds are chosen from these, see `choose_keyphrases`.

    Utterances do not end where something was heard, but every UTTERANCE_S.
    """

    def __init__(self, labels: Sequence[str], lowest: float = LOWEST):
        super().__init__(dict.fromkeys(labels, lowest))

    def __call__(self, blocks: Iterable[np.ndarray]) -> list[Candidate]:  # type: ignore[override]
        self._found: list[Candidate] = []
        super().__call__(blocks)
        return self._found

    def _hear(self, pcm: bytes) -> list[Event]:
        self._decoder.process_raw(pcm)
        return self._next() if self._heard - self._begun_s * SAMPLE_RATE >= UTTERANCE_S * SAMPLE_RATE else []

    def _next(self) -> list[Event]:
        self._found += [Candidate(label, end + DELAY_S, ratio) for label, _, end, ratio in self._segments()]
        return []


class MicroWakeWords(Listener):
    """pymicro-wakeword: wake words of its wheel (all of them, unless some are named), at thresholds of its own."""

    block = 160  # of its features; its networks take three of them at once

    def __init__(self, labels: Sequence[str] = ()):
        from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

        self.labels = list(labels) or [model.value for model in Model]
        self._features = MicroWakeWordFeatures()
        self._models = [MicroWakeWord.from_builtin(Model(label)) for label in self.labels]
        self._thresholds = [model.probability_cutoff for model in self._models]
        super().__init__()

    def _begin(self) -> None:
        self._features.reset()
        for model in self._models:
            model.reset()
        self._rises = _Rises(self._thresholds)

    def _hear(self, pcm: bytes) -> list[Event]:
        events = []
        for features in self._features.process_streaming(pcm):
            for number, model in enumerate(self._models):
                probability = model.process_streaming_prob(features) or 0.0
                if self._rises(number, probability):
                    events.append(self._event(self.labels[number], probability))
        return events


class OpenWakeWords(Listener):
    """pyopen-wakeword: wake words of its wheel (all of them, unless some are named) that share its features.

    Each of its networks gets one thread: left to itself it takes several, which cost more in sum.
    """

    block = 1280  # of its features

    def __init__(self, labels: Sequence[str] = (), threshold: float = OPEN_THRESHOLD):
        from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures
        from pyopen_wakeword.wakeword import TfLiteWakeWord

        held = property(lambda self: self.__dict__["lib"], _hold_to_one_thread)
        setattr(TfLiteWakeWord, "lib", held)  # noqa: B010  # mypy knows the attribute as no property
        self.labels = list(labels) or [model.value for model in Model]
        self._features = OpenWakeWordFeatures.from_builtin()
        self._models = [OpenWakeWord.from_builtin(Model(label)) for label in self.labels]
        self._threshold = threshold
        super().__init__()

    def _begin(self) -> None:
        self._features.reset()
        for model in self._models:
            model.reset()
        self._rises = _Rises([self._threshold] * len(self._models))

    def _hear(self, pcm: bytes) -> list[Event]:
        events = []
        for features in self._features.process_streaming(pcm):
            for number, model in enumerate(self._models):
                for probability in model.process_streaming(features):
                    if self._rises(number, probability):
                        events.append(self._event(self.labels[number], probability))
        return events


class _Rises:
    """Whether a probability has just come above its threshold."""

    def __init__(self, thresholds: Sequence[float]):
        self.thresholds, self.above = thresholds, [False] * len(thresholds)

    def __call__(self, number: int, probability: float) -> bool:
        before, self.above[number] = self.above[number], probability > self.thresholds[number]
        return self.above[number] and not before


def _log10_ratio(segment_score: float) -> float:
    """Logarithm of a keyphrase's likelihood ratio, from what pocketsphinx calls its probability."""
    return (math.log(segment_score) / LOG_BASE + SEGMENT_SCORE) * SCORE_SHIFT * LOG_BASE / math.log(10)


def _probability(log10_ratio: float) -> float:
    """r / (1 + r) of a ratio r."""
    return 1 / (1 + 10.0**-log10_ratio)


def _hold_to_one_thread(self: Any, lib: Any) -> None:
    """Set pyopen-wakeword's library such that the interpreters which it creates have one thread."""
    lib.TfLiteInterpreterOptionsCreate.restype = ctypes.c_void_p
    lib.TfLiteInterpreterOptionsSetNumThreads.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    lib.TfLiteInterpreterOptionsSetNumThreads.restype = None
    options = lib.TfLiteInterpreterOptionsCreate()
    lib.TfLiteInterpreterOptionsSetNumThreads(options, 1)
    create = lib.TfLiteInterpreterCreate
    create.argtypes, create.restype = [ctypes.c_void_p, ctypes.c_void_p], ctypes.c_void_p
    lib.TfLiteInterpreterCreate = lambda model, _: create(model, options)
    self.__dict__["lib"] = lib
