"""The denoiser as a model: sizes, gains that give the wave back where it was, losses by hand, what it cannot be."""

import dataclasses
import math

import pytest
import torch

from drsn_audio.config import ConfigError, config_from_dict
from drsn_audio.models.model import AudioModel, count_parameters

SPECTRUM = {"name": "log-spectrogram", "window_ms": 32, "hop_ms": 16, "f_min_hz": 0}
SMALL = {
    "preset": "10k", "head": "denoise", "pool": "causal", "widths": [3, 4, 6], "mixer": [1, 2],
    "stem_stride": [4, 1], "time_reduction": 1, "frontend": SPECTRUM,
}  # fmt: skip


def make(**given) -> AudioModel:
    torch.manual_seed(0)
    return AudioModel(config_from_dict({"model": {**SMALL, **given}}).model).eval()


def noise(rows: int, samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(rows, samples, generator=torch.Generator().manual_seed(seed))


def with_gain(model: AudioModel, gain: float) -> AudioModel:
    """The same gain for every frame and frequency, whatever is heard."""
    torch.nn.init.zeros_(model.head.output.weight)
    torch.nn.init.constant_(model.head.output.bias, math.log(gain / (1 - gain)))
    return model


def test_the_published_size_keeps_its_limit():
    """At most 100,000 parameters, and time is strided nowhere: a frame of gains every 16 ms."""
    model = make(preset="100k", widths=[16, 24, 24], blocks=[1, 1, 1], mixer=[1, 2, 4, 8])
    assert count_parameters(model) <= 100_000
    assert model.block == 256
    assert model.outputs == 257
    assert model.encoder.levels == [(16, 65), (24, 33), (24, 17)]


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 5000])
def test_a_gain_of_a_quarter_is_the_wave_at_a_quarter(samples):
    """Sample for sample in its place, to the last one: overlap-add gives all of the wave back."""
    wave = noise(2, samples)
    with torch.no_grad():
        out = with_gain(make(), 0.25).denoise(wave)
    torch.testing.assert_close(out, 0.25 * wave, rtol=0, atol=1e-6)


def test_silence_stays_silence():
    with torch.no_grad():
        assert not make().denoise(torch.zeros(1, 3000)).any()


def test_a_floor_is_what_is_left_of_all():
    """Shut, the gains are the floor; open, they stay one."""
    model = with_gain(make(gain_floor=0.1), 0.5)
    with torch.no_grad():
        assert model(noise(1, 600)).unique().item() == pytest.approx(0.55)
        model.head.output.bias.fill_(-100.0)
        assert model(noise(1, 600)).unique().item() == pytest.approx(0.1)


def test_gains_of_a_bin_come_from_its_band():
    """The outputs of a level's bin are those of its neighbours in the spectrum: 4 of them in [4, 1] strides."""
    model = make()
    torch.nn.init.zeros_(model.head.output.weight)
    with torch.no_grad():
        model.head.output.bias.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0]))
        gains = model(noise(1, 512))[0, 0]
    torch.testing.assert_close(gains, torch.tensor([0.0, 1.0, 2.0, 3.0]).repeat(65)[:257].sigmoid())


def test_losses_of_a_perfect_estimate_and_of_none():
    """Clean in, gains of one: the SI-SDR of its cap, spectra alike. Of noise alone, the less is left the better."""
    model, clean = make(), noise(2, 4096)
    ones = torch.ones(2, 16, 257)
    losses = model.head.loss(ones, clean, clean)
    assert losses["si_sdr"].item() == pytest.approx(-30, abs=1e-3)
    assert losses["spectral"].item() == pytest.approx(0, abs=1e-4)
    assert losses["magnitude"].item() == pytest.approx(0, abs=1e-6)
    left = [model.head.loss(gain * ones, clean, 0 * clean) for gain in (1.0, 0.1)]
    assert left[0]["si_sdr"].item() == 0
    assert left[1]["spectral"] < left[0]["spectral"]
    assert left[1]["magnitude"] < left[0]["magnitude"]


def test_no_row_counts_for_more_because_it_is_louder():
    model, gains = make(), torch.rand(1, 16, 257, generator=torch.Generator().manual_seed(0))
    clean, hiss = noise(1, 4096), noise(1, 4096, seed=1)
    soft, loud = (model.head.loss(gains, level * (clean + hiss), level * clean) for level in (0.01, 1.0))
    for name, value in soft.items():
        assert value.item() == pytest.approx(loud[name].item(), rel=1e-3), name


def test_thresholds_stand_in_every_block_and_move_the_gains():
    model, wave = make(), noise(1, 4000)
    blocks = [name for name, _ in model.named_modules() if name.endswith(".shrinkage")]
    assert len(blocks) == 3 + 2 + 2  # stages, context, up
    before = model(wave)
    for name in blocks:
        gate = model.get_submodule(name).gate.fc2
        kept = gate.bias.detach().clone()
        with torch.no_grad():
            gate.bias.fill_(-20.0)  # alpha of 0: nothing is cut
            assert not torch.equal(model(wave), before), name
            gate.bias.copy_(kept)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gain_floor": 1.0}, "model.gain_floor=1: give a gain from 0 to below 1"),
        ({"pool": "clip"}, "a denoiser is a causal drsn"),
        ({"stem_stride": [4, 2]}, "strides in frequency only: set model.stem_stride=[4,1] model.time_reduction=1"),
        ({"time_reduction": 0}, "strides in frequency only"),
        ({"frontend": {"name": "logmel"}}, "model.frontend.name=log-spectrogram"),
        ({"frontend": {**SPECTRUM, "f_max_hz": 7000}}, "f_max_hz half the rate"),
        ({"frontend": {**SPECTRUM, "window_ms": 30}}, "window_ms=30: 480 samples, give a power of two"),
        ({"frontend": {**SPECTRUM, "hop_ms": 10}}, "model.frontend.hop_ms=10: a window of 512 samples every 160"),
        ({"widths": [3, 4]}, "model.widths=[3, 4]: give one for each of model.blocks"),
        ({"widths": [6, 4, 3]}, "none below the one before"),
    ],
)
def test_what_no_denoiser_can_be(given, message):
    with pytest.raises(ConfigError) as caught:
        make(**given)
    assert message in str(caught.value)


def test_widths_are_those_of_any_encoder():
    config = config_from_dict({"model": {"preset": "10k", "widths": [4, 5, 9], "labels": ["a", "b"]}}).model
    assert [channels for channels, _ in AudioModel(config).encoder.levels] == [4, 5, 9]
    plain = dataclasses.replace(config, widths=[])
    assert [channels for channels, _ in AudioModel(plain).encoder.levels] == [5, 10, 20]
