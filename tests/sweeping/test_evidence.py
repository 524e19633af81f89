"""What the tables of evidence say, of answers that are known by hand: of 20 trials a condition, so many are right."""

import dataclasses
import json
from pathlib import Path

import pytest

from drsn_audio.config import ConfigError
from drsn_audio.errors import InputError
from drsn_audio.sweeping.estimates import Estimates, columns_of
from drsn_audio.sweeping.evidence import evidence
from drsn_audio.sweeping.rows import partners_of, reproduce, rows_of
from drsn_audio.sweeping.scores import Answers, interval


def flat(number):
    return lambda kind, snr_db: number


def fill(planned, put, skip=()):
    """se is right in half; ours in machinery at -10 dB in all of it, and elsewhere as se is; one seed."""
    for cell in planned.cells:
        ours = cell.labels["model"] == "drsn-frequency"
        if cell.labels["seed"] == "0" and cell.name not in skip:
            put(planned, cell.name, lambda kind, snr, o=ours: 20 if o and (kind, snr) == ("machinery", -10.0) else 10)


def by_name(found, name):
    return next(one for one in found if name in (one.get("name"), one.get("to")))


@pytest.mark.slow
def test_an_effect_in_one_noise_shows_in_its_columns_alone(plan, put):
    planned = plan()
    fill(planned, put)
    facts = evidence([planned])
    assert facts["columns"] == {
        "clean": [None], "20 dB": [20], "0 dB": [0], "-10 dB": [-10], "mean": [20, 0, -10], "low": [0, -10]
    }  # fmt: skip
    assert (facts["ours"], facts["shared"], facts["waiting"]) == ("drsn-frequency", ["1", "2", "3"], [])
    ours, se = by_name(facts["rows"], "drsn-frequency"), by_name(facts["rows"], "se")
    # At -10 dB machinery is 1 and street 1/2.
    assert {name: found["mean"] for name, found in ours["columns"].items()} == pytest.approx(
        {"clean": 0.5, "20 dB": 0.5, "0 dB": 0.5, "-10 dB": 0.75, "mean": 3.5 / 6, "low": 2.5 / 4}
    )
    assert {found["mean"] for found in se["columns"].values()} == {0.5}
    found = by_name(facts["differences"], "se")
    assert (found["of"], found["pairs"], found["folds"]) == ("drsn-frequency", 3, ["1", "2", "3"])
    means = {name: one["mean"] for name, one in found["columns"].items()}
    assert means == pytest.approx({"clean": 0, "20 dB": 0, "0 dB": 0, "-10 dB": 0.25, "mean": 0.25 / 3, "low": 0.125})
    machinery, street = (found["kinds"][kind] for kind in ("machinery", "street"))
    assert {one["mean"] for one in street.values()} == {0}
    assert {one["p"] for name, one in street.items() if name in ("mean", "low")} == {1}
    machines = {name: one["mean"] for name, one in machinery.items()}
    assert machines == pytest.approx({"20 dB": 0, "0 dB": 0, "-10 dB": 0.5, "mean": 0.5 / 3, "low": 0.25})
    assert machinery["low"]["low"] > 0
    assert machinery["low"]["p"] < 0.05
    assert found["by_fold"] == pytest.approx({"1": 0.25 / 3, "2": 0.25 / 3, "3": 0.25 / 3})


@pytest.mark.slow
def test_p_values_are_corrected_for_the_comparisons_of_their_table(plan, put):
    planned = plan()
    fill(planned, put)
    facts = evidence([planned], pairs=[("se-frequency", "se")])
    p = [found["columns"]["low"]["p"] for found in facts["differences"]]
    assert len(p) == 2
    # Both the smallest that there is: twice that.
    assert p[0] == p[1] < 0.02
    assert {found["columns"]["low"]["p_holm"] for found in facts["differences"]} == {2 * p[0]}
    # Two pairs in two kinds: the two in machinery count for four and three, and neither is below the other.
    kinds = [found["kinds"]["machinery"]["low"] for found in facts["differences"]]
    assert [one["p_holm"] for one in kinds] == pytest.approx([4 * kinds[0]["p"]] * 2)
    (alone,) = facts["pairs"]
    assert (alone["of"], alone["to"]) == ("se-frequency", "se")
    assert alone["columns"]["mean"]["p_holm"] == alone["columns"]["mean"]["p"] == 1


