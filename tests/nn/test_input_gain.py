"""The gain before the front-end: what it raises, what it leaves alone, and that streams get the same."""

import numpy as np
import pytest
import torch

from drsn_audio.memory import Memory
from drsn_audio.nn.input_gain import CLIPS_DB, DENOISING_DB, MOST_DB, PEAK_DB, RECOGNITION_DB, InputGain

RATE, HOP = 16000, 160
LAWS = pytest.mark.parametrize("law", [RECOGNITION_DB, CLIPS_DB, DENOISING_DB])


def noise(seconds: float, level_db: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (samples * 10 ** (level_db / 20)).astype(np.float32)


def words(level_db: float, background_db: float = -200.0, count: int = 4) -> np.ndarray:
    """Noise, in which 0.4 s of each second are a tone of this level."""
    time_s = np.arange(count * RATE) / RATE
    tone = (
        np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * 440 * time_s) * (time_s % 1 > 0.5) * (time_s % 1 < 0.9)
    )
    return tone.astype(np.float32) + noise(count, background_db)


def raised(wave: np.ndarray, law=RECOGNITION_DB, clip: bool = False) -> np.ndarray:
    return InputGain(HOP, RATE, law)(torch.from_numpy(wave)[None], None if clip else Memory())[0].numpy()


def level_db(wave: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(wave - wave.mean(), dtype=np.float64)))


def last_word(wave: np.ndarray) -> np.ndarray:
    return wave[round(-0.45 * RATE) : round(-0.15 * RATE)]


@pytest.mark.parametrize("clip", [False, True])
@LAWS
def test_ordinary_sound_is_the_same_bit_for_bit(law, clip):
    """With room noise before and between the words, a pause of some seconds, digital silence."""
    sounds = [
        np.concatenate([np.zeros(RATE, np.float32), words(-35.0, -50.0)]),
        words(-10.0, -50.0),
        np.zeros(3 * RATE, np.float32),
        np.concatenate([words(-20.0, -52.0), noise(5, -52.0), words(-20.0, -52.0)]),
        noise(3, -45.0),
    ]
    for wave in sounds:
        assert np.array_equal(raised(wave, law, clip), wave)


@pytest.mark.parametrize("quiet_db", [-50.0, -55.0, -60.0])
def test_quiet_words_come_to_the_level_of_ordinary_ones(quiet_db):
    """The first one, too."""
    wave = words(quiet_db, -115.0)
    for made in (raised(wave), raised(wave, CLIPS_DB, clip=True)):
        assert level_db(last_word(made)) == pytest.approx(PEAK_DB, abs=2)
        assert level_db(made[round(0.55 * RATE) : round(0.85 * RATE)]) == pytest.approx(PEAK_DB, abs=2)


def test_quiet_words_in_quiet_noise_are_raised():
    wave = words(-70.0, -80.0)
    assert level_db(last_word(raised(wave, DENOISING_DB))) > level_db(last_word(wave)) + 20


@LAWS
def test_stationary_noise_is_raised_to_the_background(law):
    """As measured by its quietest frames."""
    assert level_db(raised(noise(5, -110.0), law)[RATE:]) == pytest.approx(max(law, -50 - MOST_DB), abs=6)


@LAWS
def test_loud_sound_after_quiet_sound_is_never_raised(law):
    quiet, loud = words(-75.0, -115.0), words(-6.0, -115.0)
    made = raised(np.concatenate([quiet, loud]), law)
    assert np.array_equal(made[len(quiet) + RATE // 2 :][: RATE // 2], loud[RATE // 2 : RATE])
    assert np.abs(made).max() <= np.abs(loud).max()


def test_an_offset_does_not_hold_the_gain_down():
    wave = words(-60.0, -115.0)
    with_offset = raised(wave + np.float32(0.01))
    assert level_db(last_word(with_offset)) == pytest.approx(PEAK_DB, abs=2)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("offset", [0.05, -0.2])
def test_an_offset_is_not_raised(clip, offset):
    """A gain that changes would make steps of it, louder than the words."""
    wave = words(-60.0, -90.0)
    law = CLIPS_DB if clip else RECOGNITION_DB
    made, wanted = raised(wave + np.float32(offset), law, clip) - np.float32(offset), raised(wave, law, clip)
    known = slice(RATE // 2, None)  # the first frames are not enough to know an offset by
    assert level_db(wanted[known]) > level_db(wave[known]) + 5
    assert level_db((made - wanted)[known]) < level_db(wanted[known]) - 25


@LAWS
@pytest.mark.parametrize("blocks", [1, 7, 40])
def test_a_stream_is_raised_as_the_whole(law, blocks):
    wave = np.concatenate([words(-65.0, -100.0), noise(11, -62.0), words(-12.0), words(-75.0, -100.0)])
    gain, state, made = InputGain(HOP, RATE, law), Memory(), []
    for begin in range(0, len(wave), blocks * HOP):
        memory = Memory(state.after())
        made.append(gain(torch.from_numpy(wave[begin : begin + blocks * HOP])[None], memory)[0].numpy())
        state = memory
    np.testing.assert_allclose(np.concatenate(made), raised(wave, law), rtol=1e-4, atol=1e-9)
