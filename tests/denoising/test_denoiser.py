"""`drsn_audio.load` of a denoiser, and what it makes of files and samples."""

import numpy as np
import pytest
import soundfile as sf
import torch

import drsn_audio
from drsn_audio.api import load_denoiser, load_recognizer, load_transcriber
from drsn_audio.audio import AudioError
from drsn_audio.config import config_from_dict
from drsn_audio.denoising.onnx_denoiser import OnnxDenoiser
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK
from drsn_audio.models.checkpoint import CheckpointError, save_checkpoint
from drsn_audio.models.model import AudioModel

from ..streaming.test_onnx_denoising import write_step
from .conftest import RATE, FixedDenoiser, hiss


@pytest.fixture
def denoiser(denoiser_run):
    return drsn_audio.load(denoiser_run)


def test_load_gives_a_denoiser(denoiser, model):
    assert isinstance(denoiser, drsn_audio.Denoiser)
    assert (denoiser.sample_rate, denoiser.info["step"]) == (RATE, 1)
    wave = torch.from_numpy(hiss(2 * 1000)).view(2, 1000)
    lengths = torch.tensor([1000, 600])
    with torch.inference_mode():
        assert torch.allclose(denoiser(wave, lengths), model(wave, lengths))


def test_samples_give_what_the_module_gives(denoiser):
    wave = hiss(5001)
    with torch.inference_mode():
        expected = denoiser.module.denoise(torch.from_numpy(wave)[None])[0].numpy()
    for given in (wave, wave.astype(np.float64), torch.from_numpy(wave)):
        clean = denoiser.denoise(given)
        assert (clean.dtype, clean.shape) == (np.float32, (5001,))
        assert clean == pytest.approx(expected, abs=1e-5)
    stream = denoiser.stream()
    assert np.concatenate([stream.feed(wave), stream.flush()]) == pytest.approx(expected, abs=1e-5)
    blended = denoiser.stream(0.5)
    whole = np.concatenate([blended.feed(wave), blended.flush()])
    assert denoiser.denoise(wave, blend=0.5) == pytest.approx(whole, abs=1e-6)
    assert np.abs(whole - expected).max() > 1e-3


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000])
def test_a_file_keeps_its_rate_and_length_and_its_channels_are_averaged(denoiser, tmp_path, sample_rate):
    wave = hiss(sample_rate // 3 + 7, channels=2)
    sf.write(tmp_path / "a.wav", wave, sample_rate, subtype="FLOAT")
    clean = denoiser.denoise(tmp_path / "a.wav")
    assert clean.shape == (len(wave),)
    assert clean == pytest.approx(denoiser.denoise(wave.mean(axis=1), sample_rate), abs=1e-6)
    assert denoiser.denoise(str(tmp_path / "a.wav")).shape == (len(wave),)


def test_long_sound_is_heard_in_blocks(monkeypatch):
    monkeypatch.setattr("drsn_audio.denoising.base.BLOCK_VALUES", 500)
    wave = hiss(2201)
    assert FixedDenoiser(lambda _: 1.0).denoise(wave, 44100) == pytest.approx(wave, abs=1e-4)


def test_short_and_silent_sound(denoiser):
    assert denoiser.denoise(hiss(1)).shape == (1,)
    assert not denoiser.denoise(np.zeros(3000, np.float32), 44100).any()


@pytest.mark.parametrize(
    ("samples", "sample_rate", "message"),
    [
        (np.zeros(0, np.float32), None, "N > 0"),
        (np.zeros((5, 2), np.float32), None, "give one channel"),
        (np.zeros(5, np.int16), None, "divide them by full scale"),
        (np.array([0.0, np.nan]), None, r"NaN or infinite values, at \[1\]"),
        (np.array([0.0, 1e6]), None, "samples: .*full scale is 1"),
        (np.zeros(5), -1, "sample_rate is -1"),
        (np.zeros(5), 10, "sample_rate is 10: give it in Hz, 1000 or more"),
    ],
)
def test_what_is_no_sound_is_refused(denoiser, samples, sample_rate, message):
    with pytest.raises(AudioError, match=message):
        denoiser.denoise(samples, sample_rate)


def test_what_is_no_file_or_blend_is_refused(denoiser, tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        denoiser.denoise(tmp_path / "none.wav")
    with pytest.raises(InputError, match="a blend of 2"):
        denoiser.denoise(hiss(400), blend=2)


@pytest.mark.slow
def test_each_kind_of_model_is_told_from_the_others(denoiser_run, tmp_path):
    named = {"preset": "10k", "labels": ["low", "high"]}
    keywords = AudioModel(config_from_dict({"model": named}).model)
    save_checkpoint(tmp_path / "keywords", "best", keywords, step=1, info={})
    writes = AudioModel(config_from_dict({"model": {**named, "head": "ctc", "labels": [BLANK, "low"]}}).model)
    save_checkpoint(tmp_path / "writes", "best", writes, step=1, info={})
    with pytest.raises(InputError, match="names no keywords, it takes noise away: use drsn-audio denoise"):
        load_recognizer(denoiser_run)
    with pytest.raises(InputError, match="cannot write, it takes noise away: use drsn-audio denoise"):
        load_transcriber(denoiser_run)
    with pytest.raises(InputError, match="takes no noise away, it names keywords: use drsn-audio classify"):
        load_denoiser(tmp_path / "keywords")
    with pytest.raises(InputError, match="takes no noise away, it writes what is said: use drsn-audio transcribe"):
        load_denoiser(tmp_path / "writes")
    with pytest.raises(CheckpointError, match="takes no noise away"):
        drsn_audio.Denoiser(keywords, {})
    assert load_denoiser(denoiser_run).sample_rate == RATE


def test_an_exported_one_does_the_same_with_files(tmp_path):
    denoiser = OnnxDenoiser(write_step(tmp_path / "d.onnx"))
    wave = hiss(900)
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    stream = denoiser.stream()
    expected = np.concatenate([stream.feed(wave), stream.flush()])
    assert denoiser.denoise(tmp_path / "a.wav") == pytest.approx(expected, abs=1e-6)
    assert denoiser.denoise(wave, 44100).shape == (900,)
    with pytest.raises(InputError, match="cannot be read"):
        OnnxDenoiser(tmp_path / "none.onnx")
