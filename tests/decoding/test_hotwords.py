"""Hotwords: their boosts, what is lent on the way, and what they change in beam search."""

import numpy as np
import pytest

from drsn_audio.decoding.arpa import count_ngrams, witten_bell, write_arpa
from drsn_audio.decoding.beam import BeamConfig, BeamDecoder
from drsn_audio.decoding.hotwords import Hotwords, parse_hotwords
from drsn_audio.decoding.scores import PrefixScores
from drsn_audio.decoding.units import CHARACTERS, PIECE_SPACE, Units
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK

WORDS = Units("words", [BLANK, "left", "stop", "go"])
LETTERS = Units("characters", CHARACTERS)
PIECES = Units("sentencepiece", [BLANK, f"{PIECE_SPACE}ST", "OP", f"{PIECE_SPACE}GO", "S", "T", "O", "P"])


def spell(text, doubts, frames_per_label=2):
    """Log-probabilities of a text spelt clearly, but for doubts: {place of a letter: (other letter, its share)}."""
    values = np.full((frames_per_label * len(text), len(CHARACTERS)), 1e-4)
    for place, letter in enumerate(text):
        label = LETTERS.index["|" if letter == " " else letter]
        frame = frames_per_label * place
        values[frame, label] = 1.0
        values[frame + 1 : frame + frames_per_label, 0] = 1.0
        if place in doubts:
            other, share = doubts[place]
            values[frame, LETTERS.index[other]] = share
            values[frame, label] = 1 - share
    return np.log(values / values.sum(1, keepdims=True))


def text_of(heard, **config):
    pytest.importorskip("flashlight.lib.text", reason="needs flashlight-text")
    return BeamDecoder(LETTERS, BeamConfig(**config)).decode(heard).text


def test_a_phrase_gives_its_boost_when_it_ends_and_is_lent_by_letters():
    hotwords = Hotwords({"turn left": 4.0, "left": 1.0, "go": -2.0}, LETTERS)
    assert hotwords.ended(("TURN",)) == 0.0
    assert hotwords.ended(("TURN", "LEFT")) == 5.0  # "left" has ended, too
    assert hotwords.ended(("STOP", "LEFT")) == 1.0
    assert hotwords.ended(("GO",)) == -2.0
    assert hotwords.loan((), "TU") == pytest.approx(4.0 * 2 / 8)
    assert hotwords.loan(("TURN",), "") == pytest.approx(2.0)
    assert hotwords.loan(("TURN",), "LEF") == pytest.approx(4.0 * 7 / 8)
    assert hotwords.loan(("STOP",), "LEF") == pytest.approx(0.75)
    assert hotwords.loan((), "TE") == hotwords.loan((), "G") == hotwords.loan((), "") == 0.0


@pytest.mark.parametrize(
    ("units", "text", "boost"),
    [
        (LETTERS, "TURN LEFT", 4.0),
        (LETTERS, "TURN LEFTS", 0.0),
        (LETTERS, "TURN", 0.0),
        (LETTERS, "TURN LEFT TURN LEFT", 8.0),
        (LETTERS, "TURN TURN LEFT", 4.0),
        (LETTERS, "OVERTURN LEFT", 0.0),
    ],
)
def test_a_text_gains_each_boost_once_and_no_loan(units, text, boost):
    scores = PrefixScores(units, BeamConfig(hotwords={"turn left": 4.0}))
    prefix, total = scores.start(), 0.0
    for label in units.encode(text):
        prefix, gain = scores.extend(prefix, label)
        total += gain
    assert total + scores.finish(prefix) == pytest.approx(boost)


def test_pieces_and_words():
    scores = PrefixScores(PIECES, BeamConfig(hotwords={"stop": 3.0}))
    prefix, gain = scores.extend(scores.start(), 1)
    assert gain == pytest.approx(1.5)  # ST of STOP
    assert scores.extend(prefix, 3)[1] == pytest.approx(-1.5)  # another word begins
    prefix, gain = scores.extend(prefix, 2)
    assert gain + scores.finish(prefix) == pytest.approx(1.5)
    scores = PrefixScores(WORDS, BeamConfig(hotwords={"stop go": 6.0}))
    prefix, gain = scores.extend(scores.start(), 2)
    assert gain == pytest.approx(4.0)  # 4 of 6 letters
    assert scores.extend(prefix, 3)[1] == pytest.approx(2.0)
    assert scores.extend(prefix, 1)[1] == pytest.approx(-4.0)


