import math

import numpy as np
import pytest

from drsn_audio.reports.run import Run, check_runs, describe, describe_snr, run_titles


def test_conditions_are_found_by_kind_and_snr(facts):
    run = Run(facts)
    assert run.noise_kinds == ["street", "machinery", "mean"]
    assert run.snrs_db == [20, 10, 5, 0, -5]
    assert run.at("street", -5.0).noise_kind == "street"
    assert run.at("street", None) is run.at("machinery", None) is run.conditions["clean", None]
    assert run.at("street", 7.0) is None
    np.testing.assert_array_equal(run.confusion("clean", None), facts["conditions"][0]["confusion"])


def test_null_bounds_are_no_interval(facts):
    facts["conditions"][0] |= {"low": None, "high": None}
    clean = Run(facts).at("clean", None)
    assert math.isnan(clean.low)
    assert math.isnan(clean.high)


def test_conditions_in_words():
    assert describe("street", -5.0) == "street at -5 dB"
    assert describe("clean", None) == describe_snr(None) == "clean"
    assert describe_snr(2.5) == "2.5 dB"


def test_titles_tell_runs_apart(facts):
    plain = facts | {"model": facts["model"] | {"shrinkage": "none", "name": "resnet-none"}}
    assert run_titles([Run(facts), Run(plain)]) == ["small (cw-frequency)", "resnet-none"]
    assert run_titles([Run(facts), Run(plain), Run(facts)]) == [
        "small (cw-frequency), run 1",
        "resnet-none",
        "small (cw-frequency), run 3",
    ]


def test_level_methods_are_never_mixed(facts):
    with pytest.raises(ValueError, match="run 2 sets SNRs by rms, run 1 by p56: evaluate both with one --level"):
        check_runs([facts, facts | {"level": "rms"}])
    with pytest.raises(ValueError, match=r"give one run\.json at least"):
        check_runs([])


@pytest.mark.parametrize("kind", ["street", "mean"])
def test_missing_confusions_name_what_there_is(facts, kind):
    snr_db = 3.0 if kind == "street" else 0.0
    message = f"no confusions for {kind} at {snr_db:g} dB: choose one of clean, street at 20 dB, machinery at 20 dB"
    with pytest.raises(ValueError, match=message):
        Run(facts).confusion(kind, snr_db)


@pytest.mark.parametrize(
    ("place", "changed", "message"),
    [
        ((), {"schema": ...}, "run: no schema"),
        ((), {"schema": 2, "level": ...}, "schema is 2, this version reads 1: evaluate again"),
        ((), {"level": "peak"}, "level is 'peak', not one of p56, rms"),
        ((), {"conditions": []}, "no conditions: evaluate again"),
        ((), {"model": None}, "model: no name, shrinkage, labels: evaluate again"),
        (("data", "noise", 0), {"sha256": ...}, "noise: no sha256"),
        (("conditions", 1), {"high": ...}, "conditions: no high"),
        (("conditions", 1), {"noise_kind": "clean"}, "clean, and nothing else, has no SNR"),
        (("conditions", 1), {"snr_db": None}, "street: clean, and nothing else, has no SNR"),
        (("conditions", 1), {"snr_db": 10.0}, "street at 10 dB stands there twice"),
        (("conditions", 1), {"accuracy": 81.2}, r"street at 20 dB: accuracy 81\.2 .* is no share of 1"),
        (("conditions", 1), {"accuracy": None}, r"street at 20 dB: accuracy nan .* is no share of 1"),
        (("conditions", 1), {"low": 0.9, "high": 0.8}, "is no share of 1"),
        (
            ("conditions", 1),
            {"confusion": [[1]]},
            r"shape \(1, 1\) with 1 trials do not fit 5 labels and 200",
        ),
        (("conditions", 1), {"trials": 199}, r"with 200 trials do not fit 5 labels and 199 trials"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(facts, place, changed, message):
    entry = facts
    for key in place:
        entry = entry[key]
    for key, value in changed.items():
        if value is ...:
            del entry[key]
        else:
            entry[key] = value
    with pytest.raises(ValueError, match=rf"^a\.json: .*{message}"):
        Run(facts, "a.json")


def test_what_is_no_mapping_is_no_run():
    with pytest.raises(ValueError, match=r"run\.json: run: no schema, command"):
        Run([])
