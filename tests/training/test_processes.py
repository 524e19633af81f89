"""Several processes learn what one does: gradients, utterances, scores, files. By gloo, on the CPU."""

import dataclasses
import json
import os
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from drsn_audio.config import config_from_dict
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.nn.masking import MaskedBatchNorm2d
from drsn_audio.processes import Processes
from drsn_audio.training import loop
from drsn_audio.training.keyword import KeywordTask
from drsn_audio.training.learner import Learner
from drsn_audio.training.processes import start_processes
from drsn_audio.training.shares import share_batch
from drsn_audio.training.totals import Totals

STEPS = 3


@pytest.fixture(scope="module")
def tasks(config):
    """Name -> config of each kind of training, with batches of 5 (the last of an epoch is smaller) and no dropout."""

    def make(model, data=None, **changes):
        changes = {"batch_size": 5, "epochs": 9, "max_steps": STEPS, "picture_epochs": 0, **changes}
        labels = {"labels": config.model.labels, "clip_s": 0.5, "frontend": {"name": "logmel"}}
        return dataclasses.replace(
            config,
            model=config_from_dict({"model": {"preset": "10k", "dropout": 0.0, **labels, **model}}).model,
            data=dataclasses.replace(config.data, **(data or {})),
            train=dataclasses.replace(config.train, **changes),
        )

    spectrogram = {"name": "log-spectrogram", "window_ms": 32, "hop_ms": 16, "f_min_hz": 0}
    denoiser = {
        "pool": "causal", "widths": [4, 6], "blocks": [1, 1], "mixer": [1], "stem_stride": [4, 1],
        "time_reduction": 1, "frontend": spectrogram,
    }  # fmt: skip
    writer = {
        "head": "ctc", "pool": "causal", "time_reduction": 4, "mixer_width": 8, "mixer": [1, 1],
        "labels": ["<blank>", "low", "mid", "high"], "intermediate_ctc": 0.3,
    }  # fmt: skip
    strings = dataclasses.replace(config.data.strings, rows=12, unknown_share=0.0)
    rows = dataclasses.replace(config.data.rows, count=12)
    return {
        "clips": make({}),
        "stretches": make({"pool": "causal", "pool_ms": 300.0}, stretch_s=1.0, carry_share=0.8),
        "strings": make(writer, {"strings": strings}, stretch_s=4.0),
        "utterances": make(writer, max_padded_s=3.0),
        "denoise": make({"head": "denoise", "labels": [], **denoiser}, {"rows": rows}, stretch_s=1.0),
        "joint": make({"head": "joint", "pool_ms": 300.0, **denoiser}),
    }


class Enough(Exception):
    pass


@pytest.fixture
def listen(monkeypatch, together, tmp_path):
    """(config, ranks) -> (gradients of each step by name, Counter of (step, utterance) heard by all processes).

    BatchNorm is frozen, and the weights stay what they are.
    """
    monkeypatch.setattr(MaskedBatchNorm2d, "train", lambda norm, mode=True: torch.nn.Module.train(norm, False))
    found, heard = [], []
    add_share = Totals.add_share

    def note_gradients(learner, weight):
        model = learner.model
        found.append({name: p.grad / weight for name, p in model.named_parameters() if p.grad is not None})
        if len(found) == STEPS:
            raise Enough
        return 0.0

    def note_utterances(totals, losses, weight, batch, counts):
        heard.extend([(len(found), id) for id in batch.ids] * counts)
        add_share(totals, losses, weight, batch, counts)

    monkeypatch.setattr(Learner, "step", note_gradients)
    monkeypatch.setattr(Totals, "add_share", note_utterances)

    def run(config, ranks):
        folder = tmp_path / f"{ranks}-{config.train.accumulate}"

        def train():
            with pytest.raises(Enough):
                loop.train(dataclasses.replace(config, run=str(folder)))
            torch.save((found, heard), tmp_path / f"rank-{os.environ['RANK']}")

        together(ranks, train)
        noted = [torch.load(tmp_path / f"rank-{rank}") for rank in range(ranks)]
        for gradients, _ in noted[1:]:  # the same in every process, to the bit
            assert all(
                value.equal(noted[0][0][at][name]) for at, of in enumerate(gradients) for name, value in of.items()
            )
        return noted[0][0], Counter(each for _, of_rank in noted for each in of_rank)

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "ways"),
    [  # processes, and pieces in each
        ("clips", [(2, 1), (3, 1), (1, 2)]),
        ("utterances", [(3, 1)]),
        *(
            pytest.param(name, ways, marks=pytest.mark.slow)
            for name, ways in {
                "stretches": [(3, 1), (2, 2)],
                "strings": [(2, 1)],
                "denoise": [(2, 1)],
                "joint": [(2, 1)],
            }.items()
        ),
    ],
)
def test_gradients_are_those_of_one_process(name, ways, tasks, listen):
    """At the same batches, of which some are small and uneven; and no utterance is lost or heard twice."""
    alone, heard = listen(tasks[name], 1)
    assert len(alone) == STEPS
    largest = max(value.abs().max().item() for of_step in alone for value in of_step.values())
    for ranks, accumulate in ways:
        train = dataclasses.replace(tasks[name].train, accumulate=accumulate)
        gradients, heard_by_all = listen(dataclasses.replace(tasks[name], train=train), ranks)
        assert heard_by_all == heard
        for one, other in zip(alone, gradients, strict=True):
            assert one.keys() == other.keys()
            off = {key: (other[key] - value).abs().max().item() for key, value in one.items()}
            assert max(off.values()) <= 1e-5 * max(1.0, largest), off


