"""Log-mel spectrogram: against librosa and by hand."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from drsn_audio.audio import find_audio, read_audio
from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends import LogMel
from drsn_audio.frontends.mel import MELS, mel_power

RATE = 16000
TOLERANCE = 5e-3  # in ln power, 0.02 dB, bands 100 dB below the loudest included: what single precision leaves
FLOOR = MELS["htk"][1]


def features(wave: np.ndarray, config: FrontendConfig = FrontendConfig()) -> np.ndarray:  # noqa: B008
    spectrogram, _ = LogMel(config)(torch.from_numpy(wave)[None])
    return spectrogram[0, 0].numpy()


def test_agrees_with_librosa(signal, librosa_mel):
    expected = np.log(librosa_mel(signal, FrontendConfig()) + FLOOR)
    np.testing.assert_allclose(features(signal), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "config",
    [
        FrontendConfig(window_ms=25.0, n_mels=64),  # 400 samples in an FFT of 512
        FrontendConfig(sample_rate=8000, f_max_hz=4000.0, n_mels=30),
        FrontendConfig(hop_ms=12.5, f_min_hz=60.0, f_max_hz=7600.0),
        FrontendConfig(mel="slaney"),
    ],
    ids=["25ms", "8kHz", "hop12.5ms", "slaney"],
)
def test_agrees_with_librosa_in_other_forms(config, signals, librosa_mel):
    expected = np.log(librosa_mel(signals["voiced"], config) + MELS[config.mel][1])
    np.testing.assert_allclose(features(signals["voiced"], config), expected, rtol=0, atol=TOLERANCE)


def test_agrees_with_librosa_on_recordings(librosa_mel):
    folder = os.environ.get("DRSN_AUDIO_DATA")
    if not folder:
        pytest.skip("DRSN_AUDIO_DATA is not set: no recordings to compare on")
    paths = list(find_audio(Path(folder) / "speech_commands_subset" / "yes"))[:5]
    for path in paths:
        wave, _ = read_audio(path, RATE)
        expected = np.log(librosa_mel(wave, FrontendConfig()) + FLOOR)
        np.testing.assert_allclose(features(wave), expected, rtol=0, atol=TOLERANCE, err_msg=str(path))


def test_a_tone_lands_in_its_mel_band():
    """1 kHz is 1000 mel on HTK's scale; 40 bands lie between 31.7 (20 Hz) and 2840 mel (8 kHz), 68.5 apart."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    assert set(features(tone)[:, 10:80].argmax(0)) == {round((1000 - 31.75) / 68.5) - 1}


def test_silence_is_the_floor(signals):
    np.testing.assert_allclose(features(signals["silence"]), np.log(FLOOR), rtol=1e-6)


def test_slaneys_floor_lies_as_deep_as_htks(signals):
    """Under the same faint noise the floor takes a similar part of each band: it means the same sound."""
    wave = signals["faint noise"]
    over_floor = [(features(wave, FrontendConfig(mel=mel)) - np.log(MELS[mel][1])).mean() for mel in ("htk", "slaney")]
    assert over_floor[0] == pytest.approx(over_floor[1], abs=1.0)


def test_makes_no_tensor_on_a_device_of_its_own():
    """All of it happens where wave, window and filters are; the meta device stands for an accelerator."""
    frontend = LogMel(FrontendConfig()).to("meta")
    out = mel_power(torch.zeros(2, 1000, device="meta"), frontend.window, frontend.filters, frontend.hop)
    assert out.device.type == "meta"


def test_an_unknown_mel_is_refused():
    with pytest.raises(ConfigError, match=r"model\.frontend\.mel='bark' is unknown: known are htk, slaney"):
        LogMel(FrontendConfig(mel="bark"))
