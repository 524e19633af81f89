"""Thresholds of networks whose gates are made by hand: what they do with the noise is known, and is found."""

import json

import numpy as np
import pytest
import torch

from drsn_audio.config import load_config
from drsn_audio.datasets.keyword import Clip
from drsn_audio.errors import InputError
from drsn_audio.evaluation.alphas import Shrunk
from drsn_audio.evaluation.threshold_bands import bin_edges_hz, bins_a_band, mean_power, pool_bins, power_floor
from drsn_audio.evaluation.threshold_facts import threshold_facts
from drsn_audio.evaluation.threshold_orders import change, follows, noise_to_speech_db, own_part, whole_block, with_snr
from drsn_audio.evaluation.thresholds import (
    ThresholdTrials,
    block_measures,
    check_thresholds,
    choose_clips,
    hear_thresholds,
    pool_runs,
)
from drsn_audio.models.model import AudioModel

BASE = ["model.preset=10k", "model.blocks=[1,1]", "model.clip_s=0.5", "model.labels=[low,mid,high]"]
SNR_DB = (20.0, 10.0, 0.0, -10.0)
N = 8000


def hand_made(slope, *overrides):
    """Nothing but rows of the log-mel spectrogram reaches a shrinkage, and alpha = sigmoid(slope * mean |x| - 2)."""
    config = load_config(None, [*BASE, "model.frontend.name=logmel", "model.shrinkage=cw-frequency", *overrides])
    model = AudioModel(config.model).eval()
    with torch.no_grad():
        model.encoder.input_norm.running_mean.fill_(-14.0)  # below the logarithm of the floor: ReLU stops nothing
        model.encoder.stem.weight.zero_()
        model.encoder.stem.weight[:, 0, 2, 2] = 1
        for (block,) in model.encoder.stages:
            for conv in (block.conv1, block.conv2):
                conv.weight.zero_()
                for out in range(conv.out_channels):
                    conv.weight[out, out % conv.in_channels, 1, 1] = 1
            gate = block.shrinkage.gate
            gate.fc1.weight.copy_(torch.eye(gate.fc1.in_channels)[:, :, None, None])
            gate.fc1.bias.zero_()
            gate.fc2.weight.fill_(slope / gate.fc2.in_channels)
            gate.fc2.bias.fill_(-2.0)
    return model


