"""The blind estimate of the SNR: right where its model of speech holds, and clear where there is no SNR."""

import itertools
import math

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.noise.estimate import (
    MAX_SNR_DB,
    MIN_SNR_DB,
    amplitude_statistic,
    estimate_snr,
    without_silence,
)

RATE = 16000


def speech_like(seconds=12.0, rate=RATE, seed=0):
    """Samples [N] of unit power whose amplitudes are Gamma-distributed (shape 0.4) and change slowly, as syllables do.

    A Gaussian carrier times a gain of 50 ms a value: |x| of the product is drawn by rank from the Gamma distribution.
    """
    rng = np.random.default_rng(seed)
    size = round(seconds * rate)
    gains = np.exp(1.6 * rng.standard_normal(math.ceil(size / (0.05 * rate)) + 1))
    envelope = np.interp(np.arange(size) / (0.05 * rate), np.arange(len(gains)), gains)
    product = envelope * rng.standard_normal(size)
    amplitudes = np.sort(rng.gamma(0.4, 1, size))
    wave = np.sign(product)
    wave[np.argsort(np.abs(product))] *= amplitudes
    return wave / np.sqrt(np.mean(wave**2))


def noisy(snr_db, seed=0, rate=RATE, level=0.02, **kwargs):
    speech = speech_like(rate=rate, seed=seed, **kwargs)
    noise = np.random.default_rng(seed + 100).standard_normal(len(speech)) * 10 ** (-snr_db / 20)
    return (level * (speech + noise)).astype(np.float32)


@pytest.mark.parametrize("snr_db", [-10, -5, 0, 10, 20, 30])
def test_the_statistic_is_that_of_drawn_samples(snr_db):
    rng = np.random.default_rng(1)
    speech = rng.gamma(0.4, 1, 1_000_000) * rng.choice([-1, 1], 1_000_000) / math.sqrt(0.4 * 1.4)
    amplitude = np.abs(speech + rng.standard_normal(1_000_000) * 10 ** (-snr_db / 20))
    assert amplitude_statistic(snr_db) == pytest.approx(math.log(amplitude.mean()) - np.log(amplitude).mean(), abs=4e-3)


def test_the_ends_of_the_statistic_are_those_of_pure_noise_and_pure_speech():
    """Gaussian: log sqrt(2/pi) + (log 2 + Euler's constant) / 2; Gamma: log k - digamma(k) = 1.645 at k = 0.4."""
    assert amplitude_statistic(-40) == pytest.approx(
        0.5 * math.log(2 / math.pi) + 0.5 * (math.log(2) + 0.57722), abs=2e-3
    )
    assert amplitude_statistic(120) == pytest.approx(1.645, abs=2e-2)


@pytest.mark.parametrize("snr_db", [0.0, 5.0, 10.0])
def test_speech_like_sound_in_noise(snr_db):
    errors = [estimate_snr(noisy(snr_db, seed), RATE).snr_db - snr_db for seed in range(3)]
    assert abs(np.median(errors)) < 1.5


def test_it_rises_with_the_snr_and_its_levels_add_up():
    found = [estimate_snr(noisy(snr_db), RATE) for snr_db in (-5, 0, 5, 10, 20)]
    assert all(a.snr_db < b.snr_db for a, b in itertools.pairwise(found))
    for estimate in found:
        assert estimate.snr_db == pytest.approx(estimate.speech_db - estimate.noise_db)
    total_db = 10 * math.log10(np.mean(noisy(5).astype(float) ** 2))
    sum_db = 10 * math.log10(10 ** (found[2].speech_db / 10) + 10 ** (found[2].noise_db / 10))
    assert sum_db == pytest.approx(total_db, abs=0.05)


def test_the_level_of_the_recording_and_a_constant_change_nothing():
    wave = noisy(5).astype(float)
    expected = estimate_snr(wave, RATE)
    quiet = estimate_snr(wave / 16, RATE)
    assert quiet.snr_db == pytest.approx(expected.snr_db, abs=1e-3)
    assert quiet.noise_db == pytest.approx(expected.noise_db - 20 * math.log10(16), abs=1e-3)
    assert estimate_snr(wave + 0.1, RATE).snr_db == pytest.approx(expected.snr_db, abs=0.05)


