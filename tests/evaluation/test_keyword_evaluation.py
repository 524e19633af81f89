"""Models whose answers are known by hand, over clips and noises: what is counted, under which condition."""

import dataclasses
import gzip
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from drsn_audio.api import Recognizer
from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, FrontendConfig, ModelConfig, NoiseSource
from drsn_audio.datasets.keyword import keyword_clips
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.mixing import mix_files
from drsn_audio.datasets.noise_names import mixed_noise
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluating import outside_note
from drsn_audio.evaluation.keyword import Trials, num_samples, run_mixed_trials, run_trials
from drsn_audio.evaluation.run import evaluate_keywords, summarise
from drsn_audio.reports.folder import write_report
from drsn_audio.reports.run import Run, as_answered

RATE = 16000
LABELS = ["low", "mid", "high"]
EVALUATE = EvaluateConfig(snr_db=[20.0, -40.0], draws=2, replicates=50)


class Answers(nn.Module):
    """Logits [B, K] that a function of the waves [B, N] gives; all that it heard is kept."""

    def __init__(self, answer, labels=LABELS):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.config = ModelConfig(labels=labels, clip_s=0.5, frontend=FrontendConfig(sample_rate=RATE))
        self.head = SimpleNamespace(last=lambda logits, lengths: logits)
        self.answer, self.heard = answer, []

    def output_lengths(self, lengths):
        return lengths

    def forward(self, wave, lengths=None):
        self.heard.append(wave)
        return self.answer(wave)


def pitch(wave):
    """The word whose tone (400, 1000, 2500 Hz, 5 % about) is loudest."""
    power = torch.fft.rfft(wave).abs().square()  # bins of 2 Hz
    bands = [power[:, int(0.95 * hertz / 2) : int(1.05 * hertz / 2)].sum(1) for hertz in (400, 1000, 2500)]
    return torch.stack(bands, 1)


def always(index, classes=3):
    return lambda wave: torch.eye(classes)[index].expand(len(wave), classes)


def noisiness(wave):
    """ "low" where most of the power is outside the tones, "high" where it is in one."""
    noisy = pitch(wave).sum(1) < 0.5 * torch.fft.rfft(wave).abs().square().sum(1)
    return torch.stack([noisy.float(), torch.zeros(len(wave)), (~noisy).float()], 1)


@pytest.fixture
def clips(task):
    return keyword_clips(read_cuts([task.test]), LABELS, DataConfig())


def trials_of(task, clips, answer, snr_db=(20.0, -40.0), draws=2, **changes):
    store = AudioStore(RATE)
    model = Answers(answer)
    pool = NoisePool([NoiseSource(str(task.noise))], store)
    found = run_trials(model, clips, pool, store, snr_db=snr_db, draws=draws, **{"seed": 0, "batch_size": 4} | changes)
    return {(one.noise_kind, one.snr_db): one for one in found}, model


def test_conditions_and_their_size(task, clips):
    trials, _ = trials_of(task, clips, always(1))
    kinds = ("street", "machinery")
    assert set(trials) == {("clean", None)} | {(kind, snr) for kind in kinds for snr in (20.0, -40.0)}
    assert len(trials["clean", None].targets) == 6
    assert len(trials["street", 20.0].targets) == 12  # two draws
    for one in trials.values():
        assert one.accuracy == pytest.approx(1 / 3)
        assert set(one.speakers) == {"eve", "finn"}
    assert {source.split("/")[0] for source in trials["street", 20.0].noise_sources} == {"street"}


@pytest.mark.parametrize("spell", [str.upper, str.title, "{}!".format, "\u201c {} \u201d".format])
def test_capitals_and_punctuation_are_no_other_words(task, spell, tmp_path):
    rows = [json.loads(line) for line in gzip.decompress(task.test.read_bytes()).splitlines()]
    for row in rows:
        row["supervisions"][0]["text"] = spell(row["supervisions"][0]["text"])
    path = tmp_path / "spelt.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    labels = ["Low", "mid", "HIGH", "unknown"]
    assert [labels[clip.target].lower() for clip in keyword_clips(read_cuts([path]), labels, DataConfig())] == [
        clip.cut.supervisions[0].text for clip in keyword_clips(read_cuts([task.test]), LABELS, DataConfig())
    ]


