"""Voices that nobody is meant to understand (talkers, a crowd, children at play), and street music."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from drsn_audio.noise.scene import Source
from drsn_audio.noise.texture import (
    colour_filter,
    coloured_noise,
    decibels,
    harmonics_below,
    log_uniform,
    one_period,
    read_period,
)


def talkers(sample_rate: int, rng: Generator, children: bool = False) -> Source:
    """One to eight voices, near and far: syllables of drawn vowels, hissed consonants, pauses for breath."""
    count = rng.integers(1, 9)
    lowest_hz, highest_hz = (230, 480) if children else (85, 240)
    pitches_hz = [log_uniform(lowest_hz, highest_hz, rng) for _ in range(count)]
    loudness = decibels(-rng.exponential(6, count))
    loudness /= np.sqrt(np.sum(loudness**2))
    busy, hiss_share = rng.uniform(0.3, 0.9, count), rng.uniform(0.05, 0.3)
    hiss = colour_filter([(800, -30), (rng.uniform(2500, 5500), 0), (16000, -10)], sample_rate)

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        wave, breath = np.zeros(num_samples), np.zeros(num_samples)
        for pitch_hz, strength, share in zip(pitches_hz, loudness, busy, strict=True):
            _speak(wave, breath, sample_rate, pitch_hz, strength, share, children, rng)
        return 1.4 * (wave + hiss_share * coloured_noise(num_samples, hiss, rng) * breath)

    return render


def _speak(
    wave: np.ndarray,
    breath: np.ndarray,
    sample_rate: int,
    pitch_hz: float,
    strength: float,
    busy: float,
    children: bool,
    rng: Generator,
) -> None:
    """Add one voice to wave [N], and to breath [N] the envelope of its hissed consonants."""
    tract = rng.uniform(1.15, 1.5) if children else rng.uniform(0.85, 1.2)
    end_s = len(wave) / sample_rate
    time_s, phrase_end_s = -rng.uniform(0, 1), rng.uniform(0, 2)
    while time_s < end_s:
        length_s = rng.uniform(0.1, 0.9 if children else 0.3)
        span = slice(
            max(0, round(time_s * sample_rate)),
            max(0, min(len(wave), round((time_s + length_s) * sample_rate))),
        )
        if span.start < span.stop:
            seconds = np.arange(span.start, span.stop) / sample_rate - time_s
            window = np.sin(np.pi * np.clip(seconds / length_s, 0, 1)) ** rng.uniform(0.5, 1.5)
            if rng.random() < 0.25:
                breath[span] += strength * window
            else:
                level = strength * decibels(rng.normal(0, 4))
                wave[span] += level * window * _vowel(seconds, length_s, sample_rate, pitch_hz, tract, rng)
        time_s += length_s * rng.uniform(0.6, 1.0)
        if time_s > phrase_end_s:
            phrase_s = rng.uniform(0.5, 3)
            time_s += phrase_s * (1 - busy) / busy
            phrase_end_s = time_s + phrase_s


def _vowel(
    seconds: np.ndarray, length_s: float, sample_rate: int, pitch_hz: float, tract: float, rng: Generator
) -> np.ndarray:
    start_hz = pitch_hz * np.exp(rng.normal(0, 0.15))
    glide = np.clip(rng.normal(-0.1, 0.2), -0.5, 0.5)
    cycles = start_hz * (seconds + 0.5 * glide * seconds**2 / length_s)
    harmonics = harmonics_below(sample_rate / 2, start_hz * (1 + max(glide, 0)), most=200)
    frequency_hz = harmonics * start_hz
    formants_hz = tract * np.array([rng.uniform(280, 800), rng.uniform(850, 2300), rng.uniform(2400, 3000), 3700, 4900])
    bandwidths_hz = np.array([80, 110, 160, 220, 300])
    peaks = 1 / np.hypot(1, (frequency_hz[:, None] - formants_hz) / bandwidths_hz)
    strength = (peaks * [1, 0.6, 0.35, 0.2, 0.1]).sum(axis=1) + 0.004
    return read_period(one_period(strength * harmonics**-0.35, rng), cycles)


def music(sample_rate: int, rng: Generator) -> Source:
    """Street music: a few voices on one scale and beat, plucked or sustained, perhaps a drum."""
    root_hz, beat_s = log_uniform(90, 220, rng), rng.uniform(0.15, 0.5)
    scale = np.array([[0, 2, 4, 7, 9], [0, 3, 5, 7, 10], [0, 2, 3, 7, 8]])[rng.integers(3)]
    parts, sustain_s, steep_db = (
        rng.integers(1, 5),
        log_uniform(0.1, 1.5, rng),
        rng.uniform(4, 12),
    )
    drum_fir = colour_filter([(100, 0), (1000, -rng.uniform(0, 15)), (16000, -rng.uniform(5, 30))], sample_rate)
    drum_share = rng.choice([0.0, rng.uniform(0.2, 1.0)])

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        wave, drum = np.zeros(num_samples), np.zeros(num_samples)
        for beat in range(-4, int(num_samples / sample_rate / beat_s) + 1):
            begin_s = beat * beat_s
            begin, end = (
                max(0, round(begin_s * sample_rate)),
                min(num_samples, round((begin_s + 4 * sustain_s) * sample_rate)),
            )
            if begin >= end:
                continue
            seconds = np.arange(begin, end) / sample_rate - begin_s
            drum[begin:end] += rng.choice([0, 0, 1, 2]) * np.exp(-seconds / 0.05)
            for _ in range(rng.binomial(parts, 0.5)):
                note_hz = root_hz * 2 ** (rng.choice(scale) / 12 + rng.integers(0, 4))
                order = harmonics_below(sample_rate / 2, note_hz, most=30)
                period = one_period(decibels(-steep_db * np.log2(order) + rng.normal(0, 3, len(order))), rng)
                envelope = (1 - np.exp(-seconds / 0.008)) * np.exp(-seconds / sustain_s)
                wave[begin:end] += envelope * read_period(period, note_hz * seconds)
        return 0.8 * wave / np.sqrt(parts) + drum_share * coloured_noise(num_samples, drum_fir, rng) * drum

    return render
