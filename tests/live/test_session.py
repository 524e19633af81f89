"""Events as they come, times that stay right, and a count of what was no sound."""

import itertools
import logging

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.live.meter import Meter
from drsn_audio.live.session import Session

RATE = 16000


def session_of(stream, told, **settings):
    return Session(stream, told.append, Meter(None), **settings)


@pytest.mark.parametrize("chunk", [1, 160, 1600, 48000])
def test_events_are_told_whatever_the_chunks(loud_stream, bursts, chunk):
    told = []
    session = session_of(loud_stream, told, keep=True)
    wave = bursts[16000:20000] if chunk == 1 else bursts
    for begin in range(0, len(wave), chunk):
        session.hear(wave[begin : begin + chunk])
    session.end()
    assert [event.time for event in told] == pytest.approx([0.08] if chunk == 1 else [1.04, 2.08])
    assert session.events == told
    assert session.summary()["events"] == len(told)
    assert session.heard_s == len(wave) / RATE


def test_an_event_is_told_with_the_block_that_brings_it(loud_stream, bursts):
    told = []
    session = session_of(loud_stream, told)
    for begin in range(0, len(bursts), 1600):
        session.hear(bursts[begin : begin + 1600])
        assert len(told) == (session.heard_s >= 1.04) + (session.heard_s >= 2.08)
    assert session.events == []  # not kept for weeks


def test_the_last_block_is_heard_at_the_end(loud_stream):
    told = []
    session = session_of(loud_stream, told)
    session.hear(np.full(100, 0.7, np.float32))
    assert told == []
    session.end()
    assert [event.time for event in told] == pytest.approx([100 / 16000])  # the end of the sound


def test_the_tail_of_a_stream_is_not_counted(loud_stream):
    session = session_of(loud_stream, [])
    session.hear(np.full(1000, 0.7, np.float32))
    session.end()
    assert session.heard_s == 1000 / 16000
    nothing = session_of(type(loud_stream)(), [])
    nothing.end()
    assert nothing.told == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e20])
def test_what_is_no_sound_is_heard_as_silence_so_that_times_stay_right(loud_stream, bursts, bad, caplog):
    told = []
    session = session_of(loud_stream, told)
    bursts[5], bursts[4000] = bad, bad
    with caplog.at_level(logging.WARNING, "drsn_audio"):
        for begin in range(0, len(bursts), 1600):
            session.hear(bursts[begin : begin + 1600])
        session.end()
    assert [event.time for event in told] == pytest.approx([1.04, 2.08])
    assert session.summary()["refused_s"] == pytest.approx(0.2)
    assert len(caplog.records) == 1  # said once


def test_nothing_but_nan_is_an_error(loud_stream):
    session = session_of(loud_stream, [])
    session.hear(np.full(2000, np.nan, np.float32))
    with pytest.raises(InputError, match="check --format"):
        session.end()


def test_figures(loud_stream):
    """Each call of the stream takes 0.1 s by this clock: two chunks and the end, of 1 s of sound."""
    clock = itertools.count(0, 0.1)
    session = session_of(loud_stream, [], clock=lambda: next(clock))
    session.hear(np.zeros(8000, np.float32))
    session.hear(np.full(8000, 1.0, np.float32))
    session.end()
    assert session.summary() == {
        "heard_s": 1.0, "events": 1, "real_time_factor": 0.3, "refused_s": 0.0, "clipped_s": 0.5,
    }  # fmt: skip
