"""Levels against the standard, sample by sample (tests/reference/p56.py), and of signals whose level is known."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drsn_audio.audio import resample
from drsn_audio.noise import level as level_module
from drsn_audio.noise.level import active_level, active_levels, rms_db, speech_level_db

RATE = 8000
REFERENCE = runpy.run_path(str(Path(__file__).parents[1] / "reference" / "p56.py"))


def speech_like(seed: int, seconds: float = 2.0) -> np.ndarray:
    """Noise in syllables and pauses."""
    rng = np.random.default_rng(seed)
    gate = np.repeat(rng.random(round(seconds * 10)) < 0.5, RATE // 10)
    gate[: RATE // 2] = True
    return 0.1 * gate * rng.standard_normal(gate.size)


def tone(seconds: float, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)


def bursts(seed: int, sample_rate: int, num_samples: int, share: float) -> np.ndarray:
    """Noise in bursts of 5 to 300 ms and up to 40 dB apart, with pauses of the same length between them."""
    rng = np.random.default_rng(seed)
    wave = rng.standard_normal(num_samples)
    start = 0
    while start < num_samples:
        end = start + round(sample_rate * 10 ** rng.uniform(-2.3, -0.5))
        wave[start:end] *= 10 ** rng.uniform(-2, 0) if rng.random() < share else 0
        start = end
    return wave


def batch_of(rows: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of different lengths as a batch whose padding is rubbish, NaN included."""
    batch = torch.full((len(rows), max(map(len, rows)) + 7), 1e6, dtype=torch.float64)
    batch[:, -5:] = math.nan
    for padded, row in zip(batch, rows, strict=True):
        padded[: len(row)] = torch.from_numpy(row)
    return batch, torch.tensor([len(row) for row in rows])


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sample_rate=st.sampled_from([8000, 16000, 48000]),
    lengths_s=st.lists(st.floats(0, 0.7), min_size=1, max_size=3),
    gain_db=st.floats(-300, 20),
    share=st.floats(0.2, 1),
)
@example(seed=1, sample_rate=48000, lengths_s=[0.7, 0.1], gain_db=0, share=0.3)
@example(seed=2, sample_rate=8000, lengths_s=[0.7, 0.7, 0.7], gain_db=-90, share=0.3)
def test_a_batch_agrees_with_the_standard_sample_by_sample(seed, sample_rate, lengths_s, gain_db, share):
    rows = [
        10 ** (gain_db / 20) * bursts(seed + i, sample_rate, round(length_s * sample_rate), share)
        for i, length_s in enumerate(lengths_s)
    ]
    batch, lengths = batch_of(rows)
    levels = active_levels(batch, sample_rate, lengths)
    for i, row in enumerate(rows):
        expected = REFERENCE["active_level"](row.tolist(), sample_rate)
        assert [fact[i].item() for fact in levels] == pytest.approx(expected, abs=1e-6)
        assert active_level(row, sample_rate) == pytest.approx(expected, abs=1e-6)
        assert REFERENCE["active_level_numpy"](row, sample_rate) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_seconds_of_speech_agree_with_the_standard_sample_by_sample(seed):
    wave = speech_like(seed)
    assert active_level(wave, RATE) == pytest.approx(REFERENCE["active_level"](wave.tolist(), RATE), abs=1e-9)


def test_real_speech_agrees_with_the_standard(real_audio):
    paths = sorted((real_audio / "LibriSpeech" / "dev-clean").rglob("*.flac"))[:200:50]
    assert paths
    for path in paths:
        wave, sample_rate = sf.read(path, stop=3 * 16000)
        expected = REFERENCE["active_level"](wave.tolist(), sample_rate)
        assert active_level(wave, sample_rate) == pytest.approx(expected, abs=1e-6)
        assert expected[0] > expected[1] + 0.1  # there are pauses


def test_padding_moves_no_row():
    rows = [speech_like(seed, seconds) for seed, seconds in enumerate((0.5, 1.0, 0.7))]
    batch, lengths = batch_of(rows)
    together = active_levels(batch, RATE, lengths)
    for i, row in enumerate(rows):
        alone = active_levels(torch.from_numpy(row)[None], RATE)
        assert [fact[i].item() for fact in together] == pytest.approx([fact.item() for fact in alone], abs=1e-9)


