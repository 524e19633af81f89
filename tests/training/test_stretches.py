"""Training on stretches of streams: a model that learned tones says them in a stream as they end, and nothing else."""

import dataclasses

import numpy as np
import pytest
import torch

from drsn_audio.api import load
from drsn_audio.config import ConfigError
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.training.loop import train


def streaming(config, folder, **changes):
    changes = {"stretch_s": 1.6, "hold_s": 0.3, **changes}
    return dataclasses.replace(
        config,
        run=str(folder),
        model=dataclasses.replace(config.model, pool="causal", pool_ms=300.0),
        train=dataclasses.replace(config.train, **changes),
    )


@pytest.mark.slow
def test_a_model_trained_on_stretches_hears_a_stream(config, say, tmp_path):
    """Words of a speaker it never heard, in hiss, in the third minute as in the first second.

    One word of six may be missed, and one said that is none: how sure a model is after 120 steps depends on the last
    bits of their sums. Without having learnt it says nothing, or anything; six in their places are no chance.
    """
    train(streaming(config, tmp_path / "run", epochs=120))
    rng, hiss = np.random.default_rng(0), 0.002
    said = ["low", "high", "mid", "mid", "low", "high"]
    pieces = []
    for word in said:
        pieces += [np.zeros(16000, np.float32), say(word, "finn")]
    wave = np.concatenate([*pieces, np.zeros(8000, np.float32)])
    wave = (wave + hiss * rng.standard_normal(len(wave))).astype(np.float32)
    quiet = (hiss * rng.standard_normal(120 * 16000)).astype(np.float32)
    stream = load(tmp_path / "run" / "best.json").stream()
    ends_s = (np.cumsum([len(piece) for piece in pieces])[1::2]) / 16000
    for begin_s in (0.0, len(wave) / 16000 + 120):
        events = stream.feed(wave)
        places = zip(said, begin_s + ends_s, strict=True)
        heard = [any(e.label == word and -0.25 < e.time - end_s < 0.4 for e in events) for word, end_s in places]
        assert sum(heard) >= 5, events
        assert len(events) - sum(heard) <= 1, events
        assert len(stream.feed(quiet)) <= 1


@pytest.mark.slow
def test_a_seed_fixes_every_bit(config, tmp_path):
    runs = [
        train(streaming(config, tmp_path / name, epochs=4, batch_size=16, carry_share=share))
        for name, share in (("a", 0.5), ("b", 0.5), ("c", 0.0))
    ]
    first, again, other = (load_checkpoint(run.parent / "last.json")[0].state_dict() for run in runs)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["head.linear.weight"], other["head.linear.weight"])  # what is remembered matters


@pytest.mark.parametrize(
    ("changes", "pool", "message"),
    [
        ({}, "clip", "train.stretch_s=1.6: a model of whole clips has no streams: set it to 0"),
        ({"stretch_s": 0.1}, "causal", "train.stretch_s=0.1: give seconds that hold a word"),
        ({"carry_share": 2.0}, "causal", "train.carry_share=2.0: give a share from 0 to 1"),
    ],
)
def test_settings_that_make_no_sense(config, tmp_path, changes, pool, message):
    wanted = streaming(config, tmp_path / "run", **changes)
    wanted = dataclasses.replace(wanted, model=dataclasses.replace(wanted.model, pool=pool))
    with pytest.raises(ConfigError, match=message):
        train(wanted)
