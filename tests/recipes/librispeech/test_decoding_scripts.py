"""The scripts that write a language model and tune the beam search by it."""

import json

import pytest
import torch
from lhotse import CutSet
from lhotse.serialization import load_manifest

from drsn_audio.config import config_from_dict, config_to_yaml
from drsn_audio.decoding.ngram import read_vocabulary
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel


@pytest.fixture
def folder(folder):
    return folder.parent / "librispeech"


def test_a_language_model_of_manifests_and_text_files(call, task, tmp_path):
    (tmp_path / "text.txt").write_text("high notes\n\nlow notes\n", encoding="utf-8")
    arpa = tmp_path / "lm.arpa"
    status, (line,), _ = call("language_model", task.train, tmp_path / "text.txt", "--order", "2", "-o", arpa)
    assert status == 0
    # 9 words of the manifest, 4 of the text; high, low, mid, notes and <s>, </s>, <unk>
    assert line == f"11 texts of 13 words: 7 1-grams, 9 2-grams -> {arpa}"
    assert sorted(read_vocabulary(str(arpa))) == ["HIGH", "LOW", "MID", "NOTES"]
    call("language_model", tmp_path / "text.txt", "--words", "-o", arpa)
    assert sorted(read_vocabulary(str(arpa))) == ["high", "low", "notes"]
    call("language_model", tmp_path / "text.txt", "--characters", "-o", arpa)
    assert sorted(read_vocabulary(str(arpa))) == sorted({*"HIGH", *"LOW", *"NOTES", "|"})


def test_texts_that_cannot_be_used(call, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "empty.txt").write_text("\n")
    for name, message in (
        ("latin.txt", "not UTF-8"),
        ("empty.txt", "the training texts hold no words"),
        ("none.txt", "No such file or directory"),
    ):
        status, out, (line,) = call("language_model", tmp_path / name, "-o", tmp_path / "lm.arpa")
        assert (status, out) == (2, [])
        assert message in line
    assert not (tmp_path / "lm.arpa").exists()


@pytest.mark.slow
def test_beam_search_is_tuned_into_the_checkpoint(call, config, task, tmp_path):
    pytest.importorskip("flashlight.lib.text", reason="needs flashlight-text")
    pytest.importorskip("jiwer")
    torch.manual_seed(0)
    upper = tmp_path / "dev.jsonl.gz"
    CutSet.from_cuts(
        cut.map_supervisions(lambda each: each.transform_text(str.upper)) for cut in load_manifest(task.dev)
    ).to_file(upper)
    letters = {"preset": "ctc-500k", "head": "ctc", "units": "characters", "pool": "causal"}
    letters["labels"] = ["<blank>", "|", *"GHILMODW"]
    given = config_from_dict({"model": letters, "data": {"dev": [str(upper)]}})
    path = save_checkpoint(tmp_path / "run", "best", AudioModel(given.model), step=1, info={"note": "untrained"})
    (tmp_path / "run" / "config.yaml").write_text(config_to_yaml(given))
    arpa = tmp_path / "lm.arpa"
    call("language_model", task.train, "-o", arpa)
    status, lines, _ = call("tune", tmp_path / "run", "--language-model", arpa, "--beams", "4")
    assert status == 0
    assert lines[0].startswith("tuned on 3 development utterances of 3 words")
    found = json.loads(path.read_text())["decoder"]
    assert found["config"]["language_model"] == str(arpa)
    assert found["conditions"] == [["clean", None]]
    assert len(found["language_model_sha256"]) == 64
    status, _, (line,) = call("tune", tmp_path / "run", "model.width=9")
    assert status == 2
    assert "override data.* only" in line