def test_chunks_are_as_one(monkeypatch):
    batch, lengths = batch_of([speech_like(seed, 0.8) for seed in range(3)])
    whole = active_levels(batch, RATE, lengths - 100)
    for chunk in (1, 3 * 480, 3 * 4000):
        monkeypatch.setattr(level_module, "CHUNK", chunk)
        for fact, expected in zip(active_levels(batch, RATE, lengths - 100), whole, strict=True):
            torch.testing.assert_close(fact, expected, atol=1e-9, rtol=0)


def test_silent_and_empty_rows_have_no_level():
    batch = torch.zeros(3, RATE)
    batch[2] = torch.from_numpy(tone(1.0)).float()
    levels = active_levels(batch, RATE, torch.tensor([RATE, 0, RATE]))
    assert levels.active_db[:2].tolist() == levels.rms_db[:2].tolist() == [-math.inf] * 2
    assert levels.activity.tolist() == [0, 0, pytest.approx(1, abs=0.05)]
    assert levels.active_db[2].item() == pytest.approx(active_level(batch[2].numpy(), RATE).active_db, abs=1e-9)
    assert active_levels(torch.zeros(2, 0), RATE).activity.tolist() == [0, 0]
    assert active_levels(torch.zeros(0, RATE), RATE).active_db.shape == (0,)


@pytest.mark.parametrize("bad", [math.nan, -math.nan, math.inf, -math.inf])
def test_rows_that_are_not_finite_are_named(bad):
    batch = torch.full((4, RATE), 0.1)
    batch[:, ::2] = -0.1
    batch[1, 100] = batch[3, -1] = bad
    with pytest.raises(ValueError, match=r"rows \[1, 3\]"):
        active_levels(batch, RATE)
    assert active_levels(batch[::2], RATE).active_db.isfinite().all()
    late = torch.full((1, 8 * RATE), 0.1)  # long before it, the products of whole blocks are NaN
    late[0, 60000] = bad
    with pytest.raises(ValueError, match=r"rows \[0\]"):
        active_levels(late, RATE)


def test_a_batch_is_left_as_it_was():
    batch = -torch.ones(2, 64, dtype=torch.float64)
    active_levels(batch, RATE)
    assert (batch == -1).all()


def test_a_batch_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="B, N"):
        active_levels(torch.ones(10), RATE)
    with pytest.raises(ValueError, match="lengths up to 11"):
        active_levels(torch.ones(1, 10), RATE, torch.tensor([11]))


def test_a_long_burst_in_silence_has_the_level_of_the_burst():
    burst = 0.1 * np.random.default_rng(0).standard_normal(30 * RATE)
    wave = np.concatenate([np.zeros(35 * RATE), burst, np.zeros(35 * RATE)])
    level = active_level(wave, RATE)
    assert level.active_db == pytest.approx(rms_db(burst), abs=0.1)
    assert level.rms_db == pytest.approx(rms_db(burst) - 5.23, abs=0.01)  # 10 log10(0.3)
    assert level.activity == pytest.approx(0.302, abs=0.002)  # 30 s and the hangover, of 100 s


def test_a_tone_has_the_level_of_its_amplitude():
    # 0.5 / sqrt(2) is -9.03 dB.
    level = active_level(tone(10.0), RATE)
    assert level.active_db == pytest.approx(-9.03, abs=0.02)
    assert level.activity == pytest.approx(1, abs=0.005)


@settings(max_examples=20, deadline=None)
@given(gain_db=st.floats(-650, 400))
def test_a_gain_moves_the_level_by_itself_however_quiet(gain_db):
    # 0.1 dB: the interpolation starts from other thresholds.
    wave = speech_like(1)
    louder = active_level(wave * 10 ** (gain_db / 20), RATE)
    assert louder.active_db - active_level(wave, RATE).active_db == pytest.approx(gain_db, abs=0.1)


