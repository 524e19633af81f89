"""What recognisers make of denoised sound: nothing is lost on the way, and gains of one change nothing."""

import dataclasses
import json
import shutil

import pytest
import torch

from drsn_audio.api import load_recognizer, load_transcriber
from drsn_audio.config import DataConfig, EvaluateConfig, NoiseSource, config_from_dict
from drsn_audio.datasets.keyword import keyword_clips
from drsn_audio.datasets.manifests import AudioStore, file_sha256, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.keyword import num_samples, run_trials
from drsn_audio.evaluation.run import summarise
from drsn_audio.evaluation.transcription_facts import summarise as summarise_texts
from drsn_audio.evaluation.transcripts import run_transcripts
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel

SNR_DB = [10.0, -5.0]
SMALL = {
    "preset": "100k", "encoder": "drsn", "head": "denoise", "pool": "causal", "widths": [4, 6], "blocks": [1, 1],
    "mixer": [1], "stem_stride": [4, 1], "time_reduction": 1,
    "frontend": {"name": "log-spectrogram", "f_min_hz": 0.0, "window_ms": 32, "hop_ms": 16},
}  # fmt: skip


@pytest.fixture
def denoiser(tmp_path):
    """A run folder of a denoiser whose gains are all the sigmoid of a number."""

    def make(logit):
        torch.manual_seed(0)
        model = AudioModel(config_from_dict({"model": SMALL}).model)
        with torch.no_grad():
            model.head.output.weight.zero_()
            model.head.output.bias.fill_(logit)
        save_checkpoint(tmp_path / f"gain{logit:g}", "best", model, step=1, info={})
        return tmp_path / f"gain{logit:g}"

    return make


@pytest.fixture
def recognise(recipe, call, task, run, writing_run, tmp_path, monkeypatch):
    """The script on the task's test speech and its third fold of noise; what it wrote, printed and said."""
    for speech in ("speech-commands-12", "commands-strings"):
        (tmp_path / "m" / speech).mkdir(parents=True)
        shutil.copy(task.test, tmp_path / "m" / speech / "test.jsonl.gz")
    (tmp_path / "m" / "tones").mkdir()
    shutil.copy(task.noise, tmp_path / "m" / "tones" / "noise.jsonl.gz")
    module = recipe("recognise")
    small = EvaluateConfig(replicates=50)
    monkeypatch.setattr(module, "EvaluateConfig", lambda **settings: dataclasses.replace(small, **settings))
    for name, value in {
        "MANIFESTS": tmp_path / "m",
        "NOISE": {"test": ("tones", [3])},
        "KEYWORDS": str(run),
        "WORDS": str(writing_run),
    }.items():
        monkeypatch.setattr(module, name, value)

    def measure(model, *arguments):
        out = tmp_path / "out"
        status, lines, err = call("recognise", "--no-peers", "--model", model, *arguments, "-o", out)
        assert status == 0, err
        return json.loads((out / "recognition.json").read_text()), lines, (out / "recognition.md").read_text()

    return measure


def rows(facts):
    return {(row["measure"], row["heard"]): row for row in facts["rows"]}


@pytest.mark.slow
def test_noisy_is_what_an_evaluation_gives_and_gains_of_one_change_nothing(recognise, denoiser, task, run, writing_run):
    facts, lines, table = recognise(denoiser(50.0), "--snr", *SNR_DB, "--blend", "0.5")
    found = rows(facts)
    assert list(found) == [(m, front) for m in ("accuracy", "wer") for front in ("noisy", "denoised", "blend 0.5")]
    store = AudioStore(16000)
    pool = NoisePool([NoiseSource(str(task.noise), folds=[3])], store)
    asked = {"snr_db": SNR_DB, "draws": 1, "seed": 0}
    names, writes = load_recognizer(run), load_transcriber(writing_run)
    clips = keyword_clips(read_cuts([task.test]), names.labels, DataConfig())
    trials = run_trials(names.module, clips, pool, store, **asked)
    assert num_samples(names.module) == 8000
    expected = {
        "accuracy": summarise(trials, len(names.labels), seed=0, replicates=50),
        "wer": summarise_texts(
            run_transcripts(writes.module, read_cuts([task.test]), pool, store, units=writes.units, **asked),
            seed=0,
            replicates=50,
        ),
    }
    for measure, conditions in expected.items():
        given = found[measure, "noisy"]["conditions"]
        assert {(one["noise_kind"], one["snr_db"]) for one in given} >= {("clean", None), ("mean", -5.0)}
        plain = [{key: value for key, value in one.items() if key in given[0]} for one in conditions]
        assert given == json.loads(json.dumps(plain))
        assert not {"confusion", "confused"} & set(given[0])
        for front in ("denoised", "blend 0.5"):
            assert found[measure, front]["conditions"] == given
            assert found[measure, front]["against_noisy"] == {"difference": 0, "low": 0, "high": 0}
    assert "\n".join(lines) + "\n" == table
    assert table.count("+0.0 [+0.0, +0.0]") == 4


@pytest.mark.slow
def test_where_it_comes_from_and_what_a_mute_denoiser_does(recognise, denoiser, task):
    folder = denoiser(-50.0)
    facts, _, _ = recognise(folder, "--snr", "10", "--blend", "--every", "2")
    assert facts["denoiser"] == {
        "name": folder.name,
        "sha256": json.loads((folder / "best.json").read_text())["sha256"],
    }
    assert facts["data"]["keywords"]["sha256"] == file_sha256(task.test)
    assert (facts["data"]["every"], facts["data"]["noise"]["folds"]) == (2, [3])
    assert facts["command"].startswith("python recipes/denoise/recognise.py")
    found = rows(facts)
    assert set(found) == {(measure, front) for measure in ("accuracy", "wer") for front in ("noisy", "denoised")}
    noisy, mute = (
        next(one for one in found["accuracy", front]["conditions"] if one["noise_kind"] == "mean")["accuracy"]
        for front in ("noisy", "denoised")
    )
    assert noisy > mute + 0.2  # it learnt the tones; in silence there are none
    assert found["accuracy", "denoised"]["against_noisy"]["difference"] == pytest.approx(mute - noisy)
