"""The command: results on stdout, messages on stderr, one line and status 2 for what is wrong, nothing lost."""

import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.cli import main

RATE = 16000


@pytest.fixture
def cli(capsys):
    """Run a command; its status, and the lines of stdout and stderr."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    yield run
    logging.getLogger("drsn_audio").handlers = []


@pytest.fixture
def files(tmp_path, say):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    sf.write(folder / "a.wav", say("low", "eve"), RATE)
    sf.write(folder / "deep" / "b.flac", say("mid", "eve"), RATE, subtype="PCM_24")
    sf.write(folder / "c.wav", say("high", "eve"), RATE, subtype="FLOAT")
    return folder


# classify


def test_classify_a_folder(cli, run, files):
    status, out, err = cli("classify", files, "--model", run)
    assert (status, err) == (0, [])
    rows = [line.split("\t") for line in out]
    assert [(row[0], row[1]) for row in rows] == [
        (f"{files}/a.wav", "low"),
        (f"{files}/c.wav", "high"),
        (f"{files}/deep/b.flac", "mid"),
    ]
    assert rows[0][3] == "0.00-0.30 s"


def test_classify_as_json(cli, run, files):
    status, out, _ = cli("classify", f"{files}/*.wav", files / "deep/b.flac", "--model", run / "best.json", "--json")
    assert status == 0
    answers = [json.loads(line) for line in out]
    assert [answer["label"] for answer in answers] == ["low", "high", "mid"]
    assert list(answers[0]) == ["path", "label", "score", "scores", "start", "end"]
    assert list(answers[0]["scores"]) == ["low", "mid", "high", "silence"]


def test_what_failed_is_told_and_the_others_are_classified(cli, run, files):
    (files / "text.wav").write_text("not audio")
    sf.write(files / "short.wav", np.full(399, 0.1), RATE)
    sf.write(files / "zeros.wav", np.zeros(RATE), RATE)
    missing, pattern, long_name = files / "missing.wav", f"{files}/*.mp3", "x" * 300
    status, out, err = cli("classify", missing, pattern, long_name, files, "--model", run, "--json")
    assert status == 2
    answers = {answer["path"]: answer for answer in map(json.loads, out)}
    failed = {path for path, answer in answers.items() if "error" in answer}
    assert failed == {str(missing), pattern, long_name, f"{files}/text.wav", f"{files}/short.wav"}
    assert all(list(answers[path]) == ["path", "error"] for path in failed)
    assert len(answers) == len(failed) + 4
    assert "label" in answers[f"{files}/zeros.wav"]  # silence is an answer
    assert len(err) == len(failed)
    assert all(line.startswith("error: ") for line in err)
    assert "24.9 ms long, too short" in answers[f"{files}/short.wav"]["error"]


def test_each_word_of_a_long_file_is_a_line(cli, run, files, say):
    wave = 0.001 * np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    for start, word in ((1.0, "low"), (2.5, "high")):
        wave[round(start * RATE) :][:4800] += say(word, "eve")
    sf.write(files / "b.wav", wave, RATE, subtype="FLOAT")
    sf.write(files / "d.wav", wave[: RATE // 2], RATE, subtype="FLOAT")  # a clip
    status, out, _ = cli(
        "classify", files / "b.wav", files / "a.wav", files / "d.wav", "--model", run, "--json", "--reject-below", "0.4"
    )
    assert status == 0
    answers = [(answer["path"][-5:], answer["label"]) for answer in map(json.loads, out)]
    assert answers[:3] == [("b.wav", "low"), ("b.wav", "high"), ("a.wav", "low")]
    assert len(answers) == 4
    _, out, _ = cli("classify", files / "b.wav", "--model", run, "--json", "--reject-below", "1")
    (answer,) = map(json.loads, out)
    assert (answer["label"], answer["start"], answer["end"]) == ("unknown", 0.0, 4.0)


def test_nan_in_the_middle_is_told_with_its_time(cli, run, files):
    wave = np.zeros(4 * RATE, np.float32)
    wave[3 * RATE] = np.nan
    sf.write(files / "b.wav", wave, RATE, subtype="FLOAT")
    status, out, err = cli("classify", files, "--model", run)
    assert (status, len(out), len(err)) == (2, 3, 1)
    assert "b.wav: holds NaN or infinite samples, at 3.000 s" in err[0]


def test_a_threshold_that_is_none(cli, run, files):
    status, out, err = cli("classify", files, "--model", run, "--reject-below", "2")
    assert (status, out, err) == (2, [], ["error: reject_below is 2.0: give a probability, from 0 (off) to 1"])


def test_quiet_before_or_after_the_command(cli, run, files, say):
    sf.write(files / "a.wav", np.stack([say("low", "eve")] * 2, 1), RATE)
    assert len(cli("classify", files, "--model", run)[2]) == 1
    assert cli("--quiet", "classify", files, "--model", run)[2] == []
    assert cli("classify", files, "--model", run, "--quiet")[2] == []


def test_a_terminal_is_told_how_much_was_heard(cli, run, files, monkeypatch, capsys):
    """And the line is cleared before a result is printed."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["classify", str(files), "--model", str(run)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert err.startswith("\r1 s of sound heard\r\x1b[K")
    assert main(["classify", str(files), "--model", str(run), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_without_json_errors_do_not_stand_among_the_results(cli, run, files):
    status, out, err = cli("classify", files / "no.wav", files / "a.wav", "--model", run)
    assert status == 2
    assert [line.split("\t")[1] for line in out] == ["low"]
    assert err == [f"error: {files}/no.wav: no such file: check the path"]


def test_other_formats_are_converted_and_it_is_said_once(cli, run, tmp_path, say):
    from drsn_audio.audio import resample

    low = say("low", "eve")
    sf.write(tmp_path / "8k.wav", resample(low, RATE, 8000), 8000)
    sf.write(tmp_path / "stereo.wav", np.stack([low, low], 1), RATE, subtype="PCM_24")
    sf.write(tmp_path / "u8.wav", resample(low, RATE, 44100), 44100, subtype="PCM_U8")
    status, out, err = cli("classify", tmp_path, "--model", run)
    assert status == 0
    assert [line.split("\t")[1] for line in out] == ["low"] * 3
    assert len(err) == 1
    assert "8k.wav is 8000 Hz with 1 channel(s)" in err[0]
    assert cli("classify", tmp_path, "--model", run, "--quiet")[2] == []


@pytest.mark.parametrize("what", ["missing", "empty", "torn"])
def test_a_bad_checkpoint_is_one_line(cli, run, files, tmp_path, what):
    model = tmp_path / "model"
    if what != "missing":
        model.mkdir()
    if what == "torn":
        for path in run.glob("best*"):
            shutil.copy(path, model)
        (weights,) = model.glob("*.safetensors")
        weights.write_bytes(weights.read_bytes()[:-1])
    status, out, err = cli("classify", files, "--model", model)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"error: {model}")


def test_a_device_that_is_not_here(cli, run, files):
    status, out, err = cli("classify", files, "--model", run, "--device", "toaster")
    assert (status, out, len(err)) == (2, [], 1)


# prepare


def test_prepare_with_options(cli, tmp_path):
    out = tmp_path / "a=b"
    status, lines, err = cli(
        "prepare", "synthetic-noise", out, "kinds=[street]", "count=2", "duration_s=0.5", "folds=2", "--quiet"
    )
    assert (status, err) == (0, [])
    assert lines == [f"synthetic-noise: 2 noise -> {out}/noise.jsonl.gz"]
    assert len(list((out / "audio").glob("street-*.flac"))) == 2


def test_prepare_a_folder_of_words(cli, files, tmp_path):
    status, out, _ = cli("prepare", "folder", files.parent / "in", tmp_path / "m", "test_share=0.5", "language=no")
    assert status == 0
    assert any("split by file" in line for line in out)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["speech-comands", "a", "b"], "did you mean 'speech-commands'?"),
        (["folder", "a"], "folder takes SOURCE OUT, got 1 paths"),
        (["synthetic-noise", "a", "b"], "synthetic-noise takes OUT, got 2 paths"),
        (["synthetic-noise", "a", "cuont=2"], "did you mean 'count'?"),
        (["synthetic-noise", "a", "count=many"], "not a value of count"),
        (["synthetic-noise", "a", "count=[1"], "not a value of count"),
        (["synthetic-noise", "a", "kinds=[steet]"], "no synthetic noise 'steet'"),
        (["folder", "nowhere", "out"], "nowhere: no such folder"),
        (["synthetic-noise", "/dev/null/x", "count=1", "duration_s=0.1"], "cannot be written"),
    ],
)
def test_what_prepare_refuses(cli, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    status, out, err = cli("prepare", *arguments, "--quiet")
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]


