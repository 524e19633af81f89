"""Tables and pictures of a comparison whose numbers are made up."""

import copy

import numpy as np
import pytest

from drsn_audio.reports.evidence import evidence_tables

COLUMNS = {
    "clean": [None],
    "20 dB": [20.0],
    "0 dB": [0.0],
    "-5 dB": [-5.0],
    "mean": [20.0, 0.0, -5.0],
    "low": [0.0, -5.0],
}


def columns(mean, p=None, clean=True):
    """The first column at `mean`, each further one a tenth of it lower; p of the last two."""
    found = {}
    for place, name in enumerate(COLUMNS):
        value = mean * (1 - place / 10)
        found[name] = {"mean": value, "low": value - 0.02, "high": value + 0.03}
        if p is not None and name in ("mean", "low"):
            found[name] |= {"p": p, "p_holm": 2 * p}
    return found if clean else {name: one for name, one in found.items() if name != "clean"}


def row(name, mean, parameters, folds):
    return {
        "name": name, "label": name, "family": "main", "parameters": parameters, "multiply_adds": 150 * parameters,
        "training_seconds": 60.0, "runs": sum(folds.values()), "folds": folds, "columns": columns(mean),
        "kinds": {kind: columns(mean, clean=False) for kind in ("machinery", "street")},
        "by_fold": dict.fromkeys(folds, mean - 0.1), "over_folds": 0.0123, "over_seeds": None,
        "again": f"python recipes/sweep.py main.yaml --again '{name}-*'", "cost": None,
    }  # fmt: skip


def difference(of, to, mean, folds=("1", "2")):
    return {
        "of": of, "to": to, "pairs": len(folds), "folds": list(folds), "left_out": [f"{to}-fold9"],
        "columns": columns(mean, p=0.004), "kinds": {k: columns(mean, 0.1, False) for k in ("machinery", "street")},
        "by_fold": {fold: mean * (1 if fold == "1" else -1) for fold in folds},
    }  # fmt: skip


@pytest.fixture
def found():
    return {
        "command": "python evidence.py main.yaml", "commit": "abc", "level": "p56", "draws": 8, "seed": 0,
        "sweeps": [{"path": "main.yaml", "config": "c.yaml", "cells": 9, "missing": ["se-fold3"]}],
        "replicates": 2000, "noise_kinds": ["machinery", "street"], "speakers": 43, "noise_recordings": 34,
        "columns": COLUMNS, "folds": {"f" * 64: "1", "e" * 64: "2"}, "shared": ["1", "2"], "ours": "drsn",
        "rows": [row("drsn", 0.9, 98_000, {"1": 1, "2": 1}), row("se", 0.8, 99_500, {"1": 1, "2": 1})],
        "waiting": ["cw"], "differences": [difference("drsn", "se", 0.1)], "pairs": [difference("cw", "se", -0.05)],
    }  # fmt: skip


def line_of(text, heading, start):
    """Cells of the first line that begins so behind a heading."""
    lines = text[text.index(heading) :].splitlines()
    return [
        cell.strip() for cell in next(line for line in lines if line.startswith(f"| {start} ")).strip("|").split("|")
    ]


def test_the_tables_read(found):
    text = evidence_tables(found)
    header = line_of(text, "## Accuracy", "model")
    assert header == [
        "model", "parameters", "multiply-adds", "folds x seeds", "clean", "20 dB", "0 dB", "-5 dB", "20 to -5 dB",
        "0 to -5 dB",
    ]  # fmt: skip
    assert line_of(text, "## Accuracy", "drsn")[:6] == [
        "drsn", "98,000", "14.7 M", "2 x 1", "90.0 [88.0, 93.0]", "81.0 [79.0, 84.0]"
    ]  # fmt: skip
    less = line_of(text, "## `drsn` less each other model", "se")
    assert less[:3] == ["se", "2 in 2 folds", "+10.0 [+8.0, +13.0]"]
    assert less[-2:] == ["0.008", "0.008"]
    assert line_of(text, "By kind of noise; p corrected for all 2 rows", "se")[1] == "machinery"
    assert line_of(text, "## Further pairs", "cw less se")[2] == "-5.0 [-7.0, -2.0]"
    assert line_of(text, "## Folds and seeds", "drsn") == ["drsn", "80.0", "80.0", "1.23", "n/a"]
    assert line_of(text, "The same of the differences", "se") == ["se", "+10.0", "-10.0", "1 of 2"]
    assert "Over fold 1, 2." in text
    assert "- `main.yaml`: 8 of 9 runs; missing: se-fold3." in text
    assert "no run of it is done: cw." in text
    assert "- Left out of cw less se, for want of a partner: se-fold9." in text
    assert "  - se: `python recipes/sweep.py main.yaml --again 'se-*'`" in text


def test_rows_of_different_folds_are_told_apart(found):
    found["shared"] = ["2"]
    found["rows"][1] |= {"folds": {"1": 1, "2": 3}, "runs": 4}
    text = evidence_tables(found)
    assert "**Over fold 2 alone, which all rows share, of 1, 2.**" in text
    assert line_of(text, "## Accuracy", "se")[3] == "2 folds, 4 runs"
    found["shared"] = []
    assert "they cannot be compared with each other" in evidence_tables(found)


