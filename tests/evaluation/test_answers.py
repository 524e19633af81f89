"""Answers as text, and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsn_audio.evaluation.answers import (
    describe_answers,
    pack_bits,
    pack_numbers,
    read_lists,
    unpack_bits,
    unpack_numbers,
)
from drsn_audio.evaluation.keyword import Trials


def trials(kind, snr_db, answers, sources, speakers=("ann", "bob", "ann")):
    logits = np.eye(2)[list(answers)]
    words = np.array(["low", "high", "low"])
    return Trials(kind, snr_db, logits, np.array([0, 1, 0]), np.array(speakers), np.array(sources), words)


@given(st.lists(st.booleans(), max_size=70))
def test_bits_come_back(bits):
    assert unpack_bits(pack_bits(np.array(bits, dtype=bool)), len(bits)).tolist() == bits


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_numbers_come_back(numbers):
    assert unpack_numbers(pack_numbers(np.array(numbers, dtype=np.int64))).tolist() == numbers


def test_conditions_with_the_same_trials_share_a_list():
    asked = [
        trials("street", 5.0, (0, 1, 1), ("car", "bus", "car")),
        trials("street", 0.0, (1, 1, 1), ("car", "bus", "car")),
        trials("clean", None, (0, 1, 0), ("car", "car", "car")),
    ]
    facts = json.loads(json.dumps(describe_answers(asked, ["low", "high"])))
    assert [one["list"] for one in facts["conditions"]] == [0, 0, 1]
    assert [one["accuracy"] for one in facts["conditions"]] == pytest.approx([2 / 3, 1 / 3, 1])
    right = [unpack_bits(one["correct"], one["trials"]).tolist() for one in facts["conditions"]]
    assert right == [[True, True, False], [False, True, False], [True, True, True]]
    first, second = read_lists(facts["asked"])
    assert first.speakers.tolist() == ["ann", "bob", "ann"]
    assert first.noise_sources.tolist() == ["car", "bus", "car"]
    assert second.noise_sources.tolist() == ["car", "car", "car"]


def test_the_digest_is_that_of_the_trials_and_not_of_the_answers():
    def digest(*arguments, **other):
        return describe_answers([trials("street", 5.0, *arguments, **other)], ["low", "high"])["asked"]["sha256"]

    sources = ("car", "bus", "car")
    assert digest((0, 0, 0), sources) == digest((1, 1, 1), sources)
    assert digest((0, 0, 0), sources) != digest((0, 0, 0), ("car", "car", "bus"))
    assert digest((0, 0, 0), sources) != digest((0, 0, 0), sources, speakers=("ann", "bob", "eve"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!", "base64"),
        ("eNo", "padding"),
        (pack_bits(np.ones(17, bool)), "3 bytes of bits for 16 trials"),
        ("AAAA", "decompressing"),
    ],
)
def test_other_text_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        unpack_bits(text, 16)


def test_a_large_test_stays_small():
    """4,890 clips, 4 draws, 2 kinds and 5 SNRs at nine right of ten."""
    right = np.random.default_rng(0).random((10, 4 * 4890)) < 0.9
    assert sum(len(pack_bits(one)) for one in right) < 35_000
