"""Levels worked by hand, and a line that is drawn as often as it should be and makes room."""

import io
import math

import numpy as np
import pytest

from drsn_audio.live.meter import BAR, CLEAR, Level, Meter, clock_time, decibels, is_clipped, meter_line


def test_a_sine_is_three_decibels_below_its_peak():
    level = Level.of(0.5 * np.sin(2 * np.pi * np.arange(16000) / 16))
    assert decibels(level.peak) == pytest.approx(-6.02, abs=0.01)
    assert decibels(level.rms) == pytest.approx(-9.03, abs=0.01)
    assert decibels(0.0) == -math.inf


def test_the_level_of_two_blocks_is_that_of_both():
    one, other = np.full(100, 0.5, np.float32), np.full(300, 1.0, np.float32)
    both = Level.of(one).plus(Level.of(other))
    assert both.rms == pytest.approx(math.sqrt((100 * 0.25 + 300) / 400))
    assert (both.peak, both.samples, both.clipped) == (1.0, 400, True)


def test_one_loud_peak_is_not_clipping():
    block = np.zeros(100)
    block[:2] = 1.0, -1.0
    assert not is_clipped(block)
    block[2] = -1.0
    assert is_clipped(block)


def test_the_line():
    line = meter_line(Level(0.5, 100 * 10**-3.0, 100, False), 75.4, 0.0123)  # -30 dB, the middle of the bar
    half = BAR // 2
    assert line == f"1:15 [{'#' * half}{'.' * half}] rms  -30.0 dB  peak   -6.0 dB  0.012 x real time"
    assert "CLIPPED" in meter_line(Level(1.0, 1.0, 1, True), 0, 0)
    assert "rms  -99.9 dB" in meter_line(Level.of(np.zeros(5)), 0, 0)
    assert clock_time(3723.4) == "1:02:03"


def test_it_is_drawn_four_times_a_second_and_tells_all_since_then(monkeypatch):
    now, terminal = [0.0], io.StringIO()
    meter = Meter(terminal, lambda: now[0])
    for number in range(10):  # of 0.1 s; drawn at 0, 0.3, 0.6, 0.9
        meter.hear(np.full(10, 1.0 if number == 2 else 0.1), 0.0, 0.0)
        now[0] += 0.1
    lines = terminal.getvalue().split(CLEAR)[1:]
    assert ["CLIPPED" in line for line in lines] == [False, True, False, False]


def test_it_makes_room_and_comes_back_in_one_line_of_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    terminal = io.StringIO()
    meter = Meter(terminal)
    meter.clear()
    assert terminal.getvalue() == ""  # nothing to clear
    meter.hear(np.ones(10), 0.0, 0.0)
    meter.clear()
    meter.draw()
    _, line, nothing, again = terminal.getvalue().split(CLEAR)
    assert nothing == ""
    assert line == again
    assert len(line) == 19


def test_without_a_terminal_nothing_is_written():
    meter = Meter(None)
    meter.hear(np.ones(10), 0.0, 0.0)
    meter.draw()
    meter.clear()
