"""Tables and files of what a recogniser does on long streams."""

import copy
import json

import pytest
from rich.console import Console

from drsn_audio.reports.streams import det_curves, streams_markdown, streams_terminal, write_streams_report


def condition(kind, snr_db, accuracy, low, high):
    return {
        "noise_kind": kind, "snr_db": snr_db, "keywords": 100, "misses": round(100 * (1 - accuracy)),
        "accuracy": accuracy, "low": low, "high": high, "speakers": 9, "noise_recordings": 30,
    }  # fmt: skip


def detailed(*facts):
    return condition(*facts) | {
        "hours": 0.5, "false_alarms": 4, "false_alarms_per_hour": 8.0, "latency_median_s": 0.21, "latency_p95_s": None
    }  # fmt: skip


def missed(kind, snr_db, rate):
    return {"noise_kind": kind, "snr_db": snr_db, "miss_rate": rate, "low": rate - 0.01, "high": rate + 0.01}


@pytest.fixture
def facts():
    return {
        "schema": 1, "kind": "streams", "command": "drsn-audio evaluate", "commit": "abc", "seed": 0,
        "tolerance_s": 0.5, "burst_s": 1.0, "model": {"name": "tiny", "parameters": 12345}, "detector": None,
        "data": {"manifest": "m", "sha256": "1234567890abcdef", "streams": 4, "hours": 5.5, "speakers": 9},
        "conditions": [
            detailed("clean", None, 0.95, 0.91, 0.98), detailed("street", -5.0, 0.4, None, None),
            detailed("factory", -5.0, 0.5, 0.4, 0.6), condition("mean", -5.0, 0.45, 0.4, 0.5),
        ],
        "keyword_free": [
            {"content": "all", "noise_kind": None, "hours": 4.0, "false_alarms": 2, "per_hour": 0.5, "low": 0.06,
             "high": 1.81, "claimed": None},
            {"content": "noise", "noise_kind": "street", "hours": 2.0, "false_alarms": 8, "per_hour": 4.0, "low": 1.7,
             "high": 7.9, "claimed": 4.0},
        ],
        "points": [
            {"wanted_per_hour": 1.0, "reason": None, "shift": -0.5, "per_hour": 0.75,
             "conditions": [missed("clean", None, 0.05), missed("street", -5.0, 0.613)]},
            {"wanted_per_hour": 10.0, "reason": "too short", "shift": None, "per_hour": None, "conditions": []},
        ],
        "det": {
            "shifts": [-1.0, 0.0, 1.0], "false_alarms": [30, 2, 0], "hours": 4.0,
            "conditions": [
                {"noise_kind": "clean", "snr_db": None, "keywords": 100, "misses": [1, 5, 20]},
                {"noise_kind": "street", "snr_db": -5.0, "keywords": 100, "misses": [40, 60, 90]},
                {"noise_kind": "factory", "snr_db": -5.0, "keywords": 100, "misses": [30, 50, 80]},
            ],
        },
    }  # fmt: skip


def rows(text, beginning):
    return [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith(beginning)
    ]


def test_accuracy_by_noise_and_snr(facts):
    text = streams_markdown(facts)
    street = next(row for row in rows(text, "| street ") if row[0] == "street")
    assert street == ["street", "95.0 [91.0, 98.0]", "40.0 [n/a]"]
    (mean,) = rows(text, "| mean ")
    assert mean[2] == "45.0 [40.0, 50.0]"
    assert "12,345 parameters; 5.50 h in 4 streams of 9 speakers of `m` (sha256 1234567890ab)" in text


def test_details_of_every_condition_but_the_mean(facts):
    text = streams_markdown(facts)
    (street,) = (row for row in rows(text, "| street at -5 dB ") if len(row) == 6)
    assert street == ["street at -5 dB", "60/100", "4", "8.0", "0.21", "n/a"]


def test_no_rate_is_given_that_so_few_hours_cannot_claim(facts):
    text = streams_markdown(facts)
    assert rows(text, "| all ") == [["all", "", "4.00", "2", "n/a", "[0.06, 1.81]"]]
    assert rows(text, "| noise | street") == [["noise", "street", "2.00", "8", "4.00", "[1.70, 7.90]"]]
    assert "4.00 h claim no rate below 0.75 an hour" in text


def test_misses_at_the_rates_that_were_reached(facts):
    text = streams_markdown(facts)
    (street,) = (row for row in rows(text, "| street at -5 dB ") if len(row) == 3)
    assert street == ["street at -5 dB", "61.3 [60.3, 62.3]", "n/a"]
    assert "at 1/h (shift -0.5: 0.75/h)" in text


def test_the_terminal_shows_the_same_numbers_in_80_columns(facts):
    easier = [detailed(kind, float(snr), 0.8, 0.7, 0.9) for kind in ("street", "factory") for snr in range(0, 21, 5)]
    facts["conditions"] += easier
    console = Console(width=80)
    with console.capture() as captured:
        console.print(streams_terminal(facts))
    for number in ("95.0 [91.0, 98.0]", "[0.06, 1.81]", "61.3 [60.3, 62.3]", "street at -5 dB"):
        assert number in captured.get()


def test_many_conditions_are_drawn_by_snr(facts):
    assert list(det_curves(facts)) == ["clean", "street at -5 dB", "factory at -5 dB"]
    many = copy.deepcopy(facts)
    many["det"]["conditions"] = [facts["det"]["conditions"][0], *facts["det"]["conditions"][1:] * 3]
    curves = det_curves(many)
    assert list(curves) == ["clean", "-5 dB"]
    assert curves["-5 dB"].misses.tolist() == [210, 330, 510]
    assert curves["-5 dB"].spoken == 600


def test_files(facts, tmp_path):
    pytest.importorskip("matplotlib")
    paths = write_streams_report(facts, tmp_path / "r")
    assert [path.name for path in paths] == ["run.json", "table.md", "det.png"]
    assert json.loads(paths[0].read_text()) == facts
    assert paths[2].read_bytes()[:4] == b"\x89PNG"
    facts["det"], facts["points"] = None, []
    assert [path.name for path in write_streams_report(facts, tmp_path / "peer")] == ["run.json", "table.md"]
