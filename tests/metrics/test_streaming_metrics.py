"""Figures of live recognition on cases worked by hand."""

import math
from typing import NamedTuple

import numpy as np
import pytest

from drsn_audio.metrics.streaming import (
    Latency,
    Spoken,
    claimable_rate,
    det_curve,
    latency,
    least_rate,
    match_events,
    merge_bursts,
    miss_at_rate,
    outside_keywords,
    poisson_interval,
    shifted_thresholds,
)


class Told(NamedTuple):
    label: str
    time: float
    score: float = 0.9


KEYWORDS = ("go", "stop")
GO = Spoken("go", 10.0, 10.5, "ann", "street1")


def counts(events, spoken, **options) -> tuple[int, int, int]:
    """Hits, misses, false alarms."""
    return tuple(map(len, match_events(events, spoken, KEYWORDS, **options)))


def test_words_are_compared_as_texts_are_and_carry_the_keyword():
    """However a reference spells it; what is a keyword stays as the model spells it."""
    keywords = ("go", "open_gate")
    spoken = [GO._replace(word="GO!"), Spoken("Open gate", 20.0, 20.5), Spoken("Gone", 30.0, 30.5)]
    found = match_events([Told("go", 10.4), Told("open_gate", 20.4), Told("Go", 40.0)], spoken, keywords)
    assert [word.word for _, word in found.hits] == ["go", "open_gate"]
    assert (found.misses, found.false_alarms) == ([], [])
    outside = outside_keywords(keywords, spoken)
    assert (outside["outside"], outside["of"], outside["words"]) == (1, 3, [{"word": "gone", "times": 1}])


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (9.99, (0, 1, 1)),  # before the word
        (10.0, (1, 0, 0)),
        (10.3, (1, 0, 0)),  # while it is said
        (11.0, (1, 0, 0)),  # 0.5 s after its end
        (11.01, (0, 1, 1)),  # too late: a false alarm and a miss
    ],
)
def test_an_event_hits_from_the_words_start_to_half_a_second_after_its_end(time, expected):
    assert counts([Told("go", time)], [GO]) == expected


def test_the_tolerance_is_an_argument_and_frames_may_round():
    assert counts([Told("go", 10.7)], [GO], tolerance_s=0.2) == (1, 0, 0)  # 10.7 - 10.5 > 0.2 in binary
    assert counts([Told("go", 10.71)], [GO], tolerance_s=0.2) == (0, 1, 1)
    assert counts([Told("go", 10.5)], [GO], tolerance_s=0) == (1, 0, 0)


def test_what_is_hit_missed_and_false_is_named():
    late, right = Told("go", 20.0), Told("stop", 3.3)
    stop = Spoken("stop", 3.0, 3.4, "bob")
    matches = match_events([late, right], [GO, stop], KEYWORDS)
    assert matches == ([(right, stop)], [GO], [late])
    assert Spoken("stop", 3.0, 3.4).speaker == ""


def test_another_word_is_a_false_alarm_and_a_miss():
    assert counts([Told("stop", 10.4)], [GO]) == (0, 1, 1)


def test_words_and_events_that_are_no_keywords_are_passed_over():
    assert counts([Told("unknown", 10.4), Told("left", 3)], [GO._replace(word="unknown")]) == (0, 0, 0)


def test_nothing_said_and_nothing_told():
    assert counts([], []) == (0, 0, 0)
    assert counts([], [GO]) == (0, 1, 0)


def test_a_burst_counts_once():
    """Gaps of 1 s and less chain; one of 1.01 s begins another burst; other words are other bursts."""
    times = [5.0, 5.4, 6.4, 7.0, 8.01]
    assert counts([Told("go", time) for time in times], []) == (0, 0, 2)
    assert [event.time for event in merge_bursts([Told("go", time) for time in reversed(times)])] == [5.0, 8.01]
    assert counts([Told("go", 5.0), Told("stop", 5.2), Told("go", 5.4)], []) == (0, 0, 2)
    assert len(merge_bursts([Told("go", time) for time in times], burst_s=0.5)) == 4  # 5.4 alone is within 0.5 s


