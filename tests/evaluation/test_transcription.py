"""Error rates and their facts; a model that always writes the same shows that they are counted right."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource, config_from_dict
from drsn_audio.datasets.manifests import ManifestError, read_cuts
from drsn_audio.decoding.units import Units
from drsn_audio.evaluation.transcription import evaluate_transcription, usable
from drsn_audio.evaluation.transcription_facts import by_noise_class, summarise, word_differences
from drsn_audio.evaluation.transcripts import Transcripts
from drsn_audio.labels import BLANK
from drsn_audio.models.model import AudioModel
from drsn_audio.text import in_vocabulary

LABELS = [BLANK, "low", "mid", "high"]
EVALUATE = EvaluateConfig(snr_db=[10.0, -5.0], draws=2, replicates=50)


def written(kind, snr_db, hypotheses):
    """Three utterances by two speakers in two recordings."""
    references = ["left stop", "go", "left left seven"]
    noises = ["cars/a", "cars/a", "horns/b"] if snr_db is not None else [""] * 3
    return Transcripts(kind, snr_db, ["u1", "u2", "u3"], hypotheses, references, ["ann", "bob", "bob"], noises)


@pytest.fixture
def two_kinds():
    return [
        written("clean", None, ["left stop", "go", "left left seven"]),
        written("street", 5.0, ["left", "no", "left left seven up"]),  # 3 errors of 6 words
        written("machinery", 5.0, ["left stop", "go", "right left"]),  # 2 of 6
    ]


def test_conditions_by_hand(two_kinds):
    clean, street, _, mean = summarise(two_kinds, seed=0, replicates=200)
    assert (clean["wer"], clean["low"], clean["high"], clean["cer"], clean["exact"]) == (0, 0, 0, 0, 3)
    assert clean["noise_recordings"] == 0
    assert street["wer"] == pytest.approx(3 / 6)
    assert [street[key] for key in ("words", "substitutions", "deletions", "insertions")] == [6, 1, 1, 1]
    assert (street["trials"], street["exact"], street["speakers"], street["noise_recordings"]) == (3, 0, 2, 2)
    # " stop" is gone, go became no, " up" was put in: 5 + 1 + 3 of 9 + 2 + 15 characters.
    assert street["cer"] == pytest.approx(9 / 26)
    assert street["characters"] == 26
    # Of ann 1 of 2 words is wrong, of bob 2 of 4: whoever is drawn, half of the words.
    assert 0 < street["low"] <= street["wer"] <= street["high"]
    assert (mean["noise_kind"], mean["snr_db"]) == ("mean", 5.0)
    assert mean["wer"] == pytest.approx((3 / 6 + 2 / 6) / 2)
    assert (mean["words"], mean["deletions"], mean["trials"]) == (12, 2, 6)
    json.dumps(mean, allow_nan=False)


def test_the_mean_weighs_kinds_not_words():
    short = Transcripts("street", 5.0, ["a"], ["no"], ["go"], ["ann"], ["x"])
    long = Transcripts("machinery", 5.0, ["a"], ["one two three four"], ["one two three four"], ["ann"], ["y"])
    *_, mean = summarise([short, long], seed=0, replicates=20)
    assert mean["wer"] == pytest.approx(1 / 2)  # not 1 of 5
    assert mean["low"] is None  # one speaker, one recording of each kind


def test_the_most_confused_words(two_kinds):
    _, street, machinery, mean = summarise(two_kinds, seed=0, replicates=20)
    assert street["confused"] == {
        "substituted": [{"said": "go", "written": "no", "times": 1, "of": 1}],
        "deleted": [{"said": "stop", "times": 1, "of": 1}],
        "inserted": [{"written": "up", "times": 1}],
    }
    assert machinery["confused"]["substituted"] == [{"said": "left", "written": "right", "times": 1, "of": 3}]
    assert [one["said"] for one in mean["confused"]["deleted"]] == ["seven", "stop"]  # alphabetical where equal


def test_noise_classes(two_kinds):
    cars, horns, *_ = by_noise_class(two_kinds)
    assert (cars["noise_kind"], cars["noise_class"], cars["words"], cars["noise_recordings"]) == (
        "street",
        "cars",
        3,
        1,
    )
    assert cars["wer"] == pytest.approx(2 / 3)
    assert horns["wer"] == pytest.approx(1 / 3)


def test_differences_are_of_the_same_trials(two_kinds):
    worse = [dataclasses.replace(one, hypotheses=[""] * 3) for one in two_kinds]
    found = word_differences(two_kinds, worse, seed=0, replicates=50)
    assert [(one["noise_kind"], one["snr_db"]) for one in found] == [
        ("clean", None), ("street", 5.0), ("machinery", 5.0), ("mean", 5.0)
    ]  # fmt: skip
    assert found[0] == {"noise_kind": "clean", "snr_db": None, "difference": -1.0, "low": -1.0, "high": -1.0}
    assert found[1]["difference"] == pytest.approx(3 / 6 - 1)
    assert found[3]["difference"] == pytest.approx((3 / 6 + 2 / 6) / 2 - 1)
    other = [dataclasses.replace(one, ids=["u1", "u3", "u2"]) for one in worse]
    with pytest.raises(ValueError, match="the same trials"):
        word_differences(two_kinds, other, seed=0, replicates=50)


# A model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    given = {"preset": "10k", "time_reduction": 4, "mixer_width": 8, "mixer": [1], "head": "ctc", "labels": LABELS}
    return AudioModel(config_from_dict({"model": given}).model)


def evaluate(model, manifests, noise, *, units=LABELS, **settings):
    units = Units("words", units)
    given = {"name": "tiny", "data": DataConfig(), "evaluate": EVALUATE, "checkpoint": {"sha256": "abc", "step": 7}}
    given["as_written"] = lambda text: in_vocabulary(text, units.labels)
    facts = evaluate_transcription(model, [str(path) for path in manifests], noise, units=units, **given | settings)
    return json.loads(json.dumps(facts, allow_nan=False))


def test_a_model_that_always_says_low(model, task):
    """Of the words low, mid and high by two speakers each third is right."""
    noise = [NoiseSource(str(task.noise), folds=[3])]
    facts = evaluate(model, [task.test], noise, decode=lambda _: "LOW", decoder={"kind": "constant"})
    assert (facts["schema"], facts["kind"], facts["level"], facts["draws"]) == (1, "transcription", "p56", 2)
    assert facts["model"]["decoder"] == {"kind": "constant"}
    assert facts["model"]["checkpoint"] == {"sha256": "abc", "step": 7, "seed": None, "commit": None, "command": None}
    assert facts["model"]["parameters"] > 1000
    assert facts["model"]["multiply_adds_per_s"] > 1e5
    told = {"manifest": str(task.test), "utterances": 6, "speakers": 2, "words": 6, "left_out": []}
    assert {key: facts["data"][key] for key in told} == told
    assert facts["data"]["noise"][0]["recordings"] == 2
    keys = [(one["noise_kind"], one["snr_db"]) for one in facts["conditions"]]
    assert keys == [("clean", None)] + [
        (kind, snr_db) for kind in ("machinery", "street") for snr_db in (10.0, -5.0)
    ] + [("mean", 10.0), ("mean", -5.0)]
    for one in facts["conditions"]:
        assert one["wer"] == pytest.approx(2 / 3)
        assert one["low"] == pytest.approx(2 / 3)  # both speakers have the same errors
        assert one["trials"] == {"clean": 6, "mean": 24}.get(one["noise_kind"], 12)
        assert one["exact"] == one["trials"] / 3


def test_the_decoder_sees_log_probabilities_of_the_frames_alone(model, task):
    shapes = []

    def decode(log_probabilities):
        shapes.append(log_probabilities.shape)
        assert np.exp(log_probabilities).sum(1) == pytest.approx(1, abs=1e-4)
        return ""

    evaluate(model, [task.test], [], decode=decode)
    # 0.3 s of word and 0.5 s after it, in frames of 40 ms.
    assert shapes == [(20, len(LABELS))] * 6


def test_greedy_is_the_default(model, task):
    facts = evaluate(model, [task.test], [])
    assert facts["model"]["decoder"] == {"kind": "greedy"}
    assert [one["noise_kind"] for one in facts["conditions"]] == ["clean"]
    assert facts["draws"] == 1


def test_mixes_are_grouped_as_they_are(model, task, tmp_path):
    from drsn_audio.datasets.mixing import mix_files

    mix_files(str(task.test), str(task.noise), [5.0], str(tmp_path))
    facts = evaluate(model, [tmp_path / "mix.jsonl.gz"], [], decode=lambda _: "mid")
    assert {one["snr_db"] for one in facts["conditions"]} == {5.0}
    for one in facts["conditions"]:
        assert one["wer"] == pytest.approx(2 / 3)
        assert one["noise_recordings"] > 0
    classes = {(one["noise_kind"], one["noise_class"]) for one in facts["noise_classes"]}
    custom = [cut.custom for cut in read_cuts([task.noise])]
    assert classes == {(one["noise_kind"], one["noise_class"]) for one in custom}
    with pytest.raises(ConfigError, match="is mixed with noise already"):
        evaluate(model, [tmp_path / "mix.jsonl.gz"], [NoiseSource(str(task.noise))])


def test_words_that_the_model_has_no_label_for_are_scored(model, task):
    """Not left out: to whoever knows "unknown" they are that, to others they are errors."""
    facts = evaluate(model, [task.test], [], units=[BLANK, "low", "unknown"], decode=lambda _: "unknown")
    assert facts["conditions"][0]["wer"] == pytest.approx(1 / 3)
    outside = facts["data"]["outside_vocabulary"]
    assert (outside["outside"], outside["of"]) == (4, 6)
    assert outside["words"] == [{"word": "high", "times": 2}, {"word": "mid", "times": 2}]
    facts = evaluate(model, [task.test], [], units=[BLANK, "low"], decode=lambda _: "low")
    assert facts["conditions"][0]["wer"] == pytest.approx(2 / 3)
    assert facts["data"]["left_out"] == []


def test_what_cannot_be_scored_is_counted(model, task):
    cuts = read_cuts([task.test])
    lost, mute, long = (cut for cut in read_cuts([task.test])[:3])
    lost.recording.sources[0].source = "/nowhere/lost.wav"
    mute.supervisions[0].text = " "
    kept, left_out = usable([*cuts[3:], lost, mute], 30.0)
    assert [cut.id for cut in kept] == [cut.id for cut in cuts[3:]]
    assert [fault.kind for fault in left_out] == ["lost audio", "empty transcript"]
    assert left_out[0].path.name == "lost.wav"
    long.duration = 121.0
    with pytest.raises(ManifestError, match=r"none of 1 utterances .* over data\.max_duration_s=120: cut it"):
        usable([long], 30.0)
    assert usable([long], 130.0) == ([long], [])


def test_differences_to_another_recogniser(model, task):
    noise = [NoiseSource(str(task.noise), folds=[3])]
    caught = []

    def catch(transcripts, *_, **__):
        caught.extend(transcripts)
        return []

    from drsn_audio.evaluation import transcription

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcription, "by_noise_class", catch)
        evaluate(model, [task.test], noise, decode=lambda _: "")
    facts = evaluate(model, [task.test], noise, decode=lambda _: "low", beside=caught)
    assert all(one["difference"] == pytest.approx(-1 / 3) for one in facts["differences"])
    assert len(facts["differences"]) == len(facts["conditions"])


def test_settings_are_checked(model, task):
    with pytest.raises(ConfigError, match=r"evaluate\.draws=0"):
        evaluate(model, [task.test], [], evaluate=EvaluateConfig(draws=0))
    with pytest.raises(ConfigError, match=r"data\.level='loud'"):
        evaluate(model, [task.test], [NoiseSource(str(task.noise))], data=DataConfig(level="loud"))
