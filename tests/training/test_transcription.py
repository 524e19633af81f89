"""CTC training: a NaN stops it and names what was heard; units and labels agree; when a word may be given."""

import dataclasses
import json

import pytest
import torch

from drsn_audio.config import ConfigError, config_from_dict
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.decoding.units import CHARACTERS
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK, UNKNOWN
from drsn_audio.models.model import AudioModel
from drsn_audio.training.loop import train
from drsn_audio.training.transcription import TranscriptionTask, emission_frames, with_labels


@pytest.fixture
def words(config, task, tmp_path):
    """Connected tones; development is single ones."""
    size = {"preset": "10k", "time_reduction": 4, "mixer_width": 16, "mixer": [1, 2]}
    model = {"head": "ctc", "pool": "causal", "labels": [BLANK, "low", "mid", UNKNOWN], "frontend": {"name": "logmel"}}
    model = config_from_dict({"model": {**size, **model}}).model
    strings = dataclasses.replace(config.data.strings, rows=16, gap_s=[0.05, 0.2], unknown_share=0.3)
    return dataclasses.replace(
        config,
        run=str(tmp_path / "run"),
        model=model,
        data=dataclasses.replace(config.data, strings=strings),
        train=dataclasses.replace(config.train, batch_size=8, epochs=1, stretch_s=3.0),
    )


def test_a_few_epochs_lower_the_loss_and_the_log_and_the_checkpoint_say_what_came_of_it(words):
    path = train(dataclasses.replace(words, train=dataclasses.replace(words.train, epochs=6)))
    lines = [json.loads(line) for line in (path.parent / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["train_ctc"] < 0.7 * lines[0]["train_ctc"]
    assert lines[-1]["best"] == min(line["dev_wer"] for line in lines)
    described = json.loads(path.read_text())
    assert described["labels"] == [BLANK, "low", "mid", UNKNOWN]
    assert described["metrics"]["dev_wer"] == lines[-1]["best"]


def test_a_loss_that_is_no_number_stops_training_and_names_what_was_heard(words, monkeypatch):
    calls = []
    losses = TranscriptionTask.losses

    def spoil(self, model, batch, *others):
        calls.append(batch.ids)
        found = losses(self, model, batch, *others)
        spoilt = {name: value * float("nan") for name, value in found.named.items()}
        return found._replace(named=spoilt) if len(calls) == 2 else found

    monkeypatch.setattr(TranscriptionTask, "losses", spoil)
    with pytest.raises(InputError, match=r"step 1: the loss is nan.*stopped\.json"):
        train(words)
    with open(f"{words.run}/stopped.json") as file:
        stopped = json.load(file)
    assert stopped["step"] == 1
    assert stopped["utterances"] == list(calls[1])
    assert any("/" in name for name in stopped["utterances"])  # the others are rows of silence


def test_a_rows_words_may_be_given_from_their_beginning_until_a_while_after_their_end():
    spans = torch.tensor([[[0, 639], [1280, 3000]], [[640, 700], [-1, -1]]])
    found = emission_frames(spans, 640, 1280.0)
    assert found.tolist() == [[[0, 2], [2, 6]], [[1, 3], [-1, -1]]]


def test_labels_come_with_their_units(words, tmp_path):
    letters = dataclasses.replace(words.model, units="characters", labels=[])
    config = dataclasses.replace(words, model=letters)
    assert with_labels(config).model.labels == CHARACTERS
    assert with_labels(words).model.labels == words.model.labels
    with pytest.raises(ConfigError, match=r"not those of model\.units=characters"):
        with_labels(dataclasses.replace(config, model=dataclasses.replace(letters, labels=[BLANK, "A"])))
    pieces = dataclasses.replace(config, model=dataclasses.replace(letters, units="sentencepiece"))
    with pytest.raises(InputError, match="sentencepiece is empty"):
        with_labels(pieces)


def test_utterances_need_a_size_of_batches(words):
    plain = dataclasses.replace(words.data, strings=dataclasses.replace(words.data.strings, rows=0))
    config = dataclasses.replace(words, data=plain)
    with pytest.raises(ConfigError, match=r"train\.max_padded_s is 0"):
        TranscriptionTask(config, AudioModel(config.model), AudioStore(16000))
