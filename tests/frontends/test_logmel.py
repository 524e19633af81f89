"""Log-mel spectrogram: against librosa, and framing that a stream can reproduce."""

import os
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.audio import find_audio, read_audio
from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends import LogMel
from drsn_audio.frontends.mel import MELS, mel_power
from drsn_audio.frontends.spectrogram import hann_window, num_frames, power_spectrogram

RATE, HOP, SIZE = 16000, 160, 512
TOLERANCE = 5e-3
FLOOR = MELS["htk"][1]
SECONDS = np.arange(RATE) / RATE


def chirp(start_hz: float, end_hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * (start_hz * SECONDS + (end_hz - start_hz) * SECONDS**2 / 2))


def voiced() -> np.ndarray:
    """A pitch that glides from 120 to 200 Hz with 20 harmonics, in syllables."""
    harmonics = sum(chirp(120 * k, 200 * k) / k for k in range(1, 21))
    return 0.1 * harmonics * (np.sin(2 * np.pi * 4 * SECONDS) > 0)


SIGNALS = {
    "noise": np.random.default_rng(0).uniform(-1, 1, RATE),
    "faint noise": np.random.default_rng(1).uniform(-1e-3, 1e-3, RATE),
    "chirp": chirp(100, 7000),
    "voiced": voiced(),
    "clipped": np.sign(chirp(300, 400)),
    "silence": np.zeros(RATE),
}