def test_what_follows_a_hit_closely_is_of_its_burst():
    assert counts([Told("go", 10.6), Told("go", 11.2)], [GO]) == (1, 0, 0)
    assert counts([Told("go", 10.6), Told("go", 11.61)], [GO]) == (1, 0, 1)
    assert counts([Told("go", 10.6), Told("stop", 10.7)], [GO]) == (1, 0, 1)


def test_a_word_is_hit_by_the_first_event_in_its_time():
    first, second = Told("go", 10.6), Told("go", 10.9)
    assert match_events([first, second], [GO], KEYWORDS) == ([(first, GO)], [], [])


def test_a_false_alarm_ahead_of_a_hit_stays_one():
    assert counts([Told("go", 9.8), Told("go", 10.6)], [GO]) == (1, 0, 1)


def test_a_word_said_twice_within_a_second_needs_two_events():
    twice = [Spoken("go", 10.0, 10.3), Spoken("go", 10.5, 10.8)]
    assert counts([Told("go", 10.4)], twice) == (1, 1, 0)
    assert counts([Told("go", 10.6)], twice) == (1, 1, 0)
    assert counts([Told("go", 10.4), Told("go", 10.9)], twice) == (2, 0, 0)
    assert counts([Told("go", 10.4), Told("go", 10.6)], twice) == (2, 0, 0)  # the first word has its event already
    assert counts([Told("go", 10.4), Told("go", 10.9), Told("go", 11.1)], twice) == (2, 0, 0)  # the third: a burst


def test_there_are_as_many_hits_as_there_can_be():
    """Both events lie in the second word's time, only the first of them in the first word's."""
    first, second = Spoken("go", 10.0, 10.3), Spoken("go", 10.5, 10.9)
    early, late = Told("go", 10.7), Told("go", 11.3)
    assert match_events([late, early], [second, first], KEYWORDS).hits == [(early, first), (late, second)]
    # A long word around a short one: its time runs out later, so it waits.
    around, inside = Spoken("go", 10.0, 12.0), Spoken("go", 10.5, 10.7)
    assert match_events([early, late], [around, inside], KEYWORDS).hits == [(late, around), (early, inside)]


def test_latency_is_from_the_end_of_the_word():
    """0.1, 0.2, 0.3, 0.4 and -0.1 s: median 0.2; 95 % lies 0.8 of the way from the fourth to the fifth of five."""
    words = [Spoken("go", n, n + 0.5) for n in range(5)]
    hits = [(Told("go", word.end_s + late), word) for word, late in zip(words, [0.4, 0.1, -0.1, 0.3, 0.2], strict=True)]
    assert latency(hits) == (pytest.approx(0.2), pytest.approx(0.3 + 0.8 * 0.1))
    assert all(math.isnan(value) for value in latency([]))
    assert Latency._fields == ("median_s", "p95_s")


def test_the_poisson_interval_is_exact():
    """Garwood's table: 0 -> 0 to 3.689, 1 -> 0.0253 to 5.572, 10 -> 4.795 to 18.390."""
    for count, low, high in ((0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)):
        rate = poisson_interval(count, 10.0)
        assert rate == (count / 10, pytest.approx(low / 10, abs=5e-5), pytest.approx(high / 10, abs=5e-5))
    # By its own words: at the ends of the interval, so few or so many are seen in 2.5 % of all times.
    low, high = 4 * poisson_interval(7, 4.0).low, 4 * poisson_interval(7, 4.0).high
    few = sum(math.exp(-high) * high**n / math.factorial(n) for n in range(8))
    many = 1 - sum(math.exp(-low) * low**n / math.factorial(n) for n in range(7))
    assert (few, many) == (pytest.approx(0.025), pytest.approx(0.025))
    assert poisson_interval(7, 4.0, confidence=0.5).low > poisson_interval(7, 4.0).low


