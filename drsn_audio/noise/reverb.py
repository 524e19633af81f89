"""Reverberation: room responses by the image-source method, and speech as a room answers to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from scipy.fft import next_fast_len
from torch import Tensor

from drsn_audio.errors import InputError

SOUND_M_S = 343.0
MARGIN_M = 0.5  # from the walls, of source and microphone
RT60_TOLERANCE = 0.05  # relative
TRIES = 6
DIRECT_S = 0.0025  # that the direct sound, filters included, takes


class _Kind(NamedTuple):
    """Bounds of a kind of room: lengths in m; no RT60 where the sky is open."""

    length_m: tuple[float, float]
    width_m: tuple[float, float]
    height_m: tuple[float, float]
    rt60_s: tuple[float, float] | None


# An RT60 that the image sources of so small a room give only at an order of hundreds is left out.
ROOM_KINDS: dict[str, _Kind] = {
    "office": _Kind((3, 8), (2.5, 6), (2.4, 3.2), (0.15, 0.7)),
    "workshop": _Kind((8, 20), (6, 15), (3.5, 6), (0.4, 1.3)),
    "hall": _Kind((20, 50), (15, 30), (6, 12), (0.8, 2.0)),
    "street": _Kind((60, 100), (8, 20), (10, 20), None),
}


class Room(NamedTuple):
    """A drawn room and its response at a sample rate.

    response: float32 [taps], which begins before the direct sound by the filter that places it between samples;
    rt60_s: as it was wanted, None for a street; measured_rt60_s: of the response; direct_sample: of the direct sound.
    """

    kind: str
    response: np.ndarray
    rt60_s: float | None
    measured_rt60_s: float
    distance_m: float
    direct_sample: int


def draw_room(rng: Generator, sample_rate: int, kind: str | None = None) -> Room:
    """A room, a source and a microphone in it, 0.3 to 5 m apart, of a drawn kind or a given one of ROOM_KINDS.

    All walls absorb alike, as much as it takes for the RT60 (within 5 % of what is wanted, where TRIES suffice). A
    street has facades and a ground that absorb as drawn, and neither ceiling nor ends. Distances are rounded to
    what sound travels in whole samples (2 cm at 16 kHz), so that the direct sound is one sample.

    Raises:
        ModuleNotFoundError: pyroomacoustics is not installed.
    """
    kind = kind or sorted(ROOM_KINDS)[rng.integers(len(ROOM_KINDS))]
    bounds = ROOM_KINDS[kind]
    size_m = np.array([rng.uniform(*lengths) for lengths in (bounds.length_m, bounds.width_m, bounds.height_m)])
    source_m, microphone_m, distance_m = _draw_places(size_m, rng, sample_rate)
    if bounds.rt60_s is None:
        order, rt60_s = 20, None
        walls, ground = rng.uniform(0.2, 0.6, 2)
        absorption = [1.0, 1.0, walls, walls, ground, 1.0]
        response, direct = room_response(size_m, source_m, microphone_m, absorption, order, sample_rate)
    else:
        rt60_s = rng.uniform(*bounds.rt60_s)
        response, direct = _with_rt60(rt60_s, size_m, source_m, microphone_m, sample_rate)
    left = _energy_left(response)
    response = response[: np.count_nonzero(left > 1e-6 * left[0])]  # what falls by 60 dB is not heard
    return Room(kind, response, rt60_s, measure_rt60(response, direct, sample_rate), distance_m, direct)


def room_response(
    size_m: Sequence[float] | np.ndarray,
    source_m: Sequence[float] | np.ndarray,
    microphone_m: Sequence[float] | np.ndarray,
    absorption: Sequence[float],
    order: int,
    sample_rate: int,
) -> tuple[np.ndarray, int]:
    """Response of a room of three lengths to a source at a place -> (float32 [taps], sample of the direct sound).

    Allen & Berkley, "Image method for efficiently simulating small-room acoustics", 1979, by pyroomacoustics.
    absorption: share of the energy, of the walls at x = 0, x = length, y = 0, y = width, of floor and ceiling.
    order: most reflections of one path. Sound falls off as 1 / r, the direct sound being 1 at 1 m.

    Raises:
        ModuleNotFoundError: pyroomacoustics is not installed.
    """
    import pyroomacoustics

    # Threads add up in an order of their own, and round accordingly.
    pyroomacoustics.constants.set("num_threads", 1)
    names = ("west", "east", "south", "north", "floor", "ceiling")
    materials = {name: pyroomacoustics.Material(share) for name, share in zip(names, absorption, strict=True)}
    room = pyroomacoustics.ShoeBox(size_m, fs=sample_rate, materials=materials, max_order=order)
    room.add_source(source_m)
    room.add_microphone(microphone_m)
    room.compute_rir()
    distance_m = float(np.linalg.norm(np.subtract(source_m, microphone_m)))
    # Its filters for delays between samples put everything half their length later.
    filter_delay = pyroomacoustics.constants.get("frac_delay_length") // 2
    direct = filter_delay + round(distance_m / pyroomacoustics.constants.get("c") * sample_rate)
    return room.rir[0][0].astype(np.float32), direct


def measure_rt60(response: np.ndarray, direct: int, sample_rate: int) -> float:
    """Time in s in which the energy of a response [taps] falls by 60 dB; 0 where it holds little but a direct sound.

    By Schroeder's backward integration: the line through it from -5 to -25 dB, extended (T20 of ISO 3382-2). The
    direct sound is left out, which near the source is all that falls by 25 dB.
    """
    left = _energy_left(response[direct + math.ceil(DIRECT_S * sample_rate) :])
    if not left.any():
        return 0.0
    level_db = 10 * np.log10(left[left > 0] / left[0])
    inside = np.flatnonzero((level_db <= -5) & (level_db >= -25))
    if len(inside) < 2:
        return 0.0
    slope_db = np.polyfit(inside / sample_rate, level_db[inside], 1)[0]
    return float(-60 / slope_db)


def direct_delay(response: np.ndarray) -> int:
    """The sample of the direct sound in a response [taps]: of its first peak of half its largest or more.

    What lies before a peak, the ripple of a filter that resampled it or put it between two samples, is lower.
    """
    size = np.abs(response)
    first = int(np.argmax(size >= 0.5 * size.max()))
    while first + 1 < len(size) and size[first + 1] > size[first]:
        first += 1
    return first


def reverberate(speech: Tensor, responses: Tensor, direct: Tensor) -> Tensor:
    """Speech [B, N] as rooms answer to it -> [B, N]: sample n has its direct sound at n, and at its own size.

    Each row is convolved with its response, responses [B, R], advanced by direct [B], the sample of the direct sound
    there, and divided by the response at that sample: a lone direct sound changes nothing. The answer to the last
    samples goes on beyond N, and is cut: add silence to the end of the speech to keep it.

    Raises:
        InputError: names the rows whose response has nothing at its direct sound.
    """
    rows = torch.arange(len(speech), device=speech.device)
    size = responses[rows, direct]
    wrong = (size == 0) | ~size.isfinite()
    if wrong.any():
        names = wrong.nonzero().flatten().tolist()
        raise InputError(f"rows {names} of the batch: a response without a direct sound: leave it out")
    responses = responses[:, : int(direct.max()) + speech.shape[1]]  # what comes later lands beyond N
    length = next_fast_len(speech.shape[1] + responses.shape[1], real=True)
    spectrum = torch.fft.rfft(speech, length) * torch.fft.rfft(responses / size[:, None], length)
    wet = torch.fft.irfft(spectrum, length)
    return wet.gather(1, direct[:, None] + torch.arange(speech.shape[1], device=speech.device))


def _energy_left(decay: np.ndarray) -> np.ndarray:
    """Energy from each sample on, [taps]: Schroeder's integral."""
    return np.cumsum(np.square(decay[::-1], dtype=np.float64))[::-1]


