import re
from io import StringIO

import pytest
from rich.console import Console

from drsn_audio.reports.table import (
    class_table,
    comparison_table,
    confused_pairs,
    markdown_table,
    terminal_table,
)


def rows(markdown: str) -> list[list[str]]:
    """Cells of a markdown table, heading first."""
    lines = [line for line in markdown.splitlines() if line.startswith("|") and not line.startswith("|-")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def set_condition(facts, noise_kind, snr_db, **values):
    for condition in facts["conditions"]:
        if (condition["noise_kind"], condition["snr_db"]) == (noise_kind, snr_db):
            condition.update(values)


def test_table_has_kinds_in_rows_and_clean_first(facts):
    set_condition(facts, "clean", None, accuracy=1.0, low=1.0, high=1.0)
    set_condition(facts, "machinery", -5.0, accuracy=0.8124, low=0.78, high=0.84149)
    set_condition(facts, "street", 20.0, low=None, high=None, accuracy=0.5)
    heading, street, machinery, mean = rows(markdown_table(facts))
    assert heading == ["noise", "clean", "20 dB", "10 dB", "5 dB", "0 dB", "-5 dB"]
    assert [street[0], machinery[0], mean[0]] == ["street", "machinery", "mean"]
    assert street[1] == machinery[1] == mean[1] == "100.0 [100.0, 100.0]"
    assert machinery[6] == "81.2 [78.0, 84.1]"
    assert street[2] == "50.0 [n/a]"


def test_caption_says_where_the_numbers_come_from(facts):
    caption = markdown_table(facts).splitlines()[0]
    for part in (
        "95 % interval over speakers and noise recordings",
        "SNR by the active level (ITU-T P.56) of the speech",
        "The mean weighs all noise kinds the same.",
        "small (cw-frequency): 97,312 parameters",
        "50 utterances of 12 speakers of `manifests/commands/test.jsonl.gz` (sha256 aaaaaaaaaaaa)",
        "4 noise draws each from 41 recordings of `manifests/urbansound8k/noise.jsonl.gz`",
        "(sha256 bbbbbbbbbbbb, folds 3)",
        "`python recipes/keywords/evaluate.py --run runs/small`, commit 0123456789ab, seed 3.",
    ):
        assert part in caption
    assert "SNR by the RMS of the speech" in markdown_table(facts | {"level": "rms"})
    assert "commit unknown" in markdown_table(facts | {"commit": ""})


def test_missing_conditions_are_marked(facts):
    facts["conditions"] = [c for c in facts["conditions"] if (c["noise_kind"], c["snr_db"]) != ("street", 0.0)]
    assert rows(markdown_table(facts))[1][5] == "n/a"


def test_clean_alone_is_a_table_too(facts):
    facts["conditions"] = facts["conditions"][:1]
    facts["data"]["noise"] = []
    table = markdown_table(facts)
    assert rows(table)[0] == ["noise", "clean"]
    assert len(rows(table)) == 2
    assert "no noise" in table


def test_columns_are_padded_and_bars_are_escaped(facts):
    facts["model"]["labels"] = ["a|b", "no", "up", "unknown", "silence"]
    lines = class_table(facts, "street", 0.0).splitlines()[2:]
    assert len({len(line) for line in lines}) == 1
    assert lines[2].startswith(r"| a\|b ")


def test_terminal_shows_the_same_numbers_in_80_columns(facts):
    set_condition(facts, "clean", None, accuracy=1.0, low=1.0, high=1.0)
    output = StringIO()
    Console(file=output, width=80).print(terminal_table(facts))
    shown = output.getvalue()
    _, *by_kind = rows(markdown_table(facts))
    for kind in by_kind:
        assert all(cell in shown for cell in kind)
    assert "0123456789ab" in shown


def test_class_table_counts_the_said_and_the_answered(facts):
    confusion = [[30, 10, 0, 0, 0], [0, 40, 0, 0, 0], [10, 0, 20, 10, 0], [0, 0, 0, 40, 0], [0, 0, 0, 40, 0]]
    set_condition(facts, "street", 0.0, confusion=confusion)
    table = class_table(facts, "street", 0.0)
    assert rows(table) == [
        ["class", "trials", "recall %", "precision %"],
        ["yes", "40", "75.0", "75.0"],
        ["no", "40", "100.0", "80.0"],
        ["up", "40", "50.0", "100.0"],
        ["unknown", "40", "100.0", "44.4"],
        ["silence", "40", "0.0", "n/a"],
    ]
    assert table.startswith("small (cw-frequency), street at 0 dB: accuracy 65.0 %, balanced accuracy 65.0 %.")


def test_confused_pairs_come_by_frequency(facts):
    confusion = [[37, 0, 3, 0, 0], [9, 31, 0, 0, 0], [0, 0, 40, 0, 0], [0, 0, 0, 40, 0], [0, 0, 0, 1, 39]]
    set_condition(facts, "street", 0.0, confusion=confusion)
    pairs = confused_pairs(facts, "street", 0.0)
    assert rows(pairs) == [
        ["said", "answered", "times", "% of said"],
        ["no", "yes", "9", "22.5"],
        ["yes", "up", "3", "7.5"],
        ["silence", "unknown", "1", "2.5"],
    ]
    assert pairs.startswith("small (cw-frequency), street at 0 dB: 13 of 200 answers are wrong.")
    assert len(rows(confused_pairs(facts, "street", 0.0, most=2))) == 3


def test_comparison_puts_runs_under_each_other(facts, other_facts):
    table = comparison_table([facts, other_facts])
    heading, *body = rows(table)
    assert heading[:3] == ["noise", "model", "clean"]
    assert [row[:2] for row in body] == [
        [kind, model] for kind in ("street", "machinery", "mean") for model in ("small (cw-frequency)", "resnet (none)")
    ]
    ours, theirs = rows(markdown_table(facts)), rows(markdown_table(other_facts))
    assert body[0][2:] == ours[1][1:]
    assert body[3][2:] == theirs[2][1:]
    assert "- resnet (none): 97,312 parameters; 50 utterances" in table
    assert "differ" not in table


@pytest.mark.parametrize(
    ("place", "changed", "what"),
    [
        ((), {"seed": 4}, "seed"),
        ((), {"draws": 1}, "draws"),
        (("data",), {"sha256": "cc" * 32}, "speech"),
        (("data", "noise", 0), {"folds": [1]}, "noise"),
        (("model",), {"labels": ["yes", "no", "up", "other", "silence"]}, "labels"),
    ],
)
def test_comparison_says_where_the_trials_differ(facts, other_facts, place, changed, what):
    entry = other_facts
    for key in place:
        entry = entry[key]
    entry.update(changed)
    assert f"- The runs differ in {what}: they were not put to the same trials." in comparison_table(
        [facts, other_facts]
    )
