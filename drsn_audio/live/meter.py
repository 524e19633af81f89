"""One line on the terminal that is drawn over and over: the word that is being said, how loud it is, and how much of
the time the model takes."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from typing import NamedTuple, TextIO

import numpy as np

REFRESH_S = 0.25
FULL_SCALE = 0.999
CLIPPED_SAMPLES = 3  # at full scale, in a block: fewer may be a loud peak that was not cut off
LOWEST_DB = -60.0
BAR = 20  # characters
CLEAR = "\r\x1b[K"


def decibels(amplitude: float) -> float:
    """An amplitude -> dB re full scale, 1; minus infinity of silence."""
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def is_clipped(block: np.ndarray) -> bool:
    """Whether a block [N] was cut off at full scale."""
    return int(np.count_nonzero(np.abs(block) >= FULL_SCALE)) >= CLIPPED_SAMPLES


class Level(NamedTuple):
    """peak is an amplitude, full scale 1; energy the sum of squares."""

    peak: float
    energy: float
    samples: int
    clipped: bool

    @staticmethod
    def of(block: np.ndarray) -> Level:
        """Of samples [N]."""
        return Level(float(np.abs(block).max()), float(np.dot(block, block)), len(block), is_clipped(block))

    def plus(self, other: Level) -> Level:
        """Of both, one after the other."""
        peak, clipped = max(self.peak, other.peak), self.clipped or other.clipped
        return Level(peak, self.energy + other.energy, self.samples + other.samples, clipped)

    @property
    def rms(self) -> float:
        return math.sqrt(self.energy / self.samples)


def meter_line(level: Level, heard_s: float, real_time_factor: float) -> str:
    """dB re full scale; the bar is of the RMS, from -60 dB on."""
    filled = round(BAR * min(1.0, max(0.0, 1 - decibels(level.rms) / LOWEST_DB)))
    bar = "#" * filled + "." * (BAR - filled)
    rms, peak = (f"{max(decibels(value), -99.9):6.1f} dB" for value in (level.rms, level.peak))
    clipped = " CLIPPED" if level.clipped else ""
    return f"{clock_time(heard_s)} [{bar}] rms {rms}  peak {peak}{clipped}  {real_time_factor:.3f} x real time"


def clock_time(seconds: float) -> str:
    """3723.4 -> "1:02:03"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Meter:
    """Draws on `terminal`, at most every REFRESH_S seconds, what was heard since the last time. None: nowhere.

    `unsealed` is a word that may still grow, which stands before it.
    """

    def __init__(self, terminal: TextIO | None, clock: Callable[[], float] = time.monotonic):
        self._terminal, self._clock = terminal, clock
        self._drawn_at, self._line, self.unsealed = -math.inf, "", ""
        self._level: Level | None = None  # since then

    def hear(self, block: np.ndarray, heard_s: float, real_time_factor: float) -> None:
        """A block [N] at its end, when so many seconds have been heard."""
        if self._terminal is None:
            return
        level = Level.of(block)
        self._level = self._level.plus(level) if self._level else level
        if self._clock() - self._drawn_at >= REFRESH_S:
            self._line = meter_line(self._level, heard_s, real_time_factor)
            self.draw()
            self._drawn_at, self._level = self._clock(), None

    def draw(self) -> None:
        """Also again, after something else was printed."""
        if self._terminal is not None and (self._line or self.unsealed):
            width = shutil.get_terminal_size().columns - 1  # a full line would break
            line = f"{self.unsealed}...  {self._line}" if self.unsealed else self._line
            print(f"{CLEAR}{line[:width]}", end="", file=self._terminal, flush=True)

    def clear(self) -> None:
        """Make room for a line of something else."""
        if self._terminal is not None and (self._line or self.unsealed):
            print(CLEAR, end="", file=self._terminal, flush=True)
