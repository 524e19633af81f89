"""A noise of the length that is wanted, from a recording of any length."""

from __future__ import annotations

import numpy as np

from drsn_audio.errors import InputError

LOOP_FADE_S = 0.05


def cut_segment(recording: np.ndarray, num_samples: int, offset: int, sample_rate: int) -> np.ndarray:
    """Recording [L] -> [num_samples], from an offset in samples on.

    Where that goes beyond the recording, before its start or after its end, it is looped (see `loop`), as often
    as need be; the offset is then one into the loop. May share memory with the recording.

    Raises:
        InputError: the recording is empty.
    """
    if recording.size == 0:
        raise InputError("an empty recording cannot be looped: leave it out")
    if 0 <= offset <= len(recording) - num_samples:
        return recording[offset : offset + num_samples]
    return loop(recording, sample_rate).take(np.arange(offset, offset + num_samples), mode="wrap")


def num_offsets(length: int, num_samples: int, sample_rate: int) -> int:
    """How many offsets, from 0 on, `cut_segment` has for a recording of that length: each gives another segment."""
    return length - num_samples + 1 if length >= num_samples else length - _fade(length, sample_rate)


def loop(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Wave [N] -> one period of it, shorter by the cross-fade of 50 ms in which its end meets its start.

    The cross-fade is of equal power, which keeps the level of a noise, whose end knows nothing of its start. A
    sample n of the wave is at n modulo the period. A wave under 100 ms fades over half of it.
    """
    fade = _fade(len(wave), sample_rate)
    rise = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / max(fade, 1)).astype(np.float32)
    period = wave[: len(wave) - fade].copy()
    period[:fade] = period[:fade] * rise + wave[len(wave) - fade :] * rise[::-1]
    return period


def _fade(length: int, sample_rate: int) -> int:
    return min(round(LOOP_FADE_S * sample_rate), length // 2)