def test_rumble_is_noise():
    wave = noisy(30)
    rumble = 0.02 * math.sqrt(2) * np.sin(2 * np.pi * 20 * np.arange(len(wave)) / RATE)
    assert estimate_snr(wave + rumble.astype(np.float32), RATE).snr_db == pytest.approx(0, abs=1.0)


def test_blocks_do_not_matter(monkeypatch):
    from drsn_audio.noise import estimate

    whole = estimate_snr(noisy(5), RATE)
    monkeypatch.setattr(estimate, "BLOCK", 1777)
    assert estimate_snr(noisy(5), RATE) == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_sample_rates(rate):
    assert estimate_snr(noisy(5, rate=rate), rate).snr_db == pytest.approx(5, abs=5)


def test_noise_alone_is_the_lowest_answer():
    assert estimate_snr(noisy(-60), RATE).snr_db == MIN_SNR_DB


def test_bursts_between_pauses_are_the_highest_answer():
    wave = np.where(np.arange(4 * RATE) % RATE < 200, speech_like(4), 2e-3 * noisy(5, level=1)[: 4 * RATE])
    without_rumble = np.diff(wave, 3)
    assert estimate_snr(0.02 * without_rumble, RATE).snr_db == MAX_SNR_DB


def padded(wave, rate):
    return np.concatenate([np.zeros(rate), wave, np.zeros(3 * rate)])


def padded_at_an_offset(wave, rate):
    return np.concatenate([wave + 0.1, np.full(2 * rate, 0.1)])