@pytest.mark.slow
def test_three_processes_learn_and_one_writes(config, together, tmp_path):
    """The tones, with BatchNorm's statistics of each process's rows: scores as one process has them."""
    folder = tmp_path / "run"
    train = dataclasses.replace(config.train, batch_size=11, epochs=40, picture_epochs=0)
    together(3, lambda: loop.train(dataclasses.replace(config, run=str(folder), train=train)))
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 41))
    assert lines[-1]["best"] > 0.6  # by chance 0.25
    steps = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps] == list(range(1, 41))
    assert {line["rows"] for line in steps} == {11}
    facts = json.loads((folder / "training.json").read_text())
    assert (facts["processes"], facts["status"]) == (3, "finished")
    assert len(list((folder / "tensorboard").glob("events.*"))) == 1
    assert len(list(folder.glob("*.safetensors"))) == 2


@pytest.mark.slow
def test_the_score_is_that_of_all_development_clips(run, config, together, tmp_path):
    model, info = load_checkpoint(run / "last.json")

    def score():
        accelerator = start_processes(config.train)
        processes = Processes(accelerator.process_index, accelerator.num_processes)
        found = KeywordTask(config, model, AudioStore(16000)).score(model, processes)
        (tmp_path / os.environ["RANK"]).write_text(json.dumps(found))

    together(2, score)
    expected = info["metrics"]["dev_accuracy"]
    for rank in range(2):
        better, figures, _ = json.loads((tmp_path / f"{rank}").read_text())
        assert better == figures["dev_accuracy"] == expected


@pytest.mark.slow
def test_a_training_of_two_processes_is_killed_and_goes_on(tasks, together, tmp_path, monkeypatch):
    """With what the streams of each process remember; another number of processes goes on, too."""
    config = tasks["stretches"]
    config = dataclasses.replace(
        config, resume=True, train=dataclasses.replace(config.train, max_steps=6, checkpoint_steps=2)
    )

    def train(name):
        return lambda: loop.train(dataclasses.replace(config, run=str(tmp_path / name)))

    together(2, train("whole"))
    step = Learner.step

    def interrupted(learner, weight):
        if learner.schedule.last_epoch == 3:
            raise Enough
        return step(learner, weight)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", interrupted)
        for name in ("killed", "fewer"):
            with pytest.raises(AssertionError):
                together(2, train(name))
    together(2, train("killed"))
    together(1, train("fewer"))
    whole, killed, fewer = (load_checkpoint(tmp_path / name / "last.json") for name in ("whole", "killed", "fewer"))
    assert all(value.equal(killed[0].state_dict()[key]) for key, value in whole[0].state_dict().items())
    assert fewer[1]["step"] == 6


@pytest.mark.slow
@given(rows=st.integers(1, 40), ranks=st.integers(1, 5), pieces=st.integers(1, 4))
def test_shares_are_the_batch(rows, ranks, pieces):
    shares = [share_batch(list(range(rows)), rank, ranks, pieces) for rank in range(ranks)]
    assert all(len(of_rank) == pieces for of_rank in shares)  # all take the same number of turns
    counted = [share.keys for of_rank in shares for share in of_rank if share.counts]
    assert sorted(key for keys in counted for key in keys) == list(range(rows))
    sizes = [len(keys) for keys in counted]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(2, rows)
    assert all(share.keys and share.batch_rows == rows for of_rank in shares for share in of_rank)
