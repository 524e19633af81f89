"""Training a denoiser: what it learns of tones in hiss, its losses and their weights, bits that a seed fixes."""

import dataclasses
import json

import pytest
import torch

from drsn_audio.config import ConfigError, config_from_dict, config_to_dict
from drsn_audio.models.checkpoint import load_checkpoint
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
            data=dataclasses.replace(config.data, rows=dataclasses.replace(config.data.rows, count=200)),
            augment=dataclasses.replace(config.augment, snr_db=[0.0, 10.0]),
            train=dataclasses.replace(config.train, **changes),
        )

    return make


def test_tones_are_freed_of_hiss(denoising):
    """After a few seconds of training, on a voice and noise that it never heard, by more than 6 dB."""
    best = train(denoising())
    described = json.loads(best.read_text())
    assert described["metrics"]["dev_si_sdr_improvement_db"] > 6
    lines = [json.loads(line) for line in (best.parent / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["train_si_sdr"] < lines[0]["train_si_sdr"] - 0.3
    assert {"train_si_sdr", "train_spectral", "train_magnitude"} <= set(lines[0])


def test_a_seed_fixes_every_bit_and_weights_count(denoising):
    runs = [train(denoising(name, max_steps=4, **given)) for name, given in
            (("a", {}), ("b", {}), ("c", {"spectral_weight": 0.0}))]  # fmt: skip
    first, again, other = (load_checkpoint(run.parent / "last.json")[0].state_dict() for run in runs)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["head.output.weight"], other["head.output.weight"])
    lines = [json.loads((run.parent / "log.jsonl").read_text()) for run in runs]
    assert lines[2]["train_spectral"] == 0
    assert lines[0]["train_spectral"] > 0


def test_rows_have_a_length(denoising):
    with pytest.raises(ConfigError, match=r"train.stretch_s=0: give the seconds of a row"):
        train(denoising(stretch_s=0.0))


def test_the_config_is_in_the_checkpoint(denoising):
    config = denoising(epochs=1, max_steps=1)
    model, described = load_checkpoint(train(config))
    assert model.config == config.model
    assert described["data"] == config_to_dict(config.data)