@pytest.mark.usefixtures("quick")
def test_words_outside_of_the_vocabulary_are_counted_and_named(task):
    model = Answers(always(1, classes=2), ["unknown", "LOW"])
    facts = evaluate_keywords(model, [str(task.test)], [], name="x", data=DataConfig(), evaluate=EVALUATE)
    assert facts["data"]["outside_vocabulary"] == {
        "outside": 4, "of": 6, "words": [{"word": "high", "times": 2}, {"word": "mid", "times": 2}], "others": 0
    }  # fmt: skip
    line = outside_note(facts)
    assert line
    assert all(part in line for part in ("4 of 6", "high (2)", "mid (2)"))


@pytest.mark.usefixtures("quick")
def test_mixes_have_the_noise_classes_that_evaluate_has(task, tmp_path):
    """What mix writes is evaluated by class and recording as the noise manifest is, not by recording alone."""
    mix_files(str(task.test), str(task.noise), [20.0], tmp_path / "mixes", progress=False)
    mixed = str(tmp_path / "mixes/mix.jsonl.gz")
    settings = {"name": "x", "data": DataConfig(), "evaluate": dataclasses.replace(EVALUATE, draws=20, snr_db=[20.0])}
    ours, usual = (
        evaluate_keywords(Answers(pitch), *given, **settings)["noise_classes"]
        for given in (([mixed], []), ([str(task.test)], [NoiseSource(str(task.noise))]))
    )
    named = [[(one["noise_kind"], one["noise_class"]) for one in found] for found in (ours, usual)]
    assert sorted(named[0]) == sorted(named[1])
    names = {(cut.custom["noise_kind"], mixed_noise(cut.custom)) for cut in read_cuts([mixed])}
    pool = NoisePool([NoiseSource(str(task.noise))], AudioStore(RATE))
    assert all(name in pool.sources(kind) for kind, name in names)
    for one in ours:
        kind = one["noise_kind"]
        assert one["noise_recordings"] == len({name for of, name in names if of == kind})


def test_accuracies_by_hand(task, clips):
    trials, _ = trials_of(task, clips, pitch)
    assert trials["clean", None].accuracy == trials["street", 20.0].accuracy == 1
    assert trials["street", -40.0].accuracy < 0.7  # 40 dB of hiss over a tone
    # At -40 dB all is noise, hence "low"; at 20 dB and clean none is.
    trials, _ = trials_of(task, clips, noisiness)
    assert trials["street", -40.0].predictions.tolist() == [0] * 12
    assert trials["street", 20.0].predictions.tolist() == [2] * 12
    assert trials["clean", None].predictions.tolist() == [2] * 6


def test_the_noise_is_the_same_for_every_model_snr_and_batch_size(task, clips):
    _, first = trials_of(task, clips, pitch, snr_db=[0.0])
    _, other = trials_of(task, clips, always(0), snr_db=[0.0], batch_size=6)
    assert torch.equal(torch.cat(first.heard[:2])[:4], other.heard[0][:4])
    loud, _ = trials_of(task, clips, pitch, snr_db=[-5.0, 0.0])
    quiet, _ = trials_of(task, clips, pitch, snr_db=[0.0])
    assert np.array_equal(loud["street", 0.0].noise_sources, quiet["street", 0.0].noise_sources)
    assert np.array_equal(loud["street", 0.0].predictions, quiet["street", 0.0].predictions)


def test_an_snr_given_twice_counts_once(task, clips):
    trials, _ = trials_of(task, clips, pitch, snr_db=[5.0, 5.0])
    assert len(trials["street", 5.0].targets) == 12


def test_the_length_that_a_model_hears():
    assert num_samples(Answers(pitch)) == RATE // 2


