"""Denoising and keywords on one encoder: both are learnt, or the keywords alone in the same network."""

import dataclasses
import json

import pytest
import torch

from drsn_audio.api import load
from drsn_audio.config import ConfigError, config_from_dict
from drsn_audio.errors import InputError
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.training.loop import train

MODEL = {
    "preset": "10k", "head": "joint", "pool": "causal", "widths": [4, 6], "blocks": [1, 1], "mixer": [1],
    "stem_stride": [4, 1], "time_reduction": 1, "clip_s": 0.5, "labels": ["low", "mid", "high", "silence"],
    "frontend": {"name": "log-spectrogram", "window_ms": 32, "hop_ms": 16, "f_min_hz": 0},
}  # fmt: skip


@pytest.fixture
def joint(config, tmp_path):
    def make(name, **changes):
        return dataclasses.replace(
            config,
            run=str(tmp_path / name),
            model=config_from_dict({"model": MODEL}).model,
            train=dataclasses.replace(config.train, **{"max_steps": 2, "epochs": 1, "batch_size": 4, **changes}),
        )

    return make


@pytest.mark.slow
def test_what_has_no_weight_is_not_learnt(joint):
    both, alone = (
        json.loads((train(config).parent / "log.jsonl").read_text())
        for config in (joint("both"), joint("alone", si_sdr_weight=0.0, magnitude_weight=0.0))
    )
    learnt = [{key for key in line if key.startswith("train_")} for line in (both, alone)]
    assert learnt == [{"train_si_sdr", "train_magnitude", "train_cross_entropy"}, {"train_cross_entropy"}]


@pytest.mark.slow
def test_a_joint_model_names_words_and_gives_sound_back(joint, say, tmp_path):
    path = train(joint("run"))
    model, _ = load_checkpoint(path)
    wave = torch.from_numpy(say("low", "eve"))[None]
    with torch.no_grad():
        outputs = model(wave)
        assert outputs.shape == (1, -(-wave.shape[1] // 256), 257 + 4)
        assert torch.equal(model.head.last(outputs, None), outputs[:, -1, 257:])
        assert model.denoise(wave).shape == wave.shape
    recognizer = load(path)
    assert recognizer.classify(wave[0].numpy()).label in MODEL["labels"]
    with pytest.raises(InputError, match="a joint model is an experiment that hears clips"):
        recognizer.stream()


def test_its_losses_are_those_of_both_heads():
    torch.manual_seed(0)
    model = AudioModel(config_from_dict({"model": MODEL}).model).eval()
    noisy, clean = 0.1 * torch.randn(2, 2, 8000, generator=torch.Generator().manual_seed(0))
    outputs, targets = model(noisy), torch.tensor([0, 2])
    losses = model.head.loss(outputs, noisy, clean, targets, ["si_sdr"])
    assert set(losses) == {"si_sdr", "cross_entropy"}
    of_words = torch.nn.functional.cross_entropy(outputs[:, -1, 257:], targets)
    assert losses["cross_entropy"].item() == pytest.approx(of_words.item())
    of_sound = model.head.denoise.loss(outputs[..., :257], noisy, clean, ["si_sdr"])
    assert losses["si_sdr"] == of_sound["si_sdr"]


def test_stretches_are_refused(joint):
    with pytest.raises(ConfigError, match=r"train.stretch_s=1.6: a joint model learns from clips"):
        train(joint("run", stretch_s=1.6))
