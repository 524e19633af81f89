import re
import sys
from collections import Counter

import numpy as np
import pytest

from drsn_audio.extras import install_command
from drsn_audio.metrics.wer import character_errors, confusions, word_errors


def counts(found) -> tuple[int, int, int, int]:
    return found.hits, found.substitutions, found.deletions, found.insertions


@pytest.mark.parametrize(
    ("said", "written", "expected", "rate"),
    [
        ("left stop seven go", "left stop seven go", (4, 0, 0, 0), 0),
        ("left stop seven go", "left up seven go", (3, 1, 0, 0), 1 / 4),
        ("left stop seven go", "left seven go", (3, 0, 1, 0), 1 / 4),
        ("left stop seven go", "left stop stop seven go", (4, 0, 0, 1), 1 / 4),
        ("left stop seven go", "", (0, 0, 4, 0), 1),
        ("on", "no on off", (1, 0, 0, 2), 2),  # more errors than words
        ("one two three", "two three four", (2, 0, 1, 1), 2 / 3),  # moved, not all wrong
    ],
)
def test_word_errors_by_hand(said, written, expected, rate):
    found = word_errors([said], [written])
    assert counts(found) == expected
    assert found.rate == pytest.approx(rate)
    assert found.length == len(said.split())
    assert found.exact == (rate == 0)


def test_character_errors_by_hand():
    # h-e-l-l-o to h-a-l-o: e for a, one l less.
    assert counts(character_errors(["HELLO"], ["halo"])) == (3, 1, 1, 0)
    # The space is a character.
    found = character_errors(["to day"], ["today"])
    assert counts(found) == (5, 0, 1, 0)
    assert found.rate == pytest.approx(1 / 6)


def test_the_rate_is_of_sums_not_a_mean_of_rates():
    found = word_errors(
        ["on", "left stop seven go up down no yes off"], ["off", "left stop seven go up down no yes off"]
    )
    assert found.rate == pytest.approx(1 / 10)  # the mean of the rates were 1/2
    assert found.errors.tolist() == [1, 0]
    assert found.lengths.tolist() == [1, 9]
    assert found.exact == 1


def test_empty_references_and_hypotheses():
    found = word_errors(["", "", "go left"], ["stop it", "", ""])
    assert found.by_utterance.tolist() == [[0, 0, 0, 2], [0, 0, 0, 0], [0, 0, 2, 0]]
    assert found.rate == pytest.approx((2 + 2) / 2)
    assert found.exact == 1
    assert word_errors([" "], [""]).rate == 0
    assert word_errors([""], ["go"]).rate == np.inf
    assert character_errors(["", "a"], ["xy", ""]).by_utterance.tolist() == [[0, 0, 0, 2], [0, 0, 1, 0]]
    nothing = word_errors([], [])
    assert (nothing.rate, nothing.length, nothing.exact) == (0, 0, 0)


def test_case_spaces_and_punctuation_do_not_count():
    assert word_errors(["LEFT  Stop\tDON\u2019T"], [" left stop don't "]).rate == 0
    assert word_errors(["left, stop."], ["left stop"]).rate == 0
    assert character_errors(["Left -- stop!"], ["left stop"]).rate == 0
    assert word_errors(["1"], ["one"]).substitutions == 1  # numbers stay as they are


def test_confused_words_by_hand():
    found = confusions(
        ["left stop seven go", "LEFT on", "go go"],
        ["left up seven go", "left off on", "no"],
    )
    assert found.substituted == Counter({("stop", "up"): 1, ("go", "no"): 1})
    assert found.inserted == Counter({"off": 1})
    assert found.deleted == Counter({"go": 1})


def test_runs_of_confused_words_are_counted_word_by_word():
    found = confusions(["on on off", "a"], ["no no off", "a b c"])
    assert found.substituted == Counter({("on", "no"): 2})
    assert found.inserted == Counter({"b": 1, "c": 1})


def test_every_error_is_a_confusion():
    rng = np.random.default_rng(0)
    words = np.array(["yes", "no", "up"])
    said, written = ([" ".join(rng.choice(words, rng.integers(0, 7))) for _ in range(200)] for _ in range(2))
    found, errors = confusions(said, written), word_errors(said, written)
    assert counts(errors)[1:] == tuple(count.total() for count in (found.substituted, found.deleted, found.inserted))
    lengths = [len(text.split()) for text in said]
    assert errors.lengths.tolist() == lengths
    assert [len(text.split()) for text in written] == (errors.by_utterance[:, [0, 1, 3]].sum(1)).tolist()


def test_texts_must_pair():
    with pytest.raises(ValueError, match="2 hypotheses for 1 references"):
        word_errors(["go"], ["go", "on"])


def test_without_jiwer_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(ModuleNotFoundError, match=re.escape(install_command("score"))):
        word_errors(["go"], ["go"])
