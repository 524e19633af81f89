"""Text to labels and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsn_audio.decoding.units import CHARACTERS, Units, piece_labels
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK, UNKNOWN

letters = Units("characters", CHARACTERS)
words = Units("words", [BLANK, "stop", "go", UNKNOWN])


@given(st.lists(st.text("ABCXYZ'", min_size=1, max_size=5), max_size=6))
def test_characters_there_and_back(spoken):
    text = " ".join(spoken)
    labels = letters.encode(text)
    assert letters.text(labels) == text
    for word, place in letters.words(labels):
        assert letters.encode(word) == labels[place]


@given(st.lists(st.integers(1, len(CHARACTERS) - 1), max_size=12))
def test_any_characters_are_words_in_order_without_empty_ones(labels):
    found = letters.words(labels)
    assert all(word and "|" not in word for word, _ in found)
    assert [place.start for _, place in found] == sorted(place.start for _, place in found)
    assert letters.text(labels) == " ".join("".join(CHARACTERS[label] for label in labels).replace("|", " ").split())


def test_other_words_are_unknown_or_refused():
    assert words.encode("go stop halt") == [2, 1, 3]
    assert words.text([2, 1, 3]) == "go stop unknown"
    with pytest.raises(InputError, match=r"'halt'.*no unit"):
        Units("words", [BLANK, "go"]).encode("go halt")


def test_text_without_units_is_named():
    assert letters.encode("it's") == letters.encode("IT'S")
    with pytest.raises(InputError, match="'3'"):
        letters.encode("CAFÉ 3")


def test_training_and_scores_compare_the_same_text():
    assert letters.encode("It\u2019s a caf\u00e9, isn't it?") == letters.encode("IT'S A CAFE ISN'T IT")
    assert words.encode("GO, Stop! halt") == [2, 1, 3]
    phrases = Units("words", [BLANK, "open_gate", "Stop", "unknown"])
    assert phrases.encode("stop OPEN gate, open-gate open") == [2, 1, 1, 3]
    assert phrases.outside("stop OPEN gate, open up") == ["open", "up"]
    assert letters.outside("3 caf\u00e9s & bars") == ["3", "&"]


def test_pieces_of_a_trained_model(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    text = ["THE CAT SAT ON THE MAT", "A CAT AND A HAT", "THAT IS THE HAT OF THE CAT"] * 20
    made = tmp_path / "pieces"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_prefix=str(made), vocab_size=20, minloglevel=2, bos_id=-1, eos_id=-1
    )
    labels = piece_labels(f"{made}.model")
    assert labels[0] == BLANK
    assert "<unk>" not in labels
    pieces = Units("sentencepiece", labels, f"{made}.model")
    given = pieces.encode("the cat and that mat")
    assert pieces.text(given) == "THE CAT AND THAT MAT"
    assert [word for word, _ in pieces.words(given)] == "THE CAT AND THAT MAT".split()
    with pytest.raises(InputError, match="no unit"):
        pieces.encode("ZEBRA")
    with pytest.raises(InputError, match="not a SentencePiece model"):
        Units("sentencepiece", labels, str(tmp_path / "lost.model")).encode("CAT")
    with pytest.raises(InputError, match="sentencepiece is empty"):
        Units("sentencepiece", labels).encode("CAT")
