"""The comparison's markdown, from figures made up by hand."""

import pytest

from drsn_audio.reports.compare import compare_tables

COLUMNS = ("clean", "20 dB", "-5 dB", "mean")


def model(name, seeds, means, gains=None, low=-0.01):
    """`means` of each seed over the SNRs; every interval is a point wide on either side."""
    found = {
        "name": name,
        "parameters": 95618,
        "multiply_adds": 16_238_504,
        "seeds": seeds,
        "accuracy": {column: {"mean": 0.8, "low": 0.79, "high": 0.812} for column in COLUMNS},
        "runs": [
            {
                "run": f"runs/{name}-{seed}",
                "checkpoint": {"sha256": f"{seed}" * 64, "step": 9, "seed": seed, "commit": "abc", "command": "c"},
                "accuracy": dict.fromkeys(COLUMNS, mean),
            }
            for seed, mean in zip(seeds, means, strict=True)
        ],
    }
    if gains is not None:
        found["difference"] = {column: {"mean": gains, "low": low, "high": 0.025} for column in COLUMNS}
    return found


@pytest.fixture
def facts():
    noise = {"manifest": "n.jsonl.gz", "sha256": "bb" * 32, "folds": [3], "kinds": ["street"], "recordings": 41}
    return {
        "measure": "accuracy",
        "command": "python recipes/keywords/compare.py a b",
        "commit": "0123456789ab",
        "seed": 7,
        "level": "p56",
        "draws": 4,
        "noise_kinds": ["machinery", "street"],
        "reference": "none",
        "data": {"manifest": "t", "sha256": "aa" * 32, "utterances": 600, "speakers": 12, "noise": [noise]},
        "models": [model("none", [0, 1], [0.78, 0.821]), model("cw", [0], [0.8], gains=0.008)],
    }


def rows(text):
    """Cells of every row of every table, heading included."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "]


def test_a_row_for_each_model_with_the_spread_of_its_seeds(facts):
    heading, none, cw, differences, cw_to_none = rows(compare_tables(facts))
    assert heading[4:] == ["clean", "20 dB", "-5 dB", "mean of 20 to -5 dB", "lowest to highest seed"]
    assert none == ["none", "95,618", "16.2 M", "0, 1", *["80.0 [79.0, 81.2]"] * 4, "78.0 to 82.1"]
    assert cw[3] == "0"
    assert cw[-1] == "n/a"  # one seed has no spread
    assert differences[:3] == ["model", "seeds", "clean"]
    assert cw_to_none == ["cw", "1", *["+0.8 [-1.0, +2.5]"] * 4]


def test_the_caption_says_what_intervals_cover_and_lines_say_where_numbers_come_from(facts):
    text = compare_tables(facts)
    assert "mean of machinery and street" in text
    assert "over test speakers and noise recordings. They do not cover the training seeds" in text
    assert "600 utterances of 12 speakers of `t` (sha256 aaaaaaaaaaaa), 4 noise draws each from 41 recordings" in text
    assert "`python recipes/keywords/compare.py a b`, commit 0123456789ab, seed 7" in text
    assert "- none, seed 1: `runs/none-1`, step 9, weights sha256 111111111111, trained at commit abc; 82.1 %" in text


def test_without_an_interval_there_are_no_bounds(facts):
    facts["models"][1] = model("cw", [0], [0.8], gains=-0.004, low=None)
    assert rows(compare_tables(facts))[-1] == ["cw", "1", *["-0.4 [n/a]"] * 4]


def test_one_model_has_no_second_table(facts):
    del facts["models"][1]
    text = compare_tables(facts)
    assert len(rows(text)) == 2
    assert "Difference" not in text
