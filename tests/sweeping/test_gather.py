"""What a sweep's table says, of answers that are known by hand."""

import dataclasses
import json

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.evaluation.answers import describe_answers
from drsn_audio.evaluation.keyword import Trials
from drsn_audio.reports.sweep import sweep_tables
from drsn_audio.sweeping.cells import cells_of
from drsn_audio.sweeping.config import read_sweep
from drsn_audio.sweeping.gather import deviation, gather, spread
from drsn_audio.sweeping.results import figures, trials_path
from drsn_audio.sweeping.scores import Answers

SWEEP = """
recipe: recipes/keywords
config: {folder}/config.yaml
out: {folder}/runs
results: {folder}/results
axes:
  model: {{none: [model.shrinkage=none], cw: [model.shrinkage=cw]}}
  fold: {{1: [data.silence_share=0.1], 2: [data.silence_share=0.2]}}
  seed: [0, 1]
overrides: [evaluate.replicates=200]
"""
SPEAKERS = {"1": ["ann", "ann", "bob", "silence-00000"], "2": ["cem", "cem", "dora", "silence-00000"]}
SPEAKERS["other"] = ["eve", *SPEAKERS["1"][1:]]
RIGHT, WRONG = [1, 1, 1, 1], [0, 0, 0, 0]


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "config.yaml").write_text("model: {preset: 10k, labels: [low, high]}\n")
    (folder / "sweep.yaml").write_text(SWEEP.format(folder=folder))
    sweep = read_sweep(folder / "sweep.yaml")
    return sweep, cells_of(sweep)


@pytest.fixture
def sweep(planned, tmp_path):
    return dataclasses.replace(planned[0], results=str(tmp_path))


@pytest.fixture
def cells(planned, tmp_path):
    return {cell.name: dataclasses.replace(cell, result=tmp_path / cell.result.name) for cell in planned[1]}


def condition(fold, kind, snr_db, right):
    speakers = SPEAKERS[fold]
    sources = [f"{kind}-{fold}-{k % 2}" for k in range(4)]
    targets = np.zeros(4, dtype=int)
    logits = np.eye(2)[1 - np.array(right)]
    return Trials(kind, snr_db, logits, targets, np.array(speakers), np.array(sources), np.array(["low"] * 4))


def put(sweep, cell, clean, street, machinery, seconds=60.0, fold=""):
    """A cell's result: right or wrong of four trials, clean and at two SNRs of each kind."""
    fold = fold or cell.labels["fold"]
    trials = [condition(fold, "street", snr_db, right) for snr_db, right in zip((20.0, 0.0), street, strict=True)]
    trials.append(condition(fold, "clean", None, clean))
    trials += [
        condition(fold, "machinery", snr_db, right) for snr_db, right in zip((20.0, 0.0), machinery, strict=True)
    ]
    facts = describe_answers(trials, ["low", "high"])
    asked = facts.pop("asked")
    path = trials_path(sweep, asked["sha256"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asked))
    answers = {"trials": asked["sha256"], "level": "p56", "draws": 1, "seed": 0, **facts}
    result = {
        "schema": 1, "digest": cell.digest, "settings": cell.settings, "seed": int(cell.labels["seed"]),
        "date": "today", "commits": ["abc"], "checkpoint": {}, "dev": {}, "data": {}, "training_seconds": seconds,
        "parameters": 100 if cell.labels["model"] == "none" else 120, "multiply_adds": 2e6, "answers": answers,
    }  # fmt: skip
    cell.result.write_text(json.dumps(result))


def fill(sweep, cells, leave_out=()):
    """cw is right wherever none is, and in machinery at 0 dB, too; seed 1 of fold 1 loses the first trial of all."""
    for name, cell in cells.items():
        if name in leave_out:
            continue
        machines = RIGHT if cell.labels["model"] == "cw" else WRONG
        first = [0, 1, 1, 1] if name.endswith("fold1-seed1") else RIGHT
        both = [a & b for a, b in zip(machines, first, strict=True)]
        put(sweep, cell, first, [first, [1, 0, 0, 0]], [first, both], seconds=60.0 + int(cell.labels["seed"]))


