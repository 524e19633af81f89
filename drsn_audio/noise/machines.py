"""Machines: motors, fans, hammers, power tools, compressed air. Each draws one and returns its sound."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from drsn_audio.noise.scene import Source, scatter
from drsn_audio.noise.texture import (
    bouts,
    colour_filter,
    coloured_noise,
    convolve,
    decibels,
    drift,
    harmonics_below,
    log_uniform,
    one_period,
    read_period,
    running_cycles,
)


def motor(sample_rate: int, rng: Generator, turns_hz: tuple[float, float] = (8, 60)) -> Source:
    """Harmonics of the turning speed, gear teeth among them, and noise that beats with it."""
    turn_hz = log_uniform(*turns_hz, rng)
    order = harmonics_below(sample_rate / 2, 1.1 * turn_hz)
    tilt_db, teeth = rng.uniform(2, 9), rng.integers(3, 40)
    strength_db = -tilt_db * np.log2(order) + rng.normal(0, 6, len(order))
    strength_db[order % teeth == 0] += rng.uniform(0, 25)  # the mesh of the gear
    tone = one_period(decibels(strength_db), rng)
    beat = one_period(decibels(-rng.uniform(3, 12) * np.log2(np.arange(1, 13))), rng)
    slope_db = rng.uniform(-8, -1)
    noise_fir = colour_filter([(60, 0), (250, 0), (16000, 6 * slope_db)], sample_rate)
    noise_share, beat_depth = decibels(rng.uniform(-15, 8)), rng.uniform(0.05, 0.9)
    wander, unsteady = rng.uniform(0.001, 0.03), rng.uniform(0.02, 0.25)

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        speed_hz = turn_hz * (1 + wander * np.clip(drift(num_samples, sample_rate, 2.0, rng), -3, 3))
        cycles = running_cycles(speed_hz, sample_rate, rng)
        level = 1 + unsteady * drift(num_samples, sample_rate, 1.5 / turn_hz, rng)
        noise = coloured_noise(num_samples, noise_fir, rng) * (1 + beat_depth * read_period(beat, cycles))
        return level * (read_period(tone, cycles) + noise_share * noise) / np.hypot(1, noise_share)

    return render


def fan(sample_rate: int, rng: Generator) -> Source:
    """Moving air, with the blades in it: ventilation, an air conditioner, a cooling tower."""
    peak_hz, slope_db = log_uniform(40, 600, rng), rng.uniform(-7, -2)
    rise_db, fall_db = -rng.uniform(0, 15), slope_db * np.log2(sample_rate / 2 / peak_hz)
    fir = colour_filter([(peak_hz / 4, rise_db), (peak_hz, 0), (sample_rate / 2, fall_db)], sample_rate)
    blades_hz = log_uniform(25, 350, rng)
    order = harmonics_below(sample_rate / 2, 1.02 * blades_hz, most=30)
    blades = one_period(decibels(-rng.uniform(3, 12) * np.log2(order) + rng.normal(0, 4, len(order))), rng)
    blades_share, gust = decibels(rng.uniform(-30, 0)), rng.uniform(0.02, 0.2)

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        speed_hz = blades_hz * (1 + 0.004 * np.clip(drift(num_samples, sample_rate, 3.0, rng), -3, 3))
        tone = read_period(blades, running_cycles(speed_hz, sample_rate, rng))
        air = coloured_noise(num_samples, fir, rng) * (1 + gust * drift(num_samples, sample_rate, 0.4, rng))
        return (air + blades_share * tone) / np.hypot(1, blades_share)

    return render


def struck_body(sample_rate: int, rng: Generator, ring_s: tuple[float, float]) -> np.ndarray:
    """Impulse response of something struck: a click and ringing modes, the higher the shorter; energy 1."""
    longest_s = log_uniform(*ring_s, rng)
    seconds = np.arange(round(min(4 * longest_s, 1.5) * sample_rate) + 32) / sample_rate
    lowest_hz = log_uniform(80, 1500, rng)
    modes_hz = np.exp(rng.uniform(np.log(lowest_hz), np.log(0.47 * sample_rate), rng.integers(4, 16)))
    decays_s = longest_s * (modes_hz / lowest_hz) ** -rng.uniform(0.3, 0.9)
    weights = rng.normal(0, 1, len(modes_hz)) * (modes_hz / lowest_hz) ** -rng.uniform(0, 0.8)
    ringing = np.zeros(len(seconds))
    for mode_hz, decay_s, weight in zip(modes_hz, decays_s, weights, strict=True):
        ringing += weight * np.exp(-seconds / decay_s) * np.sin(2 * np.pi * mode_hz * seconds)
    click = rng.standard_normal(len(seconds)) * np.exp(-seconds / rng.uniform(0.001, 0.02))
    thud_hz, thud_share = rng.uniform(40, 160), rng.uniform(0, 1.5)
    thud = np.exp(-seconds / 0.03) * np.sin(2 * np.pi * thud_hz * seconds)
    parts = [(1.0, ringing), (rng.uniform(0.1, 1.2), click), (thud_share, thud)]
    body = sum(share * part / np.sqrt(np.sum(part**2) + 1e-12) for share, part in parts)
    return np.asarray(body / np.sqrt(np.sum(body**2)))


def hammer(
    sample_rate: int,
    rng: Generator,
    blows_hz: tuple[float, float] = (0.5, 4.0),
    ring_s: tuple[float, float] = (0.03, 0.4),
    jitter: tuple[float, float] = (0.01, 0.4),
    on_s: tuple[float, float] = (2.0, 20.0),
) -> Source:
    """Blows in bouts: from a press (one a second) to a jackhammer (thirty); jitter 1 is no rhythm at all."""
    blow_hz, uneven = log_uniform(*blows_hz, rng), rng.uniform(*jitter)
    bodies = [struck_body(sample_rate, rng, ring_s) for _ in range(2)]
    work_s, rest_s, spread_db = rng.uniform(*on_s), rng.uniform(0.5, 6), rng.uniform(0.5, 5)

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        duration_s = num_samples / sample_rate
        gaps_s = 1 / blow_hz * np.exp(rng.normal(0, uneven, int(1.5 * duration_s * blow_hz) + 8))
        blows_s = np.cumsum(gaps_s) - gaps_s[0] * rng.random()
        place = (blows_s[blows_s < duration_s] * sample_rate).astype(int)
        working = bouts(num_samples, sample_rate, work_s, rest_s, 0.05, rng)
        force = working[place] * decibels(rng.normal(0, spread_db, len(place)))
        wave = np.zeros(num_samples)
        softer = rng.random(len(place)) ** 2
        for share, body in zip((1 - softer, softer), bodies, strict=True):
            blows = np.zeros(num_samples)
            np.add.at(blows, place, share * force)
            wave += convolve(blows, body)[:num_samples]
        return wave * np.sqrt(sample_rate / blow_hz)

    return render


def power_tool(sample_rate: int, rng: Generator, turns_hz: tuple[float, float] = (80, 500)) -> Source:
    """Drill, grinder, saw: a whine that yields under load, and a rasp, perhaps percussive."""
    turn_hz = log_uniform(*turns_hz, rng)
    order = harmonics_below(sample_rate / 2, 1.1 * turn_hz)
    whine = one_period(decibels(-rng.uniform(0, 7) * np.log2(order) + rng.normal(0, 7, len(order))), rng)
    edge_hz = log_uniform(200, 4000, rng)
    low_db, top_db = -rng.uniform(6, 30), -rng.uniform(0, 20)
    rasp_fir = colour_filter([(edge_hz / 8, low_db), (edge_hz, 0), (sample_rate / 2, top_db)], sample_rate)
    rasp_share, yielding = decibels(rng.uniform(-6, 18)), rng.uniform(0.02, 0.3)
    rough_s, rough = log_uniform(0.01, 0.2, rng), rng.uniform(0.1, 0.5)
    blow_hz, percussion = rng.uniform(15, 60), rng.choice([0.0, rng.uniform(0.2, 0.9)])
    on_s, off_s = rng.uniform(1, 10), rng.uniform(0.5, 5)

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        running = bouts(num_samples, sample_rate, 3 * on_s, off_s, 0.4, rng)
        load = bouts(num_samples, sample_rate, on_s, 0.3 * on_s, 0.15, rng) * running
        speed = 1 - yielding * load + 0.01 * np.clip(drift(num_samples, sample_rate, 0.3, rng), -3, 3)
        cycles = running_cycles(turn_hz * np.maximum(running, 0.05) * speed, sample_rate, rng)
        beat = 1 + percussion * np.sign(np.sin(2 * np.pi * cycles * blow_hz / turn_hz)) if percussion else 1.0
        rasp = coloured_noise(num_samples, rasp_fir, rng) * load * beat
        rasp *= 1 + rough * drift(num_samples, sample_rate, rough_s, rng)
        whistle = read_period(whine, cycles) * running**2
        return (whistle + rasp_share * rasp) / np.hypot(1, rasp_share)

    return render


def compressed_air(sample_rate: int, rng: Generator) -> Source:
    """Valves that blow off: bursts of hiss."""
    low_hz, loss_db = log_uniform(500, 4000, rng), -rng.uniform(0, 15)
    fir = colour_filter([(low_hz / 8, -30), (low_hz, 0), (sample_rate / 2, loss_db)], sample_rate)
    every_s, typical_s = log_uniform(0.4, 6, rng), log_uniform(0.05, 0.8, rng)

    def burst(seconds: np.ndarray, rng: Generator) -> np.ndarray:
        attack_s, hold_s = rng.uniform(0.002, 0.02), typical_s * rng.uniform(0.5, 1.5)
        fall = np.exp(-np.maximum(seconds - hold_s, 0) / (0.3 * hold_s))
        return (1 - np.exp(-seconds / attack_s)) * fall * decibels(rng.normal(0, 4))

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        valve = scatter(num_samples, sample_rate, every_s, 3 * typical_s, burst, rng)
        return coloured_noise(num_samples, fir, rng) * valve

    return render


def beeper(sample_rate: int, rng: Generator) -> Source:
    """A vehicle that backs up, an alarm."""
    tone_hz, beep_s = rng.uniform(700, 3000), rng.uniform(0.15, 0.7)
    tone = one_period(
        decibels(-rng.uniform(10, 25) * np.log2(harmonics_below(sample_rate / 2, tone_hz))),
        rng,
    )

    def render(num_samples: int, rng: Generator) -> np.ndarray:
        seconds = np.arange(num_samples) / sample_rate + rng.random()
        on = np.clip(50 * (0.5 * beep_s - np.abs(seconds % (2 * beep_s) - beep_s)), 0, 1)
        return on * read_period(tone, tone_hz * seconds) * bouts(num_samples, sample_rate, 6, 10, 0.01, rng)

    return render
