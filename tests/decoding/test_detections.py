"""From windows to words: one utterance is one word, chance is none, and its time is what its windows share."""

import numpy as np
import pytest

from drsn_audio.decoding.detections import WindowAnswers, same_word, shared_span, suppress_echoes

LABELS = ["go", "stop", "unknown", "silence"]
HOP_S = 0.125


def hear(heard, num_windows=40, reject_below=0.0, detect_below=0.5, labels=LABELS, otherwise="silence"):
    """Answers to windows of 1 s: `heard` maps indices of windows to (label, probability), all others are silent."""
    answers = WindowAnswers(labels, 1.0, reject_below, detect_below)
    for index in range(num_windows):
        label, probability = heard.get(index, (otherwise, 0.97))
        row = np.full(len(labels), (1 - probability) / (len(labels) - 1), np.float32)
        row[labels.index(label)] = probability
        answers.add(index * HOP_S, index * HOP_S + 1, row)
    return [(word.label, round(word.score, 3), word.start_s, word.end_s) for word in answers.answers()]


def word(label, first, last, probability=0.9):
    return dict.fromkeys(range(first, last + 1), (label, probability))


def test_windows_that_hear_the_same_word_are_one_detection():
    # Windows 8 to 13 begin from 1.0 to 1.625 s: what they share is 1.625 to 2.0 s.
    heard = word("go", 8, 13) | {10: ("go", 0.95)}
    assert hear(heard) == [("go", 0.95, 1.625, 2.0)]
    assert hear(heard | {9: ("unknown", 0.9), 11: ("go", 0.4)}) == [("go", 0.95, 1.625, 2.0)]  # gaps


def test_words_come_in_order_of_time():
    heard = word("stop", 4, 9, 0.8) | word("go", 20, 25) | word("stop", 30, 35)
    assert [(label, start) for label, _, start, _ in hear(heard)] == [("stop", 1.125), ("go", 3.125), ("stop", 4.375)]


def test_the_same_word_said_twice_is_two():
    assert len(hear(word("go", 4, 9) | word("go", 14, 19))) == 2


def test_an_echo_of_another_label_is_suppressed():
    """The end of a word may sound like another: of two so near, the more probable one was said."""
    assert [label for label, *_ in hear(word("stop", 8, 13) | word("go", 14, 17, 0.6))] == ["stop"]
    assert [label for label, *_ in hear(word("stop", 8, 13, 0.6) | word("go", 14, 17))] == ["go"]


def test_what_two_windows_hear_by_chance_is_no_word():
    assert hear(word("go", 8, 9)) == [("unknown", 0.033, 0.0, 40 * HOP_S - HOP_S + 1)]
    assert hear(word("go", 8, 10))[0][0] == "go"


def test_at_the_edges_one_window_is_enough():
    assert hear(word("go", 0, 0))[0][0] == "go"
    assert hear(word("go", 39, 39))[0][0] == "go"


def test_a_word_is_not_heard_below_the_threshold():
    heard = word("go", 8, 13, 0.6)
    assert hear(heard)[0][0] == "go"
    assert hear(heard, detect_below=0.7) == [("unknown", 0.133, 0.0, 5.875)]
    assert hear(heard, reject_below=0.7)[0][0] == "go"  # that one is for clips


def test_nothing_is_one_answer_over_the_whole():
    assert hear({}) == [("silence", 0.97, 0.0, 5.875)]
    assert hear({7: ("unknown", 0.8)}) == [("unknown", 0.8, 0.0, 5.875)]


def test_without_a_label_for_silence():
    labels = ["go", "stop", "unknown"]
    assert hear(word("unknown", 8, 13), labels=labels, otherwise="unknown")[0][0] == "unknown"
    assert hear(word("go", 8, 13), labels=labels, otherwise="unknown")[0][0] == "go"


def test_without_silence_or_unknown():
    """Every window is then some word; only what is probable for long enough is said to be one."""
    assert hear(word("go", 8, 13), labels=["go", "stop", "left"], otherwise="left")[0][0] == "left"
    answers = WindowAnswers(["go", "stop"], 1.0, 0.0, 0.6)
    for start_s in (0.0, 0.125):
        answers.add(start_s, start_s + 1, np.array([0.55, 0.45]))
    (heard,) = answers.answers()
    assert (heard.label, heard.score) == ("unknown", 0.0)  # a label that the model has no probability for


@pytest.mark.parametrize(
    ("probability", "reject_below", "answer"),
    [(0.6, 0.0, ("go", 0.6)), (0.6, 0.6, ("go", 0.6)), (0.6, 0.61, ("unknown", 0.133333)), (0.3, 0.0, ("go", 0.3))],
)
def test_a_clip_is_one_answer(probability, reject_below, answer):
    row = np.array([probability, *[(1 - probability) / 3] * 3])
    answers = WindowAnswers(LABELS, 1.0, reject_below, 0.99)
    answers.add(0.0, 0.4, row)
    (heard,) = answers.answers()
    assert (heard.label, round(heard.score, 6), heard.start_s, heard.end_s) == (*answer, 0.0, 0.4)
    assert np.array_equal(heard.probabilities, row)


def test_a_rejection_leaves_silence_alone():
    answers = WindowAnswers(LABELS, 1.0, 0.9, 0.9)
    answers.add(0.0, 1.0, np.array([0.1, 0.1, 0.2, 0.6]))
    assert answers.answers()[0].label == "silence"


def test_rows_are_kept_not_their_batch():
    """Memory must not grow with the batches that held a word."""
    batch = np.full((64, 4), 0.01)
    batch[0, 0] = 0.97
    answers = WindowAnswers(LABELS, 1.0, 0.0, 0.5)
    answers.add(0.0, 1.0, batch[0])
    answers.add(0.5, 1.5, batch[1])
    batch[:] = 0
    assert answers.answers()[0].probabilities[0] == 0.97


def test_runs():
    starts = np.array([0.0, 0.1, 0.2, 0.3, 0.9])
    assert same_word(starts, np.array([0, 1, 0, 0, 0]), 0.5) == [[0, 2, 3], [1], [4]]


def test_the_span_is_never_empty():
    assert shared_span(1.0, 1.5, 1.0) == pytest.approx((1.5, 2.0))
    assert shared_span(1.0, 2.5, 1.0) == pytest.approx((2.15, 2.35))


def test_echoes_of_none():
    assert suppress_echoes([], 1.0) == []