def test_a_hotword_is_heard_that_otherwise_is_not():
    heard = spell("STOP THE TRAIN", {11: ("U", 0.7), 6: ("M", 0.01)})  # more like TRUIN
    assert text_of(heard) == "STOP THE TRUIN"
    assert text_of(heard, hotwords={"train": 2.0}) == "STOP THE TRAIN"
    assert text_of(heard, hotwords={"the train": 2.0}) == "STOP THE TRAIN"
    assert text_of(heard, hotwords={"train": 0.5}) == "STOP THE TRUIN"  # ln 0.7 / 0.3 = 0.85
    assert text_of(heard, hotwords={"trains": 9.0}) == "STOP THE TRUIN"


def test_a_loan_keeps_a_word_in_a_narrow_beam():
    heard = spell("TRAIN", {0: ("B", 0.9), 1: ("L", 0.9), 2: ("O", 0.9)})  # BLOIN: 6.6 above TRAIN by its third letter
    assert text_of(heard, hotwords={"train": 12.0}, beam=4) == "TRAIN"


def test_no_boost_changes_nothing(tmp_path):
    pytest.importorskip("flashlight.lib.text", reason="needs flashlight-text")
    write_arpa(tmp_path / "lm.arpa", witten_bell(count_ngrams([["GO", "ON"], ["NO"]], 2)))
    rng = np.random.default_rng(5)
    logits = rng.normal(scale=2.0, size=(30, len(CHARACTERS)))
    heard = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    for model in ("", str(tmp_path / "lm.arpa")):
        plain = BeamDecoder(LETTERS, BeamConfig(model, unknown_score=0.0)).decode(heard)
        boosted = BeamDecoder(LETTERS, BeamConfig(model, unknown_score=0.0, hotwords={"go": 0.0})).decode(heard)
        assert boosted.labels == plain.labels
        assert boosted.score == pytest.approx(plain.score, abs=1e-4)


def test_above_a_language_model_a_hotword_is_a_known_word(tmp_path):
    pytest.importorskip("flashlight.lib.text", reason="needs flashlight-text")
    texts = [["THE", "TRAIN"], ["THE", "TRAIN"], ["A", "RAIN"]]
    write_arpa(tmp_path / "lm.arpa", witten_bell(count_ngrams(texts, 2)))
    heard = spell("THE TRUIN", {6: ("A", 0.3)})
    model = {"language_model": str(tmp_path / "lm.arpa")}
    assert text_of(heard, **model) == "THE TRAIN"
    assert text_of(heard, **model, hotwords={"truin": 3.0}) == "THE TRUIN"
    assert text_of(heard, **model, hotwords={"truin": -3.0}) == "THE TRAIN"


@pytest.mark.parametrize(
    ("units", "boosts", "message"),
    [
        (WORDS, {"turn left": 1.0}, "hotword 'turn' cannot be written in the words"),
        (LETTERS, {"room 5": 1.0}, "hotword '5' cannot be written in the characters"),
        (LETTERS, {" ": 1.0}, "give WORDS=NUMBER"),
        (LETTERS, {"go": float("nan")}, "give WORDS=NUMBER"),
    ],
)
def test_what_is_no_hotword(units, boosts, message):
    with pytest.raises(InputError, match=message):
        Hotwords(boosts, units)


def test_hotwords_are_written_as_transcripts_are():
    for given, written in (("don\u2019t", ("DON'T",)), ("Well-known caf\u00e9!", ("WELL", "KNOWN", "CAFE"))):
        assert Hotwords({given: 1.0}, LETTERS).ended(written) == 1.0


def test_hotwords_of_a_command_line():
    assert parse_hotwords(["TURN LEFT=3", "go=-0.5"]) == {"TURN LEFT": 3.0, "go": -0.5}
    for wrong in ("go", "go=much", "3", "=3"):
        with pytest.raises(InputError, match="give WORDS=NUMBER, such as"):
            parse_hotwords([wrong])
