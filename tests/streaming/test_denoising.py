"""A denoising stream gives what the model gives of the whole, whatever the chunks, sample for sample."""

import numpy as np
import pytest
import torch

from drsn_audio.config import config_from_dict
from drsn_audio.errors import InputError
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.cleaning import Cleaner
from drsn_audio.streaming.denoising import DenoiseStream, ModelGains
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.state import StreamState
from drsn_audio.streaming.stream import Stream

from ..denoising.conftest import BINS, HOP, FixedGains, hiss, small_denoiser


@pytest.fixture(scope="module")
def model():
    return small_denoiser()


def heard(stream, wave, *sizes):
    """The sound and the gains of all calls; the sizes in turn, the last one again and again."""
    sound, gains, at, turn = [], [], 0, 0
    while at < len(wave):
        size = sizes[min(turn, len(sizes) - 1)]
        sound.append(stream.feed(wave[at : at + size]))
        gains.append(stream.gains)
        at, turn = at + size, turn + 1
    sound.append(stream.flush())
    gains.append(stream.gains)
    return np.concatenate(sound), np.concatenate(gains)


def at_once(model, wave):
    with torch.inference_mode():
        return model.denoise(torch.from_numpy(wave)[None])[0].numpy()


@pytest.mark.parametrize("sizes", [(1,), (257,), (0, 3, 256, 1000, 5), (10**6,)])
@pytest.mark.parametrize("size", [1, 255, 256, 257, 2571])
def test_any_chunks_give_what_the_model_gives_of_the_whole(model, size, sizes):
    wave = hiss(size, seed=size)
    sound, gains = heard(DenoiseStream(model), wave, *sizes)
    assert (sound.dtype, gains.dtype) == (np.float32, np.float32)
    assert sound.shape == wave.shape
    assert sound == pytest.approx(at_once(model, wave), abs=1e-5)
    with torch.inference_mode():
        expected = model(torch.from_numpy(np.pad(wave, (0, 256)))[None])[0].numpy()
    assert gains.shape == expected.shape
    assert gains == pytest.approx(expected, abs=1e-5)
    assert np.abs(sound - wave).max() > 1e-3  # something was taken away


def test_a_sample_is_given_32_ms_after_it_was_fed_at_the_latest(model):
    stream = DenoiseStream(model)
    given = [len(stream.feed(block)) for block in hiss(8 * HOP).reshape(8, HOP)]
    assert given == [0, *[HOP] * 7]
    assert stream.delay == HOP
    assert len(stream.flush()) == HOP


def test_no_sound_gives_none(model):
    stream = DenoiseStream(model)
    assert stream.feed(np.zeros(0, np.float32)).shape == (0,)
    assert stream.flush().shape == (0,)
    assert stream.gains.shape == (0, BINS)


def test_digital_silence_stays_silence(model):
    for blend in (0.0, 0.5):
        sound, _ = heard(DenoiseStream(model, blend), np.zeros(1000, np.float32), 300)
        assert sound.shape == (1000,)
        assert not sound.any()


def test_a_blend_gives_back_some_of_the_noise_whatever_the_chunks(model):
    wave = hiss(3000, seed=3)
    plain, own = heard(DenoiseStream(model), wave, 3000)
    blended, gains = heard(DenoiseStream(model, 0.5), wave, 3000)
    again, _ = heard(DenoiseStream(model, 0.5), wave, 7, 900, 1, 500)
    assert again == pytest.approx(blended, abs=1e-6)
    shares = (gains - own) / (1 - own)
    assert shares.min() >= 0.125 - 1e-3
    assert shares.max() <= 0.5 + 1e-3
    assert shares == pytest.approx(np.repeat(shares[:, :1], BINS, 1), abs=1e-3)  # one for each frame
    assert np.abs(blended - wave).std() < np.abs(plain - wave).std()


