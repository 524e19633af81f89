"""The end of a stream: a word right before it is given, by a file as by a stream, and no time lies after the sound."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from drsn_audio.config import config_from_dict
from drsn_audio.decoding.units import Units
from drsn_audio.labels import BLANK
from drsn_audio.memory import Memory
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.batch import StreamBatch
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.stream import Stream
from drsn_audio.streaming.tail import TAIL_S, tail, with_tail, within
from drsn_audio.streaming.writer import Writer
from drsn_audio.transcribing.transcriber import Transcriber

RATE = 16000
DELAY_S = 0.3  # between sound and the answer to it


class Late(AudioModel):
    """A causal model that gives its second label where it was loud DELAY_S ago, else its first."""

    def forward(self, wave, lengths=None, augment=None, memory=None):
        memory = Memory() if memory is None else memory
        logits = super().forward(wave, lengths, augment, memory)
        blocks = F.pad(wave, (0, -wave.shape[1] % self.block)).unflatten(1, (-1, self.block))
        loud = (blocks.abs().amax(2) > 0.5).float()
        late = memory.extend("late", loud, round(DELAY_S * RATE) // self.block)[:, : loud.shape[1]]
        return torch.stack([torch.full_like(late, 0.5), late], -1).expand_as(logits) * 9


def model_of(head: str, labels: list[str]) -> AudioModel:
    described = {"preset": "10k", "pool": "causal", "head": head, "labels": labels}
    return Late(config_from_dict({"model": described}).model).eval()


def word_at_the_end(seconds: float = 1.0) -> np.ndarray:
    """Silence, then 0.2 s of loud sound, 50 ms before the end."""
    wave = np.zeros(round(seconds * RATE), np.float32)
    wave[-round(0.25 * RATE) : -round(0.05 * RATE)] = 0.8
    return wave


def answered(stream: Stream, wave: np.ndarray, seed: int) -> list:
    """The events of a stream that is fed chunks of random lengths, and flushed."""
    rng, begin, events = np.random.default_rng(seed), 0, []
    stream.reset()
    while begin < len(wave):
        size = int(rng.integers(1, 6000))
        events += stream.feed(wave[begin : begin + size])
        begin += size
    return events + stream.flush()


@pytest.mark.parametrize("seed", range(3))
def test_a_keyword_that_ends_with_the_sound_is_given_once(seed):
    model = model_of("keyword", ["silence", "go"])
    detector = Detector(model.config.labels, model.block / RATE, DetectorConfig({"go": 0.6}))
    wave = word_at_the_end()
    (event,) = answered(Stream(model, detector), wave, seed)
    assert event.label == "go"
    assert 0 <= event.start < event.end <= event.time <= len(wave) / RATE


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_writes_the_last_word_as_a_file_does(seed):
    model, units = model_of("ctc", [BLANK, "go"]), Units("words", [BLANK, "go"])
    wave = word_at_the_end()
    events = answered(Stream(model, Writer(units, model.block / RATE)), wave, seed)
    streamed = [event for event in events if event.kind == "final"]
    of_file = Transcriber(model, {}).transcribe(wave).words
    assert [event.label for event in streamed] == [word.text for word in of_file] == ["go"]
    for event, word in zip(streamed, of_file, strict=True):
        assert (event.start, event.end) == pytest.approx((word.start, word.end), abs=1e-3)
        assert event.end <= len(wave) / RATE


def test_a_batch_ends_each_stream_with_its_own_tail():
    model = model_of("keyword", ["silence", "go"])
    waves = {0: word_at_the_end(1.0), 1: word_at_the_end(0.73), 2: np.zeros(0, np.float32)}
    batch = StreamBatch(model)
    fed = batch.feed(waves)
    for key, wave in waves.items():
        logits = np.concatenate([fed[key], batch.flush(key)])
        assert len(logits) == -(-len(with_tail(wave, RATE)) // model.block)


def test_the_tail_fills_the_last_block_and_is_no_sound_of_its_own():
    assert len(tail(0, RATE, 1280)) == 0
    for samples in (1, 1280, 16000):
        silence = tail(samples, RATE, 1280)
        assert (samples + len(silence)) % 1280 == 0
        assert 0 <= len(silence) - TAIL_S * RATE < 1280
        assert not silence.any()
    assert within([], 1.0) == []
