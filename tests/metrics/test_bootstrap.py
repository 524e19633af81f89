from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from drsn_audio.metrics import bootstrap
from drsn_audio.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_mean


def crossed_trials(speakers: int, noises: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every speaker in every noise once, 0/1 with speaker and noise effects: values, speakers, noises."""
    generator = np.random.default_rng(seed)
    speaker, noise = (index.ravel() for index in np.indices((speakers, noises)))
    ease = 0.8 + generator.normal(0, 0.7, speakers)[speaker] + generator.normal(0, 0.5, noises)[noise]
    return (ease + generator.normal(size=speaker.size) > 0).astype(int), speaker, noise


def test_two_speakers_have_three_resamples():
    # Drawn twice, once each, never: means 1, 1/2, 0 with probabilities 1/4, 1/2, 1/4.
    values, speakers = [1, 1, 0, 0], ["a", "a", "b", "b"]
    assert bootstrap_mean(values, speakers, seed=0) == Interval(0.5, 0.0, 1.0)
    assert bootstrap_mean(values, speakers, seed=0, confidence=0.4) == Interval(0.5, 0.5, 0.5)


def test_a_talkative_speaker_weighs_by_its_trials():
    # Resamples (a, a), (a, b), (b, b): 3/3, 3/4, 0/1.
    interval = bootstrap_mean([1, 1, 1, 0], ["a", "a", "a", "b"], seed=0, confidence=0.4)
    assert interval == Interval(0.75, 0.75, 0.75)


@pytest.mark.parametrize("confidence", [0.3, 0.5, 0.9])
def test_a_trial_weighs_the_product_of_both_counts(confidence):
    # Three speakers, two noise recordings, and not every pair of them: all resamples are counted out.
    trials = [(1, 0, 0), (0, 0, 1), (0, 1, 0), (1, 1, 1), (1, 1, 1), (0, 2, 0), (1, 2, 1)]
    means = []
    for drawn_speakers in product(range(3), repeat=3):
        for drawn_noises in product(range(2), repeat=2):
            weights = [drawn_speakers.count(s) * drawn_noises.count(n) for _, s, n in trials]
            means.append(np.dot(weights, [v for v, _, _ in trials]) / sum(weights))
    tail = (1 - confidence) / 2
    expected = np.quantile(means, [tail, 1 - tail])
    values, speakers, noises = zip(*trials, strict=True)
    interval = bootstrap_mean(values, speakers, noises, seed=1, replicates=20_000, confidence=confidence)
    assert interval.mean == pytest.approx(4 / 7)
    assert interval[1:] == pytest.approx(expected)


def test_width_is_the_standard_error_over_speakers():
    # Half of 100 speakers always right, half always wrong: 0.5 +- 1.96 * 0.5 / sqrt(100) for any trials each.
    values = np.repeat([0, 1], 50 * 20)
    interval = bootstrap_mean(values, np.arange(2000) // 20, seed=0, replicates=4000)
    assert interval == pytest.approx((0.5, 0.402, 0.598), abs=0.015)


def test_all_right_and_all_wrong_have_no_width():
    _, speakers, noises = crossed_trials(5, 7, seed=0)
    assert bootstrap_mean(np.ones(35), speakers, noises, seed=0) == (1, 1, 1)
    assert bootstrap_mean(np.zeros(35), speakers, noises, seed=0) == (0, 0, 0)


def test_with_weights_every_mean_is_a_ratio_of_sums():
    # Errors / words of speakers a, b: 3/10, 0/2. Resamples (a, a), (a, b), (b, b): 3/10, 3/12, 0/2.
    errors, words, speakers = [1, 2, 0], [4, 6, 2], ["a", "a", "b"]
    assert bootstrap_mean(errors, speakers, weights=words, seed=0, confidence=0.4) == (0.25, 0.25, 0.25)
    assert bootstrap_mean(errors, speakers, weights=words, seed=0) == (0.25, 0.0, 0.3)
    values, speakers, noises = crossed_trials(9, 6, seed=3)
    assert bootstrap_mean(values, speakers, noises, weights=np.ones(54), seed=0) == bootstrap_mean(
        values, speakers, noises, seed=0
    )


def test_a_group_mean_is_a_ratio_too():
    # street 2/4, machinery 1/10; a single speaker and recording of each kind.
    interval = bootstrap_mean([2, 0, 1], [*"aaa"], groups=["s", "m", "m"], weights=[4, 4, 6], seed=0)
    assert interval.mean == pytest.approx((0.5 + 0.1) / 2)
    assert np.isnan(interval.low)


def test_words_heard_where_nobody_spoke_count():
    # Two errors in an utterance without a word, by a speaker of others: (2 + 1) / (0 + 5).
    assert bootstrap_mean([2, 1], ["a", "a"], [0, 1], weights=[0, 5], seed=0).mean == pytest.approx(3 / 5)
    # Resamples of the speaker without words alone have no mean: the rest are (1 + 2) / 5 and 1/5.
    interval = bootstrap_mean([2, 1], ["a", "b"], weights=[0, 5], seed=0)
    assert interval == pytest.approx((3 / 5, 1 / 5, 3 / 5))


def test_a_difference_of_ratios_is_paired():
    errors_a, errors_b, words = [3, 1], [1, 0], [5, 5]
    difference = bootstrap_difference(errors_a, errors_b, ["a", "b"], weights=words, seed=0)
    assert difference == pytest.approx((3 / 10, 1 / 5, 2 / 5))


def test_a_single_speaker_or_recording_does_not_vary():
    values, _, noises = crossed_trials(6, 8, seed=2)
    alone = ["only"] * values.size
    assert bootstrap_mean(values, alone, noises, seed=0).low < np.mean(values)
    over_speakers = bootstrap_mean(values, noises, seed=0)
    assert bootstrap_mean(values, noises, alone, seed=0) == over_speakers
    nothing = bootstrap_mean(values, alone, alone, seed=0)
    assert nothing.mean == pytest.approx(np.mean(values))
    assert np.isnan(nothing.low)
    assert np.isnan(nothing.high)


def test_groups_weigh_the_same_and_share_their_speakers():
    # Speaker a is right in the street alone, b at the machine alone: every resample of the two has mean 1/2.
    values = [1, 1, 1, 0, 0, 1]
    speakers = ["a", "a", "a", "b", "a", "b"]
    groups = ["street"] * 4 + ["machinery"] * 2
    interval = bootstrap_mean([1, 0, 0, 1], [*"abab"], groups=["s", "s", "m", "m"], seed=0)
    assert interval == (0.5, 0.5, 0.5)
    assert bootstrap_mean(values, speakers, groups=groups, seed=0).mean == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_noise_recordings_are_drawn_within_their_kind():
    # One recording a kind: none of them can be missing from a resample, none can vary.
    values, speakers, kinds = crossed_trials(9, 2, seed=3)
    within = bootstrap_mean(values, speakers, kinds, groups=kinds, seed=0)
    assert within == bootstrap_mean(values, speakers, groups=kinds, seed=0)
    assert np.isnan(bootstrap_mean([1, 0], ["a", "a"], ["s", "m"], groups=["s", "m"], seed=0).low)


def test_a_recording_in_several_groups_is_drawn_once_for_all():
    # The groups are two SNRs of the same recordings, with opposite outcomes: every resample has mean 1/2.
    interval = bootstrap_mean([1, 0, 0, 1], [*"aaaa"], [*"xyxy"], groups=[0, 0, 5, 5], seed=0)
    assert interval == (0.5, 0.5, 0.5)


def test_difference_is_paired():
    values, speakers, noises = crossed_trials(20, 10, seed=4)
    shifted = bootstrap_difference(values + 0.1, values, speakers, noises, seed=0)
    assert shifted == pytest.approx((0.1, 0.1, 0.1))
    other, _, _ = crossed_trials(20, 10, seed=5)
    forth = bootstrap_difference(values, other, speakers, noises, seed=0)
    back = bootstrap_difference(other, values, speakers, noises, seed=0)
    assert forth == pytest.approx((-back.mean, -back.high, -back.low))
    assert forth.mean == pytest.approx(values.mean() - other.mean())
    assert bootstrap_difference(values == 1, values == 1, speakers, noises, seed=0) == (0, 0, 0)


@pytest.mark.slow
def test_interval_covers_the_truth_about_as_often_as_it_says():
    truth = norm.cdf(0.8 / np.sqrt(1 + 0.7**2 + 0.5**2))
    covered, covered_by_trials = [], []
    for seed in range(150):
        values, speakers, noises = crossed_trials(30, 20, seed)
        _, low, high = bootstrap_mean(values, speakers, noises, seed=seed, replicates=300)
        covered.append(low <= truth <= high)
        _, low, high = bootstrap_mean(values, np.arange(600), seed=seed, replicates=300)
        covered_by_trials.append(low <= truth <= high)
    assert 0.89 <= np.mean(covered) <= 0.99
    assert np.mean(covered_by_trials) < 0.75  # what forgetting the clusters would claim to be 95 %


def test_seed_decides_and_nothing_else(monkeypatch):
    values, speakers, noises = crossed_trials(12, 9, seed=6)
    groups = noises % 2
    interval = bootstrap_mean(values, speakers, noises, groups=groups, seed=7)
    assert interval != bootstrap_mean(values, speakers, noises, groups=groups, seed=8)
    order = np.random.default_rng(0).permutation(values.size)
    names = np.array([f"speaker-{s:02}" for s in speakers])
    shuffled = bootstrap_mean(values[order], names[order], noises[order], groups=groups[order], seed=7)
    assert shuffled == pytest.approx(interval, abs=1e-12)
    monkeypatch.setattr(bootstrap, "BLOCK_NUMBERS", 108 * 7)
    assert bootstrap_mean(values, speakers, noises, groups=groups, seed=7) == pytest.approx(interval, abs=1e-12)


def test_resamples_that_lose_a_group_are_left_out():
    # Speakers a, b in the street, c, d at the machine: 1/8 of the resamples lose one of the kinds.
    kinds = ["s", "s", "m", "m"]
    assert bootstrap_mean([1, 0, 1, 0], [*"abcd"], groups=kinds, seed=0) == (0.5, 0, 1)
    # One speaker a kind, five kinds: 5! / 5**5 = 4 % of the resamples keep all.
    with pytest.raises(ValueError, match=r"of 2000 replicates leave a group without trials"):
        bootstrap_mean([1, 0, 1, 0, 1], [*"abcde"], groups=[*"stuvw"], seed=0)


def test_thousands_of_speakers_and_recordings():
    generator = np.random.default_rng(0)
    speakers, noises = generator.integers(3000, size=(2, 20_000))
    interval = bootstrap_mean(generator.random(20_000) < 0.9, speakers, noises, seed=0, replicates=400)
    # Trials of their own: Owen's bound, sqrt(3) times the binomial standard error of 0.0021, and no wider.
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * np.sqrt(3) * 0.00212, rel=0.15)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": []}, r"values of shape \(0,\): give one number a trial"),
        ({"values": [[1, 0], [0, 1]]}, r"values of shape \(2, 2\)"),
        ({"values": [1, float("nan")]}, "1 values are NaN or infinite: leave these trials out"),
        ({"speakers": ["a"]}, r"speakers have shape \(1,\) for 2 trials"),
        ({"noises": ["a", "b", "c"]}, r"noises have shape \(3,\) for 2 trials"),
        ({"groups": "ab"}, r"groups have shape \(\) for 2 trials"),
        ({"weights": [1]}, r"weights of shape \(1,\) for 2 trials"),
        ({"weights": [1, -1]}, "weights of shape .* 0 or more"),
        ({"weights": [0, 3], "groups": [0, 1]}, "weights are all 0 in a group"),
        ({"replicates": 0}, "0 replicates: give at least 1"),
        ({"confidence": 95}, "confidence is 95: give a share between 0 and 1"),
    ],
)
def test_errors_say_what_to_do(changed, message):
    arguments = {"values": [1, 0], "speakers": ["a", "b"], "seed": 0} | changed
    with pytest.raises(ValueError, match=message):
        bootstrap_mean(**arguments)


def test_difference_wants_the_same_trials():
    with pytest.raises(ValueError, match="a difference needs the same trials"):
        bootstrap_difference([1, 0], [1], ["a", "b"], seed=0)