def test_what_is_no_sound_is_refused_and_not_heard(model):
    wave = hiss(1500)
    stream, parts = DenoiseStream(model), []
    for wrong in (np.array([0.1, np.nan]), np.array([np.inf]), np.zeros((2, 2)), np.array([1, 2])):
        parts.append(stream.feed(wave[len(parts) * 300 : (len(parts) + 1) * 300]))
        with pytest.raises(InputError):
            stream.feed(wrong)
    parts += [stream.feed(wave[1200:]), stream.flush()]
    assert np.concatenate(parts) == pytest.approx(at_once(model, wave), abs=1e-5)


def test_after_the_end_a_reset_begins_anew(model):
    wave, stream = hiss(700), DenoiseStream(model, 0.3)
    first, _ = heard(stream, wave, 100)
    for call in (lambda: stream.feed(wave), stream.flush, lambda: stream.state):
        with pytest.raises(InputError, match="reset it"):
            call()
    stream.reset()
    assert np.array_equal(heard(stream, wave, 100)[0], first)


@pytest.mark.parametrize("cut", [0, 1, 256, 700, 1299])
def test_a_state_that_was_saved_goes_on(model, tmp_path, cut):
    wave = hiss(1300, seed=5)
    whole, _ = heard(DenoiseStream(model, 0.4), wave, 1300)
    stream = DenoiseStream(model, 0.4)
    begun = stream.feed(wave[:cut])
    stream.state.save(tmp_path / "state")
    stream.feed(wave)  # what was saved is a copy
    again = DenoiseStream(model, 0.4)
    again.state = StreamState.load(tmp_path / "state")
    rest, _ = heard(again, wave[cut:], 333)
    assert np.concatenate([begun, rest]) == pytest.approx(whole, abs=1e-6)


def test_the_state_of_another_model_is_refused(model):
    stream, wider = DenoiseStream(model), DenoiseStream(model)
    state = wider.state
    state.layers.popitem()
    with pytest.raises(InputError, match="of another model"):
        stream.state = state
    state = wider.state
    state.detector["heard"] = np.zeros((2, 256), np.float32)
    with pytest.raises(InputError, match="of another model"):
        stream.state = state
    state = wider.state
    state.detector = {}
    with pytest.raises(InputError, match="of another model"):
        stream.state = state


def test_channels_are_denoised_each_by_itself(model):
    waves = np.stack([hiss(1000, seed=1), 4 * hiss(1000, seed=2), np.zeros(1000, np.float32)])
    cleaner = Cleaner(ModelGains(model, 3))
    parts = [cleaner.feed(waves[:, :90]), cleaner.feed(waves[:, 90:]), cleaner.flush()]
    sound = np.concatenate(parts, axis=1)
    for channel, wave in enumerate(waves):
        assert sound[channel] == pytest.approx(at_once(model, wave), abs=1e-5)
    with pytest.raises(InputError, match="of 2 channels: feed the 3"):
        Cleaner(ModelGains(model, 3)).feed(waves[:2])


@pytest.mark.parametrize("block", [HOP, 4 * HOP])
def test_with_gains_of_one_the_sound_comes_back_in_its_place(block):
    maker = FixedGains(lambda _: 1.0)
    maker.block = block  # a step may hear several frames at once
    cleaner = Cleaner(maker)
    wave = hiss(5000)
    parts = [cleaner.feed(wave[None, :1700]), cleaner.feed(wave[None, 1700:])]
    frames = sum(len(fed) // HOP for fed in map(range, maker.fed))
    parts.append(cleaner.flush())
    assert np.concatenate(parts, axis=1)[0] == pytest.approx(wave, abs=1e-4)
    assert frames + cleaner.gains.shape[1] == -(-(5000 + 256) // HOP)  # those that reach the sound


def test_a_denoiser_and_other_models_are_not_mixed_up(model):
    config = DetectorConfig({"low": 0.5})
    with pytest.raises(InputError, match="make a DenoiseStream"):
        Stream(model, Detector(["low"], 0.016, config))
    named = {"preset": "10k", "labels": ["low", "high"], "pool": "causal"}
    with pytest.raises(InputError, match="takes no noise away"):
        DenoiseStream(AudioModel(config_from_dict({"model": named}).model))
    with pytest.raises(InputError, match="give a share"):
        DenoiseStream(model, 1.5)
