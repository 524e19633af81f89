"""MFCC: against librosa and by hand."""

import librosa
import numpy as np
import pytest
import torch

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends import LogMel, Mfcc
from drsn_audio.frontends.mel import MELS


def coefficients(wave: np.ndarray, config: FrontendConfig) -> np.ndarray:
    return Mfcc(config)(torch.from_numpy(wave)[None])[0][0, 0].numpy()


@pytest.mark.parametrize("mel", MELS)
@pytest.mark.parametrize(("n_mfcc", "lifter"), [(13, 0), (40, 22)])
def test_agrees_with_librosa(signal, librosa_mel, mel, n_mfcc, lifter):
    config = FrontendConfig(mel=mel, n_mfcc=n_mfcc, lifter=lifter)
    log_mel = np.log(librosa_mel(signal, config) + MELS[mel][1])
    expected = librosa.feature.mfcc(S=log_mel, n_mfcc=n_mfcc, dct_type=2, norm="ortho", lifter=lifter)
    np.testing.assert_allclose(coefficients(signal, config), expected, rtol=0, atol=0.01 * (1 + lifter / 2))


def test_a_louder_sound_moves_the_first_coefficient_alone(signals):
    """Ten times the amplitude is ln 100 more in each of 40 bands: sqrt(40) * ln 100 in coefficient 0."""
    config = FrontendConfig()
    quiet, loud = (coefficients(factor * signals["noise"], config) for factor in (np.float32(0.1), np.float32(1)))
    np.testing.assert_allclose((loud - quiet)[0], np.sqrt(40) * np.log(100), rtol=1e-4)
    np.testing.assert_allclose((loud - quiet)[1:], 0, atol=2e-3)


def test_all_coefficients_hold_all_of_the_log_mel_spectrogram(signals):
    """The transform is orthonormal: it keeps the energy of every frame."""
    wave, config = torch.from_numpy(signals["voiced"])[None], FrontendConfig()
    energies = [frontend(config)(wave)[0].square().sum(2) for frontend in (LogMel, Mfcc)]
    torch.testing.assert_close(*energies, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"n_mfcc": 41}, "n_mfcc=41: use 1 to n_mels=40"), ({"n_mfcc": 0}, "n_mfcc=0"), ({"lifter": -1}, "lifter=-1")],
)
def test_bad_values_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        Mfcc(FrontendConfig(**given))