def gated(wave, rate):
    """The same sound with 20 ms of zeros after each 100 ms, as of discontinuous transmission."""
    parts = np.split(wave[: len(wave) // (rate // 10) * (rate // 10)], len(wave) // (rate // 10))
    return np.concatenate([np.append(part, np.zeros(rate // 50)) for part in parts])


@pytest.mark.parametrize("change", [padded, padded_at_an_offset, gated])
@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize("snr_db", [-60, 0, 10])
def test_digital_silence_is_no_noise_floor(change, rate, snr_db):
    wave = noisy(snr_db, rate=rate, seconds=6.0)
    expected, found = estimate_snr(wave, rate), estimate_snr(change(wave, rate).astype(np.float32), rate)
    assert found == pytest.approx(expected, abs=0.3)


def silences(size, rate):
    """What fills pauses that hold no sound, in steps of 16 bits."""
    rng = np.random.default_rng(9)
    return {
        "dither": np.round(rng.random(size) - rng.random(size)),
        "one step around zero": rng.integers(-1, 2, size),
        "a step to and fro": -(np.arange(size) % 2),
        "dither of 24 bits": rng.integers(-1, 2, size) / 256,
        "a decaying offset": 300 * np.exp(-np.arange(size) / rate),
        "silence of a codec": np.round(10 ** (-85 / 20) * 32768 * rng.standard_normal(size)),
    }


@pytest.mark.parametrize("kind", silences(0, RATE))
@pytest.mark.parametrize("share", [0.25, 0.5])
@pytest.mark.parametrize("snr_db", [-60, 0, 10])
def test_dithered_or_coded_silence_is_no_noise_floor(kind, share, snr_db):
    wave = np.round(noisy(snr_db, seconds=6.0, level=0.05) * 32768) / 32768
    silence = silences(int(len(wave) * share / (1 - share)), RATE)[kind] / 32768
    expected, found = estimate_snr(wave, RATE), estimate_snr(np.append(wave, silence).astype(np.float32), RATE)
    assert found == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("snr_db", [-60, 0, 10])
def test_short_pulses_of_a_gate(snr_db):
    wave = np.round(noisy(snr_db, seconds=6.0) * 32768) / 32768
    gate = np.arange(len(wave)) % (RATE // 100) >= 0.00375 * RATE
    expected, found = estimate_snr(wave, RATE), estimate_snr(wave * gate, RATE)
    assert found.snr_db == pytest.approx(expected.snr_db, abs=1)


@pytest.mark.parametrize("snr_db", [0, 10, 20])
def test_quiet_recordings_of_24_bits_keep_their_noise(snr_db):
    """All of it at -70 dBFS; and noise that no silence is as quiet as beside loud speech."""
    wave = np.round(noisy(snr_db, level=10 ** (-70 / 20)).astype(float) * 2**23) / 2**23
    assert without_silence(wave, RATE) is wave


def test_clean_short_words_between_silence_have_an_estimate():
    rng = np.random.default_rng(0)
    wave = np.round(2 * rng.standard_normal(RATE)) / 32768
    wave[RATE // 4 : RATE // 4 + RATE // 3] += noisy(30, level=0.05)[: RATE // 3]
    assert len(without_silence(wave, RATE)) < RATE // 2
    assert estimate_snr(wave, RATE).snr_db > 20


@pytest.mark.parametrize("steps", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("rate", [8000, RATE])
def test_noise_that_is_often_zero_is_no_digital_silence(steps, rate):
    """Noise of less than one step, as of 8 bits or in a very quiet recording: zeros are frequent, their runs short."""
    noise = np.round(steps * np.random.default_rng(0).standard_normal(5 * rate)) / 128
    assert np.mean(noise == 0) > 0.3
    assert len(without_silence(noise, rate)) > 0.9 * len(noise)


def test_what_is_left_beside_digital_silence_may_be_too_short():
    with pytest.raises(InputError, match="too short"):
        estimate_snr(np.append(np.zeros(10 * RATE), noisy(5)[: RATE // 3]), RATE)


def test_constant_runs_across_blocks(monkeypatch):
    from drsn_audio.noise import estimate

    rng = np.random.default_rng(0)
    for seed in range(20):
        wave = np.repeat(rng.integers(0, 2, 40), rng.integers(1, 9, 40)) * 1.0
        expected = []
        for run in np.split(wave, np.flatnonzero(np.diff(wave)) + 1):
            expected += run.tolist() if len(run) <= 5 else []
        monkeypatch.setattr(estimate, "BLOCK", 1 + seed)
        assert without_silence(wave, 1000).tolist() == expected


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (np.zeros(RATE), "digitally silent"),
        (np.full(RATE, 0.5), "holds a constant"),
        (np.clip(noisy(5), -0.03, 0.03), "clipped"),
        (np.ones(RATE // 2 - 1), "0.50 s long, too short"),
        (np.zeros(0), "too short"),
        (np.append(noisy(5), np.nan), "NaN"),
        (np.append(noisy(5), np.inf), "NaN or infinite"),
        (np.zeros((2, RATE)), "one channel"),
    ],
)
def test_what_has_no_snr(wave, reason):
    with pytest.raises(InputError, match=reason):
        estimate_snr(wave, RATE)


def test_a_sample_rate_of_zero():
    with pytest.raises(InputError, match="sample_rate is 0"):
        estimate_snr(noisy(5), 0)


def test_real_speech_in_white_noise(real_audio):
    """Of its six first LibriSpeech utterances the median error is below 2 dB at 0, 5 and 10 dB."""
    from drsn_audio.audio import read_audio
    from drsn_audio.noise.level import active_level

    errors = []
    for number, path in enumerate(sorted(real_audio.glob("LibriSpeech/**/*.flac"))[:60:10]):
        wave, rate = read_audio(path)
        noise = np.random.default_rng(number).standard_normal(len(wave))
        for snr_db in (0.0, 5.0, 10.0):
            gain = 10 ** ((active_level(wave, rate).active_db - snr_db) / 20)
            errors.append(estimate_snr((wave + gain * noise).astype(np.float32), rate).snr_db - snr_db)
    assert np.median(np.abs(errors)) < 2