def test_evaluation_gives_a_run_that_reports_can_read(task, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/drsn-audio", "evaluate", "--model", "a b"])
    monkeypatch.setattr("drsn_audio.evaluation.run.count_multiply_adds", lambda model: 7)
    noise = [NoiseSource(str(task.noise), folds=[3])]
    facts = evaluate_keywords(
        Answers(pitch),
        [str(task.test)],
        noise,
        name="tones",
        data=DataConfig(),
        evaluate=dataclasses.replace(EVALUATE, seed=3),
    )
    facts = json.loads(json.dumps(facts, allow_nan=False))
    run = Run(facts)
    assert run.snrs_db == [20.0, -40.0]
    assert run.noise_kinds == ["machinery", "street", "mean"]
    assert run.at("street", 20.0).accuracy == run.at("clean", None).accuracy == 1
    both = [run.at(kind, -40.0).accuracy for kind in ("street", "machinery")]
    assert run.at("mean", -40.0).accuracy == pytest.approx(sum(both) / 2)
    assert np.array_equal(run.confusion("clean", None), 2 * np.eye(3))
    assert (facts["seed"], facts["level"], facts["draws"]) == (3, "p56", 2)
    assert facts["command"] == "drsn-audio evaluate --model 'a b'"
    assert facts["data"]["utterances"] == 6
    assert facts["data"]["speakers"] == 2
    assert facts["data"]["noise"][0] | {"sha256": ""} == {
        "manifest": str(task.noise), "sha256": "", "folds": [3], "kinds": ["machinery", "street"], "recordings": 2
    }  # fmt: skip
    assert facts["model"]["parameters"] == 1

    paths = write_report(facts, tmp_path / "deep" / "report")
    assert [path.name for path in paths] == ["run.json", "table.md", "confusion.png", "accuracy.png"]
    assert json.loads(paths[0].read_text()) == facts
    table = paths[1].read_text()
    assert "| street" in table
    assert "100.0" in table
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths[2:])


@pytest.mark.usefixtures("quick")
def test_silence_is_tried_but_is_no_utterance(task):
    model = Answers(always(3, classes=4), [*LABELS, "silence"])
    data = DataConfig(silence_share=0.25)
    facts = evaluate_keywords(
        model, [str(task.test)], [NoiseSource(str(task.noise))], name="", data=data, evaluate=EVALUATE
    )
    assert (facts["data"]["utterances"], facts["data"]["speakers"]) == (6, 2)
    clean = Run(facts).at("clean", None)
    assert (clean.trials, clean.accuracy) == (8, 0.25)


def evaluate_mixed(labels, manifest, answer=pitch):
    model = Answers(answer, labels)
    return evaluate_keywords(model, [str(manifest)], [], name="tones", data=DataConfig(), evaluate=EVALUATE)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("drsn_audio.evaluation.run.count_multiply_adds", lambda model: 7)


@pytest.mark.usefixtures("quick")
def test_mixes_are_grouped_as_they_are(task, tmp_path):
    report = mix_files(task.test, task.noise, [20, -40, math.inf], tmp_path, level="rms", progress=False)
    facts = evaluate_mixed(LABELS, report.manifest, noisiness)
    run = Run(facts)
    assert facts["level"] == "rms"
    assert facts["draws"] == 1
    assert run.snrs_db == [20.0, -40.0]
    assert run.noise_kinds == ["machinery", "street", "mean"]
    assert run.at("street", -40.0).trials == 6
    assert run.confusion("street", -40.0).tolist() == [[2, 0, 0]] * 3
    assert run.confusion("street", 20.0).tolist() == [[0, 0, 2]] * 3
    street = next(c for c in facts["conditions"] if (c["noise_kind"], c["snr_db"]) == ("street", -40.0))
    assert 1 <= street["noise_recordings"] <= 3


@pytest.mark.usefixtures("quick")
def test_clean_speech_alone(task, tmp_path):
    facts = evaluate_mixed(LABELS, task.test)
    assert [(c["noise_kind"], c["snr_db"], c["accuracy"]) for c in facts["conditions"]] == [("clean", None, 1.0)]
    paths = write_report(facts, tmp_path)
    assert [path.name for path in paths] == ["run.json", "table.md", "confusion.png"]
    assert "clean" in paths[1].read_text()


def test_mixes_of_two_level_methods_are_refused(task, tmp_path):
    cuts = read_cuts([task.test])
    for cut, method in zip(cuts, ("p56", "rms", "p56", "p56", "p56", "p56"), strict=True):
        cut.custom = {"noise_kind": "street", "snr_db": 0.0, "level_method": method}
    from lhotse import CutSet

    CutSet.from_cuts(cuts).to_file(tmp_path / "m.jsonl.gz")
    with pytest.raises(ManifestError, match=r"different level methods \(p56, rms\)"):
        evaluate_mixed(LABELS, tmp_path / "m.jsonl.gz")


