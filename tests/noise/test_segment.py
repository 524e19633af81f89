"""A noise of any length: cut where there is enough, else looped without a click and at its level."""

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.noise.level import rms_db
from drsn_audio.noise.segment import cut_segment, loop

RATE = 16000
FADE = 800  # 50 ms


def hum(num_samples: int) -> np.ndarray:
    """Noise below 300 Hz, which goes from sample to sample in small steps."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal(num_samples + RATE))
    spectrum[np.fft.rfftfreq(num_samples + RATE, 1 / RATE) > 300] = 0
    wave = np.fft.irfft(spectrum, num_samples + RATE)[:num_samples]
    return (0.1 * wave / wave.std()).astype(np.float32)


def test_long_noise_is_cut_at_the_offset():
    wave = np.arange(1000, dtype=np.float32)
    assert cut_segment(wave, 100, 0, RATE).tolist() == list(range(100))
    assert cut_segment(wave, 100, 900, RATE).tolist() == list(range(900, 1000))
    assert np.array_equal(cut_segment(wave, 1000, 0, RATE), wave)


def test_a_loop_has_no_click():
    wave = hum(8000)
    looped = cut_segment(wave, 40_000, 0, RATE)
    assert looped.shape == (40_000,)
    inside = np.abs(np.diff(wave)).max()
    assert np.abs(np.diff(np.tile(wave, 5))).max() > 3 * inside  # without a cross-fade there is one
    assert np.abs(np.diff(looped)).max() < 1.2 * inside


def test_a_loop_adds_nothing_above_the_noise():
    # The noise ends at 300 Hz; a click is heard far above.
    wave = hum(8000)
    above = {}
    for name, repeated in (("tiled", np.tile(wave, 5)), ("looped", cut_segment(wave, 40_000, 0, RATE))):
        power = np.abs(np.fft.rfft(repeated * np.hanning(len(repeated)))) ** 2
        above[name] = 10 * np.log10(power[np.fft.rfftfreq(len(repeated), 1 / RATE) > 1500].sum() / power.sum())
    assert above["looped"] < above["tiled"] - 20


def test_a_loop_keeps_its_level():
    # In the middle of the cross-fade as elsewhere: averaged over draws, the power of white noise is 1 at each sample.
    rng = np.random.default_rng(0)
    waves = rng.standard_normal((400, 4000)).astype(np.float32)
    power = np.mean([loop(wave, RATE) ** 2 for wave in waves], axis=0)
    assert power[:FADE].reshape(8, -1).mean(1) == pytest.approx(np.ones(8), abs=0.04)
    assert rms_db(cut_segment(waves[0], 30_000, 123, RATE)) == pytest.approx(0, abs=0.2)


def test_an_offset_goes_into_the_loop():
    wave = hum(4000)
    period = loop(wave, RATE)
    assert len(period) == 4000 - FADE
    assert np.array_equal(period[FADE:], wave[FADE:-FADE])
    looped = cut_segment(wave, 5000, 1000, RATE)
    assert np.array_equal(looped[: len(period)], np.roll(period, -1000))
    # Before the start comes the end of the loop.
    assert np.array_equal(cut_segment(wave, 100, -60, RATE), np.r_[period[-60:], period[:40]])


@pytest.mark.parametrize("size", [1, 2, 3, 100, 1599])
def test_very_short_noise(size):
    looped = cut_segment(np.ones(size, np.float32), 2000, 0, RATE)
    assert looped.shape == (2000,)
    assert np.isfinite(looped).all()
    assert looped.min() >= 1 - 1e-6


def test_an_empty_recording_is_refused():
    with pytest.raises(InputError, match="leave it out"):
        cut_segment(np.zeros(0, np.float32), 10, 0, RATE)
