"""Tables and pictures of thresholds say what the numbers say."""

import copy
import json

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from drsn_audio.reports.threshold_answers import direction
from drsn_audio.reports.threshold_maps import write_thresholds
from drsn_audio.reports.threshold_tables import threshold_tables

SNR_DB = [20.0, 0.0, -10.0, None]
UP, DOWN, NONE = [-0.8, -0.9, -0.7], [0.5, 0.2, 0.7], [0.1, -0.1, 0.3]  # correlations with the SNR


def made_kind(orders, banded, own):
    """Levels 0.5, 0.6, 0.7 and, clean, 0.45; `orders` by measure; bands of the same, the first of them unclear."""
    levels = [[mean, mean - 0.01, mean + 0.01] for mean in (0.5, 0.6, 0.7, 0.45)]
    in_bands = [measure for measure in ("alpha", "tau", "zeroed") if measure in orders]
    bands = {
        "levels": {measure: [[0.5, 0.6, 0.7, 0.45]] * 4 for measure in in_bands if measure != "tau"},
        "with_snr": {measure: [NONE, *[orders[measure]] * 3] for measure in in_bands},
        "change": {measure: [NONE, *[[0.25, 0.2, 0.3]] * 3] for measure in in_bands},
        "noise_to_speech_db": [3.0, 0.0, -3.0, -6.0],
    }
    follows = {measure: {"plain": [NONE] * 3, "own": [NONE, NONE, own]} for measure in in_bands}
    return {
        "levels": dict.fromkeys(orders, levels),
        "with_snr": dict(orders),
        "rising": 0.75,
        "bands": bands if banded else None,
        "follows": follows if banded else None,
    }


def made_facts(banded=True, gate=False):
    measures = ("alpha", "magnitude", "removed") if gate else ("alpha", "tau", "magnitude", "zeroed", "removed")
    blocks = []
    for number, order in enumerate((UP, NONE, DOWN)):
        orders = dict.fromkeys(measures, order)
        kinds = {"machinery": made_kind(orders, banded, [0.4, 0.3, 0.5]), "street": made_kind(orders, banded, NONE)}
        difference = {"kinds": ["street", "machinery"], "snr_db": -10.0, "alpha": [0.1, 0.05, 0.15]}
        blocks.append(
            {
                "name": f"encoder.stages.{number}.0",
                "channels": 8,
                "bands_hz": [[20, 500], [500, 1500], [1500, 4000], [4000, 8000]] if banded else None,
                "kinds": kinds,
                "difference": difference | {"bands": [[0.1, 0.05, 0.15]] * 4 if banded else None},
            }
        )
    noise = {"manifest": "n.jsonl.gz", "sha256": "bb" * 32, "folds": [1], "kinds": ["street"], "recordings": 9}
    made = {"sha256": "aa" * 32, "step": 7, "seed": 0, "commit": "0123456789ab", "command": "train"}
    run = {
        "run": "runs/a",
        "checkpoint": made,
        "manifest": "t.jsonl.gz",
        "sha256": "cc" * 32,
        "clips": 12,
        "speakers": 3,
    }
    edges = [20, 250, 500, 1000, 1500, 2500, 4000, 6000, 8000]
    level = list(np.linspace(0, -20, 8))
    return {
        "command": "python recipes/keywords/thresholds.py runs/a -o out",
        "commit": "0123456789ab",
        "seed": 0,
        "level": "p56",
        "replicates": 50,
        "snr_db": SNR_DB,
        "model": {
            "encoder": "drsn",
            "shrinkage": "se" if gate else "cw-frequency",
            "name": "gate" if gate else "alpha",
        },
        "runs": [run | {"noise": [noise]}],
        "trials": {kind: {"trials": 12, "speakers": 3, "noise_recordings": 9} for kind in ("machinery", "street")},
        "spectra": {"edges_hz": edges, "speech_db": level, "noise_db": {"machinery": level, "street": level}},
        "blocks": blocks,
    }


@pytest.mark.slow
def test_a_correlation_below_zero_rises_with_noise():
    assert [direction(order) for order in (UP, NONE, DOWN)] == [
        "rises with noise",
        "no clear order",
        "falls with noise",
    ]
    assert direction([-0.9, None, None]) == "no clear order"  # without an interval nobody knows


