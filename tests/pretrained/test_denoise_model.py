"""denoise-small: a voice that no training heard comes out of noise, and where there is no noise little is changed."""

import numpy as np
import pytest
import torch

from drsn_audio import load, pretrained
from drsn_audio.corpora.voices import Voice, synthesise
from drsn_audio.metrics.enhancement import si_sdr_db
from drsn_audio.noise.level import speech_level_db
from drsn_audio.noise.mix import mix_at_snr
from drsn_audio.noise.synth import street_noise

NAME = "denoise-small"
RATE = 16000
SAID = "the lamp on the table was left alone until the morning, and nobody came to put it out"
SEED = 987_654  # of no training's noise

pytestmark = pytest.mark.skipif(NAME not in pretrained.names(), reason=f"{NAME} is not there")


@pytest.fixture(scope="module")
def model():
    return load(NAME)


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """A sentence between two half seconds of digital silence."""
    said = synthesise(SAID, Voice("en-us", "m4"))
    return np.pad(0.3 * said / np.abs(said).max(), RATE // 2).astype(np.float32)


def noise_of(kind: str, size: int) -> np.ndarray:
    """At about -26 dB re full scale."""
    if kind == "street":
        return street_noise(size, RATE, SEED)
    return (0.05 * np.random.default_rng(SEED).standard_normal(size)).astype(np.float32)


def noisy_voice(voice: np.ndarray, kind: str, snr_db: float) -> np.ndarray:
    waves = (torch.from_numpy(wave)[None] for wave in (voice, noise_of(kind, len(voice))))
    level_db = torch.tensor([speech_level_db(voice, RATE)])
    return mix_at_snr(*waves, torch.tensor([snr_db]), speech_level_db=level_db)[0][0].numpy()


def si_sdr(clean: np.ndarray, processed: np.ndarray) -> float:
    return float(si_sdr_db(torch.from_numpy(processed)[None], torch.from_numpy(clean)[None]))


@pytest.mark.parametrize("kind", ["white", "street"])
@pytest.mark.parametrize("snr_db", [5.0, 0.0])
def test_a_voice_comes_out_of_noise(model, voice, kind, snr_db):
    noisy = noisy_voice(voice, kind, snr_db)
    assert si_sdr(voice, model.denoise(noisy)) > si_sdr(voice, noisy) + 3


def test_clean_speech_is_left_as_it_is(model, voice):
    assert si_sdr(voice, model.denoise(voice)) > 20


def test_silence_stays_silence(model):
    assert not model.denoise(np.zeros(2 * RATE, np.float32)).any()


@pytest.mark.parametrize("kind", ["white", "street"])
def test_noise_alone_is_lowered(model, kind):
    noise = noise_of(kind, 6 * RATE)
    left = model.denoise(noise)
    assert 10 * np.log10(np.square(noise).sum() / np.square(left).sum()) > 10


@pytest.mark.slow
def test_a_stream_gives_the_same_whatever_the_chunks(model, voice):
    noisy = noisy_voice(voice, "street", 5.0)
    rng = np.random.default_rng(0)
    stream, parts, begin = model.stream(), [], 0
    while begin < len(noisy):
        size = int(rng.integers(1, 4000))
        parts.append(stream.feed(noisy[begin : begin + size]))
        begin += size
    streamed = np.concatenate([*parts, stream.flush()])
    whole = model.module.denoise(torch.from_numpy(noisy)[None])[0].detach().numpy()
    np.testing.assert_allclose(streamed, whole, atol=1e-5)
    np.testing.assert_allclose(streamed, model.denoise(noisy), atol=1e-5)
