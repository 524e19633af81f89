"""Streams against the whole sound: equal texts, near ties and other texts, on a model that nobody trained."""

import json

import numpy as np
import pytest
import torch
from lhotse import MonoCut, Recording
from lhotse.audio import AudioSource

from drsn_audio.config import config_from_dict
from drsn_audio.decoding.units import Units
from drsn_audio.evaluation.text_parity import Written, chunks, compare, offline, parity_lines, text_parity
from drsn_audio.labels import BLANK
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.stream import Stream
from drsn_audio.streaming.writer import Writer

from ..conftest import write_wav

LABELS = [BLANK, "on", "off"]
UNITS = Units("words", LABELS)


@pytest.fixture(scope="module")
def model() -> AudioModel:
    torch.manual_seed(0)
    names = {"preset": "10k", "width": 4, "blocks": [1, 1], "pool": "causal", "head": "ctc", "labels": LABELS}
    model = AudioModel(config_from_dict({"model": names}).model).train()
    model(0.1 * torch.randn(4, 16000))
    with torch.no_grad():
        model.head.linear.weight.mul_(30)
    return model.eval()


@pytest.fixture
def cuts(tmp_path):
    rng, found = np.random.default_rng(0), []
    for name, samples in (("a", 9000), ("b", 16000)):
        wave = (rng.standard_normal(samples) * np.geomspace(1e-3, 0.3, samples)).astype(np.float32)
        path = write_wav(tmp_path / f"{name}.wav", wave)
        source = AudioSource("file", [0], str(path))
        recording = Recording(name, [source], 16000, samples, samples / 16000)
        found.append(MonoCut(name, 0.0, samples / 16000, 0, recording=recording))
    return found


class Shifted(Stream):
    """A stream whose logits of a label are a little higher."""

    def __init__(self, model, by):
        super().__init__(model, Writer(UNITS, model.block / 16000))
        self.by = by

    def _answer(self, logits):
        return super()._answer(logits + np.array([0, self.__dict__.get("by", 0), 0], np.float32))


def test_a_stream_writes_what_the_model_writes_of_the_whole(model, cuts):
    streams = {"PyTorch": Stream(model, Writer(UNITS, model.block / 16000))}
    facts = text_parity(model, UNITS, streams, cuts)
    assert (facts["files"], facts["seconds"]) == (2, 1.562)
    assert facts["words"] >= 2
    form = facts["streams"]["PyTorch"]
    assert (form["equal"], form["frames"], form["near_ties"], form["differences"]) == (2, 0, [], [])
    assert 0 < form["max_logit_difference"] <= 1e-4
    assert json.loads(json.dumps(facts)) == facts
    assert "2 of 2 texts are the greedy text" in parity_lines(facts)[1]


def test_another_text_is_named_with_its_frames(model, cuts):
    facts = text_parity(model, UNITS, {"shifted": Shifted(model, 3.0)}, cuts)
    form = facts["streams"]["shifted"]
    assert form["equal"] < 2
    assert not form["near_ties"]
    assert form["max_logit_difference"] == pytest.approx(3, abs=1e-3)
    named = form["differences"][0]
    assert named["streamed"] != named["text"]
    assert {frame["streamed"] for frame in named["frames"]} == {"on"}
    assert all(0 < frame["margin"] <= 3.001 for frame in named["frames"])
    lines = "\n".join(parity_lines(facts))
    assert f"ANOTHER TEXT in {named['file']}" in lines


def test_a_tie_to_within_what_logits_may_differ_is_near():
    """Frame 1: "off" leads by 1e-4 in the whole, "on" in the stream; frame 0 is the same in both."""
    logits = np.array([[0, 1, 0], [0, 2, 2.0001]], np.float32)
    found = compare(Written(logits, "on off"), Written(logits[:, [0, 1, 1]], "on"), LABELS, 0.04)
    assert not found["equal"]
    (frame,) = found["frames"]
    assert (frame["time_s"], frame["label"], frame["streamed"]) == (0.08, "off", "on")
    assert frame["margin"] == pytest.approx(1e-4, rel=0.01)


def test_greedy_text_of_the_whole(model, cuts):
    wave = np.zeros(3200, np.float32)
    whole = offline(model, UNITS, wave, 1.0)
    assert whole.logits.shape == (18, 3)  # of 0.2 s and the tail of 0.5 s
    assert set(whole.text.split()) <= {"on", "off"}


def test_chunks_are_the_sound_and_those_of_their_seed():
    wave = np.arange(50_000, dtype=np.float32)
    parts = list(chunks(wave, 16000, 0, "a"))
    assert np.array_equal(np.concatenate(parts), wave)
    assert min(map(len, parts)) < 200
    assert max(map(len, parts[:-1])) <= 16000
    assert [len(part) for part in chunks(wave, 16000, 0, "a")] == [len(part) for part in parts]
    assert [len(part) for part in chunks(wave, 16000, 1, "a")] != [len(part) for part in parts]
