"""A stream that hears "on" wherever it is loud, in place of a model."""

import signal

import numpy as np
import pytest

from drsn_audio.decoding.units import Units
from drsn_audio.labels import BLANK
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.samples import check_samples
from drsn_audio.streaming.tail import tail, within
from drsn_audio.streaming.writer import Writer

RATE, BLOCK = 16000, 1280
LABELS = ["on", "off", "silence"]


class LoudStream:
    """80 ms with a sample above half of full scale are "on"."""

    def __init__(self):
        self.labels, self.sample_rate, self.frame_s = LABELS, RATE, BLOCK / RATE
        config = DetectorConfig({"on": 0.9, "off": 0.9}, smoothing_s=0.08, refractory_s=0.08)
        self.detector = Detector(LABELS, self.frame_s, config)
        self.waiting, self.chunks = np.zeros(0, np.float32), []

    def feed(self, samples):
        self.chunks.append(len(samples))
        self.waiting = np.concatenate([self.waiting, check_samples(samples)])
        blocks = self.waiting[: len(self.waiting) // BLOCK * BLOCK].reshape(-1, BLOCK)
        self.waiting = self.waiting[blocks.size :]
        return self.detector.step(self.probabilities(np.abs(blocks).max(axis=1, initial=0) > 0.5))

    def probabilities(self, loud):
        return np.stack([loud, np.zeros_like(loud), ~loud], axis=1).astype(np.float32)

    def flush(self):
        samples = sum(self.chunks)
        return within(self.feed(tail(samples, RATE, BLOCK)) + self.detector.finish(), samples / RATE)


class WritingStream(LoudStream):
    """The same, of a model that writes: what is loud is O, N and the end of a word in turn, else there is blank."""

    def __init__(self):
        super().__init__()
        self.labels = [BLANK, "|", "O", "N"]
        self.detector, self.letters = Writer(Units("characters", self.labels), self.frame_s), 0

    def probabilities(self, loud):
        turns = (self.letters + np.cumsum(loud) - 1) % 3
        self.letters += int(loud.sum())
        return np.eye(4, dtype=np.float32)[np.where(loud, np.array([2, 3, 1])[turns], 0)]


@pytest.fixture
def loud_stream():
    return LoudStream()


@pytest.fixture
def writing_stream():
    return WritingStream()


@pytest.fixture
def bursts():
    """3 s, loud for 100 ms from 1.0 and 2.0 s on, float32 [N]: the frames of 80 ms that tell it end at 1.04, 2.08 s."""
    wave = np.zeros(3 * RATE, np.float32)
    wave[RATE : RATE + 1600] = wave[2 * RATE : 2 * RATE + 1600] = 0.7
    return wave


@pytest.fixture(autouse=True)
def interrupts():
    """SIGINT as programs of a terminal have it: a shell ignores it in jobs in the background, tests among them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