def test_an_snr_without_a_kind_of_noise(clips):
    clips[2].cut.custom = {"snr_db": 5.0}
    with pytest.raises(ManifestError, match=f"{clips[2].id}: carries snr_db but no noise_kind"):
        run_mixed_trials(Answers(pitch), clips)


@pytest.mark.parametrize(
    "setting", [{"snr_db": []}, {"snr_db": [math.nan]}, {"snr_db": [math.inf]}, {"draws": 0}, {"batch_size": 0}]
)
def test_settings_that_cannot_be(task, setting):
    evaluate = dataclasses.replace(EVALUATE, **setting)
    with pytest.raises(ConfigError, match=f"evaluate.{next(iter(setting))}"):
        evaluate_keywords(
            Answers(pitch),
            [str(task.test)],
            [NoiseSource(str(task.noise))],
            name="",
            data=DataConfig(),
            evaluate=evaluate,
        )


def made(kind, snr_db, correct, speakers, noises):
    targets = np.zeros(len(correct), int)
    words = np.array(["yes"] * len(correct))
    return Trials(kind, snr_db, np.eye(2)[1 - np.array(correct)], targets, np.array(speakers), np.array(noises), words)


def test_the_mean_weighs_kinds_and_not_trials():
    street = made("street", 0.0, [1, 1, 1, 1], list("abab"), list("xxyy"))
    hall = made("machinery", 0.0, [0, 1], list("ab"), list("uv"))
    mean = summarise([street, hall], 2, seed=0, replicates=200)[-1]
    assert (mean["noise_kind"], mean["snr_db"], mean["trials"]) == ("mean", 0.0, 6)
    assert mean["accuracy"] == pytest.approx(0.75)  # not 5/6
    assert mean["noise_recordings"] == 4
    assert 0.5 <= mean["low"] < 0.75 < mean["high"] <= 1


def test_no_mean_of_one_kind_or_where_one_is_missing():
    street = made("street", 0.0, [1, 0], list("ab"), list("xy"))
    assert [c["noise_kind"] for c in summarise([street], 2, seed=0, replicates=50)] == ["street"]
    hall = made("machinery", 5.0, [1, 0], list("ab"), list("xy"))
    assert len(summarise([street, hall], 2, seed=0, replicates=50)) == 2


def test_a_single_speaker_has_no_interval():
    (clean,) = summarise([made("clean", None, [1, 0], list("aa"), list("xy"))], 2, seed=0, replicates=50)
    assert (clean["accuracy"], clean["low"], clean["high"]) == (0.5, None, None)
    assert clean["confusion"] == [[1, 1], [0, 0]]


def test_a_report_answers_as_classify_does(task, tmp_path):
    """With a reject threshold: the counts of the report are those of `Recognizer.classify`, file by file."""
    labels = [*LABELS, "unknown", "silence"]

    def loudness(waves):  # the more energy, the more probable is "mid"
        energy = waves.square().sum(-1, keepdim=True)
        return torch.nn.functional.pad(1 + energy / 100, (1, 3))

    module = Answers(loudness, labels)
    files = [(cut.supervisions[0].text, cut.recording.sources[0].source) for cut in read_cuts([task.test])]
    surest = sorted(Recognizer(module, {}).classify(path).score for _, path in files)
    info = {"calibration": {"temperature": 1.0, "reject_below": (surest[2] + surest[3]) / 2}}
    facts = evaluate_keywords(
        module, [str(task.test)], [], name="m", data=DataConfig(), evaluate=EVALUATE, checkpoint=info
    )
    expected = np.zeros((5, 5), int)
    for word, path in files:
        expected[labels.index(word), labels.index(Recognizer(module, info).classify(path).label)] += 1
    assert expected[:, 3].sum() == expected[:, 1].sum() == 3  # half are below the threshold
    assert np.array_equal(Run(as_answered(facts)).confusion("clean", None), expected)
    assert Run(facts).confusion("clean", None)[:, 1].sum() == 6  # without it, to compare models by

    write_report(json.loads(json.dumps(facts)), tmp_path)
    with_it, without, *_ = (tmp_path / "table.md").read_text().split("% [95 % interval")[1:]
    accuracy = 100 * expected.trace() / 6
    assert f"{accuracy:.1f}" in with_it
    assert "33.3" in without  # two of six are "mid"
    assert accuracy < 33