# mix


def test_mix_one_file(cli, files, tmp_path):
    status, out, _ = cli("mix", files / "a.wav", "street", "--snr", "-5", "-o", tmp_path / "noisy.wav")
    assert (status, out) == (0, [f"{tmp_path}/noisy.wav"])
    assert sf.info(tmp_path / "noisy.wav").frames == 4800


def test_mix_a_folder_at_many_snrs(cli, files, task, tmp_path):
    (files / "text.wav").write_text("no audio")
    status, out, err = cli("mix", files, task.noise, "--snr", "20", "-5", "-o", tmp_path / "out", "--stems", "--quiet")
    assert status == 2  # of the text
    assert len(out) == 1  # a summary, and not a line for each mix
    assert all(fact in out[0] for fact in (f"{tmp_path}/out: 12 mixes", f"{tmp_path}/out/mix.jsonl.gz", "1 failed"))
    assert (tmp_path / "out/machinery/-5dB/deep/b.noise.wav").is_file()
    assert len(err) == 1
    assert err[0].startswith(f"error: {files}/text.wav: not audio")


@pytest.mark.parametrize(
    ("speech", "noise", "snr", "reason"),
    [
        ("a.wav", "nowhere.wav", "5", "no such noise"),
        ("missing.wav", "street", "5", "no such file"),
        ("a.wav", "street", "nan", "give one number"),
    ],
)
def test_what_mix_refuses(cli, files, tmp_path, speech, noise, snr, reason):
    noise = noise if noise == "street" else tmp_path / noise
    status, out, err = cli("mix", files / speech, noise, "--snr", snr, "-o", tmp_path / "o.wav", "--quiet")
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]
    assert not (tmp_path / "o.wav").exists()


