"""Pictures show what is there, are the same every time, and leave no trace in the training."""

import dataclasses
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from drsn_audio.config import load_config
from drsn_audio.datasets.keyword import keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.models.model import AudioModel
from drsn_audio.training import pictures
from drsn_audio.training.pictures import draw_pictures

DENOISER = [
    "model.pool=causal", "model.frontend.name=log-spectrogram", "model.frontend.f_min_hz=0",
    "model.frontend.hop_ms=16", "model.stem_stride=[4,1]", "model.time_reduction=1", "model.mixer=[1]",
]  # fmt: skip
HEADS = {
    "keyword": [],
    "joint": DENOISER,
    "denoise": [*DENOISER, "model.labels=[]"],
    "ctc": ["model.pool=causal", "model.labels=[<blank>,low,mid,high]", "model.mixer_width=8", "model.mixer=[1]"],
}


@pytest.fixture
def make(config):
    """(head, overrides) -> what is asked of a training task, and an untrained model."""

    def made(head, *overrides):
        labels = "model.labels=[low,mid,high,silence]"
        small = ["model.preset=10k", "model.width=4", "model.frontend.name=logmel", "model.clip_s=0.5", labels]
        model = load_config(None, [*small, f"model.head={head}", *HEADS[head], *overrides]).model
        data = dataclasses.replace(config.data, silence_share=0.4)
        whole = dataclasses.replace(config, model=model, data=data)
        store, cuts = AudioStore(16000), read_cuts(config.data.dev)
        torch.manual_seed(0)
        dev = keyword_clips(cuts, model.labels, data) if head in ("keyword", "joint") else cuts
        noise = NoisePool(config.data.noise_dev, store)
        return SimpleNamespace(config=whole, dev=dev, dev_noise=noise, store=store), AudioModel(model).eval()

    return made


def shown(figure):
    """All that is drawn, without drawing it, which takes a second."""
    drawn = [[text.get_text() for text in figure.findobj() if hasattr(text, "get_text")]]
    for axes in figure.axes:
        drawn += [image.get_array().filled(-1).tolist() for image in axes.images]
        drawn += [line.get_xydata().tolist() for line in axes.lines]
    return drawn


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


@pytest.mark.parametrize(
    ("head", "names", "panels"),
    [
        ("keyword", ["heard", "alphas", "confusion"], 2),
        ("joint", ["heard", "alphas", "confusion"], 3),
        ("denoise", ["heard", "alphas"], 3),
        ("ctc", ["heard", "alphas"], 2),
    ],
)
def test_pictures_of_each_head(make, head, names, panels):
    task, model = make(head)
    drawn = draw_pictures(task, model)
    assert list(drawn) == names
    above = titles(drawn["heard"])
    assert len(above) == panels
    assert above[0] == "clean"
    assert above[1].startswith("at 0 dB in ")
    assert above[2:] == [] or above[2].startswith("given back: SI-SDR ")
    assert drawn["heard"].get_suptitle().startswith(task.dev[0].id)


def test_the_spectrograms_are_the_front_ends(make):
    task, model = make("keyword")
    figure = draw_pictures(task, model)["heard"]
    clean, noisy = (axes.images[0].get_array() for axes in figure.axes[:2])
    wave = torch.zeros(1, 8000)
    spoken = torch.from_numpy(task.store(task.dev[0].cut))
    wave[0, : len(spoken)] = spoken
    np.testing.assert_allclose(clean, model.frontend(wave)[0][0, 0], rtol=1e-4, atol=1e-4)
    assert noisy.mean() > clean.mean() + 1
    assert figure.axes[0].images[0].get_extent()[:2] == [0, pytest.approx(0.5)]
    assert figure.axes[0].images[0].origin == "lower"  # frequencies rise


def test_thresholds_against_snr(make, monkeypatch):
    task, model = make("keyword")
    asked = []
    monkeypatch.setattr(pictures, "mean_alphas", lambda model, waves: asked.extend(waves) or {"b": np.arange(6.0)})
    axes = draw_pictures(task, model)["alphas"].axes[0]
    (line,) = axes.lines
    assert (line.get_label(), list(line.get_xdata()), list(line.get_ydata())) == (
        "b", [-10, -5, 0, 5, 10, 20], [0, 1, 2, 3, 4, 5],
    )  # fmt: skip
    assert axes.get_ylabel().startswith("mean alpha")
    assert [tuple(wave.shape) for wave in asked] == [(6, 8000)] * 3  # silence is no utterance
    for wave in asked:  # the noise falls, the speech stays: what differs between two SNRs is noise alone
        louder, softer = wave[0] - wave[2], wave[2] - wave[4]
        assert float(louder.norm() / softer.norm()) == pytest.approx(10**0.5, rel=0.01)


def test_gates_are_called_gates_and_a_plain_network_has_none(make):
    assert draw_pictures(*make("keyword", "model.shrinkage=se"))["alphas"].axes[0].get_ylabel().startswith("mean gate")
    assert "alphas" not in draw_pictures(*make("keyword", "model.shrinkage=none"))


def test_confusions_are_those_of_the_answers(make, monkeypatch):
    task, model = make("keyword")
    task.dev = [*task.dev, *task.dev]
    always_mid = torch.tensor([0.0, 9.0, 0.0, 0.0])
    monkeypatch.setattr(model.head, "last", lambda logits, lengths: always_mid.expand(len(logits), -1))
    figure = draw_pictures(task, model)["confusion"]
    axes = figure.axes[0]
    spoken = [text.get_text() for text in axes.get_yticklabels()]
    assert spoken[:3] == ["low  (2)", "mid  (2)", "high  (2)"]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert {place: cells[place] for place in [(1, 0), (1, 1), (1, 2)]} == {(1, 0): "100", (1, 1): "100", (1, 2): "100"}
    assert {column for column, _ in cells} == {1}
    assert f"{100 * 2 / len(task.dev):.1f} %" in figure.get_suptitle()


@pytest.mark.slow
@pytest.mark.parametrize("head", ["keyword", "denoise"])
def test_no_trace_is_left_and_the_pictures_stay_the_same(make, head):
    task, model = make(head)
    model.train()
    model.head.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    states = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    first = {name: shown(figure) for name, figure in draw_pictures(task, model).items()}
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), str(np.random.get_state())) == states[1:]
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    torch.manual_seed(7)
    again = {name: shown(figure) for name, figure in draw_pictures(task, model).items()}
    assert again == first


def test_evenly_spaced_and_at_most_so_many():
    assert pictures._spread(range(10), 4) == [0, 3, 6, 9]
    assert pictures._spread(range(3), 16) == [0, 1, 2]