@pytest.mark.slow
def test_the_short_answer_names_kinds_and_blocks():
    text = threshold_tables(made_facts())
    ways = "rises with noise in block 1, no clear order in block 2, falls with noise in block 3"
    assert f"- **tau** machinery: {ways}; street: {ways}." in text
    follow = (
        "Does **alpha** follow the noise's own bands, at -10 dB? machinery: yes in blocks 1, 2 and 3; street: no in"
    )
    assert follow in text
    assert "**alpha** in street less that in machinery, at -10 dB: block 1 +0.100 [+0.050, +0.150]" in text


@pytest.mark.slow
def test_tables_hold_the_numbers():
    text = threshold_tables(made_facts())
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert ["1", "alpha", "0.45", "0.5", "0.6", "0.7", "-0.80 [-0.90, -0.70]", "rises with noise"] in rows
    band = next(row for row in rows if row[0] == "500-1500")
    assert band[:7] == ["500-1500", "+0.0", "+0.0", "0.450", "0.700", "0.700", "+0.100 [+0.050, +0.150]"]
    assert band[7:] == ["-0.80*"] * 6
    assert next(row for row in rows if row[0] == "20-500")[7:] == ["+0.10"] * 6  # its interval holds zero
    widths = {}
    for line in text.splitlines():
        if line.startswith("|"):
            widths.setdefault(line.count("|"), set()).add(len(line))
    assert "weights sha256 aaaaaaaaaaaa" in text
    assert "75 %, 75 %, 75 %" in text


@pytest.mark.slow
@pytest.mark.parametrize(("banded", "gate"), [(True, False), (False, False), (True, True)])
def test_files_are_written_and_small(banded, gate, tmp_path):
    facts = made_facts(banded, gate)
    before = copy.deepcopy(facts)
    paths = write_thresholds(facts, tmp_path / "new")
    pictures = ["thresholds.png", *(["bands.png"] if banded else [])]
    assert [path.name for path in paths] == ["thresholds.json", "thresholds.md", *pictures]
    assert json.loads(paths[0].read_text()) == facts == before
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size < 150_000 for path in paths[2:])
    text = paths[1].read_text()
    assert ("## By band" in text) == banded
    assert ("no tables by band" in text) != banded
    assert ("| gate " in text) == gate
    assert ("| tau " in text) != gate


@pytest.fixture
def drawn(monkeypatch):
    """The figures, in the order in which they were saved."""
    figures = []
    monkeypatch.setattr("drsn_audio.reports.threshold_maps.save_figure", lambda figure, path: figures.append(figure))
    return figures


@pytest.mark.slow
def test_lines_are_the_levels_and_clean_is_at_the_right_end(drawn, tmp_path):
    write_thresholds(made_facts(), tmp_path)
    axes = drawn[0].axes[0]
    assert axes.get_title("left") == "machinery"
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["block 1", "block 2", "block 3"]
    np.testing.assert_allclose(lines[0].get_xydata(), [[20, 0.5], [0, 0.6], [-10, 0.7]])
    assert axes.lines[2].get_xydata() == pytest.approx(np.array([[25, 0.45]]))
    zeroed = next(axes for axes in drawn[0].axes if axes.get_ylabel().startswith("set to zero"))
    np.testing.assert_allclose(zeroed.lines[0].get_ydata(), [50, 60, 70])  # %


@pytest.mark.slow
def test_maps_have_a_strip_a_block_and_dots_where_nothing_is_certain(drawn, tmp_path):
    write_thresholds(made_facts(), tmp_path)
    axes = drawn[1].axes[0]
    strips = [mesh.get_array().ravel().tolist() for mesh in axes.collections]
    assert strips == [[0.1, 0.25, 0.25, 0.25]] * 3
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[1, 0]])  # the first band: rows 0 to 2, the first block
    assert [label.get_text() for label in axes.get_yticklabels()] == ["block 1", "block 2", "block 3"]
    tau = drawn[1].axes[2].collections[0].get_array().ravel()
    assert tau[1] == pytest.approx(100 * (np.exp(0.25) - 1))


@pytest.mark.slow
def test_orange_is_up_with_the_noise_in_every_map(drawn, tmp_path):
    write_thresholds(made_facts(), tmp_path)
    change, order = drawn[1].axes[0].collections[0], drawn[1].axes[4].collections[0]  # block 1: both are up
    for mesh in (change, order):
        red, _, blue, _ = mesh.to_rgba(mesh.get_array()).reshape(-1, 4)[1]
        assert red > blue