def _with_rt60(
    rt60_s: float, size_m: np.ndarray, source_m: np.ndarray, microphone_m: np.ndarray, sample_rate: int
) -> tuple[np.ndarray, int]:
    """Response with a wanted RT60: Eyring's formula, which knows nothing of shape, is corrected by what it gave."""
    surface = 2 * (size_m[0] * size_m[1] + size_m[0] * size_m[2] + size_m[1] * size_m[2])
    exponent = 24 * math.log(10) / SOUND_M_S * size_m.prod() / (surface * rt60_s)  # -ln(1 - absorption)
    # Paths as long as the sound travels in the RT60 have at most this many reflections, save along diagonals.
    order = math.ceil(SOUND_M_S * rt60_s / _shortest_diagonal(size_m))
    for _ in range(TRIES):
        absorption = [1 - math.exp(-exponent)] * 6
        response, direct = room_response(size_m, source_m, microphone_m, absorption, order, sample_rate)
        measured_s = measure_rt60(response, direct, sample_rate)
        if abs(measured_s / rt60_s - 1) < RT60_TOLERANCE:
            break
        exponent *= measured_s / rt60_s
    return response, direct


def _shortest_diagonal(size_m: np.ndarray) -> float:
    """Distance from a corner to the diagonal across a face, the shortest of the three: m that an order adds."""
    pairs = ((size_m[0], size_m[1]), (size_m[0], size_m[2]), (size_m[1], size_m[2]))
    return min(a * b / math.hypot(a, b) for a, b in pairs)


def _draw_places(size_m: np.ndarray, rng: Generator, sample_rate: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Source and microphone [3] in a room, and the distance in m, that of a whole number of samples."""
    step_m = SOUND_M_S / sample_rate
    while True:
        microphone_m = rng.uniform(MARGIN_M, size_m - MARGIN_M)
        distance_m = step_m * round(math.exp(rng.uniform(math.log(0.3), math.log(5.0))) / step_m)
        direction = rng.normal(size=3) * [1, 1, 0.3]  # heads and microphones differ less in height
        source_m = microphone_m + distance_m * direction / np.linalg.norm(direction)
        if (source_m > MARGIN_M).all() and (source_m < size_m - MARGIN_M).all():
            return source_m, microphone_m, distance_m
