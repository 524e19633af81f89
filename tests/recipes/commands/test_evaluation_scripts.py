"""What evaluates a run, by itself and beside pocketsphinx."""

import json

import pytest


def test_a_run_is_evaluated_on_its_config(call, writing_run):
    status, out, _ = call("evaluate", writing_run, "evaluate.snr_db=[0]")
    assert status == 0
    assert out[-3:] == [f"{writing_run}/{name}" for name in ("run.json", "table.md", "wer.png")]
    facts = json.loads((writing_run / "run.json").read_text())
    assert facts["command"].startswith("python recipes/commands/evaluate.py")
    assert {one["snr_db"] for one in facts["conditions"]} == {None, 0.0}


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
