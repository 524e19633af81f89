"""Traffic: vehicles that pass (level, Doppler shift, tyres, engine), horns, sirens."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from drsn_audio.noise.scene import Source, scatter
from drsn_audio.noise.texture import (
    colour_filter,
    coloured_noise,
    decibels,
    drift,
    harmonics_below,
    log_uniform,
    one_period,
    read_period,
)

SOUND_M_S = 343.0


def pass_by(seconds: np.ndarray, nearest_m: float, speed_m_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Time at the listener [N] -> (amplitude, 1 from the nearest point; time in s at which the sound left).

    The source is at the nearest point at 0 s. Read at the time when its sound left, it has its Doppler shift;
    that time solves SOUND_M_S * (seconds - left) = distance(left).
    """
    mach = speed_m_s / SOUND_M_S
    delay_s = nearest_m / SOUND_M_S
    left = (seconds - np.sqrt((mach * seconds) ** 2 + (1 - mach**2) * delay_s**2)) / (1 - mach**2)
    return delay_s / (seconds - left), left


def traffic(sample_rate: int, rng: Generator) -> Source:
    """A road: its distance, speed and density are drawn, then each vehicle's own."""
    road_m, speed_m_s = log_uniform(3, 40, rng), rng.uniform(5, 25)
    longest_s = float(np.clip(12 * road_m / speed_m_s, 4, 30))
    every_s = max(log_uniform(1.0, 15, rng), longest_s / 8)
    peak_hz = rng.uniform(500, 1500)
    near = colour_filter([(peak_hz / 8, -8), (peak_hz, 0), (16000, -rng.uniform(12, 30))], sample_rate)
    far = colour_filter([(60, 0), (peak_hz / 2, -2), (8000, -rng.uniform(30, 50))], sample_rate)

    def vehicle(seconds: np.ndarray, rng: Generator) -> np.ndarray:
        """Engine, real part; tyres, imaginary part (an envelope for the noise that all vehicles share)."""
        lane_m, own_m_s = road_m * rng.uniform(1, 1.5), speed_m_s * rng.uniform(0.6, 1.4)
        loudness = decibels(rng.normal(0, 4))
        amplitude, left = pass_by(seconds - longest_s / 2, lane_m, own_m_s)
        fade = np.clip(np.minimum(seconds, longest_s - seconds), 0, 1)
        heavy = rng.random() < 0.25
        firing_hz = rng.uniform(25, 60) if heavy else rng.uniform(45, 180)
        gas = rng.uniform(-0.02, 0.03)  # relative speed-up a second
        order = harmonics_below(sample_rate / 2, 2 * firing_hz, most=60)
        engine = one_period(decibels(-rng.uniform(4, 9) * np.log2(order) + rng.normal(0, 4, len(order))), rng)
        cycles = rng.random() + firing_hz * (left + 0.5 * gas * left * np.abs(left))
        engine_share = decibels(rng.uniform(-20, 3) + 6 * heavy)
        envelope = loudness * amplitude * fade
        return envelope * (engine_share * read_period(engine, cycles) + 1j)

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        passing = scatter(num_samples, sample_rate, every_s, longest_s, vehicle, rng, dtype=complex)
        tyres = passing.imag
        # The air and the ground take the high frequencies of what is far away.
        bright = coloured_noise(num_samples, near, rng) * np.minimum(tyres, 2) ** 1.5
        return passing.real + 0.7 * bright + 0.7 * coloured_noise(num_samples, far, rng) * tyres

    return render


def rumble(sample_rate: int, rng: Generator) -> Source:
    """The town from afar: many vehicles at once, wind, leaves."""
    corner_hz, slope_db = log_uniform(40, 400, rng), rng.uniform(-9, -3)
    octaves = np.log2(sample_rate / 2 / corner_hz)
    fir = colour_filter([(20, -6), (corner_hz, 0), (sample_rate / 2, slope_db * octaves)], sample_rate)
    swell_db, swell_s = rng.uniform(0.5, 4), rng.uniform(0.5, 8)

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        swell = decibels(swell_db * drift(num_samples, sample_rate, swell_s, rng))
        return coloured_noise(num_samples, fir, rng) * swell

    return render


def horns(sample_rate: int, rng: Generator) -> Source:
    """Car horns: two tones, sounded once or several times."""
    every_s = log_uniform(2, 15, rng)

    def honk(seconds: np.ndarray, rng: Generator) -> np.ndarray:
        base_hz, interval = rng.uniform(280, 520), rng.choice([1.0, 1.19, 1.25, 1.33])
        order = harmonics_below(sample_rate / 2, base_hz * interval, most=30)
        shape_db = -rng.uniform(1, 6) * np.log2(order) - rng.uniform(0, 4) * ((order - rng.uniform(1, 8)) / 3) ** 2
        period = one_period(decibels(np.maximum(shape_db, -60) + rng.normal(0, 3, len(order))), rng)
        length_s, times = rng.choice([0.15, 0.3, 0.8, 2.0]) * rng.uniform(0.7, 1.5), rng.integers(1, 4)
        within = seconds % (1.6 * length_s)
        on = np.clip(np.minimum(within, length_s - within) / 0.02, 0, 1) * (seconds < 1.6 * length_s * times)
        tone = read_period(period, base_hz * seconds) + read_period(period, base_hz * interval * seconds)
        return decibels(rng.normal(0, 5)) * on * tone / np.sqrt(2)

    return lambda num_samples, rng: scatter(num_samples, sample_rate, every_s, 6.0, honk, rng)


def sirens(sample_rate: int, rng: Generator) -> Source:
    """Sirens that come and go: wail, yelp, or two tones, with the Doppler shift of the pass."""
    every_s, longest_s = rng.uniform(8, 40), 24.0

    def siren(seconds: np.ndarray, rng: Generator) -> np.ndarray:
        amplitude, left = pass_by(seconds - longest_s * rng.uniform(0.2, 0.8), rng.uniform(10, 80), rng.uniform(0, 25))
        kind = rng.choice(["wail", "yelp", "two-tone"])
        middle_hz, sweep = rng.uniform(500, 1100), rng.uniform(0.15, 0.4)
        if kind == "two-tone":
            rate_hz, swing = rng.uniform(0.5, 1.2), rng.uniform(0.12, 0.18)
            # The integral of a square wave is a triangle: the tone hops, its phase does not.
            cycles = left + swing * np.abs((left * rate_hz) % 1 - 0.5) / rate_hz
        else:
            rate_hz = rng.uniform(0.1, 0.4) if kind == "wail" else rng.uniform(2.5, 5)
            cycles = left - sweep * np.cos(2 * np.pi * rate_hz * left) / (2 * np.pi * rate_hz)
        order = harmonics_below(sample_rate / 2, 1.6 * middle_hz, most=12)
        period = one_period(decibels(-rng.uniform(6, 18) * np.log2(order) + rng.normal(0, 4, len(order))), rng)
        fade = np.clip(np.minimum(seconds, longest_s - seconds) / 2, 0, 1)
        return amplitude * fade * decibels(rng.normal(0, 4)) * read_period(period, middle_hz * cycles)

    return lambda num_samples, rng: scatter(num_samples, sample_rate, every_s, longest_s, siren, rng)