def test_mix_again_from_its_manifest(cli, files, tmp_path):
    assert cli("mix", files, "street", "--snr", "5", "-o", tmp_path / "out", "--quiet")[0] == 0
    arguments = ["mix", "--from-manifest", tmp_path / "out/mix.jsonl.gz", "-o", tmp_path / "again", "--quiet"]
    status, out, err = cli(*arguments)
    assert (status, err) == (0, [])
    assert out == [f"{tmp_path}/again: 3 mixes, manifest {tmp_path}/again/mix.jsonl.gz"]
    assert all((tmp_path / "again/street/5dB" / name).is_file() for name in ("a.wav", "c.wav", "deep/b.flac"))
    assert (tmp_path / "again/mix.jsonl.gz").read_bytes() == (tmp_path / "out/mix.jsonl.gz").read_bytes()
    sf.write(files / "a.wav", 0.5 * sf.read(files / "a.wav")[0], 16000)
    arguments[-2] = tmp_path / "third"
    status, out, err = cli(*arguments)
    assert (status, len(out), len(err)) == (2, 1, 1)
    assert "2 mixes" in out[0]
    assert f"its input {files}/a.wav is another file" in err[0]


def test_mix_needs_all_or_a_manifest(cli, files, tmp_path):
    for arguments in (["mix", "-o", "x"], ["mix", files, "street", "-o", "x"]):
        status, _, err = cli(*arguments)
        assert (status, len(err)) == (2, 1)
        assert "mix takes SPEECH NOISE ... --snr DB" in err[0]
    status, _, err = cli("mix", files, "street", "--from-manifest", "m.jsonl.gz", "-o", "x")
    assert (status, len(err)) == (2, 1)
    assert "leave them out" in err[0]


