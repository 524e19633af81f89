"""Text as LibriSpeech writes it."""

import pytest

from drsn_audio.corpora.librispeech_layout import read_layout
from drsn_audio.text import to_letters


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
