"""Other denoisers are given what they want, and their delay is taken off to the sample."""

from importlib.util import find_spec

import numpy as np
import pytest

from drsn_audio.corpora import CORPORA
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.evaluation.denoise_peers import PEERS, Aligned, find_delay, peers
from drsn_audio.evaluation.denoising import si_sdr

RATE = 16000
# pyrnnoise is not imported: its own code may lack a library that is not needed here.
LACKING = [name for name in ("noisereduce", "webrtc_noise_gain", "pyrnnoise") if find_spec(name) is None]
installed = pytest.mark.skipif(bool(LACKING), reason=f"{', '.join(LACKING)}: pip install 'drsn-audio[peers]'")


class Late:
    """Gives back what it hears, `delay` samples later and at 0.7 of its level."""

    def __init__(self, delay, sample_rate):
        self.delay, self.sample_rate, self.settings = delay, sample_rate, {"late": True}

    def __call__(self, wave):
        return 0.7 * np.pad(wave, (self.delay, 0))[: len(wave)]


@pytest.fixture(scope="module")
def speech():
    """Two waves of 1 s that come and go, below 5 kHz."""
    time_s = np.arange(RATE) / RATE
    found = []
    for pitch in (110, 170):
        voice = sum(np.sin(2 * np.pi * pitch * k * time_s + k * k) / k for k in range(1, 30))
        found.append((0.1 * voice * np.maximum(0, np.sin(2 * np.pi * 4 * time_s))).astype(np.float32))
    return found


@pytest.mark.parametrize("delay", [0, 1, 96, 1599])
def test_a_delay_is_found_to_the_sample(speech, delay):
    late = Late(delay, RATE)
    assert find_delay(late, speech, 1600) == delay
    aligned = Aligned(late, speech)
    assert aligned.settings == {"late": True, "delay_ms": round(delay / 16, 3)}
    for size in (RATE, 4801):
        np.testing.assert_allclose(aligned(speech[0][:size]), 0.7 * speech[0][:size], atol=1e-6)


def test_at_another_rate_a_delay_is_less_than_a_sample_long(speech):
    """481 samples at 48 kHz are 160 and a third at 16 kHz: a whole number would leave an error of -20 dB and more."""
    aligned = Aligned(Late(481, 48000), speech)
    assert aligned.delay == 481
    for size in (RATE, 4801):
        wave = speech[1][:size]
        heard = aligned(wave)
        assert heard.shape == wave.shape
        assert si_sdr(wave, heard) > 35


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Three sentences by synthesised voices."""
    folder = tmp_path_factory.mktemp("voices")
    sentences = ["open the gate", "turn the pump off now", "stop that machine"]
    settings = {"words": sentences, "voices_per_part": (1, 1, 1), "duration_s": 3.0, "progress": False}
    made = CORPORA["voices"](None, folder, **settings)
    return [AudioStore(RATE)(cut) for cut in read_cuts([made.manifests["test"]])]


@installed
@pytest.mark.parametrize(
    ("name", "delay_ms"),
    [("noisereduce, stationary", 0), ("noisereduce, adaptive", 0), ("WebRTC", 6), ("RNNoise", 20)],
)
def test_peers_leave_speech_and_take_hiss_off(name, delay_ms, spoken):
    peer = Aligned(PEERS[name](), spoken)
    assert {"library", "version"} <= peer.settings.keys()
    assert peer.settings["delay_ms"] == pytest.approx(delay_ms, abs=0.2)
    wave = np.concatenate(spoken)[:-7]
    hiss = (0.01 * np.random.default_rng(0).standard_normal(len(wave))).astype(np.float32)
    heard = peer(hiss)
    assert (heard.shape, heard.dtype) == (hiss.shape, np.float32)
    late = slice(2 * RATE, None)  # by then it knows the noise
    assert np.square(heard[late]).sum() < 0.3 * np.square(hiss[late]).sum()
    noisy = wave + hiss
    kept = peer(noisy)
    assert si_sdr(wave, kept) > 3
    np.testing.assert_array_equal(peer(noisy), kept)  # what it heard before changes nothing
    if name == "WebRTC":  # which hears integers: what exceeds full scale is not cut off
        scale = np.float32(1 / np.abs(noisy).max())
        np.testing.assert_allclose(peer(8 * scale * noisy), 8 * peer(scale * noisy), atol=1e-3)


@installed
def test_all_of_them_by_name(spoken):
    assert list(peers(spoken)) == list(PEERS)
