"""Training a denoiser: what it learns of tones in hiss, its losses and their weights, bits that a seed fixes."""

import dataclasses
import json

import pytest
import torch

from drsn_audio.config import ConfigError, config_from_dict, config_to_dict
from drsn_audio.metrics.enhancement import si_sdr_db
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.training.loop import train

MODEL = {
    "preset": "10k", "head": "denoise", "pool": "causal", "widths": [4, 6], "blocks": [1, 1], "mixer": [1],
    "stem_stride": [4, 1], "time_reduction": 1,
    "frontend": {"name": "log-spectrogram", "window_ms": 32, "hop_ms": 16, "f_min_hz": 0},
}  # fmt: skip


@pytest.fixture
def denoising(config, tmp_path):
    """The config of a small denoiser of the tones, in a run folder of its own."""

    def make(name="run", **changes):
        model = config_from_dict({"model": MODEL}).model
        changes = {"stretch_s": 1.0, "batch_size": 4, "epochs": 2, **changes}
        return dataclasses.replace(
            config,
            run=str(tmp_path / name),
            model=model,
            data=dataclasses.replace(config.data, rows=dataclasses.replace(config.data.rows, count=60)),
            augment=dataclasses.replace(config.augment, snr_db=[0.0, 10.0]),
            train=dataclasses.replace(config.train, **changes),
        )

    return make


@pytest.mark.slow
def test_the_losses_fall_and_the_best_on_development_speech_is_kept(denoising):
    best = train(denoising())
    described = json.loads(best.read_text())
    lines = [json.loads(line) for line in (best.parent / "log.jsonl").read_text().splitlines()]
    gained_db = [line["dev_si_sdr_improvement_db"] for line in lines]
    assert described["metrics"]["dev_si_sdr_improvement_db"] == max(gained_db)
    assert lines[-1]["train_si_sdr"] < lines[0]["train_si_sdr"]
    assert lines[-1]["train_magnitude"] < lines[0]["train_magnitude"]


@pytest.mark.slow
def test_forty_steps_on_tones_in_hiss_gain_4_db():
    """The head and its losses alone: tones that come and go, as loud as the hiss that they are in."""
    torch.manual_seed(0)
    model = AudioModel(config_from_dict({"model": MODEL}).model).train()
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    generator, time_s = torch.Generator().manual_seed(0), torch.arange(16000) / 16000

    def draw(rows):
        hz, phase = (torch.rand(2, rows, 1, generator=generator) * torch.tensor([2000.0, 6.28])[:, None, None]).unbind()
        clean = 0.15 * torch.sin(2 * torch.pi * (300 + hz) * time_s) * (torch.sin(12.6 * time_s + phase) > 0)
        return clean + 0.05 * torch.randn(rows, 16000, generator=generator), clean

    for _ in range(40):
        noisy, clean = draw(4)
        losses = model.head.loss(model(noisy), noisy, clean)
        optimizer.zero_grad()
        (0.1 * losses["si_sdr"] + 0.5 * losses["spectral"] + 100 * losses["magnitude"]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    noisy, clean = draw(8)
    with torch.no_grad():
        gained_db = si_sdr_db(model.eval().denoise(noisy), clean) - si_sdr_db(noisy, clean)
    assert gained_db.mean() > 4


@pytest.mark.slow
def test_a_seed_fixes_every_bit_and_weights_count(denoising):
    given = {"a": {}, "b": {}, "c": {"spectral_weight": 0.5}}
    runs = [train(denoising(name, max_steps=3, **changes)) for name, changes in given.items()]
    first, again, other = (load_checkpoint(run.parent / "last.json")[0].state_dict() for run in runs)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["head.output.weight"], other["head.output.weight"])
    lines = [json.loads((run.parent / "log.jsonl").read_text()) for run in runs]
    assert "train_spectral" not in lines[0]  # of no weight, so it is not computed
    assert lines[2]["train_spectral"] > 0


@pytest.mark.parametrize("weights", [(0.0, 0.0), (-1.0, 300.0)])
def test_losses_have_weights(denoising, weights):
    with pytest.raises(ConfigError, match=r"train.si_sdr_weight and the other weights of losses: give one above 0"):
        train(denoising(si_sdr_weight=weights[0], magnitude_weight=weights[1]))


def test_rows_have_a_length(denoising):
    with pytest.raises(ConfigError, match=r"train.stretch_s=0: give the seconds of a row"):
        train(denoising(stretch_s=0.0))


@pytest.mark.slow
def test_the_config_is_in_the_checkpoint(denoising):
    config = denoising(epochs=1, max_steps=1)
    model, described = load_checkpoint(train(config))
    assert model.config == config.model
    assert described["data"] == config_to_dict(config.data)
