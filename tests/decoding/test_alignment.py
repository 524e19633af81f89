"""Where labels and words lie in time."""

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import torch

from drsn_audio.decoding.alignment import aligned_words, forced_spans, frames_needed, word_times
from drsn_audio.decoding.greedy import Spike, greedy_spikes
from drsn_audio.decoding.units import CHARACTERS, PIECE_SPACE, Units
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK

WORDS = Units("words", [BLANK, "left", "stop", "seven"])
LETTERS = Units("characters", CHARACTERS)


def draw_log_probabilities(frames, classes, seed):
    logits = np.random.default_rng(seed).normal(scale=2.0, size=(frames, classes))
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def collapse(path):
    kept = [label for place, label in enumerate(path) if place == 0 or label != path[place - 1]]
    return [label for label in kept if label]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("labels", [[1], [1, 2], [1, 1], [2, 1, 2], [1, 2, 2]])
def test_the_best_of_all_paths_that_write_the_labels(labels, seed):
    log_probabilities = draw_log_probabilities(5, 3, seed)
    paths = [path for path in product(range(3), repeat=5) if collapse(path) == labels]
    best = max(paths, key=lambda path: log_probabilities[np.arange(5), list(path)].sum())
    spikes = forced_spans(log_probabilities, labels)
    assert [spike.label for spike in spikes] == labels
    written = [0] * 5
    for spike in spikes:
        written[spike.first : spike.last + 1] = [spike.label] * (spike.last + 1 - spike.first)
        heard = np.exp(log_probabilities[spike.first : spike.last + 1, spike.label]).mean()
        assert spike.probability == pytest.approx(heard, rel=1e-5)
    assert tuple(written) == best


def test_what_greedy_decoding_says_is_aligned_where_it_was_said():
    log_probabilities = draw_log_probabilities(60, 6, seed=3)
    spikes = greedy_spikes(np.exp(log_probabilities))
    aligned = forced_spans(torch.tensor(log_probabilities), [spike.label for spike in spikes])
    assert [spike[:3] for spike in aligned] == [spike[:3] for spike in spikes]


def test_labels_that_do_not_fit_into_the_frames():
    log_probabilities = draw_log_probabilities(4, 3, seed=0)
    assert frames_needed([1, 1, 2, 2]) == 6
    assert len(forced_spans(log_probabilities, [1, 2, 1, 2])) == 4
    with pytest.raises(InputError, match="4 labels need 6 frames, the sound has 4"):
        forced_spans(log_probabilities, [1, 1, 2, 2])
    assert forced_spans(log_probabilities[:0], []) == []


def test_words_lie_where_their_labels_do():
    spikes = [Spike(1, 2, 3, 0.9), Spike(2, 10, 10, 0.5)]
    left, stop = word_times(spikes, WORDS, 0.04)
    assert (left.text, left.start, left.end, left.confidence) == ("left", 0.08, pytest.approx(0.16), 0.9)
    assert (stop.text, stop.start, stop.end, stop.confidence) == ("stop", 0.4, pytest.approx(0.44), 0.5)


def test_a_word_of_letters_spans_them_and_not_the_spaces():
    ids = LETTERS.encode("go on")  # G O | O N
    spikes = [Spike(label, 3 * place, 3 * place + 1, 0.2 * place) for place, label in enumerate(ids)]
    go, on = word_times(spikes, LETTERS, 0.04)
    assert (go.text, go.start, go.end) == ("GO", 0.0, pytest.approx(5 * 0.04))
    assert (on.text, on.start, on.end) == ("ON", pytest.approx(9 * 0.04), pytest.approx(14 * 0.04))
    assert go.confidence == pytest.approx(0.1)
    assert on.confidence == pytest.approx(0.7)


def test_pieces_are_joined():
    pieces = Units("sentencepiece", [BLANK, f"{PIECE_SPACE}ST", "OP", f"{PIECE_SPACE}GO"])
    words = word_times([Spike(1, 0, 0, 1.0), Spike(2, 4, 4, 0.5), Spike(3, 7, 8, 1.0)], pieces, 0.04)
    assert [(word.text, word.start, word.confidence) for word in words] == [
        ("STOP", 0.0, 0.75),
        ("GO", pytest.approx(0.28), 1.0),
    ]
    assert words[0].end == pytest.approx(0.2)


def test_times_before_the_label_by_the_timing_of_the_word():
    timing = {"start_s": {"left": 0.5}, "end_s": {"left": 0.1}, "default": [0.6, 0.2]}
    spikes = [Spike(1, 24, 26, 1.0), Spike(2, 49, 49, 1.0)]  # their first frames end at 1 s and at 2 s
    left, stop = word_times(spikes, WORDS, 0.04, timing)
    assert (left.start, left.end) == (pytest.approx(0.5), pytest.approx(0.9))
    assert (stop.start, stop.end) == (pytest.approx(1.4), pytest.approx(1.8))


def test_times_are_never_negative_nor_out_of_order_and_a_stream_tells_the_same():
    timing = {"start_s": {"seven": 2.0}, "end_s": {"seven": 2.0}, "default": [0.3, 0.05]}
    spikes = [Spike(2, 3, 3, 1.0), Spike(1, 30, 30, 1.0), Spike(3, 32, 32, 1.0)]
    words = word_times(spikes, WORDS, 0.04, timing)
    starts = [word.start for word in words]
    assert starts == sorted(starts)
    assert starts[0] == 0.0
    assert all(word.end > word.start for word in words)
    heard, after = [], 0.0
    for spike in spikes:
        heard += word_times([spike], WORDS, 0.04, timing, after)
        after = heard[-1].start
    assert heard == words


def test_words_of_a_part_lie_where_it_lies_in_the_whole():
    log_probabilities = draw_log_probabilities(40, 4, seed=2)
    labels = [1, 3, 3, 2]
    alone = aligned_words(log_probabilities, labels, WORDS, 0.04)
    assert [word.text for word in alone] == ["left", "seven", "seven", "stop"]
    within = aligned_words(log_probabilities, labels, WORDS, 0.04, first_frame=1000)
    assert [word.start for word in within] == pytest.approx([word.start + 40.0 for word in alone])
    assert [word.end for word in within] == pytest.approx([word.end + 40.0 for word in alone])
    assert [word.confidence for word in within] == [word.confidence for word in alone]
    assert aligned_words(log_probabilities, labels, WORDS, 0.04, after=9.0)[0].start == 9.0


def test_no_words_of_no_labels():
    assert word_times([], WORDS, 0.04) == []


def test_torch_is_not_imported_for_times():
    check = "import sys, drsn_audio.decoding.alignment; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)
