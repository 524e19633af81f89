"""Weights of beam search: found where only they are right, and written into the checkpoint."""

import dataclasses
import json

import numpy as np
import pytest
import torch

pytest.importorskip("flashlight.lib.text", reason="needs flashlight-text")
pytest.importorskip("jiwer")

from drsn_audio.config import NoiseSource, config_from_dict
from drsn_audio.datasets.manifests import file_sha256
from drsn_audio.decoding.arpa import count_ngrams, witten_bell, write_arpa
from drsn_audio.decoding.beam import BeamConfig, BeamDecoder, beam_config
from drsn_audio.decoding.units import CHARACTERS, Units
from drsn_audio.errors import InputError
from drsn_audio.evaluation.tune_decoder import (
    Heard,
    Pool,
    best_weights,
    choose,
    describe_decoder,
    tune_decoder,
    weights,
)
from drsn_audio.labels import BLANK
from drsn_audio.models.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from drsn_audio.models.model import AudioModel

WORDS = Units("words", [BLANK, "low", "mid", "high"])
LETTERS = Units("characters", CHARACTERS)
BEAMS = (2, 20)


def hear(units, text, written, share):
    """As if `text` were said and each label sounded like that of `written` with a share of the probability."""
    said, wrong = units.encode(text), units.encode(written)
    values = np.full((2 * len(said), len(units.labels)), 1e-5)
    values[1::2, 0] = 1.0
    for place, (right, other) in enumerate(zip(said, wrong, strict=True)):
        values[2 * place, other] += share
        values[2 * place, right] += 1 - share
    return Heard(text, np.log(values / values.sum(1, keepdims=True)))


@pytest.fixture
def model(tmp_path):
    texts = ["GO LEFT", "GO LEFT", "GO RIGHT", "STOP"]
    write_arpa(tmp_path / "lm.arpa", witten_bell(count_ngrams([text.split() for text in texts], 2)))
    return str(tmp_path / "lm.arpa")


@pytest.mark.slow
def test_a_language_model_is_weighed_so_that_it_mends_what_it_can(model):
    heard = [
        hear(LETTERS, "GO LEFT", "GO LIFT", 0.8),
        hear(LETTERS, "GO RIGHT", "GO RIPHT", 0.7),
        hear(LETTERS, "STOP", "STOP", 0.5),
    ]
    found = choose(heard, LETTERS, BeamConfig(model, lm_weight=0.0, unknown_score=0.0), 0.04, beams=BEAMS)
    assert found["wer_greedy"] == pytest.approx(2 / 5)
    assert found["wer"] == 0.0
    assert (found["utterances"], found["words"]) == (3, 5)
    tuned = BeamDecoder(LETTERS, BeamConfig(**found["config"]))
    assert [tuned.decode(one.log_probabilities).text for one in heard] == ["GO LEFT", "GO RIGHT", "STOP"]
    assert [each["beam"] for each in found["beams"]] == [2, 20, 50]
    assert all(each["processor_s_per_s"] > 0 for each in found["beams"])
    assert found["config"]["beam"] == min(each["beam"] for each in found["beams"] if each["wer"] == 0)


def test_words_that_are_heard_too_often_are_made_fewer():
    """Half of the probability of a word where nobody speaks: only a score below nothing leaves it out."""
    extra = np.log([[0.44, 0.54, 0.01, 0.01], [0.97, 0.01, 0.01, 0.01]])
    heard = [Heard("low", np.concatenate([extra, hear(WORDS, "low", "low", 0.5).log_probabilities]))] * 3
    found = choose(heard, WORDS, BeamConfig(), 0.04, beams=BEAMS)
    assert found["wer_greedy"] == 1.0
    assert found["wer"] == 0.0
    assert found["config"]["word_score"] == -0.5  # the least that does it
    assert found["config"]["lm_weight"] == BeamConfig().lm_weight


def test_weights_without_effect_are_not_tried(model):
    assert {config.lm_weight for config in weights(BeamConfig())} == {0.5}
    assert {config.unknown_score for config in weights(BeamConfig())} == {-10.0}
    assert len({config.lm_weight for config in weights(BeamConfig(model))}) == 21


def test_the_fewest_errors_of_a_pool_by_hand():
    """The wrong text is heard 1 better, the right one 2 better by the language model: from 0.6 on it wins."""
    pool = Pool({(1,): (-1.0, -4.0, 1, 0), (2,): (-2.0, -2.0, 1, 0)}, {(1,): 1, (2,): 0})
    grid = [BeamConfig("lm", lm_weight=weight) for weight in (0.0, 0.4, 0.6, 0.8)]
    assert best_weights([pool], grid, BeamConfig("lm", lm_weight=0.0)).lm_weight == 0.6
    assert best_weights([pool], grid, BeamConfig("lm", lm_weight=0.9)).lm_weight == 0.8


def checkpoint(folder, **model):
    torch.manual_seed(0)
    config = {"preset": "ctc-500k", "head": "ctc", "pool": "causal", "labels": WORDS.labels} | model
    return save_checkpoint(folder, "best", AudioModel(config_from_dict({"model": config}).model), step=1, info={"a": 1})


@pytest.mark.slow
def test_it_is_written_into_the_checkpoint(config, task, tmp_path):
    path = checkpoint(tmp_path / "run")
    before = json.loads(path.read_text())
    data = dataclasses.replace(config.data, noise_dev=[NoiseSource(str(task.noise), folds=[2], kinds=["street"])])
    found = tune_decoder(path, data, BeamConfig(), snr_db=[5.0], utterances=2, beams=[2])
    assert json.loads(path.read_text()) == before | {"decoder": found}
    assert found["conditions"] == [["clean", None], ["street", 5.0]]
    assert found["utterances"] == 4
    assert found["data"] == [{"manifest": str(task.dev), "sha256": file_sha256(task.dev)}]
    assert beam_config(load_checkpoint(path)[1]) == BeamConfig(**found["config"])
    assert describe_decoder(found).startswith("tuned on 4 development utterances of 4 words: word error rate")


@pytest.mark.slow
def test_what_cannot_be_tuned(config, model, run, tmp_path):
    with pytest.raises(CheckpointError, match="a model of keywords"):
        tune_decoder(run / "best.json", config.data, BeamConfig())
    with pytest.raises(InputError, match=r"lm\.arpa: of 3 units of the model it knows 0"):
        tune_decoder(checkpoint(tmp_path / "run"), config.data, BeamConfig(model))
