"""Pocketsphinx with a grammar on the utterances of our models. Its wheel carries a model, so it can run."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("pocketsphinx", reason="pip install 'drsn-audio[peers]'")

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
from drsn_audio.corpora.voices import prepare_voices
from drsn_audio.datasets.manifests import load_cut, read_cuts
from drsn_audio.evaluation.grammar_peer import GrammarPeer, evaluate_grammar_peer, jsgf
from drsn_audio.labels import BLANK
from drsn_audio.metrics.wer import word_errors
from drsn_audio.reports.transcription import comparison

RATE = 16000


@pytest.fixture(scope="module")
def peer():
    return GrammarPeer([BLANK, "stop", "seven", "left", "unknown"])


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Three words by each of four synthesised voices, strung together with gaps: waves and what they say."""
    pytest.importorskip("espeakng_loader")
    out = tmp_path_factory.mktemp("voices")
    words = ["stop", "seven", "left"]
    prepared = prepare_voices(None, out, words=words, voices_per_part=(1, 1, 4), progress=False)
    by_voice = {}
    for cut in read_cuts([prepared.manifests["test"]]):
        by_voice.setdefault(cut.supervisions[0].speaker, []).append(cut)
    gap = np.zeros(RATE // 4, np.float32)
    waves = [
        np.concatenate([gap, *(part for cut in cuts for part in (load_cut(cut, RATE), gap))])
        for cuts in by_voice.values()
    ]
    return waves, [" ".join(cut.supervisions[0].text for cut in cuts) for cuts in by_voice.values()]


def test_the_grammar_is_of_the_words_alone(peer):
    assert peer.vocabulary == ["stop", "seven", "left"]
    assert jsgf(["stop", "go"]) == "#JSGF V1.0;\ngrammar words;\npublic <words> = (stop | go)+;\n"


def test_clear_words_are_heard(peer, spoken):
    waves, texts = spoken
    assert word_errors(texts, [peer.hear(wave) for wave in waves]).rate < 0.5


def test_an_answer_depends_on_no_other_and_on_no_padding(peer, spoken):
    waves, _ = spoken
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = torch.stack([torch.from_numpy(np.pad(wave, (0, int(lengths.max()) - len(wave)))) for wave in waves])
    alone = [peer.hear(wave) for wave in waves]
    assert peer(padded, lengths) == alone
    assert peer(padded.flip(0), lengths.flip(0)) == alone[::-1]


def test_a_word_that_it_cannot_know():
    with pytest.raises(ConfigError, match="xyzzyq: not in pocketsphinx's dictionary"):
        GrammarPeer(["stop", "xyzzyq"])
    with pytest.raises(ConfigError, match="no words"):
        GrammarPeer([BLANK])


def test_its_run_stands_beside_a_models(peer, task):
    facts, written = evaluate_grammar_peer(
        peer,
        [str(task.test)],
        [NoiseSource(str(task.noise), folds=[3])],
        data=DataConfig(),
        evaluate=EvaluateConfig(snr_db=[5.0], draws=1, replicates=20),
    )
    facts = json.loads(json.dumps(facts, allow_nan=False))
    assert facts["model"]["grammar"] == jsgf(peer.vocabulary)
    assert {one["trials"] for one in facts["conditions"] if one["noise_kind"] != "mean"} == {6}
    assert [one.noise_kind for one in written] == ["clean", "machinery", "street"]
    assert comparison([facts]).count("pocketsphinx") >= 1