def test_costs_have_columns_where_there_are_some(found):
    one = {"ms": 1.25, "low_ms": 1.0, "high_ms": 2.0, "ratio": 1.1}
    found["rows"][0]["cost"] = {"training": one, "inference": one | {"ms": 3.0}, "inference_64": one}
    text = evidence_tables(found)
    assert line_of(text, "## Accuracy", "drsn")[-3:] == ["1.25 (x 1.10)", "3.00 (x 1.10)", "1.25 (x 1.10)"]
    assert line_of(text, "## Accuracy", "se")[-3:] == ["n/a"] * 3
    assert "times that of the reference model" in text


def test_little_is_shown_as_little(found):
    """A single model, one fold, one kind, no interval."""
    (found["rows"], found["differences"], found["pairs"]) = (found["rows"][:1], [], [])
    found |= {"folds": {"f" * 64: "1"}, "shared": ["1"], "noise_kinds": ["street"]}
    found["rows"][0] |= {"kinds": {}}
    found["rows"][0]["columns"]["clean"] |= {"low": None, "high": None}
    text = evidence_tables(found)
    assert line_of(text, "## Accuracy", "drsn")[4] == "90.0 [n/a]"
    assert "less" not in text.replace("[95 % interval]", "")
    assert "## Folds" not in text


def test_accuracy_has_a_line_and_a_band_a_model(found, tmp_path, drawn):
    pytest.importorskip("matplotlib")
    from drsn_audio.reports.evidence_plot import plot_accuracies

    plot_accuracies(found, tmp_path / "a.png")
    above, below = drawn[0].axes
    lines = {line.get_label(): line for line in above.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["drsn", "se"]
    np.testing.assert_allclose(lines["drsn"].get_xdata(), [-5, 0, 20])
    np.testing.assert_allclose(lines["drsn"].get_ydata(), [63, 72, 81])
    band = above.collections[1].get_paths()[0].vertices
    heights = band[band[:, 0] == 20, 1]
    assert (heights.min(), heights.max()) == pytest.approx((70, 75))  # 72 - 2, 72 + 3
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines.values()}
    assert len({look[0] for look in looks}) == len({look[1] for look in looks}) == len({look[2] for look in looks}) == 2
    away = {line.get_label(): line for line in below.lines}
    np.testing.assert_allclose(away["se"].get_ydata(), [-3.5, -4, -4.5])
    assert [label.get_text() for label in below.get_xticklabels()] == ["-5", "0", "20", "clean"]


def test_a_difference_has_a_panel_with_its_zero(found, tmp_path, drawn):
    pytest.importorskip("matplotlib")
    from drsn_audio.reports.evidence_plot import plot_differences

    found["differences"] += [difference("drsn", "cw", -0.1), {**difference("drsn", "cs", 0.0), "pairs": 0}]
    plot_differences(found, tmp_path / "d.png")
    panels = [axes for axes in drawn[0].axes if axes.axison]
    assert [axes.get_title("left").splitlines()[1] for axes in panels] == ["less se (pairs: 2)", "less cw (pairs: 2)"]
    for axes, sign in zip(panels, (1, -1), strict=True):
        lines = {line.get_label(): line for line in axes.lines}
        assert {"all noise", "machinery", "street"} < lines.keys()
        np.testing.assert_allclose(lines["all noise"].get_ydata(), sign * np.array([7, 8, 9]))
        assert any(np.array_equal(line.get_ydata(), [0, 0]) for line in axes.lines)


def test_size_has_a_point_a_model_and_a_line_through_its_sizes(found, tmp_path, drawn):
    pytest.importorskip("matplotlib")
    from drsn_audio.reports.evidence_plot import plot_sizes

    small = copy.deepcopy(found["rows"][0]) | {"parameters": 30_000, "multiply_adds": 5_000_000}
    small["columns"] = columns(0.5)
    found["rows"].append(small)
    plot_sizes(found, tmp_path / "s.png")
    parameters, adds = drawn[0].axes
    assert (parameters.get_xscale(), adds.get_xscale()) == ("log", "log")
    ours, se = (container.lines[0] for container in adds.containers)
    np.testing.assert_allclose(ours.get_ydata(), [30, 54])
    np.testing.assert_allclose(se.get_ydata(), [48])
    for axes, sizes in ((parameters, [30_000, 98_000, 99_500]), (adds, [5e6, 14.7e6, 14.925e6])):
        places = [place for container in axes.containers for place in container.lines[0].get_xdata()]
        assert places == pytest.approx(sizes, rel=0.03)
        assert places[2] / places[1] > 1.02 > sizes[2] / sizes[1]


def test_only_sizes_that_would_hide_each_other_are_set_apart():
    pytest.importorskip("matplotlib")
    from drsn_audio.reports.evidence_plot import spread

    places = spread([100.0, 54.0, 101.0, 86.0], 1.02)
    assert (places[1], places[3]) == (54.0, 86.0)
    assert places[2] / places[0] == pytest.approx(1.02)
    assert places[2] * places[0] == pytest.approx(100 * 101)


@pytest.mark.slow
def test_pictures_are_small_and_only_of_what_there_is(found, tmp_path):
    pytest.importorskip("matplotlib")
    from drsn_audio.reports.evidence_plot import plot_evidence, size_marks

    made = plot_evidence(found, tmp_path)
    assert [path.name for path in made] == ["accuracy.png", "differences.png", "sizes.png"]
    assert all(10_000 < path.stat().st_size < 150_000 for path in made)
    found["differences"], found["rows"][0]["parameters"] = [], None
    assert [path.name for path in plot_evidence(found, tmp_path / "new")] == ["accuracy.png"]
    assert size_marks(28_000, 330_000) == [50_000, 100_000, 200_000]
    assert size_marks(85_000, 114_000) == pytest.approx([85_000, 90_000, 95_000, 100_000, 110_000])
