"""Pocketsphinx on the trials of our models. Its wheel carries a model, so it can run."""

import dataclasses
import json

import numpy as np
import pytest
import torch

pytest.importorskip("pocketsphinx", reason="pip install 'drsn-audio[peers]'")

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
from drsn_audio.corpora.voices import prepare_voices
from drsn_audio.datasets.manifests import load_cut, read_cuts
from drsn_audio.evaluation.peers import PocketSphinx, evaluate_pocketsphinx
from drsn_audio.reports.run import Run
from drsn_audio.reports.table import comparison_table

LABELS = ["stop", "seven", "unknown", "silence"]


@pytest.fixture(scope="module")
def recogniser():
    return PocketSphinx(LABELS, ["house", "marvin"])


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Synthesised words: cut ids name the word."""
    pytest.importorskip("espeakng_loader")
    out = tmp_path_factory.mktemp("voices")
    prepared = prepare_voices(None, out, words=["stop", "seven", "house"], voices_per_part=(1, 1, 4), progress=False)
    cuts = read_cuts([prepared.manifests["test"]])
    waves = np.stack([np.resize(np.pad(load_cut(cut, 16000), (0, 16000)), 16000) for cut in cuts])
    return torch.from_numpy(waves), [cut.supervisions[0].text for cut in cuts]


def test_clear_words_are_heard(recogniser, spoken):
    waves, words = spoken
    scores = recogniser(waves)
    assert scores.shape == (12, 4)
    targets = torch.tensor([{"stop": 0, "seven": 1}.get(word, 2) for word in words])
    assert (scores.argmax(1) == targets).float().mean() > 0.6
    alone = scores[targets < 2, :2].argmax(1)
    assert (alone == targets[targets < 2]).float().mean() > 0.8


def test_an_answer_depends_on_no_other(recogniser, spoken):
    waves, _ = spoken
    assert torch.equal(recogniser(waves[:4]), recogniser(waves[:4].flip(0)).flip(0))


def test_digital_silence_is_no_word(recogniser):
    assert recogniser(torch.zeros(1, 16000)).argmax(1).item() == 3


def test_a_word_that_it_cannot_know():
    with pytest.raises(ConfigError, match="xyzzyq: not in pocketsphinx's dictionary"):
        PocketSphinx(["stop", "xyzzyq"], [])


def test_its_run_stands_beside_a_models(task, tmp_path):
    labels = ["low", "mid", "high", "unknown", "silence"]
    facts = evaluate_pocketsphinx(
        labels,
        ["house"],
        [str(task.test)],
        [NoiseSource(str(task.noise), folds=[3])],
        clip_s=0.5,
        data=dataclasses.replace(DataConfig(), silence_share=0.2),
        evaluate=EvaluateConfig(snr_db=[5.0], draws=1, replicates=20),
    )
    facts = json.loads(json.dumps(facts, allow_nan=False))
    assert Run(facts).title == "pocketsphinx"
    assert facts["model"]["settings"]["weights"]["keyword"] == 1
    assert {c["trials"] for c in facts["conditions"] if c["noise_kind"] != "mean"} == {8}  # 6 words, 2 silences
    assert {c["trials"] for c in facts["keywords_alone"] if c["noise_kind"] != "mean"} == {6}
    assert "pocketsphinx" in comparison_table([facts, facts | {"conditions": facts["keywords_alone"]}])