def librosa_log_mel(wave: np.ndarray, config: FrontendConfig) -> np.ndarray:
    """The same by librosa in float64: [F, T]."""
    rate = config.sample_rate
    hop, length = round(config.hop_ms * rate / 1000), round(config.window_ms * rate / 1000)
    size = 2 ** int(np.ceil(np.log2(length)))
    window = np.zeros(size)
    window[:length] = librosa.filters.get_window("hann", length)
    frames = -(-wave.size // hop)
    padded = np.pad(wave.astype(np.float64), (0, (frames - 1) * hop + size - wave.size))
    power = np.abs(librosa.stft(padded, n_fft=size, hop_length=hop, window=window, center=False)) ** 2
    htk = config.mel == "htk"
    filters = librosa.filters.mel(
        sr=rate,
        n_fft=size,
        n_mels=config.n_mels,
        fmin=config.f_min_hz,
        fmax=config.f_max_hz,
        htk=htk,
        norm=None if htk else "slaney",
    )
    return np.log(filters @ power + MELS[config.mel][1])


def features(wave: np.ndarray, config: FrontendConfig = FrontendConfig()) -> np.ndarray:  # noqa: B008
    spectrogram, _ = LogMel(config)(torch.from_numpy(wave.astype(np.float32))[None])
    return spectrogram[0, 0].numpy()


@pytest.mark.parametrize("name", SIGNALS)
def test_agrees_with_librosa(name):
    """Within 0.005 in ln power (0.02 dB), bands 100 dB below the loudest included: what single precision leaves."""
    expected = librosa_log_mel(SIGNALS[name].astype(np.float32), FrontendConfig())
    np.testing.assert_allclose(features(SIGNALS[name]), expected, rtol=0, atol=TOLERANCE)


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
def test_agrees_with_librosa_in_other_sizes(config):
    wave = SIGNALS["voiced"].astype(np.float32)
    np.testing.assert_allclose(features(wave, config), librosa_log_mel(wave, config), rtol=0, atol=TOLERANCE)


def test_agrees_with_librosa_on_recordings():
    folder = os.environ.get("DRSN_AUDIO_DATA")
    if not folder:
        pytest.skip("DRSN_AUDIO_DATA is not set: no recordings to compare on")
    paths = list(find_audio(Path(folder) / "speech_commands_subset" / "yes"))[:5]
    for path in paths:
        wave, _ = read_audio(path, RATE)
        expected = librosa_log_mel(wave, FrontendConfig())
        np.testing.assert_allclose(features(wave), expected, rtol=0, atol=TOLERANCE, err_msg=str(path))


def test_a_tone_lands_in_its_mel_band():
    """1 kHz is 1000 mel on HTK's scale; 40 bands lie between 31.7 (20 Hz) and 2840 mel (8 kHz), 68.5 apart."""
    tone = np.sin(2 * np.pi * 1000 * SECONDS)
    assert set(features(tone)[:, 10:80].argmax(0)) == {round((1000 - 31.75) / 68.5) - 1}


def test_power_of_a_full_scale_sine_by_hand():
    """On a bin's centre the periodic Hann window gives |X| = amplitude * size / 4."""
    power = power_spectrogram(
        torch.from_numpy(np.sin(2 * np.pi * 1000 * SECONDS)).float()[None], hann_window(SIZE), HOP
    )
    assert power[0, 32, 10].item() == pytest.approx((SIZE / 4) ** 2, rel=1e-3)


def test_silence_is_the_floor():
    np.testing.assert_allclose(features(SIGNALS["silence"]), np.log(FLOOR), rtol=1e-6)


@pytest.mark.parametrize("samples", [1, 2, HOP - 1, HOP, HOP + 1, SIZE, 16000, 16001])
def test_one_frame_for_every_begun_hop(samples):
    spectrogram, lengths = LogMel(FrontendConfig())(torch.zeros(2, samples), torch.tensor([samples, 1]))
    frames = int(np.ceil(samples / HOP))
    assert spectrogram.shape == (2, 1, 40, frames)
    assert lengths.tolist() == [frames, 1]
    assert num_frames(samples, HOP) == frames


@settings(max_examples=15, deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_padding_and_batch_do_not_matter(lengths, seed):
    """Each clip's frames in a padded batch, NaN beyond its end, are those of the clip alone."""
    frontend = LogMel(FrontendConfig())
    rng = np.random.default_rng(seed)
    clips = [torch.from_numpy(rng.uniform(-1, 1, n).astype(np.float32)) for n in lengths]
    batch = torch.full((len(clips), max(lengths) + 50), float("nan"))
    for row, clip in zip(batch, clips, strict=True):
        row[: clip.numel()] = clip
    together, frames = frontend(batch, torch.tensor(lengths))
    for out, count, clip in zip(together, frames.tolist(), clips, strict=True):
        torch.testing.assert_close(out[..., :count], frontend(clip[None])[0][0], rtol=0, atol=1e-4)


def test_a_frame_depends_on_its_own_samples_only():
    """No statistic of the clip: frames before a change keep every bit, and one frame can be computed alone."""
    wave = torch.from_numpy(SIGNALS["voiced"]).float()[None]
    changed = wave.clone()
    changed[:, 8000:] = torch.from_numpy(SIGNALS["noise"][8000:]).float()
    frontend = LogMel(FrontendConfig())
    before, after = frontend(wave)[0][0, 0], frontend(changed)[0][0, 0]
    untouched = (8000 - SIZE) // HOP + 1  # frame t ends with sample t * HOP + SIZE - 1
    assert torch.equal(before[:, :untouched], after[:, :untouched])
    assert (before[:, untouched] != after[:, untouched]).any()
    alone = frontend(wave[:, 30 * HOP : 30 * HOP + SIZE])[0][0, 0, :, 0]
    torch.testing.assert_close(alone, before[:, 30], rtol=0, atol=1e-4)


def test_nothing_to_save_and_nothing_to_train():
    frontend = LogMel(FrontendConfig())
    assert not frontend.state_dict()
    assert not list(frontend.parameters())


def test_makes_no_tensor_on_a_device_of_its_own():
    """All of it happens where wave, window and filters are; the meta device stands for an accelerator."""
    frontend = LogMel(FrontendConfig()).to("meta")
    out = mel_power(torch.zeros(2, 1000, device="meta"), frontend.window, frontend.filters, frontend.hop)
    assert out.device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_an_accelerator_gives_the_same():
    wave, lengths = torch.from_numpy(SIGNALS["voiced"]).float()[None], torch.tensor([12345])
    frontend = LogMel(FrontendConfig())
    expected, _ = frontend(wave, lengths)
    spectrogram, frames = frontend.cuda()(wave.cuda(), lengths.cuda())
    torch.testing.assert_close(spectrogram.cpu(), expected, rtol=0, atol=TOLERANCE)
    assert frames.tolist() == [78]


def test_stays_in_single_precision_under_autocast():
    """Powers from 1e-6 to 1e4 fit no half precision."""
    wave = torch.from_numpy(SIGNALS["noise"]).float()[None]
    frontend = LogMel(FrontendConfig())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = frontend(wave)[0]
    assert torch.equal(inside, frontend(wave)[0])


def test_bands_above_half_of_the_sample_rate_are_refused():
    with pytest.raises(ConfigError, match="f_max_hz=8000: at this sample rate use 4000"):
        LogMel(FrontendConfig(sample_rate=8000))