@pytest.mark.slow
def test_intervals_are_those_of_the_trials_themselves(plan, put):
    planned = plan()
    fill(planned, put)
    rows = rows_of([planned])
    tests = Answers(planned.sweep, {run.name: run.result for row in rows for run in row.runs})
    estimates = Estimates(tests)
    mine, theirs = ([run.name for run in row.runs] for row in (rows[2], rows[0]))
    found = estimates.interval(estimates.of(mine), "mean", minus=estimates.of(theirs), with_p=True)
    columns = [tests.column(tests.scores(names), "mean") for names in (mine, theirs)]
    expected = interval(columns[0], tests.seed, tests.replicates, minus=columns[1], with_p=True)
    assert found["mean"] == pytest.approx(expected["mean"])
    # Their draws differ, for these are of clean speech, too: within what 200 replicates allow.
    assert found["low"] == pytest.approx(expected["low"], abs=0.02)
    assert found["high"] == pytest.approx(expected["high"], abs=0.02)
    assert 0 < found["low"] < found["mean"] < found["high"]


@pytest.mark.slow
def test_only_folds_with_a_partner_enter_a_difference(plan, put):
    planned = plan()
    fill(planned, put, skip=("se-fold2-seed0", "drsn-frequency-fold3-seed0"))
    put(planned, "se-fold3-seed0", flat(0))  # would tell, if it entered
    put(planned, "drsn-frequency-fold2-seed0", flat(20))
    put(planned, "drsn-frequency-fold1-seed1", flat(20))  # no se of this seed
    facts = evidence([planned])
    found = by_name(facts["differences"], "se")
    assert (found["pairs"], found["folds"]) == (1, ["1"])
    assert sorted(found["left_out"]) == ["drsn-frequency-fold1-seed1", "drsn-frequency-fold2-seed0", "se-fold3-seed0"]
    assert found["columns"]["low"]["mean"] == pytest.approx(0.125)
    assert list(found["by_fold"]) == ["1"]


@pytest.mark.slow
def test_rows_are_means_over_the_folds_that_all_share(plan, put):
    planned = plan()
    fill(planned, put, skip=("se-fold2-seed0", "drsn-frequency-fold3-seed0"))
    put(planned, "se-fold3-seed0", flat(0))
    put(planned, "drsn-frequency-fold2-seed0", flat(20))
    facts = evidence([planned])
    assert facts["shared"] == ["1"]
    assert (facts["speakers"], facts["noise_recordings"]) == (5, 8)
    ours, se = by_name(facts["rows"], "drsn-frequency"), by_name(facts["rows"], "se")
    assert (ours["columns"]["clean"]["mean"], se["columns"]["clean"]["mean"]) == (0.5, 0.5)
    assert (ours["folds"], se["folds"]) == ({"1": 1, "2": 1}, {"1": 1, "3": 1})
    assert (ours["by_fold"]["2"], se["by_fold"]["3"]) == (1, 0)
    assert se["over_folds"] == pytest.approx(0.125**0.5)  # of 1/2 and 0


@pytest.mark.slow
def test_rows_without_a_common_fold_have_each_its_own(plan, put):
    planned = plan()
    put(planned, "se-fold1-seed0", flat(5))
    put(planned, "drsn-frequency-fold2-seed0", flat(20))
    facts = evidence([planned])
    assert (facts["shared"], facts["waiting"]) == ([], ["se-frequency"])
    assert [row["columns"]["mean"]["mean"] for row in facts["rows"]] == [0.25, 1]
    assert [(found["pairs"], found["columns"]) for found in facts["differences"]] == [(0, {}), (0, {})]


@pytest.mark.slow
def test_seeds_are_averaged_within_their_fold_and_their_spread_is_told(plan, put):
    planned = plan()
    for fold, seeds in {"1": (4, 8), "2": (16,)}.items():
        for seed, right in enumerate(seeds):
            put(planned, f"se-fold{fold}-seed{seed}", flat(right))
    (row,) = evidence([planned])["rows"]
    assert row["columns"]["mean"]["mean"] == pytest.approx((0.3 + 0.8) / 2)
    assert row["over_seeds"] == pytest.approx(0.2 / 2**0.5)
    assert (row["runs"], row["folds"]) == (3, {"1": 2, "2": 1})