def test_mix_with_everything_on(cli, files, tmp_path):
    options = ["--snr-law", "uniform", "--background", "pink", "--background-db", "-20", "-10", "--lead-in", "0.1"]
    options += ["--trail", "0.1", "--band", "300", "3400", "--gain", "6", "--clip", "-6", "--mu-law", "--plot", "1"]
    status, out, err = cli("mix", files, "factory", "--snr", "0", "10", "-o", tmp_path / "out", "--quiet", *options)
    assert (status, len(out), err) == (0, 1, [])
    assert sf.info(tmp_path / "out/factory/a.wav").frames == 4800 + 2 * 1600
    assert (tmp_path / "out/factory/a.png").read_bytes()[:4] == b"\x89PNG"
    assert len(list((tmp_path / "out").rglob("*.png"))) == 1


def test_mix_several_noises_and_again_from_other_places(cli, files, task, tmp_path):
    for name, seed in (("hall/x.wav", 1), ("far/away/hum.wav", 2)):
        (tmp_path / name).parent.mkdir(parents=True)
        sf.write(tmp_path / name, 0.1 * np.random.default_rng(seed).standard_normal(32000), 16000)
    noises = ["street", tmp_path / "hall", task.noise, tmp_path / "far/away/hum.wav"]
    arguments = ["mix", files, *noises[:2], noises[3], "--snr", "5", "0", "--quiet", "-o"]
    status, out, err = cli(*arguments, tmp_path / "out")
    assert (status, err) == (0, [])
    assert "18 mixes" in out[0]  # of 3 utterances
    status, out, err = cli("mix", files, *noises, "--snr", "5", "-o", tmp_path / "double", "--quiet")
    assert (status, out, len(err)) == (2, [], 1)
    assert "'street'" in err[0]  # both the synthesised one and one of the manifest

    for alone, kind in zip((noises[0], noises[1], noises[3]), ("street", "hall", "hum"), strict=True):
        assert cli("mix", files, alone, "--snr", "5", "-o", tmp_path / "alone", "--quiet")[0] == 0
        path = Path(kind) / "5dB/deep/b.flac"
        assert (tmp_path / "out" / path).read_bytes() == (tmp_path / "alone" / path).read_bytes()
        shutil.rmtree(tmp_path / "alone")

    (tmp_path / "hall").rename(tmp_path / "moved")
    (tmp_path / "far").rename(tmp_path / "near")
    again = ["mix", "--from-manifest", tmp_path / "out/mix.jsonl.gz", "-o", tmp_path / "again", "--quiet"]
    assert cli(*again)[0] == 2
    shutil.rmtree(tmp_path / "again")
    status, _, err = cli(*again, "--noise-root", tmp_path / "moved", tmp_path / "near/away", tmp_path / "more")
    assert (status, len(err)) == (2, 1)
    assert f"{tmp_path}/more: " in err[0]
    status, _, err = cli(*again, "--noise-root", tmp_path / "moved", tmp_path / "near/away")
    assert (status, err) == (0, [])
    assert (tmp_path / "again/mix.jsonl.gz").read_bytes() == (tmp_path / "out/mix.jsonl.gz").read_bytes()


