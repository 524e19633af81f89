"""What every front-end promises, with every norm: frames, lengths, padding, causality, silence, gradients."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends import FRONTENDS, Frontend
from drsn_audio.frontends.causal_norm import NORMS
from drsn_audio.frontends.spectrogram import num_frames

RATE, HOP, SIZE = 16000, 160, 512
KINDS = [pair for pair in product(FRONTENDS, NORMS) if pair[0] != "spectrogram" or pair[1] == "none"]
every_kind = pytest.mark.parametrize(("name", "norm"), KINDS, ids=["-".join(kind) for kind in KINDS])


def make(name: str, norm: str = "none", **given) -> Frontend:
    return FRONTENDS[name](FrontendConfig(name=name, norm=norm, **given))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Powers reach 1e4: single precision leaves them 1e-3."""
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-4 * max(1.0, expected.abs().max().item() / 100))


@every_kind
@pytest.mark.parametrize("samples", [1, HOP, HOP + 1, SIZE, 16001])
def test_one_frame_for_every_begun_hop(name, norm, samples):
    spectrogram, lengths = make(name, norm)(torch.zeros(2, samples), torch.tensor([samples, 1]))
    frames = int(np.ceil(samples / HOP))
    assert spectrogram.shape == (2, 1, make(name).bins, frames)
    assert lengths.tolist() == [frames, 1]
    assert num_frames(samples, HOP) == frames


@every_kind
@settings(max_examples=8, deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_padding_and_batch_do_not_matter(name, norm, lengths, seed):
    """Each clip's frames in a padded batch, NaN beyond its end, are those of the clip alone."""
    frontend = make(name, norm)
    clips = noise(len(lengths), max(lengths), seed=seed)
    batch = torch.full((len(lengths), max(lengths) + 50), float("nan"))
    for row, clip, length in zip(batch, clips, lengths, strict=True):
        row[:length] = clip[:length]
    with torch.no_grad():
        together, frames = frontend(batch, torch.tensor(lengths))
        for out, count, clip, length in zip(together, frames.tolist(), clips, lengths, strict=True):
            close(out[..., :count], frontend(clip[None, :length])[0][0])


@every_kind
def test_frames_do_not_depend_on_what_follows(name, norm):
    """Frames before a change keep every bit; frame t ends with sample t * HOP + SIZE - 1."""
    wave, frontend = noise(1, RATE), make(name, norm)
    changed = wave.clone()
    changed[:, 8000:] = noise(1, 8000, seed=1)
    with torch.no_grad():
        before, after = frontend(wave)[0][0, 0], frontend(changed)[0][0, 0]
    untouched = (8000 - SIZE) // HOP + 1
    torch.testing.assert_close(before[:, :untouched], after[:, :untouched], rtol=1e-6, atol=1e-6)
    assert (before[:, untouched] != after[:, untouched]).any()


@pytest.mark.parametrize("name", [name for name in FRONTENDS if name != "pcen"])
def test_one_frame_can_be_computed_alone(name):
    """Without a norm a frame is of its own samples only; PCEN alone has a memory."""
    wave, frontend = noise(1, RATE), make(name)
    alone = frontend(wave[:, 30 * HOP : 30 * HOP + SIZE])[0][0, 0, :, 0]
    close(alone, frontend(wave)[0][0, 0, :, 30])


@every_kind
def test_silence_clipping_and_faint_sound_give_numbers_and_gradients(name, norm):
    """Of the wave and of what is learned, on digital silence, the smallest float32 steps and a full-scale square."""
    frontend = make(name, norm)
    square = torch.sign(torch.sin(torch.arange(4000) / 7.0) + 1e-3)
    wave = torch.stack([torch.zeros(4000), 1e-20 * square, square]).requires_grad_()
    spectrogram, _ = frontend(wave, torch.tensor([4000, 1, 4000]))
    assert spectrogram.isfinite().all()
    spectrogram.mean().backward()
    assert wave.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in frontend.parameters())


@pytest.mark.parametrize("name", FRONTENDS)
def test_gradients_agree_with_differences(name):
    """Of the power in each bin through to the features; the wave's own are those of the FFT."""
    frontend = make(name, n_mels=4, n_mfcc=3, f_max_hz=1000.0).double()
    wave = (0.1 * noise(1, 700, seed=3)).double().requires_grad_()
    assert torch.autograd.gradcheck(frontend.features, (wave,), atol=1e-4, rtol=1e-3)


@every_kind
def test_only_what_is_learned_is_saved(name, norm):
    frontend = make(name, norm)
    assert frontend.state_dict().keys() == dict(frontend.named_parameters()).keys()
    assert bool(frontend.state_dict()) == (name == "pcen" or norm != "none")


@every_kind
def test_stays_in_single_precision_under_autocast(name, norm):
    """Powers from 1e-6 to 1e4 fit no half precision."""
    wave, frontend = noise(1, RATE), make(name, norm)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = frontend(wave)[0]
    assert torch.equal(inside, frontend(wave)[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@every_kind
def test_an_accelerator_gives_the_same(name, norm):
    wave, lengths, frontend = noise(1, RATE), torch.tensor([12345]), make(name, norm)
    expected, _ = frontend(wave, lengths)
    spectrogram, frames = frontend.cuda()(wave.cuda(), lengths.cuda())
    close(spectrogram.cpu(), expected)
    assert frames.tolist() == [78]


@every_kind
def test_a_length_ends_with_the_wave(name, norm):
    assert make(name, norm)(noise(1, 800), torch.tensor([2000]))[1].tolist() == [5]


@pytest.mark.parametrize("name", FRONTENDS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hop_ms": 0.0}, "hop_ms=0: at 16000 Hz that is less than a sample"),
        ({"window_ms": -5.0}, "window_ms=-5: at 16000 Hz"),
        ({"sample_rate": 0}, "hop_ms=10: at 0 Hz"),
        ({"f_min_hz": float("nan")}, "f_min_hz=nan: use 0 to below 8000"),
        ({"f_min_hz": 10.0, "f_max_hz": 20.0}, "lie between two bins|no bin"),
    ],
)
def test_what_gives_no_spectrogram_is_refused(name, given, message):
    with pytest.raises(ConfigError, match=message):
        make(name, **given)


def test_too_many_bands_and_a_norm_of_powers_are_refused():
    with pytest.raises(ConfigError, match=r"n_mels=128: \d+ bands lie between two bins"):
        make("logmel", n_mels=128)
    with pytest.raises(ConfigError, match="n_mels=0: use 1 or more"):
        make("pcen", n_mels=0)
    with pytest.raises(ConfigError, match="norm=causal: is made for logarithms, use log-spectrogram"):
        make("spectrogram", "causal")


@pytest.mark.parametrize("name", FRONTENDS)
def test_a_band_that_cannot_be_is_refused(name):
    with pytest.raises(ConfigError, match="f_max_hz=8000: at this sample rate use 4000"):
        make(name, sample_rate=8000)
    with pytest.raises(ConfigError, match="f_min_hz=3000: use 0 to below 2000"):
        make(name, f_min_hz=3000.0, f_max_hz=2000.0)