@pytest.mark.slow
def test_several_sweeps_are_one_table(plan, put):
    """The models of another size are compared with each other; one that only one sweep has, with the other's."""
    main, small = plan(), plan("small", lambda text: text.replace("200]", "200, model.width=6]"))
    variant = plan("variant", lambda text: text.replace("drsn-frequency: [", "drsn-new: [model.dropout=0.2, "))
    fill(main, put)
    for name, right in (("se", 2), ("drsn-frequency", 4)):
        put(small, f"{name}-fold1-seed0", flat(right), parameters=30)
    put(variant, "drsn-new-fold1-seed0", flat(20))
    facts = evidence([main, small])
    assert [row["name"] for row in facts["rows"]] == [
        "main/se", "main/se-frequency", "main/drsn-frequency", "small/se", "small/drsn-frequency"
    ]  # fmt: skip
    assert facts["waiting"] == ["small/se-frequency"]
    found = {(one["of"], one["to"]): one for one in facts["differences"] if one["pairs"]}
    assert list(found) == [
        ("main/drsn-frequency", "main/se"),
        ("main/drsn-frequency", "main/se-frequency"),
        ("small/drsn-frequency", "small/se"),
    ]
    assert found["small/drsn-frequency", "small/se"]["columns"]["mean"]["mean"] == pytest.approx(0.1)
    assert [sweep["path"] for sweep in facts["sweeps"]] == ["sweeps/main.yaml", "sweeps/small.yaml"]

    facts = evidence([main, variant], ours="drsn-new", pairs=[("drsn-new", "drsn-frequency")])
    (new,) = facts["pairs"]
    assert (new["of"], new["to"], new["pairs"]) == ("drsn-new", "drsn-frequency", 1)
    assert new["columns"]["clean"]["mean"] == pytest.approx(0.5)
    with pytest.raises(ConfigError, match="se: which of main/se, small/se"):
        partners_of([*rows_of([main, small]), *rows_of([variant])[2:]], "drsn-new", "se")


@pytest.mark.slow
def test_the_command_of_a_row_does_its_runs_and_no_others(plan, put):
    planned = dataclasses.replace(plan(), words=("results=a folder",))
    fill(planned, put)
    commands = {row.label: reproduce(row) for row in rows_of([planned])}
    head = "python recipes/sweep.py sweeps/main.yaml --again "
    assert commands == {
        "se": head + "'se-fold*' 'results=a folder'",  # se-* would be se-frequency, too
        "se-frequency": head + "'se-frequency-*' 'results=a folder'",
        "drsn-frequency": head + "'drsn-frequency-*' 'results=a folder'",
    }


@pytest.mark.slow
def test_columns():
    assert list(columns_of([20.0, None, -5.0, 0.0])) == ["clean", "20 dB", "0 dB", "-5 dB", "mean", "low"]
    assert columns_of([20.0, None, -5.0, 0.0])["low"] == [0.0, -5.0]
    assert list(columns_of([0.0, -5.0])) == ["0 dB", "-5 dB", "mean"]  # all of them
    assert columns_of([None]) == {"clean": [None]}


@pytest.mark.slow
def test_what_cannot_be_used_is_one_line(plan, put):
    planned = plan()
    with pytest.raises(InputError, match="main: no run is done yet"):
        evidence([planned])
    fill(planned, put)
    for options, message in (
        ({"ours": "drsn"}, "drsn: no such model; known are se, se-frequency, drsn-frequency"),
        ({"pairs": [("se", "cw")]}, "cw: no such model"),
        ({"pairs": [("se", "se")]}, "se: a model has no difference to itself"),
        ({"costs": {"main": {"se": {"parameters": 99}}}}, "se: its costs are of 99 parameters, its runs have 100"),
    ):
        with pytest.raises(InputError, match=message):
            evidence([planned], **options)
    put(planned, "se-fold1-seed0", flat(1), parameters=7)
    with pytest.raises(InputError, match=r"se: its runs are not of one size \(7, 100\)"):
        evidence([planned])
    put(planned, "se-fold1-seed0", flat(1), level="rms")
    with pytest.raises(InputError, match=r"SNRs by rms .* and p56 .*: no table may mix these"):
        evidence([planned])
    result = planned.cells[0].result
    facts = json.loads(result.read_text())
    result.write_text(json.dumps({**facts, "answers": {**facts["answers"], "level": "p56", "conditions": [{}]}}))
    with pytest.raises(InputError, match="se-fold1-seed0: answers that cannot be read"):
        evidence([planned])
    facts.pop("answers")
    result.write_text(json.dumps(facts))
    with pytest.raises(InputError, match="has no answers"):
        evidence([planned])
    assert Path(planned.sweep.results).is_dir()
