"""Words of probabilities on cases worked by hand; any chunks, states and bad frames; always the greedy text."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.decoding.alignment import word_times
from drsn_audio.decoding.greedy import greedy_spikes
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.writer import Writer

FRAME_S = 0.04
WORDS = Units("words", [BLANK, "left", "go", "unknown"])
LETTERS = Units("characters", [BLANK, "|", "'", "A", "B", "C"])
PIECES = Units("sentencepiece", [BLANK, "<unk>", "▁", "▁GO", "▁A", "T", "ING"])
TIMING = {"start_s": {"left": 0.5}, "end_s": {"left": 0.1}, "default": [0.4, 0.05]}


def path(units: Units, labels: str, probability: float = 0.7) -> np.ndarray:
    """A frame for each name in `labels` ("-" is blank), each with the same probability."""
    rows = [units.index[BLANK if label == "-" else label] for label in labels.split()]
    table = np.full((len(rows), len(units.labels)), (1 - probability) / (len(units.labels) - 1))
    table[np.arange(len(rows)), rows] = probability
    return table


def heard(writer: Writer, *chunks: np.ndarray) -> list[Event]:
    return [event for chunk in chunks for event in writer.step(chunk)] + writer.finish()


def told(events: list[Event]) -> list[tuple[str, str, int]]:
    """Kind, label and the frame in which each was told."""
    return [(event.kind, event.label, round(event.time / FRAME_S) - 1) for event in events]


def finals(events: list[Event]) -> str:
    return " ".join(event.label for event in events if event.kind == "final")


def test_a_word_is_partial_when_its_spike_begins_and_final_when_it_has_ended():
    events = heard(Writer(WORDS, FRAME_S), path(WORDS, "- - left left left - - go -"))
    assert told(events) == [("partial", "left", 2), ("final", "left", 5), ("partial", "go", 7), ("final", "go", 8)]
    assert events[1] == Event("final", "left", pytest.approx(0.7), pytest.approx(0.08), pytest.approx(0.2), 0.24)
    assert (events[0].start, events[0].end) == (pytest.approx(0.08), pytest.approx(0.12))


def test_a_score_is_the_mean_of_the_spike_or_of_what_was_heard_of_it():
    table = path(WORDS, "left left left -")
    table[:3, 1], table[:3, 0] = [0.6, 0.9, 0.75], [0.4, 0.1, 0.25]
    partial, final = heard(Writer(WORDS, FRAME_S), table)
    assert partial.score == pytest.approx(0.6)
    assert final.score == pytest.approx(0.75)


def test_one_spike_may_follow_another_at_once_and_a_word_may_come_twice():
    events = heard(Writer(WORDS, FRAME_S), path(WORDS, "left go go - go"))
    assert told(events) == [
        ("partial", "left", 0), ("final", "left", 1), ("partial", "go", 1), ("final", "go", 3), ("partial", "go", 4),
        ("final", "go", 4),
    ]  # fmt: skip


def test_letters_are_a_word_when_the_next_boundary_comes():
    events = heard(Writer(LETTERS, FRAME_S), path(LETTERS, "A - B B | C - - - - - - - ' | | - A"))
    assert told(events) == [
        ("partial", "A", 0), ("partial", "AB", 2), ("final", "AB", 4), ("partial", "C", 5), ("partial", "C'", 13),
        ("final", "C'", 14), ("partial", "A", 17), ("final", "A", 17),
    ]  # fmt: skip


def test_a_pause_splits_no_word_for_another_letter_might_follow():
    hour = path(LETTERS, " ".join(["A"] + ["-"] * 9000))
    writer = Writer(LETTERS, FRAME_S)
    assert told(writer.step(hour)) == [("partial", "A", 0)]
    assert told(writer.step(path(LETTERS, "B"))) == [("partial", "AB", 9001)]
    assert finals(writer.finish()) == "AB"


def test_pieces_begin_words_of_their_own():
    events = heard(Writer(PIECES, FRAME_S), path(PIECES, "▁GO ING - ▁A T ▁ T"))
    assert told(events) == [
        ("partial", "GO", 0), ("partial", "GOING", 1), ("final", "GOING", 3), ("partial", "A", 3), ("partial", "AT", 4),
        ("final", "AT", 5), ("partial", "T", 6), ("final", "T", 6),
    ]  # fmt: skip


def test_times_are_those_that_the_model_was_tuned_to():
    """ "left" began 0.5 s and ended 0.1 s before the end of its spike's first frame, here at 0.84 s."""
    events = heard(Writer(WORDS, FRAME_S, TIMING), path(WORDS, " ".join(["-"] * 20 + ["left", "left", "-"])))
    assert [(event.start, event.end) for event in events] == [(pytest.approx(0.34), pytest.approx(0.74))] * 2


