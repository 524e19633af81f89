import numpy as np
import pytest

from drsn_audio.metrics.keyword import accuracy, balanced_accuracy, confusion_matrix, precision, recall

# Three classes: yes (4 trials), no (2), unknown (1); and stop (3), which nobody says.
TARGETS = np.array([0, 0, 0, 0, 1, 1, 2])
PREDICTIONS = np.array([0, 0, 0, 1, 1, 0, 0])
CONFUSION = np.array([[3, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


def test_accuracy_is_the_share_of_right_answers():
    assert accuracy(TARGETS, PREDICTIONS) == pytest.approx(4 / 7)


def test_truth_is_in_rows():
    np.testing.assert_array_equal(confusion_matrix(TARGETS, PREDICTIONS, 4), CONFUSION)


def test_confusions_hold_every_trial():
    generator = np.random.default_rng(0)
    targets, predictions = generator.integers(12, size=(2, 500))
    confusion = confusion_matrix(targets, predictions, 12)
    assert confusion.sum() == 500
    assert confusion.trace() / 500 == accuracy(targets, predictions)
    np.testing.assert_array_equal(confusion, confusion_matrix(predictions, targets, 12).T)


def test_recall_divides_by_the_truth_and_precision_by_the_answers():
    np.testing.assert_allclose(recall(CONFUSION), [3 / 4, 1 / 2, 0, np.nan])
    np.testing.assert_allclose(precision(CONFUSION), [3 / 5, 1 / 2, np.nan, np.nan])


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_with_trials():
    assert balanced_accuracy(CONFUSION) == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    with pytest.raises(ValueError, match="no trials"):
        balanced_accuracy(np.zeros((3, 3), dtype=int))


@pytest.mark.parametrize(
    ("targets", "predictions", "message"),
    [
        ([0, 1], [0], r"targets of shape \(2,\), predictions of shape \(1,\)"),
        ([], [], "one trial at least"),
        ([0, 3], [0, 1], r"target 3 is no class of 0\.\.2: check the labels"),
        ([0, 1], [0, -1], r"prediction -1 is no class of 0\.\.2"),
        ([0, 1], [0.0, 1.0], "predictions are float64: give class indices"),
    ],
)
def test_errors_say_what_to_do(targets, predictions, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(targets), np.array(predictions), 3)