def test_a_gain_of_two_moves_the_level_exactly():
    wave = speech_like(2)
    expected = active_level(wave, RATE).active_db + 20 * math.log10(2)
    assert active_level(2 * wave, RATE).active_db == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("amplitude", [1e-4, 0.003, 0.03, 0.3, 0.9])
def test_a_tone_of_any_amplitude(amplitude):
    level = active_level(tone(10.0, amplitude), RATE)
    assert level.active_db == pytest.approx(20 * math.log10(amplitude / math.sqrt(2)), abs=0.1)
    assert level.activity == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("seconds", [0.025, 0.05, 0.1, 0.2, 0.5, 1.0])
def test_a_short_tone_has_about_its_own_level(seconds):
    level = active_level(tone(seconds), RATE)
    assert level.active_db == pytest.approx(-9.03, abs=0.6)
    assert 0.85 < level.activity <= 1


@pytest.mark.parametrize("wave", [[0.5], [0.5, -0.5]])
def test_one_sample_counts_as_active(wave):
    assert active_level(np.array(wave), RATE) == pytest.approx((-6.02, -6.02, 1.0), abs=0.01)


@pytest.mark.parametrize("offset", [0.001, -0.1, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_offset_is_no_level(offset, dtype):
    wave = speech_like(3).astype(dtype)
    moved = (wave + dtype(offset)).astype(dtype)
    assert active_level(moved, RATE) == pytest.approx(active_level(wave, RATE), abs=1e-3)
    assert rms_db(moved) == pytest.approx(rms_db(wave), abs=1e-3)
    batch, lengths = batch_of([moved, wave[: RATE // 2]])
    alone = [active_level(moved, RATE), active_level(wave[: RATE // 2], RATE)]
    for i, expected in enumerate(alone):
        assert [fact[i].item() for fact in active_levels(batch, RATE, lengths)] == pytest.approx(expected, abs=1e-9)


def test_16_bits_of_noise_on_a_large_offset_keep_their_level():
    steps = np.random.default_rng(0).integers(-1, 2, RATE) / 32768
    assert rms_db((steps + 0.9).astype(np.float32)) == pytest.approx(rms_db(steps), abs=0.01)


def test_a_click_is_active_for_the_hangover_and_the_top_of_its_envelope():
    # Its energy of 1 spread over 0.2 s = 1600 samples is -32.04 dB, over 0.28 s -33.5 dB.
    wave = np.zeros(RATE)
    wave[RATE // 2] = 1
    assert -33.5 < active_level(wave, RATE).active_db < -32.04


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(RATE), np.zeros(0), np.zeros(1, np.float32), np.full(RATE, 0.1), np.array([0.5, 0.5]),
        np.full(3 * RATE + 1, -0.7, np.float32), resample(np.full(RATE, 0.3, np.float32), 44100, RATE)[1000:-1000],
    ],
)  # fmt: skip
def test_silence_and_a_constant_have_no_level(wave):
    assert active_level(wave, RATE) == (-math.inf, -math.inf, 0.0)
    assert rms_db(wave) == -math.inf


def test_never_below_the_rms():
    for seed in range(20):
        level = active_level(speech_like(seed, 1.0), RATE)
        assert level.active_db >= level.rms_db - 1e-9


def test_methods():
    wave = speech_like(0)
    assert speech_level_db(wave, RATE) == active_level(wave, RATE).active_db
    assert speech_level_db(wave, RATE, "rms") == rms_db(wave)
    with pytest.raises(ValueError, match="p56 or rms"):
        speech_level_db(wave, RATE, "peak")


def test_what_has_no_level_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        active_level(np.array([0.1, np.nan]), RATE)
    with pytest.raises(ValueError, match="one channel"):
        active_level(np.zeros((2, 10)), RATE)
    with pytest.raises(ValueError, match="sample_rate"):
        active_level(np.ones(10), 0)


def test_rms_of_a_square_wave_is_its_amplitude():
    assert rms_db(np.array([1.0, -1.0, 1.0, -1.0])) == 0
    assert rms_db(np.float32([0.1, -0.1])) == pytest.approx(-20, abs=1e-5)
