"""What evaluates a run, by itself and beside pocketsphinx."""

import json
import shutil

import pytest

from drsn_audio.config import config_to_yaml, load_config


@pytest.mark.slow
def test_a_run_is_evaluated_on_its_config(call, writing_run):
    status, out, _ = call("evaluate", writing_run, "evaluate.snr_db=[0]")
    assert status == 0
    assert out[-3:] == [f"{writing_run}/{name}" for name in ("run.json", "table.md", "wer.png")]
    facts = json.loads((writing_run / "run.json").read_text())
    assert facts["command"].startswith("python recipes/commands/evaluate.py")
    assert {one["snr_db"] for one in facts["conditions"]} == {None, 0.0}


@pytest.mark.slow
def test_runs_are_compared_by_the_words_that_evaluate_counts(call, writing_run, tmp_path):
    other = tmp_path / "wider"
    shutil.copytree(writing_run, other)
    (other / "config.yaml").write_text(config_to_yaml(load_config(writing_run / "config.yaml", ["model.width=7"])))
    status, out, err = call("compare", writing_run, other, "-o", tmp_path / "compared", "evaluate.snr_db=[5, 0]")
    assert (status, out) == (0, [f"{tmp_path}/compared/compare.{ending}" for ending in ("json", "md")]), err
    facts = json.loads((tmp_path / "compared" / "compare.json").read_text())
    assert call("evaluate", writing_run, "evaluate.snr_db=[5, 0]")[0] == 0
    evaluated = json.loads((writing_run / "run.json").read_text())
    rates = {(one["noise_kind"], one["snr_db"]): one for one in evaluated["conditions"]}
    first, second = facts["models"]
    for column, condition in {"clean": ("clean", None), "5 dB": ("mean", 5.0), "0 dB": ("mean", 0.0)}.items():
        for ours, theirs in (("mean", "wer"), ("low", "low"), ("high", "high")):
            assert first["wer"][column][ours] == pytest.approx(rates[condition][theirs])
    assert first["wer"]["mean"]["mean"] == pytest.approx((rates["mean", 5.0]["wer"] + rates["mean", 0.0]["wer"]) / 2)
    assert first["runs"][0]["wer"]["mean"] == pytest.approx(first["wer"]["mean"]["mean"])
    assert all(one == {"mean": 0, "low": 0, "high": 0} for one in second["difference"].values())  # the same weights
    for key in ("utterances", "speakers", "sha256"):
        assert facts["data"][key] == evaluated["data"][key]
    assert "Word error rate in %" in (tmp_path / "compared" / "compare.md").read_text()


def test_what_is_trained_already_is_not_overridden(call, writing_run):
    status, _, err = call("evaluate", writing_run, "model.width=3")
    assert (status, len(err)) == (2, 1)
    assert "model.width=3: the model is trained already" in err[0]


def test_pocketsphinx_hears_what_the_model_hears(call, recipe, writing_run, tmp_path, monkeypatch):
    pytest.importorskip("pocketsphinx", reason="pip install 'drsn-audio[peers]'")
    monkeypatch.setattr(recipe("peers").evaluate_peers, "__defaults__", (tmp_path,))
    status, out, _ = call("peers", "--model", writing_run, "--config", writing_run / "config.yaml")
    assert status == 0
    paths = [tmp_path / name / "run.json" for name in ("pocketsphinx", "writing")]
    assert out[-3:] == [*map(str, paths), f"{tmp_path}/writing/peers.png"]
    theirs, ours = (json.loads(path.read_text()) for path in paths)
    assert theirs["model"]["labels"] == ["low", "mid", "high"]
    for key in ("seed", "draws", "data"):
        assert theirs[key] == ours[key]
    wers = [{(one["noise_kind"], one["snr_db"]): one["wer"] for one in facts["conditions"]} for facts in (ours, theirs)]
    for one in ours["differences"]:
        condition = one["noise_kind"], one["snr_db"]
        assert one["difference"] == pytest.approx(wers[0][condition] - wers[1][condition])
    assert any("writing less pocketsphinx" in line for line in out)


def test_a_missing_corpus_is_named(call, writing_run):
    status, _, err = call("peers", "--model", writing_run, "data.test=[nowhere.jsonl.gz]")
    assert (status, len(err)) == (2, 1)
    assert "nowhere.jsonl.gz: no such manifest" in err[0]