@pytest.mark.slow
def test_means_deviations_and_paired_differences(sweep, cells):
    fill(sweep, cells)
    facts = gather(sweep, list(cells.values()))
    assert (facts["columns"], facts["reference"]) == (["clean", "20 dB", "0 dB", "mean"], "none")
    assert (facts["speakers"], facts["noise_recordings"], len(facts["tests"])) == (4, 8, 2)
    none, cw = facts["rows"]
    # clean and 20 dB: 1, and 3/4 of one cell of four; 0 dB of none: street 1/4, machinery 0.
    assert [none["columns"][c]["mean"] for c in facts["columns"]] == pytest.approx([0.9375, 0.9375, 0.125, 0.53125])
    # 0 dB of cw: (1/4 + 1) / 2, of that cell (1/4 + 3/4) / 2.
    assert [cw["columns"][c]["mean"] for c in facts["columns"]] == pytest.approx([0.9375, 0.9375, 0.59375, 0.765625])
    assert none["columns"]["20 dB"]["deviation"] == pytest.approx(0.125)  # of 1, 3/4, 1, 1
    assert (none["training_seconds"], none["parameters"], cw["parameters"]) == (60.5, 100, 120)
    difference = cw["difference"]
    assert (difference["pairs"], difference["left_out"]) == (4, [])
    assert "difference" not in none
    assert difference["columns"]["20 dB"]["mean"] == difference["columns"]["20 dB"]["high"] == 0
    assert difference["columns"]["0 dB"]["mean"] == pytest.approx(0.59375 - 0.125)
    last = difference["columns"]["mean"]
    assert last["mean"] == pytest.approx(0.765625 - 0.53125)
    assert 0 < last["low"] <= last["mean"] <= last["high"]
    assert 2 / 201 <= last["p"] == last["p_holm"] <= 2 / 101  # above 0 in every resample; some leave out a fold
    # Over seeds: fold 1 differs by 1/8 in the mean, fold 2 not; none's mean loses 1/8 at 20 dB alone.
    assert none["spread"]["seed"] == pytest.approx(np.sqrt((0.125**2 / 2 + 0) / 2))


def test_folds_weigh_the_same_however_many_seeds_they_have(sweep, cells):
    only = {name: cell for name, cell in cells.items() if name != "none-fold2-seed1"}
    fill(sweep, only)
    for name in ("none-fold1-seed0", "none-fold1-seed1"):
        put(sweep, cells[name], WRONG, [WRONG, WRONG], [WRONG, WRONG])
    facts = gather(sweep, list(cells.values()))
    clean = facts["rows"][0]["columns"]["clean"]
    assert clean["mean"] == pytest.approx(0.5)  # of folds 0 and 1, not of runs 0, 0 and 1
    assert facts["missing"] == ["none-fold2-seed1"]


def test_what_is_missing_is_left_out_and_said(sweep, cells):
    fill(sweep, cells, leave_out=("cw-fold2-seed0", "none-fold2-seed1"))
    for name in ("older", "tables", "costs"):  # the last two are evidence.py's
        (cells["cw-fold2-seed0"].result.parent / f"{name}.json").write_text("{}")
    facts = gather(sweep, list(cells.values()))
    assert facts["missing"] == ["none-fold2-seed1", "cw-fold2-seed0"]
    assert facts["strangers"] == ["older.json"]
    difference = facts["rows"][1]["difference"]
    assert (difference["pairs"], difference["left_out"]) == (2, ["none-fold2-seed0", "cw-fold2-seed1"])
    text = sweep_tables(facts)
    assert "6 of 8 runs" in text
    assert "missing: none-fold2-seed1, cw-fold2-seed0." in text
    assert "for want of a partner: none-fold2-seed0, cw-fold2-seed1 (cw)" in text
    assert "of no cell: older.json" in text


def test_runs_that_were_put_to_other_trials_are_no_pair(sweep, cells):
    fill(sweep, cells)
    put(sweep, cells["cw-fold1-seed0"], RIGHT, [RIGHT, RIGHT], [RIGHT, RIGHT], fold="other")
    facts = gather(sweep, list(cells.values()))
    assert facts["rows"][1]["difference"]["left_out"] == ["cw-fold1-seed0", "none-fold1-seed0"]


