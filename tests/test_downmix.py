"""Channels as one: the plain mean, bit for bit, except where it would cancel the sound."""

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import read_audio
from drsn_audio.downmix import Downmix, downmix
from drsn_audio.live.pcm import PcmFormat, PcmSource

RATE = 16000


def random(seed):
    return np.random.default_rng(seed)


def speech(seconds=2.0, seed=0, rate=RATE):
    """Like voiced speech: bursts of harmonics of a gliding pitch, pauses between."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * t + seed)) / rate
    wave = sum(np.sin(k * phase + k * k) / k for k in range(1, 20))
    return (0.1 * wave * np.clip(np.sin(2 * np.pi * 1.5 * t), 0, 1)).astype(np.float32)


def noise(shape, rms, seed):
    return (rms * random(seed).standard_normal(shape)).astype(np.float32)


def rms(wave):
    return np.sqrt(np.mean(np.square(wave, dtype=np.float64)))


def opposite(rate=RATE):
    wave = speech(rate=rate)
    return np.stack([wave, -wave], 1) + noise((len(wave), 2), 0.0005, 1)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_opposite_channels_are_not_silence(rate):
    assert rms(downmix(opposite(rate), rate) - speech(rate=rate)) < 0.1 * rms(speech(rate=rate))


@pytest.mark.parametrize("signs", [(1, -1, 0, 0, 0, 0), (0, 0, 1, -1), (1, -1, 1, -1)])
def test_of_more_channels_that_cancel_each_other_one_is_taken(signs):
    wave = speech()
    mixed = downmix(wave[:, None] * np.float32(signs), RATE)
    assert rms(mixed - wave) < 0.1 * rms(wave)


def in_phase(seconds):
    """What both channels may hold in phase, weaker than the speech or in few bands."""
    t = np.arange(int(seconds * RATE)) / RATE
    hum = sum(0.1 / k * np.sin(2 * np.pi * 50 * k * t + k) for k in range(1, 5))
    return {
        "white noise": noise(len(t), 0.01, 7),
        "hum": hum.astype(np.float32),
        "a tone": (0.1 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32),
    }


@pytest.mark.parametrize("name", in_phase(0))
@pytest.mark.parametrize("lead_s", [0, 2])
def test_speech_in_opposite_phase_stays_beside_what_is_in_phase(name, lead_s):
    """The first word, too, and from the first word to the last it is one channel, pauses included."""
    wave = np.concatenate([np.zeros(lead_s * RATE, np.float32), speech(4)])
    common = in_phase(lead_s + 4)[name]
    mixed = downmix(np.stack([wave + common, common - wave], 1), RATE)
    heard = slice(lead_s * RATE + RATE // 10, None)
    np.testing.assert_array_equal(mixed[heard], (wave + common)[heard])


def test_ambience_of_opposite_phase_does_not_replace_speech_in_the_centre():
    wave, (left, right) = speech(4), noise((2, 4 * RATE), 0.05, 8)
    samples = np.stack([left, right, wave, np.zeros_like(wave), -left, -right], 1)
    np.testing.assert_array_equal(downmix(samples, RATE)[RATE:], samples.mean(axis=1)[RATE:])


def test_inversion_that_begins_and_ends_in_the_middle():
    wave = speech(6)
    other = wave.copy()
    other[2 * RATE : 4 * RATE] *= -1
    mixed = downmix(np.stack([wave, other], 1), RATE)
    for second in range(6):
        part = slice(second * RATE + RATE // 2, (second + 1) * RATE)
        assert rms(mixed[part]) == pytest.approx(rms(wave[part]), rel=0.2)
    assert np.abs(np.diff(mixed)).max() < 1.5 * np.abs(np.diff(wave)).max()  # no click


def ordinary():
    wave = speech(3)
    two = noise((len(wave), 2), 0.05, 3)
    silent = np.zeros_like(wave)
    brown = np.cumsum(noise((len(wave), 2), 0.003, 4), axis=0)
    return {
        "both the same": np.stack([wave, wave], 1),
        "decorrelated": two,
        "decorrelated rumble": brown.astype(np.float32),
        "speech in noise": wave[:, None] + two,
        "one silent": np.stack([wave, silent], 1),
        "the first silent": np.stack([silent, wave], 1),
        "one of noise": np.stack([wave, two[:, 0]], 1),
        "all silent": np.stack([silent, silent], 1),
        "opposite offsets": np.stack([wave + 0.3, wave - 0.3], 1),
        "wide": wave[:, None] + two[:, :1] * np.float32([1, -1]) + two[:, 1:] * 0.7,
        "three": np.stack([wave, two[:, 0], wave], 1),
        **{
            f"delayed by {ms} ms": np.stack([wave, np.roll(wave, round(16 * ms))], 1)
            for ms in (0.1, 0.25, 0.5, 1, 2, 4, 10)
        },
    }


@pytest.mark.parametrize("name", ordinary())
def test_without_inversion_it_is_the_plain_mean_bit_by_bit(name):
    samples = np.ascontiguousarray(ordinary()[name], np.float32)
    np.testing.assert_array_equal(downmix(samples, RATE), samples.mean(axis=1))


def test_one_channel_stays_as_it_is():
    np.testing.assert_array_equal(downmix(speech()[:, None], RATE), speech())


@pytest.mark.parametrize("most", [1, 7, 200, 5000])
def test_blocks_do_not_matter(most):
    samples = np.concatenate([opposite()[:RATE], np.abs(opposite()[:RATE])])
    cuts = np.cumsum(random(5).integers(0, most + 1, len(samples)))
    mix = Downmix(RATE, 2)
    parts = [mix(part) for part in np.split(samples, cuts[cuts < len(samples)])]
    np.testing.assert_array_equal(np.concatenate(parts), downmix(samples, RATE))


def test_it_looks_at_nothing_that_comes_later():
    samples = opposite()
    np.testing.assert_array_equal(downmix(samples, RATE)[: RATE // 2], downmix(samples[: RATE // 2], RATE))


def test_what_is_not_finite_stays_so():
    assert np.isnan(downmix(np.array([[np.inf, -np.inf]], np.float32), RATE)).all()
    assert not len(downmix(np.zeros((0, 2), np.float32), RATE))


def test_files_and_pipes_and_cuts_use_it(tmp_path):
    from lhotse import Recording

    from drsn_audio.datasets.manifests import load_cut

    sf.write(tmp_path / "a.wav", opposite(), RATE, subtype="PCM_16")
    expected = downmix(sf.read(tmp_path / "a.wav", dtype="float32")[0], RATE)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav")[0], expected)
    np.testing.assert_array_equal(load_cut(Recording.from_file(tmp_path / "a.wav").to_cut(), RATE), expected)
    with (tmp_path / "a.wav").open("rb") as pipe:
        piped = np.concatenate([*PcmSource(pipe, PcmFormat(RATE, 2)).blocks(RATE, 0.037)])
    np.testing.assert_array_equal(piped, expected)