def band_noise(low_hz, high_hz, seed):
    """White in the band, nothing outside, RMS 1."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(N))
    hz = np.fft.rfftfreq(N, 1 / 16000)
    wave = np.fft.irfft(np.where((hz >= low_hz) & (hz < high_hz), spectrum, 0), N)
    return torch.from_numpy(wave / wave.std()).float()


def heard(model, noises, kind="street", seed=0):
    """One clip of faint hiss a noise [N]; 0 dB is that both are as loud."""
    speech = torch.stack([0.02 * band_noise(0, 8001, [seed, 1, place]) for place in range(len(noises))])
    noise = 0.02 * torch.stack(noises)
    waves = torch.stack([*(speech + noise * 10 ** (-snr / 20) for snr in SNR_DB), speech])
    found = hear_thresholds(model, waves, speech, noise)
    count = len(noises)
    speakers, sources = (np.array([f"{name}{k // 2}" for k in range(count)]) for name in ("ann", kind))
    each = {block: total[None] / count for block, total in found.each_alpha.items()}
    zeros = np.zeros(count, int)
    return ThresholdTrials(
        kind, (*SNR_DB, np.inf), zeros, speakers, sources, found.blocks, each, found.speech_power, found.noise_power
    )


def white(count=4):
    return [band_noise(0, 8001, seed) for seed in range(count)]


BANDS = [(200, 600), (800, 1400), (2000, 3000), (4000, 6000)]


@pytest.mark.parametrize(("slope", "rho"), [(0.2, -1), (-0.2, 1), (0, 0)])
def test_a_gate_that_rises_with_the_noise_is_found_to(slope, rho):
    one = heard(hand_made(slope), white())
    for block in one.blocks:
        np.testing.assert_allclose(with_snr(one, whole_block(one, block, "alpha")), rho)
        # In a single band speech and noise may cancel a little; over all of it they add.
        np.testing.assert_allclose(with_snr(one, one.blocks[block]["alpha"]).mean(0), rho, atol=0.25)
    assert (with_snr(one, whole_block(one, block, "magnitude")) == -1).all()  # noise adds, whatever the gate does


def test_alpha_is_what_was_made_by_hand():
    one = heard(hand_made(0.2), white())
    for measures in one.blocks.values():
        assert ((measures["alpha"] > 0.1) & (measures["alpha"] < 0.9)).all()
        np.testing.assert_allclose(measures["alpha"], 1 / (1 + np.exp(2 - 0.2 * measures["magnitude"])), rtol=1e-3)
        np.testing.assert_allclose(measures["tau"], measures["alpha"] * measures["magnitude"], rtol=1e-3)


@pytest.mark.parametrize("slope", [0.2, -0.2])
def test_noise_in_one_band_moves_that_band(slope):
    model = hand_made(slope)
    edges, sizes = bin_edges_hz(model), bins_a_band(model)
    for low, high in BANDS:
        one = heard(model, [band_noise(low, high, 7)])
        for block, size in sizes.items():
            (moved,) = np.sign(slope) * change(one, block, "alpha", SNR_DB.index(-10.0))
            bounds = [*edges[:-1:size], edges[-1]]
            most = int(moved.argmax())
            assert low < bounds[most + 1]
            assert bounds[most] < high
            assert int(noise_to_speech_db(one, size, power_floor(model.frontend)).argmax()) in (
                most - 1,
                most,
                most + 1,
            )
            far = [k for k in range(len(moved)) if bounds[k] > 1.5 * high or bounds[k + 1] < low / 1.5]
            assert np.abs(moved[far]).max() < 0.1 * moved[most]


def test_thresholds_that_follow_the_noise_are_told_from_those_of_another_clip():
    model = hand_made(0.2)
    places = np.random.default_rng(0).integers(len(BANDS), size=24)
    one = heard(model, [band_noise(*BANDS[place], [2, k]) for k, place in enumerate(places)])
    floor = power_floor(model.frontend)
    for block, size in bins_a_band(model).items():
        moved = [change(one, block, "alpha", SNR_DB.index(-10.0))]
        assert follows([one], moved, size, floor)["own"][0].mean() > 0.5
        assert follows([one], moved, size, floor)["plain"][0].mean() > 0.5
        assert follows([one], [-moved[0]], size, floor)["own"][0].mean() < -0.5
        shuffled = [moved[0][np.random.default_rng(1).permutation(24)]]
        assert abs(follows([one], shuffled, size, floor)["own"][0].mean()) < 0.25


def test_bands_that_move_alike_in_all_noise_follow_none():
    """Low bands move most, and noise is loudest there, whatever the clip: only the mean of all says they correlate."""
    model = hand_made(0.2)
    one = heard(model, white(12))
    size = bins_a_band(model)["encoder.stages.0.0"]
    slope = np.linspace(1, 0, 20)
    one.noise_power[:] = 10 ** (3 * np.repeat(slope, 2)) * np.exp(np.random.default_rng(0).normal(0, 0.1, (12, 40)))
    one.speech_power[:] = 1
    moved = [slope + np.random.default_rng(1).normal(0, 0.01, (12, 20))]
    found = follows([one], moved, size, 0.0)
    assert found["plain"][0].mean() > 0.9
    assert abs(found["own"][0].mean()) < 0.2


def test_own_parts_are_taken_in_each_network():
    first, second = (heard(hand_made(0.2), white(2), kind) for kind in ("street", "machinery"))
    both = pool_runs([[first], [first]])
    assert list(both[0].runs) == [0, 0, 1, 1]
    values = np.array([[1.0, 2], [3, 4], [10, 20], [30, 60]])
    (left,) = own_part([values], both)
    np.testing.assert_allclose(left, [[-1, -1], [1, 1], [-10, -20], [10, 20]])
    with pytest.raises(InputError, match="the runs differ in noise kinds"):
        pool_runs([[first], [second]])


def test_what_a_block_did_by_hand():
    x = torch.tensor([[[[1.0, -1.0], [4.0, 0.5]]]])  # [B=1, C=1, F=2, T=2]
    tau = torch.tensor([1.0, 2.0]).view(1, 1, 2, 1)
    y = x.sign() * (x.abs() - tau).clamp(min=0)
    by_band = block_measures(Shrunk(x, y, tau / 2, tau))
    assert {name: values.tolist() for name, values in by_band.items()} == {
        "alpha": [[0.5, 1.0]],
        "tau": [[1.0, 2.0]],
        "zeroed": [[1.0, 0.5]],
        "magnitude": [[1.0, 2.25]],
        "before": [[1.0, 8.125]],
        "after": [[0.0, 2.0]],
    }
    whole = block_measures(Shrunk(x, y, torch.full((1, 1, 1, 1), 0.5), torch.ones(1, 1, 1, 1)))
    assert whole["zeroed"].tolist() == [[0.75]]
    assert set(block_measures(Shrunk(x, y, tau, None))) == {"alpha", "magnitude", "before", "after"}


@pytest.mark.parametrize("frontend", ["logmel", "pcen", "log-spectrogram", "spectrogram"])
def test_a_tone_is_in_its_band(frontend):
    model = hand_made(0.2, f"model.frontend.name={frontend}")
    edges = bin_edges_hz(model)
    assert len(edges) == model.frontend.bins + 1
    assert (np.diff(edges) > 0).all()
    for hz in (300.0, 1000.0, 3100.0):
        tone = torch.sin(2 * torch.pi * hz * torch.arange(N) / 16000)[None]
        loudest = int(mean_power(model.frontend, tone)[0].argmax())
        assert edges[loudest] <= hz <= edges[loudest + 1]


def test_bands_are_means_of_rows():
    np.testing.assert_allclose(pool_bins(np.array([[1.0, 3, 5, 7, 9]]), 2), [[2, 6, 9]])
    assert bins_a_band(hand_made(0.2)) == {"encoder.stages.0.0": 2, "encoder.stages.1.0": 4}


def test_clips_are_of_all_speakers_alike():
    clips = [
        Clip(f"{name}{k}", 0, name, object(), -20.0)
        for name, n in (("ann", 9), ("bob", 3), ("cem", 1))
        for k in range(n)
    ]
    clips.append(Clip("silence-0", 1, "silence-0", None, -20.0))
    speakers = [clip.speaker for clip in choose_clips(clips, 7, seed=0)]
    assert {name: speakers.count(name) for name in speakers} == {"ann": 3, "bob": 3, "cem": 1}
    assert len(choose_clips(clips, 100, seed=0)) == 13
    assert choose_clips(clips, 7, seed=0) == choose_clips(clips, 7, seed=0)
    assert choose_clips(clips, 7, seed=0) != choose_clips(clips, 7, seed=1)
    with pytest.raises(InputError, match="0 clips"):
        choose_clips(clips, 0, seed=0)
    with pytest.raises(InputError, match="nobody speaks"):
        choose_clips(clips[-1:], 3, seed=0)


def test_a_network_without_thresholds_is_refused():
    for override in ("model.shrinkage=none", "model.encoder=bc-resnet"):
        preset = ["model.preset=bc-resnet-1"] if "bc" in override else [*BASE, override]
        model = AudioModel(load_config(None, [*preset, "model.labels=[a,b]"]).model)
        with pytest.raises(InputError, match="has neither thresholds nor gates: give runs of"):
            check_thresholds(model)


def facts_of(model, kinds=("machinery", "street"), count=6):
    torch.manual_seed(0)
    trials = [
        heard(model, [band_noise(*BANDS[k % 4], [3, k]) for k in range(count)], kind, len(kind)) for kind in kinds
    ]
    return threshold_facts(model, trials, [], level="p56", seed=0, replicates=50)


@pytest.mark.slow
def test_the_facts_say_so():
    facts = facts_of(hand_made(0.2))
    assert len(json.dumps(facts)) < 60_000
    assert facts["snr_db"] == [20.0, 10.0, 0.0, -10.0, None]
    assert [len(block["bands_hz"]) for block in facts["blocks"]] == [20, 10]
    for block in facts["blocks"]:
        for found in block["kinds"].values():
            assert found["with_snr"]["alpha"] == [-1, -1, -1]
            assert found["rising"] > 0.9
            levels = [level[0] for level in found["levels"]["alpha"]]
            assert levels[:-1] == sorted(levels[:-1])
            assert levels[-1] < levels[-2] - 0.01
            assert found["follows"]["alpha"]["own"][-1][0] > 0.3
        assert block["difference"]["kinds"] == ["street", "machinery"]


@pytest.mark.slow
def test_a_difference_of_kinds_is_that_of_their_means():
    model = hand_made(0.2)
    trials = [heard(model, white(4), kind) for kind in ("machinery", "street")]
    place = SNR_DB.index(-10.0)
    trials[1].blocks["encoder.stages.0.0"]["alpha"][:, place] += 0.125
    block = threshold_facts(model, trials, [], level="p56", seed=0, replicates=50)["blocks"][0]
    assert block["difference"]["alpha"][0] == pytest.approx(0.125, abs=1e-3)
    assert [band[0] for band in block["difference"]["bands"]] == pytest.approx([0.125] * 20, abs=1e-3)


@pytest.mark.parametrize(
    ("overrides", "name", "banded"),
    [
        (["model.shrinkage=cw"], "alpha", False),
        (["model.shrinkage=cs"], "alpha", False),
        (["model.shrinkage=se-frequency"], "gate", True),
        (["model.shrinkage=cw-frequency", "model.frontend.name=mfcc"], "alpha", False),
        (["model.shrinkage=cw-frequency", "model.pool=causal"], "alpha", True),
    ],
)
def test_other_thresholds_and_gates(overrides, name, banded):
    torch.manual_seed(0)
    model = AudioModel(load_config(None, [*BASE, "model.frontend.name=logmel", *overrides]).model).eval()
    facts = facts_of(model, kinds=("street",), count=2)
    assert facts["model"]["name"] == name
    assert all((block["bands_hz"] is not None) == banded for block in facts["blocks"])
    assert all(block["difference"] is None for block in facts["blocks"])
    levels = facts["blocks"][0]["kinds"]["street"]["levels"]
    assert ("tau" in levels) == ("zeroed" in levels) == (name == "alpha")
    json.dumps(facts, allow_nan=False)
