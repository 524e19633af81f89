"""Witten-Bell n-grams: worked by hand, summing to 1, and read by KenLM."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.decoding.arpa import BEGIN, END, ORDERS, UNSEEN, count_ngrams, witten_bell, write_arpa
from drsn_audio.errors import InputError

TEXTS = [["a", "b"], ["a"]]


def probability(model, words, word):
    """P(word | words) as an ARPA file means it: the longest n-gram there is, and the back-off weights on the way."""
    history = tuple(words)[max(0, len(words) - len(model) + 1) :]
    weight = 1.0
    while True:
        entry = model[len(history)].get((*history, word))
        if entry is not None:
            return weight * 10**entry.probability
        known = model[len(history) - 1].get(history)
        if known is not None and known.backoff is not None:
            weight *= 10**known.backoff
        history = history[1:]


def test_worked_by_hand():
    # Unigrams: a 2, b 1, </s> 2, so c = 5, T = 3; V = 4 with <unk>: P(a) = (2 + 3 / 4) / (5 + 3).
    unigrams, bigrams = witten_bell(count_ngrams(TEXTS, 2))
    by_hand = {"a": 2.75 / 8, "b": 1.75 / 8, END: 2.75 / 8, UNSEEN: 0.75 / 8, BEGIN: 1e-99}
    assert {word: 10**entry.probability for (word,), entry in unigrams.items()} == pytest.approx(by_hand)
    # <s> is seen twice, before one word; a twice, before two; b once, before one.
    assert {gram: 10**entry.probability for gram, entry in bigrams.items()} == pytest.approx(
        {
            (BEGIN, "a"): (2 + 1 * 2.75 / 8) / (2 + 1),
            ("a", "b"): (1 + 2 * 1.75 / 8) / (2 + 2),
            ("a", END): (1 + 2 * 2.75 / 8) / (2 + 2),
            ("b", END): (1 + 1 * 2.75 / 8) / (1 + 1),
        }
    )
    backoffs = {word: entry.backoff and 10**entry.backoff for (word,), entry in unigrams.items()}
    assert backoffs == {BEGIN: pytest.approx(1 / 3), "a": pytest.approx(1 / 2), "b": 0.5, END: None, UNSEEN: None}


def test_what_is_left_out_goes_to_the_lower_order():
    # a b and a </s> are seen once each and left out: all of a's weight, 2 + 2 of 4, is the unigrams'.
    unigrams, bigrams = witten_bell(count_ngrams(TEXTS, 2), min_counts=[2])
    assert list(bigrams) == [(BEGIN, "a")]
    assert 10 ** unigrams[("a",)].backoff == pytest.approx(1.0)
    assert probability([unigrams, bigrams], ["a"], "b") == pytest.approx(1.75 / 8)


sentences = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=1, max_size=8)


@settings(deadline=None, max_examples=40)
@given(sentences, st.integers(*ORDERS), st.lists(st.integers(1, 3), max_size=3).map(sorted))
def test_the_probabilities_after_any_words_sum_to_1(texts, order, min_counts):
    model = witten_bell(count_ngrams(texts, order), min_counts, words=["e"])
    words = [word for (word,) in model[0] if word != BEGIN]
    histories = {gram for entries in model for gram in entries} | {("b", "e", "a"), ("e",), ()}
    for history in histories:
        total = sum(probability(model, history, word) for word in words)
        assert total == pytest.approx(1.0, abs=1e-9), history
    for entries in model[1:]:  # KenLM wants what each n-gram is made of
        for gram in entries:
            assert gram[1:] in model[len(gram) - 2]
            assert gram[:-1] in model[len(gram) - 2]


@pytest.mark.parametrize("order", [2, 3, 5])
def test_kenlm_reads_the_same_probabilities(order, tmp_path):
    kenlm = pytest.importorskip("flashlight.lib.text.decoder.kenlm")
    dictionary = pytest.importorskip("flashlight.lib.text.dictionary")
    texts = [line.split() for line in ("left stop go", "left left stop", "go left stop go", "stop")]
    model = witten_bell(count_ngrams(texts, order))
    write_arpa(tmp_path / "words.arpa", model)
    words = [UNSEEN, "left", "stop", "go", "right"]
    read = kenlm.KenLM(str(tmp_path / "words.arpa"), dictionary.Dictionary(words))
    for said in (["left", "stop", "go"], ["go", "go"], ["stop", "right", "left"], []):
        state, history = read.start(False), [BEGIN]
        for word in said:
            state, score = read.score(state, words.index(word))
            known = word if (word,) in model[0] else UNSEEN
            assert score == pytest.approx(math.log10(probability(model, history, known)), abs=1e-5)
            history.append(known)
        assert read.finish(state)[1] == pytest.approx(math.log10(probability(model, history, END)), abs=1e-5)


def test_characters_are_words_as_well():
    unigrams, _ = witten_bell(count_ngrams([list("GO|ON")], 2))
    assert 10 ** unigrams[("O",)].probability == pytest.approx((2 + 5 / 6) / (6 + 5))  # 6 said, of 5 kinds, V = 6


def test_an_empty_text_counts_nothing():
    assert count_ngrams([[], *TEXTS], 2) == count_ngrams(TEXTS, 2)


@pytest.mark.parametrize(
    ("texts", "order", "message"),
    [
        (TEXTS, 1, "order 1: choose 2 to 5"),
        (TEXTS, 6, "order 6: choose 2 to 5"),
        ([[]], 2, "hold no words"),
        ([["a", "</s>"]], 2, "holds '</s>'"),
    ],
)
def test_what_cannot_be_counted(texts, order, message):
    with pytest.raises(InputError, match=message):
        count_ngrams(texts, order)


def test_least_counts_that_fall():
    with pytest.raises(InputError, match="least counts 2 1: none may be lower than the one before"):
        witten_bell(count_ngrams(TEXTS, 3), min_counts=[2, 1])