def test_an_interrupted_mix_says_how_to_go_on(cli, files, tmp_path, monkeypatch):
    from drsn_audio.datasets.mix_journal import Journal

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", stop)
        status, _, err = cli("mix", files, "street", "--snr", "5", "-o", tmp_path / "out", "--quiet")
    assert (status, err) == (130, ["stopped: 0 of 3 utterances are mixed; the same command goes on from there"])


# evaluate


def test_evaluate(cli, run, task, tmp_path):
    arguments = ["evaluate", "--model", run, "--manifest", task.test, "--noise", task.noise, "--folds", "3"]
    arguments += ["--snr", "20", "-5", "--draws", "1", "--kinds", "street", "-o", tmp_path / "r", "--quiet"]
    status, out, err = cli(*arguments)
    assert status == 0
    table = "\n".join(out)
    assert "street" in table
    assert "-5 dB" in table
    assert "tones" in table
    assert err == [f"{tmp_path}/r/{name}" for name in ("run.json", "table.md", "confusion.png", "accuracy.png")]
    facts = json.loads((tmp_path / "r/run.json").read_text())
    assert facts["conditions"][0]["snr_db"] == 20.0
    assert {c["noise_kind"] for c in facts["conditions"]} == {"clean", "street"}
    (clean,) = (c for c in facts["conditions"] if c["snr_db"] is None)
    assert clean["accuracy"] >= 6 / 7


def test_evaluate_mixes_and_name_the_run_of_a_checkpoint(cli, run, task, tmp_path):
    assert cli("mix", task.test, task.noise, "--snr", "10", "-o", tmp_path / "mixes", "--quiet")[0] == 0
    manifest = tmp_path / "mixes/mix.jsonl.gz"
    status, out, _ = cli("evaluate", "--model", run / "last.json", "--manifest", manifest, "--quiet")
    assert status == 0
    assert "machinery" in "\n".join(out)
    assert "tones" in "\n".join(out)
    status, _, err = cli("evaluate", "--model", run, "--manifest", manifest, "--noise", task.noise, "--quiet")
    assert (status, len(err)) == (2, 1)
    assert "is mixed with noise already" in err[0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--manifest", "nowhere.jsonl.gz"], "nowhere.jsonl.gz: no such manifest"),
        (["--noise", "TEST"], "carries no noise_kind"),
        (["--noise", "NOISE", "--folds", "9"], "nothing is left of kinds [] and folds [9]"),
        (["--noise", "NOISE", "--draws", "0"], "evaluate.draws=0"),
        (["--noise", "NOISE", "--snr", "nan"], "evaluate.snr_db=[nan]"),
        (["--snr", "5", "--draws", "2"], "--snr, --draws without --noise"),
        (["-o", "/dev/null/x"], "/dev/null/x: Not a directory: check the path"),
    ],
)
def test_what_evaluate_refuses(cli, run, task, arguments, reason):
    arguments = [{"TEST": task.test, "NOISE": task.noise}.get(word, word) for word in arguments]
    status, out, err = cli("evaluate", "--manifest", task.test, "--model", run, *arguments, "--quiet")
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]


def test_a_word_that_the_model_does_not_know(cli, run, files, tmp_path):
    cli("prepare", "folder", files.parent, tmp_path / "m", "test_share=0.999", "dev_share=0")
    manifest = next((tmp_path / "m").glob("*.jsonl.gz"))
    status, _, err = cli("evaluate", "--model", run, "--manifest", manifest, "--quiet")
    assert status == 2
    assert "its word 'in' is no label of the model" in err[-1]


def test_real_words(cli, run, real_audio):
    """A model that knows three tones hears speech: any answer will do, but one for each file."""
    status, out, _ = cli(
        "classify", f"{real_audio}/speech_commands_subset/yes/*_nohash_0.flac", "--model", run, "--json"
    )
    assert status == 0
    assert len(out) > 20
