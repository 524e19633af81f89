"""Details of an evaluation, on trials worked by hand: two keywords, "unknown" and "silence"."""

import numpy as np
import pytest

from drsn_audio.evaluation.details import by_noise_class, keywords_alone, other_words, rejection, with_threshold
from drsn_audio.evaluation.keyword import Trials

LABELS = ["yes", "no", "unknown", "silence"]
#         said   target  probabilities
TRIALS = [
    ("yes", 0, [0.6, 0.1, 0.2, 0.1]),
    ("yes", 0, [0.2, 0.1, 0.6, 0.1]),  # rejected, though "yes" is the likelier word
    ("no", 1, [0.5, 0.3, 0.1, 0.1]),  # taken for "yes"
    ("tree", 2, [0.1, 0.2, 0.6, 0.1]),
    ("tree", 2, [0.9, 0.0, 0.1, 0.0]),  # a false accept
    ("", 3, [0.0, 0.4, 0.3, 0.3]),  # a false accept that a threshold of 0.45 stops
]
CLASSES = ["siren/1", "siren/1", "siren/2", "car_horn/3", "car_horn/3", "car_horn/3"]


@pytest.fixture
def trials():
    words, targets, probabilities = zip(*TRIALS, strict=True)
    logits = np.log(np.maximum(probabilities, 1e-9))
    speakers = np.array([f"s{number}" for number in range(len(words))])
    return Trials("street", 5.0, logits, np.array(targets), speakers, np.array(CLASSES), np.array(words))


def test_the_words_alone_have_nothing_to_reject(trials):
    (alone,) = keywords_alone([trials], LABELS)
    assert alone.predictions.tolist() == [0, 0, 0]
    assert alone.targets.tolist() == [0, 0, 1]
    assert alone.words.tolist() == ["yes", "yes", "no"]
    assert trials.predictions.tolist() == [0, 2, 0, 2, 0, 1]  # as they were
    assert keywords_alone([trials], ["a", "b", "yes", "no"])[0].targets.tolist() == [0, 0, 1, 2, 2, 3]


def test_classes_of_noise(trials):
    horn, siren = by_noise_class([trials])
    assert (horn["noise_class"], horn["trials"], horn["noise_recordings"]) == ("car_horn", 3, 1)
    assert (siren["noise_class"], siren["trials"], siren["noise_recordings"]) == ("siren", 3, 2)
    assert horn["accuracy"] == siren["accuracy"] == pytest.approx(1 / 3)


def test_other_words_that_were_taken_for_one(trials):
    assert other_words([trials, trials], LABELS) == [{"word": "tree", "trials": 4, "accepted": 2}]
    assert other_words([trials], ["a", "b", "c", "d"]) == []


def test_rejection_with_and_without_its_threshold(trials):
    (found,) = rejection([trials], LABELS, {"temperature": 1.0, "reject_below": 0.55})
    assert (found["keyword_trials"], found["other_trials"]) == (3, 3)
    assert found["without"] == {"false_accepts": pytest.approx(2 / 3), "misses": pytest.approx(1 / 3)}
    assert found["with"] == {"false_accepts": pytest.approx(1 / 3), "misses": pytest.approx(2 / 3)}
    assert rejection([trials], LABELS, None) == rejection([trials], LABELS, {"temperature": 2.0}) == []


def test_answers_with_the_threshold(trials):
    (answered,) = with_threshold([trials], LABELS, {"temperature": 1.0, "reject_below": 0.55})
    assert answered.predictions.tolist() == [0, 2, 2, 2, 0, 2]  # the third and the last were keywords below 0.55
    assert answered.targets is trials.targets
    (only_silence,) = with_threshold([trials], ["yes", "no", "up", "silence"], {"reject_below": 0.55})
    assert only_silence.predictions.tolist() == [0, 2, 3, 2, 0, 3]  # nothing else is no word
    for calibration in (None, {"temperature": 2.0}, {"reject_below": 0.0}):
        assert with_threshold([trials], LABELS, calibration) == []
    assert with_threshold([trials], ["yes", "no", "up", "down"], {"reject_below": 0.5}) == []


def test_a_share_of_no_trials_is_none(trials):
    (alone,) = keywords_alone([trials], LABELS)
    (found,) = rejection([alone], LABELS, {"reject_below": 0.5})
    assert found["with"]["false_accepts"] is None
