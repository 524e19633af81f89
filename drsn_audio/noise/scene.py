"""A place made of sound sources, heard by one microphone: its level, its echoes, any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from drsn_audio.noise.texture import colour_filter, convolve, decibels

LEVEL_DB = -26.0
KNEE = 0.5  # above it the microphone saturates, and never reaches 1
TAKE_S = 60.0  # longer noise is joined from takes, so that memory does not grow with it
FADE_S = 1.0

# render(num_samples, generator) -> [N], RMS about 1 while the source is at work.
Source = Callable[[int, Generator], np.ndarray]


class Place(NamedTuple):
    """Sources, the level of each in dB, and the impulse response from there to the recording [taps]."""

    sources: Sequence[tuple[float, Source]]
    response: np.ndarray


def record(place: Place, num_samples: int, sample_rate: int, rng: Generator) -> np.ndarray:
    """What a recorder in the place writes: float32 [N], -26 dB re full scale, no sample at full scale."""
    take, fade = round(TAKE_S * sample_rate), round(FADE_S * sample_rate)
    # Equal powers: the two takes have nothing in common.
    rise = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / fade)
    wave = np.zeros(num_samples, np.float32)
    for begin in range(0, num_samples, take):
        lead = min(begin, fade)
        part = _take(place, min(take, num_samples - begin) + lead, rng)
        if lead:
            part[:lead] *= rise
            wave[begin - lead : begin] *= rise[::-1]
        wave[begin - lead : begin - lead + len(part)] += part
    power = sum(float(np.dot(part, part)) for part in np.array_split(wave, num_samples // take + 1))
    wave *= np.float32(decibels(LEVEL_DB) / max(np.sqrt(power / num_samples), 1e-12))
    for begin in range(0, num_samples, take):
        _saturate(wave[begin : begin + take])
    return wave


def _take(place: Place, num_samples: int, rng: Generator) -> np.ndarray:
    heard_before = len(place.response) - 1
    total = np.zeros(num_samples + heard_before)
    for level_db, render in place.sources:
        total += decibels(level_db) * render(len(total), rng)
    return convolve(total, place.response, mode="valid")


def _saturate(wave: np.ndarray) -> None:
    loud = np.abs(wave) > KNEE
    over = (np.abs(wave[loud]) - KNEE) / (1 - KNEE)
    wave[loud] = np.sign(wave[loud]) * (KNEE + (1 - KNEE) * 0.98 * np.tanh(over))


def draw_response(
    sample_rate: int, reverb_s: tuple[float, float], direct_db: tuple[float, float], rng: Generator
) -> np.ndarray:
    """Echoes (60 dB down after reverb_s, direct sound direct_db over them) and the colour of a microphone."""
    length_s = rng.uniform(*reverb_s)
    seconds = np.arange(max(1, round(0.7 * length_s * sample_rate))) / sample_rate
    echoes = rng.standard_normal(len(seconds)) * 10 ** (-3 * seconds / length_s)
    echoes[seconds < 0.004 * rng.random()] = 0
    dull = colour_filter([(1000, 0), (16000, -rng.uniform(6, 24))], sample_rate)
    echoes = convolve(echoes, dull, mode="same")
    echoes *= decibels(-rng.uniform(*direct_db)) / max(float(np.sqrt(np.sum(echoes**2))), 1e-12)
    echoes[0] += 1
    low_hz, tilt_db = rng.uniform(20, 180), rng.uniform(-7, 2)  # dB per octave, from 300 Hz up
    knots_hz = np.geomspace(low_hz, sample_rate / 2, 9)
    bumps_db = rng.normal(0, 2.5, 9) + tilt_db * np.log2(np.maximum(knots_hz / 300, 1))
    curve = [(low_hz / 4, bumps_db[0] - 24), *zip(knots_hz, bumps_db, strict=True)]
    return convolve(echoes, colour_filter(curve, sample_rate))


def scatter(
    num_samples: int,
    sample_rate: int,
    every_s: float,
    longest_s: float,
    event: Callable[[np.ndarray, Generator], np.ndarray],
    rng: Generator,
    dtype: type = float,
) -> np.ndarray:
    """Events at random moments, one in every_s on average, those included that began up to longest_s earlier.

    event(seconds since it began [M], generator) -> [M]: only the part of it that is heard is ever computed.
    """
    wave: np.ndarray = np.zeros(num_samples, dtype)
    span_s = num_samples / sample_rate + longest_s
    for start_s in rng.uniform(-longest_s, span_s - longest_s, rng.poisson(span_s / every_s)):
        begin = max(0, round(start_s * sample_rate))
        end = min(num_samples, round((start_s + longest_s) * sample_rate))
        if begin < end:
            wave[begin:end] += event(np.arange(begin, end) / sample_rate - start_s, rng)
    return wave
