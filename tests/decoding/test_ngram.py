"""Language models as KenLM reads them: plain or packed, in natural logarithms, and without its progress bar."""

import gzip
import math

import pytest

pytest.importorskip("flashlight.lib.text", reason="needs flashlight-text")

from drsn_audio.decoding.arpa import END, count_ngrams, witten_bell, write_arpa
from drsn_audio.decoding.ngram import Ngram, counts_labels, read_lexicon, read_vocabulary
from drsn_audio.decoding.units import CHARACTERS, PIECE_SPACE, Units
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK

LETTERS = Units("characters", CHARACTERS)
PIECES = Units("sentencepiece", [BLANK, f"{PIECE_SPACE}GO", f"{PIECE_SPACE}O", "N", "L", "E", "F", "T"])


@pytest.fixture
def arpa(tmp_path):
    write_arpa(tmp_path / "lm.arpa", witten_bell(count_ngrams([["GO", "ON"], ["GO"]], 2)))
    return tmp_path / "lm.arpa"


@pytest.mark.parametrize("packed", [False, True])
def test_it_is_read_plain_and_packed_and_says_nothing(arpa, packed, capfd):
    # As in test_arpa: GO 2, ON 1, </s> 2; P(GO | <s>) = (2 + P(GO)) / 3, P(</s> | GO) = (1 + 2 P(</s>)) / 4.
    if packed:
        (arpa.parent / "lm.arpa.gz").write_bytes(gzip.compress(arpa.read_bytes()))
        arpa = arpa.parent / "lm.arpa.gz"
    assert sorted(read_vocabulary(str(arpa))) == ["GO", "ON"]
    model = Ngram(str(arpa), ["GO", "ON"])
    state, go = model.score(model.begin(), "GO")
    assert go == pytest.approx(math.log((2 + 2.75 / 8) / 3), abs=1e-5)
    assert model.end(state) == pytest.approx(math.log((1 + 2 * 2.75 / 8) / 4), abs=1e-5)
    unknown = model.score(state, "NEVER")[1]
    assert unknown == pytest.approx(math.log(0.5 * 0.75 / 8), abs=1e-5)
    assert unknown == model.score(state, END)[1]  # no word of ours, whatever it means to KenLM
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("units", "words", "of_labels"),
    [
        (LETTERS, ["GO", "ON", "DON'T"], False),
        (LETTERS, ["G", "O", "|", *"ABCDEFHIJKLMN"], True),
        (PIECES, ["GO", "LEFT", "ON"], False),
        (PIECES, [f"{PIECE_SPACE}GO", f"{PIECE_SPACE}O", "N", "L", "E"], True),
        (Units("words", [BLANK, "go", "on"]), ["go", "left"], True),
    ],
)
def test_whether_it_is_of_labels_is_told_by_its_words(units, words, of_labels):
    assert counts_labels("lm.arpa", words, units) is of_labels


@pytest.mark.parametrize(("content", "message"), [(b"", "holds no words"), (b"caf\xe9", "not UTF-8")])
def test_what_is_no_lexicon(content, message, tmp_path):
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_lexicon(str(tmp_path / "words.txt"))


def test_what_is_no_arpa_file(tmp_path):
    (tmp_path / "lm.bin").write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\x00\xff\xfe")
    with pytest.raises(InputError, match="for a binary file of KenLM, which does not tell its words"):
        read_vocabulary(str(tmp_path / "lm.bin"))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"\\data\\\n" * 1000)[:30])
    with pytest.raises(InputError, match=r"cut\.gz: not an ARPA file"):
        read_vocabulary(str(tmp_path / "cut.gz"))
