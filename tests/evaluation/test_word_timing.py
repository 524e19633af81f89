"""How late words are given: spikes made by hand, and what a checkpoint is told of them."""

import json

import pytest
import torch

from drsn_audio.config import config_from_dict
from drsn_audio.corpora.cuts import SpeechFile, make_cut
from drsn_audio.datasets.connected import plan_strings, write_strings
from drsn_audio.datasets.manifests import AudioStore, ManifestError, file_sha256, read_cuts
from drsn_audio.decoding.alignment import word_times
from drsn_audio.decoding.greedy import Spike
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.evaluation import word_timing as timing
from drsn_audio.evaluation.word_timing import Lag, find_lags, hear_lags, tune_timing
from drsn_audio.labels import BLANK
from drsn_audio.models.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from drsn_audio.models.model import AudioModel

LABELS = [BLANK, "left", "stop", "go"]
UNITS = Units("words", LABELS)
FRAME_S = 0.04


def test_a_lag_is_from_the_word_to_the_end_of_its_first_frame():
    spikes = [Spike(1, 49, 52, 0.9), Spike(3, 60, 60, 0.8), Spike(2, 74, 75, 0.9)]
    said = [("left", 1.5, 1.8), ("left", 2.2, 2.4), ("stop", 2.5, 2.9)]  # the second is taken for "go"
    lags = find_lags(spikes, said, UNITS, FRAME_S)
    assert [lag.word for lag in lags] == ["left", "stop"]
    assert [lag.start_s for lag in lags] == pytest.approx([0.5, 0.5])
    assert [lag.end_s for lag in lags] == pytest.approx([0.2, 0.1])
    assert find_lags(spikes, [("left", 6.0, 6.2)], UNITS, FRAME_S) == []


def test_medians_of_each_word_and_the_rest_by_default():
    lags = [Lag("left", value, value - 0.3) for value in (0.4, 0.5, 0.6, 0.7, 3.0)] + [Lag("go", 0.2, 0.1)] * 4
    found = timing.word_timing(lags)
    assert found["start_s"] == {"left": 0.6}
    assert found["end_s"] == {"left": pytest.approx(0.3)}
    assert found["default"] == pytest.approx([0.4, 0.1])  # of all nine
    with pytest.raises(InputError, match="no word of the development strings is heard right"):
        timing.word_timing([])


def test_words_of_constant_lag_get_their_times_back():
    """A model that gives every word so long after its beginning: what is measured of it undoes just that."""
    late = {"left": 12, "stop": 9, "go": 15}  # frames
    said = [(word, 0.4 + 1.2 * place, 0.7 + 1.2 * place) for place, word in enumerate(["left", "go", "stop"] * 6)]
    spikes = []
    for word, start, _ in said:
        first = round(start / FRAME_S) + late[word] - 1
        spikes.append(Spike(LABELS.index(word), first, first + 1, 0.9))
    found = timing.word_timing(find_lags(spikes, said, UNITS, FRAME_S))
    for word, (text, start, end) in zip(word_times(spikes, UNITS, FRAME_S, found), said, strict=True):
        assert word.text == text
        assert (word.start, word.end) == pytest.approx((start, end), abs=1e-3)


@pytest.fixture
def strings(tmp_path, say):
    import soundfile as sf

    cuts = []
    for word, tone in (("left", "low"), ("one", "mid")):
        for take in range(4):
            path = tmp_path / f"{word}{take}.wav"
            sf.write(path, say(tone, f"{take}"), 16000)
            cuts.append(make_cut(SpeechFile(path.stem, path, "dev", word, "ann")))
    plans = plan_strings(cuts[:4], cuts[4:], set_name="dev", seed=0)
    write_strings(plans, -26.0, tmp_path, "dev", AudioStore(16000))
    return tmp_path / "dev.jsonl.gz"


def checkpoint(folder, **model):
    torch.manual_seed(0)
    config = {"preset": "ctc-500k", "head": "ctc", "pool": "causal", "labels": LABELS} | model
    return save_checkpoint(folder, "best", AudioModel(config_from_dict({"model": config}).model), step=1, info={"a": 1})


def test_strings_are_heard_to_their_end(strings, tmp_path):
    """A model that is certain of "left" gives it once, in its first frame."""
    model, _ = load_checkpoint(checkpoint(tmp_path / "run"))
    with torch.no_grad():
        model.head.linear.bias[1] += 100
    cuts = read_cuts([strings])
    for cut, lags in zip(cuts, hear_lags(model, cuts, AudioStore(16000)), strict=True):
        first = next((item for item in cut.supervisions[0].alignment["word"] if item.symbol == "left"), None)
        near = first is not None and first.end < timing.WITHIN_S + FRAME_S
        assert [lag.start_s for lag in lags] == ([pytest.approx(FRAME_S - first.start)] if near else [])


def test_it_is_written_into_the_checkpoint(strings, tmp_path, monkeypatch):
    path = checkpoint(tmp_path / "run")
    before = json.loads(path.read_text())
    monkeypatch.setattr(timing, "hear_lags", lambda *_: iter([[Lag("left", 0.5, 0.2)] * 5, [Lag("left", 0.7, 0.4)]]))
    found = tune_timing(path, [str(strings)])
    assert json.loads(path.read_text()) == before | {"timing": found}
    assert found["start_s"] == {"left": 0.5}
    assert (found["heard"], found["off_s"]) == (6, [0.0, pytest.approx(0.1)])
    assert found["words"] == sum(len(cut.custom["words"]) for cut in read_cuts([strings]))
    assert found["data"] == [{"manifest": str(strings), "sha256": file_sha256(strings)}]
    assert timing.describe_timing(found).startswith("timed on 6 of ")
    assert load_checkpoint(path)[1]["timing"] == found


def test_what_has_no_timing(strings, task, tmp_path):
    with pytest.raises(ManifestError, match="does not say where its words are"):
        tune_timing(checkpoint(tmp_path / "run"), [str(task.dev)])
    letters = checkpoint(tmp_path / "letters", units="characters", labels=[BLANK, "|", "'", "A"])
    with pytest.raises(CheckpointError, match="its labels are no words"):
        tune_timing(letters, [str(strings)])