def test_silence_says_nothing():
    assert heard(Writer(WORDS, FRAME_S), path(WORDS, " ".join("-" * 5000))) == []
    assert heard(Writer(LETTERS, FRAME_S), path(LETTERS, "| - |")) == []
    assert heard(Writer(WORDS, FRAME_S), np.zeros((0, 4))) == []


def table_of(units: Units, seed: int, count: int, step: float) -> np.ndarray:
    """Coarse values, so that neighbours tie, and labels that go on for some frames."""
    values = np.random.default_rng(seed).dirichlet([0.3] * len(units.labels), count)
    return np.repeat(np.round(values / step) * step, 1 + seed % 3, axis=0)


cases = st.builds(
    lambda units, *table: (units, table_of(units, *table)),
    st.sampled_from([WORDS, LETTERS, PIECES]),
    st.integers(0, 10**6),
    st.integers(0, 60),
    st.sampled_from([0.25, 1e-9]),
)


@settings(max_examples=200, deadline=None)
@given(case=cases, timing=st.sampled_from([None, TIMING]))
def test_finals_are_the_greedy_text_and_words_of_the_whole(case, timing):
    units, table = case
    spikes = greedy_spikes(table)
    final = [event for event in heard(Writer(units, FRAME_S, timing), table) if event.kind == "final"]
    assert finals(final) == units.text([spike.label for spike in spikes])
    words = word_times(spikes, units, FRAME_S, timing)
    assert [(event.label, event.start, event.end) for event in final] == [(w.text, w.start, w.end) for w in words]
    assert [event.score for event in final] == pytest.approx([w.confidence for w in words], abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(case=cases, timing=st.sampled_from([None, TIMING]))
def test_a_word_grows_until_it_is_sealed_and_nothing_is_told_late(case, timing):
    units, table = case
    events = heard(Writer(units, FRAME_S, timing), table)
    assert all(before.time <= after.time for before, after in pairwise(events))
    so_far = ""
    for event in events:
        assert event.label.startswith(so_far)
        if event.kind == "final":
            assert event.label == so_far  # all of it was partial before
        so_far = event.label if event.kind == "partial" else ""
    assert not so_far


@settings(max_examples=200, deadline=None)
@given(
    case=cases, timing=st.sampled_from([None, TIMING]), restore=st.booleans(),
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any),
)  # fmt: skip
def test_chunks_and_states_change_nothing(case, timing, restore, sizes):
    """Not even the last bit of a score."""
    units, table = case
    expected = heard(Writer(units, FRAME_S, timing), table)
    writer, events, begin, turn = Writer(units, FRAME_S, timing), [], 0, 0
    while begin < len(table):
        events += writer.step(table[begin : begin + sizes[turn % len(sizes)]])
        begin, turn = begin + sizes[turn % len(sizes)], turn + 1
        if restore:
            state, writer = writer.state, Writer(units, FRAME_S, timing)
            writer.step(table[:5])
            writer.state = state
    assert events + writer.finish() == expected


def test_a_state_is_a_copy_and_an_empty_one_begins_anew():
    writer = Writer(LETTERS, FRAME_S)
    writer.step(path(LETTERS, "A B | B C"))
    state = writer.state
    kept = {name: value.copy() for name, value in state.items()}
    events = heard(writer, path(LETTERS, "C | A"))
    for name, value in state.items():
        np.testing.assert_array_equal(value, kept[name])
    writer.state = state
    assert heard(writer, path(LETTERS, "C | A")) == events
    writer.state = {}
    assert told(heard(writer, path(LETTERS, "A"))) == [("partial", "A", 0), ("final", "A", 0)]


def test_the_state_of_another_writer_is_refused():
    writer = Writer(LETTERS, FRAME_S)
    writer.step(path(LETTERS, "C"))
    for state in (
        writer.state,
        {"frames": np.zeros(1, np.int64)},
        {**Writer(WORDS, FRAME_S).state, "sums": np.zeros(1)},
    ):
        with pytest.raises(InputError, match="state is that of another writer"):
            Writer(WORDS, FRAME_S).state = state


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.01, 3.2])
def test_bad_frames_are_refused_and_leave_no_trace(value):
    bad, good = path(WORDS, "left go left"), path(WORDS, "left left - go")
    bad[1, 1] = value
    writer = Writer(WORDS, FRAME_S)
    events = writer.step(good[:1])
    with pytest.raises(InputError, match=r'frame 1: the probability of "left" is .*: give 0 to 1'):
        writer.step(bad)
    assert events + heard(writer, good[1:]) == heard(Writer(WORDS, FRAME_S), good)


def test_other_shapes_are_refused():
    with pytest.raises(InputError, match=r"shape \[2, 3\]: give \[t, 4\]"):
        Writer(WORDS, FRAME_S).step(np.zeros((2, 3)))


def test_it_needs_numpy_alone():
    heavy = ("torch", "torchaudio", "lhotse", "omegaconf", "scipy", "soundfile", "sentencepiece")
    check = f"import sys, drsn_audio.streaming.writer; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
