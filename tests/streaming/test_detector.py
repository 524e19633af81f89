"""Events of probabilities on cases worked by hand; any chunks, states and bad frames."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.errors import InputError
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.streaming.detector import NO_KEYWORDS, Detector, DetectorConfig
from drsn_audio.streaming.event import Event

from ..calls import calls_of

LABELS = ["go", "stop", "unknown", "silence"]
FRAME_S = 0.1
# Nothing but a threshold: no average, told at once, told again as soon as it was below.
PLAIN = DetectorConfig(
    {"go": 0.5, "stop": 0.5}, smoothing_s=0, min_duration_s=0, release=1.0, refractory_s=0, window_s=0.4
)


def frames(go, stop=()) -> np.ndarray:
    """Probabilities [t, 4]; what is left is silence."""
    table = np.zeros((max(len(go), len(stop)), 4))
    table[: len(go), 0], table[: len(stop), 1] = go, stop
    table[:, 3] = 1 - table.sum(1)
    return table


def heard(probabilities, config=PLAIN, frame_s=FRAME_S) -> list[tuple[str, int]]:
    """Labels of the events and their frames."""
    events = Detector(LABELS, frame_s, config).step(probabilities)
    return [(event.label, round(event.time / frame_s) - 1) for event in events]


def test_an_event_says_what_where_and_when():
    """Frame 6 of 0.1 s is known when 0.7 s were heard; it judges the last 0.4 s."""
    (event,) = Detector(LABELS, FRAME_S, PLAIN).step(frames([0, 0, 0, 0, 0, 0, 0.75]))
    assert event == Event("keyword", "go", 0.75, pytest.approx(0.3), pytest.approx(0.7), pytest.approx(0.7))
    (event,) = Detector(LABELS, FRAME_S, PLAIN).step(frames([0, 0.75]))
    assert (event.start, event.end, event.time) == (0, 0.2, 0.2)


def test_rounding_above_one_is_forgiven_but_not_told():
    (event,) = Detector(LABELS, FRAME_S, PLAIN).step(frames([1 + 5e-5]).clip(0))
    assert event.score == 1.0


def test_a_word_is_heard_at_its_threshold_and_not_below():
    assert heard(frames([0.499999, 0.5])) == [("go", 1)]


def test_thresholds_are_per_keyword():
    config = replace(PLAIN, thresholds={"go": 0.3, "stop": 0.9})
    assert heard(frames([0, 0.35, 0, 0], [0.85, 0, 0, 0.95]), config) == [("go", 1), ("stop", 3)]


def test_only_keywords_with_a_threshold_are_heard():
    table = np.zeros((4, 4))
    table[[0, 1, 2], [3, 2, 1]] = 1
    assert heard(table, replace(PLAIN, thresholds={"go": 0.1})) == []
    assert heard(table) == [("stop", 2)]
    assert NO_KEYWORDS == (SILENCE, UNKNOWN)


def test_labels_in_another_order_change_nothing():
    table = frames([0, 0.9, 0, 0], [0, 0, 0, 0.8])
    detector = Detector(LABELS[::-1], FRAME_S, PLAIN)
    assert detector.step(table[:, ::-1]) == Detector(LABELS, FRAME_S, PLAIN).step(table)


def test_probabilities_are_averaged_over_the_last_frames():
    """Means of three: 0, .3, .6, .9 / .6, .3; before the stream, nothing was said."""
    config = replace(PLAIN, smoothing_s=0.3, thresholds={"go": 0.6})
    detector = Detector(LABELS, FRAME_S, config)
    (event,) = detector.step(frames([0.9, 0.0, 0.9, 0.9]))
    assert event.time == pytest.approx(0.3)  # (.9 + 0 + .9) / 3 = .6
    assert event.score == pytest.approx(0.6)
    assert heard(frames([0.9, 0.89]), config) == []  # 1.79 / 3
    assert heard(frames([0.9, 0.9]), config) == [("go", 1)]  # 1.8 / 3


def test_it_must_stay_for_the_least_duration():
    config = replace(PLAIN, min_duration_s=0.25)  # three frames of 0.1 s
    assert heard(frames([0.9, 0.9, 0.4, 0.9, 0.9, 0.9, 0.9]), config) == [("go", 5)]
    assert heard(frames([0.9, 0.9]), config) == []
    assert heard(frames([0.9, 0.9, 0.9]), replace(PLAIN, min_duration_s=0.3)) == [("go", 2)]
    # 0.56 / 0.08 is above 7 in binary: rounding is no 8th frame.
    assert heard(frames(np.full(7, 0.9)), replace(PLAIN, min_duration_s=0.56), frame_s=0.08) == [("go", 6)]


def test_it_must_sink_below_its_release_before_it_is_told_again():
    """Release at 0.8 * 0.5 = 0.4: neither 0.45 nor 0.4 is below it, 0.39 is."""
    config = replace(PLAIN, release=0.8)
    assert heard(frames([0.9, 0.45, 0.9, 0.4, 0.9, 0.39, 0.9]), config) == [("go", 0), ("go", 6)]
    assert heard(frames([0.9, 0.45, 0.9, 0.4, 0.9, 0.39, 0.9])) == [("go", 0), ("go", 2), ("go", 4), ("go", 6)]


def test_a_word_held_for_hours_is_told_once():
    assert heard(frames(np.full(40_000, 0.9))) == [("go", 0)]


def test_refractory_time_holds_for_the_same_keyword():
    """Events of one keyword are 0.3 s apart at least; what is still there then is told then."""
    config = replace(PLAIN, refractory_s=0.3)
    assert heard(frames([0.9, 0, 0.9, 0, 0.9]), config) == [("go", 0), ("go", 4)]
    assert heard(frames([0.9, 0, 0.9, 0.9, 0.9]), config) == [("go", 0), ("go", 3)]
    assert heard(frames([0.9, 0, 0], [0, 0.9, 0]), config) == [("go", 0), ("stop", 1)]


def test_refractory_time_of_others_is_its_own():
    config = replace(PLAIN, refractory_others_s=0.3)
    assert heard(frames([0.9, 0, 0.9], [0, 0.9, 0]), config) == [("go", 0), ("go", 2)]
    assert heard(frames([0.9], [0, 0.9, 0.9, 0.9]), config) == [("go", 0), ("stop", 3)]


def test_of_two_at_once_the_more_probable_relative_to_its_threshold_is_told():
    """0.45 / 0.3 = 1.5 beats 0.55 / 0.5 = 1.1; the other must sink first."""
    config = replace(PLAIN, thresholds={"go": 0.5, "stop": 0.3})
    table = frames([0.55, 0.55, 0, 0.55], [0.45, 0.45, 0, 0])
    assert heard(table, config) == [("stop", 0), ("go", 3)]


def test_of_equal_ones_the_first_label_is_told():
    assert heard(frames([0.5], [0.5])) == [("go", 0)]
    assert Detector(["stop", "go"], FRAME_S, PLAIN).step(np.array([[0.5, 0.5]]))[0].label == "stop"


def test_silence_has_no_event():
    assert heard(frames(np.zeros(36_000))) == []


tables = st.builds(
    lambda seed, count, step: np.round(np.random.default_rng(seed).dirichlet([0.3] * 4, count) / step) * step,
    st.integers(0, 10**6),
    st.integers(0, 120),
    st.sampled_from([0.1, 0.25, 1e-9]),  # coarse: ties, and values at the threshold
)
configs = st.builds(
    DetectorConfig,
    st.fixed_dictionaries({"go": st.sampled_from([0.1, 0.25, 0.5]), "stop": st.sampled_from([0.2, 0.5, 1.0])}),
    smoothing_s=st.sampled_from([0, 0.1, 0.3, 0.7]),
    min_duration_s=st.sampled_from([0, 0.2, 0.5]),
    release=st.sampled_from([0.5, 0.8, 1.0]),
    refractory_s=st.sampled_from([0, 0.2, 1.0]),
    refractory_others_s=st.sampled_from([0, 0.3]),
)


def by_the_book(table, config) -> list[tuple[str, int]]:
    """The same rules, frame by frame and word by word."""
    counts = [max(1, math.ceil(s / FRAME_S - 1e-6)) for s in (config.smoothing_s, config.min_duration_s)]
    average, duration = counts
    armed, run, quiet = dict.fromkeys(config.thresholds, True), dict.fromkeys(config.thresholds, 0), {}
    events = []
    for frame in range(len(table)):
        found = []
        for word, threshold in config.thresholds.items():
            column = LABELS.index(word)
            total = 0.0  # oldest first, as the detector sums
            for back in range(average - 1, -1, -1):
                total += table[frame - back, column] if frame >= back else 0.0
            smooth = total / average
            run[word] = run[word] + 1 if smooth >= threshold else 0
            armed[word] |= smooth < config.release * threshold
            if armed[word] and run[word] >= duration and frame >= quiet.get(word, 0):
                found.append((-smooth / threshold, column, word))
        if found:
            told = min(found)[2]
            events.append((told, frame))
            armed.update(dict.fromkeys((word for *_, word in found), False))
            for word in config.thresholds:
                pause_s = config.refractory_s if word == told else config.refractory_others_s
                quiet[word] = max(quiet.get(word, 0), frame + math.ceil(pause_s / FRAME_S - 1e-6))
    return events


@settings(max_examples=150, deadline=None)
@given(table=tables, config=configs)
def test_it_is_what_the_rules_say_frame_by_frame(table, config):
    assert heard(table, config) == by_the_book(table, config)


@settings(max_examples=150, deadline=None)
@given(
    table=tables, config=configs, sizes=st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any),
    restore=st.booleans(),
)  # fmt: skip
def test_chunks_and_states_change_nothing(table, config, sizes, restore):
    """Not even the last bit of a score."""
    expected = Detector(LABELS, FRAME_S, config).step(table)
    detector, events, begin, turn = Detector(LABELS, FRAME_S, config), [], 0, 0
    while begin < len(table):
        events += detector.step(table[begin : begin + sizes[turn % len(sizes)]])
        begin, turn = begin + sizes[turn % len(sizes)], turn + 1
        if restore:
            state, detector = detector.state, Detector(LABELS, FRAME_S, config)
            detector.step(frames([0.9, 0.9, 0.9]))
            detector.state = state
    assert events == expected


def test_a_state_is_a_copy_and_an_empty_one_begins_anew():
    detector = Detector(LABELS, FRAME_S, replace(PLAIN, smoothing_s=0.3, refractory_s=0.5))
    detector.step(frames([0.9, 0.9]))
    state = detector.state
    kept = {name: value.copy() for name, value in state.items()}
    detector.step(frames([0, 0, 0, 0, 0, 0.9]))
    for name, value in state.items():
        np.testing.assert_array_equal(value, kept[name])
    for name, value in detector.state.items():
        before = value.copy()
        value[:] = 1 - value.astype(int)
        np.testing.assert_array_equal(detector.state[name], before)
    detector.state = {}
    fresh = Detector(LABELS, FRAME_S, detector.config).state
    for name, value in detector.state.items():
        np.testing.assert_array_equal(value, fresh[name])


def test_the_state_of_another_detector_is_refused():
    state = Detector(LABELS, FRAME_S, replace(PLAIN, smoothing_s=0.5)).state
    with pytest.raises(InputError, match="the state is that of another detector"):
        Detector(LABELS, FRAME_S, PLAIN).state = state


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r'frame 1: the probability of "stop" is nan: give 0 to 1'),
        (np.inf, "is inf"),
        (-0.01, r"is -0\.01"),
        (3.2, r"is 3\.2: give 0 to 1 \(the softmax of logits\); these frames were not heard"),
    ],
)
def test_bad_frames_are_refused_and_leave_no_trace(value, message):
    config = replace(PLAIN, smoothing_s=0.2)
    bad, good = frames([0.9, 0.9, 0.9]), frames([0.9, 0.9, 0, 0, 0.9, 0.9])
    bad[1, 1] = value
    detector = Detector(LABELS, FRAME_S, config)
    events = detector.step(good[:1])
    with pytest.raises(InputError, match=message):
        detector.step(bad)
    assert events + detector.step(good[1:]) == Detector(LABELS, FRAME_S, config).step(good)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 2, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match=r"give \[t, 4\]"):
        Detector(LABELS, FRAME_S, PLAIN).step(np.zeros(shape))


def test_averages_do_not_drift():
    """After a day of loud frames an average of equal values is that value, to the last bit."""
    config = replace(PLAIN, smoothing_s=0.4, thresholds={"go": 0.7})
    detector = Detector(LABELS, FRAME_S, config)
    for _ in range(9):
        detector.step(frames(np.random.default_rng(0).uniform(0, 0.69, 100_000)))
    (event,) = detector.step(frames([0, 0, 0, 0, 0.75, 0.75, 0.75, 0.75]))
    assert event.score == 0.75
    assert event.time == pytest.approx(90_000.8, abs=1e-6)


def test_the_work_on_ten_hours_grows_with_the_events():
    """Not with the 450,000 frames, whose share numpy does: forty calls an event, and as many again are forgiven."""
    rng = np.random.default_rng(0)
    table = np.zeros((450_000, 12), np.float32)
    table[rng.integers(0, 450_000, 2000), rng.integers(0, 10, 2000)] = 0.9
    words = [f"word {n}" for n in range(10)]
    config = DetectorConfig(dict.fromkeys(words, 0.25))
    detector, events = Detector([*words, "unknown", "silence"], 0.08, config), []
    calls = calls_of(lambda: events.extend(detector.step(table)))
    assert len(events) > 1500
    assert calls < 80 * len(events)


def test_settings_survive_json():
    config = DetectorConfig({"go": 0.25, "stop": 1}, smoothing_s=0.3, refractory_others_s=0.2)
    again = DetectorConfig.from_dict(json.loads(json.dumps(config.to_dict())), LABELS)
    assert again == config
    assert DetectorConfig.from_dict({"thresholds": {"go": 0.5}}) == DetectorConfig({"go": 0.5})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"thresholds": {"goo": 0.5}}, r'"goo" is no label of the model: did you mean go\?'),
        ({"thresholds": {"xyz": 0.5}}, "choose from go, stop"),
        ({"thresholds": {"silence": 0.5}}, '"silence" is no keyword'),
        ({"thresholds": {"go": 0}}, 'the threshold of "go" is 0: give more than 0, 1 at most'),
        ({"thresholds": {"go": 1.01}}, r"is 1\.01"),
        ({"thresholds": {"go": math.nan}}, "is nan"),
        ({"thresholds": {"go": "high"}}, "is 'high'"),
        ({"thresholds": [0.5]}, "give keyword -> probability"),
        ({"thresholds": {"go": 0.5}, "release": 0}, "release is 0"),
        ({"thresholds": {"go": 0.5}, "refractory_s": -1}, "refractory_s is -1: give 0 to 60 s"),
        ({"thresholds": {"go": 0.5}, "smoothing_s": math.inf}, "smoothing_s is inf"),
        ({"thresholds": {"go": 0.5}, "min_duration_s": True}, "min_duration_s is True"),
        ({"thresholds": {"go": 0.5}, "refractory": 1}, r'no "refractory": did you mean refractory_s\?'),
        ({}, "without thresholds"),
        ([], "give an object with thresholds"),
    ],
)
def test_errors_say_what_to_do(values, message):
    with pytest.raises(InputError, match=message):
        DetectorConfig.from_dict(values, LABELS)


def test_a_detector_of_other_words_or_frames_is_refused():
    with pytest.raises(InputError, match='"stop" is no label'):
        Detector(["go", "silence"], FRAME_S, PLAIN)
    with pytest.raises(InputError, match="frames last 0 s"):
        Detector(LABELS, 0, PLAIN)


def test_it_needs_numpy_alone():
    heavy = ("torch", "lhotse", "omegaconf", "scipy", "soundfile")
    check = f"import sys, drsn_audio.streaming.detector; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
