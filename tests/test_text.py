"""How texts are compared, and how lists of transcripts are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsn_audio.corpora.librispeech_layout import read_layout
from drsn_audio.errors import InputError
from drsn_audio.text import (
    Vocabulary,
    count_outside,
    in_vocabulary,
    normalise_text,
    outside_line,
    parse_transcripts,
    read_text,
    to_letters,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Müller's well-known café, isn't it?", "MR MULLER'S WELL KNOWN CAFE ISN'T IT"),
        ("\ufeffStraße — o’clock\u200b", "STRASSE O'CLOCK"),
        ("don`t «say» it… don´t!", "DON'T SAY IT DON'T"),
        ("and/or a_b a|b soft\u00adhyphen", "AND OR A B A B SOFTHYPHEN"),
        ("'tis the boys' ' one", "'TIS THE BOYS' ONE"),
        ("ﬁne Æther, Łódź, Þór", "FINE AETHER LODZ THOR"),
        (" \t\n", ""),
        ("?!", ""),
        # Nobody can tell how these were read.
        ("in 1984, 5 % & more", "IN 1984 5 % & MORE"),
        ("Привет", "ПРИВЕТ"),
    ],
)
def test_text_as_librispeech_writes_it(text, expected):
    assert to_letters(text) == expected
    assert to_letters(expected) == expected


def test_librispeech_itself_stays_what_it_is(real_audio):
    utterances, _, _ = read_layout(real_audio / "LibriSpeech")
    assert utterances
    assert all(to_letters(utterance.text) == utterance.text for utterance in utterances)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LEFT  Stop\t\n", "left stop"),
        ("Left, stop.  YES! no?", "left stop yes no"),
        ("\u00bfQu\u00e9 pasa? \u00a1Hola!", "qu\u00e9 pasa hola"),
        ("\u00ableft\u00bb \u201cstop\u201d (yes) [no] {up} <down>", "left stop yes no up down"),
        ("left\u2014stop \u2013 yes -- no \u2026 up...", "left stop yes no up"),
        ("Don\u2019t don`t don\u02bct", "don't don't don't"),
        ("\u2018left\u2019 'stop' dogs' 'tis", "left stop dogs tis"),
        ("open_gate open-gate Open  Gate", "open gate open gate open gate"),
        ("uh-huh, um... le- left", "uh huh um le left"),
        ("1 3.5 1,000 10:30 5. 50% $5", "1 3.5 1,000 10:30 5 50% $5"),  # numbers stay as they are
        ("STRASSE Stra\u00dfe", "strasse strasse"),
        ("\u0130zmir \u0131", "izmir \u0131"),
        ("cafe\u0301 CAF\u00c9", "caf\u00e9 caf\u00e9"),
        ("\uff2c\uff25\uff26\uff34 \ufb01ve", "left five"),
        ("\ufeffle\u00adft \u266a stop \u266a \U0001f44d\ufe0f", "left stop"),
        ("\u2026 -- ?!", ""),
        ("\u200b", ""),
        ("", ""),
    ],
)
def test_texts_as_they_are_compared(text, expected):
    assert normalise_text(text) == expected


@given(st.text(max_size=12))
def test_comparing_twice_changes_nothing(text):
    assert normalise_text(normalise_text(text)) == normalise_text(text)
    assert normalise_text(f" {text}\n") == normalise_text(text)


@given(st.text(st.characters(max_codepoint=127), max_size=12) | st.text("a1'.,:`_ &$", max_size=8))
def test_plain_ascii_is_compared_as_all_other_text(text):
    assert f"{normalise_text(text)} \u00e9".strip() == normalise_text(f"{text} \u00e9")


def test_labels_by_their_words():
    known = Vocabulary(["<blank>", "left", "Stop", "open_gate", "unknown"])
    assert [known.find(word) for word in ("LEFT!", "stop", "Open gate", "open-gate", "blank", "?", "leftstop")] == [
        "left", "Stop", "open_gate", "open_gate", None, None, None
    ]  # fmt: skip
    both = Vocabulary(["US", "us"])  # a label's own spelling comes first
    assert (both.find("US"), both.find("us"), both.find("Us.")) == ("US", "us", "US")


def test_other_words_are_unknown_to_a_model_that_knows_it():
    labels = ["<blank>", "left", "Stop", "open_gate", "unknown"]
    assert in_vocabulary("LEFT stop, bird Stop", labels) == "left stop unknown stop"
    assert in_vocabulary("Open gate! open", labels) == "open gate unknown"
    assert in_vocabulary("LEFT  bird", ["<blank>", "left"]) == "left bird"


def test_words_outside_are_counted():
    found = count_outside([["bird", "tree"], [], ["bird"]])
    assert found == {
        "outside": 2, "of": 3, "words": [{"word": "bird", "times": 2}, {"word": "tree", "times": 1}], "others": 0
    }  # fmt: skip
    assert "2 of 3" in outside_line(found)
    assert "bird (2), tree (1)" in outside_line(found)
    assert outside_line(count_outside([[], []])) is None
    many = count_outside([[f"w{number}"] for number in range(60)])
    assert (len(many["words"]), many["others"]) == (50, 10)
    assert "52 more" in outside_line(many)


@pytest.mark.parametrize("parting", [" ", "\t", "  ", " \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lists_of_transcripts(tmp_path, parting, end, mark):
    rows = [("u1", "left  stop\u2028go "), ("u2", ""), ("", ""), ("u3", "yes")]
    path = tmp_path / "text"
    path.write_bytes((mark + end.join(f"{id}{parting}{text}" for id, text in rows)).encode())
    assert [tuple(line) for line in parse_transcripts(read_text(path))] == [
        (1, "u1", "left  stop\u2028go"), (2, "u2", ""), (4, "u3", "yes")
    ]  # fmt: skip


def test_files_that_are_no_text(tmp_path):
    (tmp_path / "latin").write_bytes("na\u00efve".encode("latin1"))
    for place in ("latin", "missing", "."):
        with pytest.raises(InputError):
            read_text(tmp_path / place)