def test_no_rate_is_claimed_below_three_in_the_time_heard():
    assert [claimable_rate(count, 12.0) for count in (0, 2, 3, 12)] == [None, None, 0.25, 1.0]
    assert least_rate(12.0) == 0.25
    assert math.exp(-12 * least_rate(12.0)) == pytest.approx(0.05, abs=5e-4)  # the rule of three: e^-3


def test_thresholds_are_shifted_in_log_odds():
    """Odds 1, 1/3, 9 times 3: 3, 1, 27."""
    shifted = shifted_thresholds({"go": 0.5, "stop": 0.25, "left": 0.9}, math.log(3))
    assert shifted == pytest.approx({"go": 0.75, "stop": 0.5, "left": 27 / 28})
    assert shifted_thresholds(shifted, -math.log(3)) == pytest.approx({"go": 0.5, "stop": 0.25, "left": 0.9})
    assert shifted_thresholds({"go": 0.3}, 0) == {"go": pytest.approx(0.3)}
    assert shifted_thresholds({"go": 1.0}, -5) == {"go": 1.0}  # what has no odds is not shifted
    assert 0 < shifted_thresholds({"go": 0.5}, -30)["go"] < 1e-12


# 10 h without keywords, 200 keywords.
SHIFTS, ALARMS, MISSES = [2, -1, 0, 1], [0, 200, 40, 9], [100, 10, 20, 50]


def test_a_det_curve_is_in_order_of_the_shifts():
    det = det_curve(SHIFTS, ALARMS, 10.0, MISSES, 200)
    np.testing.assert_array_equal(det.shifts, [-1, 0, 1, 2])
    np.testing.assert_allclose(det.rates, [20, 4, 0.9, 0])
    np.testing.assert_allclose(det.miss_rates, [0.05, 0.1, 0.25, 0.5])


def test_misses_at_a_rate_are_those_of_the_smallest_shift_that_keeps_it():
    det = det_curve(SHIFTS, ALARMS, 10.0, MISSES, 200)
    assert miss_at_rate(det, 1) == (2, 1.0, 0.25, 0.9, None)
    assert miss_at_rate(det, 10) == (1, 0.0, 0.1, 4.0, None)
    assert miss_at_rate(det, 4) == (1, 0.0, 0.1, 4.0, None)  # at most
    assert miss_at_rate(det, 20) == (0, -1.0, 0.05, 20.0, None)


def test_a_shift_below_which_false_alarms_are_rare_again_is_not_taken():
    """At shift -9 the word is told without end, as one event: few false alarms, and all words missed."""
    det = det_curve([-9, *SHIFTS], [1, *ALARMS], 10.0, [200, *MISSES], 200)
    assert miss_at_rate(det, 1).shift == 1


def test_a_rate_that_the_hours_cannot_show_has_no_answer():
    """3 / 10 h = 0.3 an hour is the least."""
    det = det_curve(SHIFTS, ALARMS, 10.0, MISSES, 200)
    assert miss_at_rate(det, 0.3).miss_rate == 0.5
    refused = miss_at_rate(det, 0.29)
    assert refused[:4] == (None,) * 4
    assert refused.reason == "10 h without keywords cannot show 0.29 false alarms/h: listen to 10.3 h at least"
    far = miss_at_rate(det_curve([0, 1], [40, 20], 10.0, [0, 1], 200), 1)
    assert far[:4] == (None,) * 4
    assert far.reason == "2 false alarms/h at the highest shift, 1: sweep further for 1/h"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [1], 1.0, [1, 1], 2), r"give \[S\] of each"),
        (([], [], 1.0, [], 2), r"give \[S\] of each"),
        (([0, 0], [1, 1], 1.0, [1, 1], 2), "a shift comes twice"),
        (([0], [-1], 1.0, [1], 2), "-1 false alarms"),
        (([0], [1], 0.0, [1], 2), r"0\.0 hours heard"),
        (([0], [1], math.nan, [1], 2), "nan hours heard"),
        (([0], [1], 1.0, [3], 2), "3 to 3 misses of 2 keywords"),
        (([0], [1], 1.0, [0], 0), "0 keywords"),
    ],
)
def test_errors_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        det_curve(*arguments)
