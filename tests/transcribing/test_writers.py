"""Beam search in stretches: what is written lies where it was heard, however long the sound."""

import numpy as np
import pytest

from drsn_audio.decoding.units import CHARACTERS, Units
from drsn_audio.transcribing.writers import BeamWriter, GreedyWriter, Writing

pytest.importorskip("flashlight")
FRAME_S = 0.04
UNITS = Units("words", ["<blank>", "low", "mid", "high"])


def spikes(frames, places):
    """Logits [T, K], blank sure but at the places {frame: (label, its log-odds)}."""
    logits = np.zeros((frames, 4), np.float32)
    logits[:, 0] = 8
    for frame, (label, odds) in places.items():
        logits[frame, label] = 8 + odds
    return logits


def fed(writer, logits, size):
    for start in range(0, len(logits), size):
        writer.feed(logits[start : start + size])
    return writer.end()


@pytest.fixture
def beam():
    from drsn_audio.decoding.beam import BeamConfig, BeamDecoder

    return lambda **settings: BeamDecoder(UNITS, BeamConfig(**settings))


@pytest.mark.parametrize("size", [7, 128, 5000])
def test_both_write_sure_labels_where_they_are(beam, size):
    """Two minutes, a word every 1.6 s, and the seams between stretches change nothing."""
    places = {frame: (1 + frame // 40 % 3, 8) for frame in range(20, 3000, 40)}
    logits = spikes(3000, places)
    for writer in (GreedyWriter(Writing(UNITS, FRAME_S)), BeamWriter(Writing(UNITS, FRAME_S), beam())):
        words = fed(writer, logits, size)
        assert [word.text for word in words] == [UNITS.labels[label] for label, _ in places.values()]
        assert [word.start for word in words] == pytest.approx([frame * FRAME_S for frame in places])
        assert min(word.confidence for word in words) > 0.99


def test_a_hotword_is_written_where_it_was_nearly_heard(beam):
    logits = spikes(50, {20: (1, -1.0)})  # blank is likelier
    assert fed(BeamWriter(Writing(UNITS, FRAME_S), beam()), logits, 50) == []
    (word,) = fed(BeamWriter(Writing(UNITS, FRAME_S), beam(hotwords={"low": 4.0})), logits, 50)
    assert (word.text, word.start) == ("low", pytest.approx(0.8))


def test_nothing_heard_is_nothing_written(beam):
    assert BeamWriter(Writing(UNITS, FRAME_S), beam()).end() == []
    assert fed(BeamWriter(Writing(UNITS, FRAME_S), beam()), spikes(1200, {}), 100) == []


def test_letters_are_no_words_of_their_own(beam):
    """A word of letters is one word, though blanks lie between them."""
    units = Units("characters", CHARACTERS)
    logits = np.zeros((12, len(CHARACTERS)), np.float32)
    logits[:, 0] = 8
    for frame, letter in {1: "N", 3: "O", 5: "|", 7: "G", 9: "O"}.items():
        logits[frame, units.index[letter]] = 16
    (no, go) = fed(GreedyWriter(Writing(units, FRAME_S)), logits, 2)
    assert (no.text, go.text, go.start) == ("NO", "GO", pytest.approx(7 * FRAME_S, abs=2 * FRAME_S))