def test_the_table_reads(sweep, cells):
    fill(sweep, cells)
    text = sweep_tables(gather(sweep, list(cells.values())))
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("| model | runs"))
    assert [cell.strip() for cell in header.strip("|").split("|")] == [
        "model", "runs", "clean", "20 dB", "0 dB", "mean", "parameters", "multiply-adds", "training"
    ]  # fmt: skip
    assert any("93.8 ± 12.5" in line and "2.0 M" in line and "60 s" in line for line in lines if "| none" in line)
    assert any(line.startswith("| cw ") and "+23.4 [" in line and line.endswith(" 0.012 |") for line in lines)
    assert "over 4 test speakers and 8 noise recordings" in text
    assert max(len(line) for line in lines if line.startswith("|")) < 170


def test_nothing_and_broken_results(sweep, cells):
    with pytest.raises(InputError, match="none of the 8 cells is done yet"):
        gather(sweep, list(cells.values()))
    fill(sweep, cells)
    broken = cells["cw-fold1-seed0"].result
    text = broken.read_text()
    for damaged, reason in (
        (text[:100], "not what a sweep wrote"),
        ("[]", "not what a sweep wrote"),
        (text.replace('"schema": 1', '"schema": 2'), "schema 2, this version reads 1"),
        (text.replace('"correct": "', '"correct": "!'), "cw-fold1-seed0: answers that cannot be read"),
        (text.replace('"answers"', '"answer"'), "answers, others have|no answers"),
    ):
        broken.write_text(damaged)
        with pytest.raises(InputError, match=reason) as raised:
            gather(sweep, list(cells.values()))
        assert "--again cw-fold1-seed0" in str(raised.value)
    broken.write_text(text)
    for path in (broken.parent / "trials").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="not there, or not what a sweep wrote"):
        gather(sweep, list(cells.values()))


def test_spread_holds_the_other_axes(sweep, cells):
    values = {name: 10.0 * (cell.labels["fold"] == "2") + int(cell.labels["seed"]) for name, cell in cells.items()}
    none = [cell for cell in cells.values() if cell.labels["model"] == "none"]
    assert spread(none, values, "seed") == pytest.approx(0.5**0.5)
    assert spread(none, values, "fold") == pytest.approx(50**0.5)
    assert spread(none[:1], values, "fold") is None
    # A pair with variance 2 and a triple with variance 1: (2 + 2 * 1) / 3.
    assert deviation([1.0]) is None
    assert deviation([1.0, 3.0]) == pytest.approx(2**0.5)


def test_figures_of_other_recipes():
    words = {"conditions": [
        {"noise_kind": "clean", "snr_db": None, "wer": 0.1, "low": 0.0, "words": 9, "exact": 1, "cer": 0.05},
        {"noise_kind": "street", "snr_db": 5.0, "wer": 0.4},
        {"noise_kind": "mean", "snr_db": 5.0, "wer": 0.3},
    ]}  # fmt: skip
    assert dict(figures(words)) == {"wer clean": 0.1, "cer clean": 0.05, "wer 5 dB": 0.3}
    denoiser = {"conditions": [
        {"system": "ours", "noise_kind": "street", "snr_db": "mean", "si_sdr_db": {"mean": 8.0}, "pesq": None},
    ]}  # fmt: skip
    assert dict(figures(denoiser)) == {"ours street si_sdr_db mean": 8.0}


def test_silences_of_other_tests_are_others_and_clean_speech_has_no_noise(sweep, cells):
    fill(sweep, cells)
    tests = Answers(sweep, {name: json.loads(cell.result.read_text()) for name, cell in cells.items()})
    scores = tests.scores(cells)
    clean, noisy = tests.column(scores, "clean"), tests.column(scores, "20 dB")
    assert clean.noises is None
    assert len(clean.values) == 2 * 4  # two folds; models and seeds are averaged
    assert len(noisy.values) == len(noisy.noises) == 2 * 2 * 4
    assert len(set(clean.speakers)) == 6  # four who speak, a silence of each fold
    assert len(set(noisy.groups)) == 4
