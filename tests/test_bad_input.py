"""The index of bad input: what each command says of it. One line on stderr that names it and says why, status 2,
everything else of the call is still done, and nothing is executed, hung on or passed over in silence.

Details stand with the modules: test_audio.py, models/test_checkpoint.py, datasets/test_manifests.py.
"""

import gzip
import hashlib
import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.cli import main
from drsn_audio.corpora.cuts import SpeechFile, make_cut, write_cuts

RATE = 16000


@pytest.fixture
def cli(capsys):
    """Run a command; its status, and the lines of stdout and stderr."""

    def call(*arguments):
        status = main([*map(str, arguments), "--quiet"])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    yield call
    logging.getLogger("drsn_audio").handlers = []


def sound(seconds=1.0, rate=RATE):
    """A tone that comes and goes, in hiss."""
    time_s = np.arange(round(seconds * rate)) / rate
    hiss = 0.01 * np.random.default_rng(0).standard_normal(len(time_s))
    return (0.3 * np.sin(2 * np.pi * 400 * time_s) * np.sin(np.pi * time_s / seconds) + hiss).astype(np.float32)


# files that cannot be used


def cut(path, wave, share):
    sf.write(path, wave, RATE)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def spoiled(path, value):
    wave = sound()
    wave[RATE // 2] = value
    sf.write(path, wave, RATE, subtype="FLOAT")


BAD = {  # name: (make it, what is said)
    "text.wav": (lambda path: path.write_text("not audio at all " * 20), "not audio"),
    "empty.wav": (lambda path: path.touch(), "not audio"),
    "half-a-header.wav": (lambda path: cut(path, sound(), 20 / 32044), "not audio"),
    "header-alone.wav": (lambda path: cut(path, sound(), 44 / 32044), "holds no samples"),
    "torn.flac": (lambda path: cut(path, sound(4), 0.5), "not audio"),
    "torn.ogg": (lambda path: cut(path, sound(), 0.1), "not audio"),
    "nan.wav": (lambda path: spoiled(path, np.nan), "NaN or infinite"),
    "inf.wav": (lambda path: spoiled(path, -np.inf), "NaN or infinite"),
    "lost.wav": (lambda path: path.symlink_to("nowhere.wav"), "no such file"),
    "pipe.wav": (lambda path: os.mkfifo(path), "is a pipe or a device"),
    "null.wav": (lambda path: path.symlink_to("/dev/null"), "is a pipe or a device"),
    "1Hz.wav": (lambda path: sf.write(path, sound(), 1), "1 Hz"),
}
TOO_LITTLE = {  # audio, but not enough for a command
    "sample.wav": (np.full(1, 0.1), {"classify": "too short", "estimate-snr": "too short"}),
    "silent.wav": (np.zeros(RATE), {"mix": "silent speech", "estimate-snr": "silent"}),
    "clipped.wav": (np.sign(sound()), {"estimate-snr": "clipped"}),
}
COMMANDS = {
    "classify": lambda folder, run, out: ["classify", folder, "--model", run],
    "classify --json": lambda folder, run, out: ["classify", folder, "--model", run, "--json"],
    "estimate-snr": lambda folder, run, out: ["estimate-snr", folder],
    "estimate-snr --json": lambda folder, run, out: ["estimate-snr", folder, "--json"],
    "mix": lambda folder, run, out: ["mix", folder, "street", "--snr", "5", "-o", out],
}


def told(status, err, path, reason):
    assert status == 2
    assert len(err) == 1, err
    assert err[0].startswith(f"error: {path}")
    assert reason in err[0]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_file_among_good_ones(cli, run, tmp_path, command, name):
    make, reason = BAD[name]
    folder = tmp_path / "in"
    folder.mkdir()
    for good in ("a.wav", "z.wav"):
        sf.write(folder / good, sound(), RATE)
    make(folder / name)
    status, out, err = cli(*COMMANDS[command](folder, run, tmp_path / "out"))
    told(status, err, folder / name, reason)
    answers = [line for line in out if '"error"' not in line]
    if command == "mix":
        assert "2 mixes" in answers[0]
        answers = sorted(str(path) for path in (tmp_path / "out").rglob("*.wav"))
    assert len(answers) == 2
    assert "a.wav" in answers[0]
    assert "z.wav" in answers[1]
    assert len(out) == {"mix": 1}.get(command, 3 if command.endswith("--json") else 2)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("corpus", ["folder", "noise-folder"])
def test_prepare_leaves_a_bad_file_out_and_says_so(cli, tmp_path, corpus, name):
    make, reason = BAD[name]
    (tmp_path / "in/yes").mkdir(parents=True)
    sf.write(tmp_path / "in/yes/a.wav", sound(), RATE)
    make(tmp_path / "in/yes" / name)
    options = ["test_share=0", "dev_share=0"] if corpus == "folder" else []
    status, out, err = cli("prepare", corpus, tmp_path / "in", tmp_path / "m", *options)
    assert (status, err) == (0, [])
    assert " 1 train " in out[0] or " 1 noise " in out[0]
    said = "\n".join(out)
    assert "skipped 1 files" in said
    assert str(tmp_path / "in/yes" / name) in said
    assert reason in said


@pytest.mark.parametrize(("name", "command"), [(n, c) for n, (_, said) in TOO_LITTLE.items() for c in said])
def test_too_little_for_a_command(cli, run, tmp_path, name, command):
    wave, said = TOO_LITTLE[name]
    sf.write(tmp_path / name, wave, RATE)
    status, out, err = cli(*COMMANDS[command](tmp_path / name, run, tmp_path / "out.wav"))
    told(status, err, tmp_path / name, said[command])
    assert out == []


@pytest.mark.parametrize("command", ["classify", "estimate-snr", "mix"])
@pytest.mark.parametrize(
    ("place", "reason"),
    [("missing.wav", "no such file"), ("folder", "a folder without audio files"), ("*.wav", "no file matches")],
)
def test_nothing_there(cli, run, tmp_path, command, place, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x.wav").mkdir()  # a folder, whatever it is called
    status, out, err = cli(*COMMANDS[command](tmp_path / place, run, tmp_path.parent / "out"))
    told(status, err, tmp_path / place, reason)
    assert out == []


def test_a_folder_named_as_a_file(cli, run, tmp_path):
    (tmp_path / "x.wav").mkdir()
    sf.write(tmp_path / "x.wav/inside.wav", sound(), RATE)
    status, out, _ = cli("classify", tmp_path / "x.wav", "--model", run)
    assert (status, len(out)) == (0, 1)


def as_nobody(*arguments):
    """The command without the rights of root, who may read everything."""
    code = (
        "import os, sys, drsn_audio.noise.estimate; from drsn_audio.cli import main; os.seteuid(65534); "
        "sys.exit(main(sys.argv[1:]))"  # imported before, for the libraries may be root's alone
    )
    command = [sys.executable, "-c", code, *map(str, arguments), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def test_no_permission():
    """Neither a file nor a folder in the middle of the walk is passed over in silence."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user, who may not read this")
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to others
        folder = Path(place)
        folder.chmod(0o755)
        (folder / "m").mkdir()
        for name in ("a.wav", "b.wav", "m/c.wav", "z.wav"):
            sf.write(folder / name, sound(), RATE)
        for closed in ("b.wav", "m"):
            (folder / closed).chmod(0)
        status, out, err = as_nobody("estimate-snr", folder)
    assert (status, len(out), len(err)) == (2, 2, 2)
    told(status, err[:1], folder / "b.wav", "Permission denied")
    told(status, err[1:], folder / "m", "cannot be searched (Permission denied)")


def test_a_closed_folder_in_each_walk(cli, tmp_path, monkeypatch):
    """The other walks: mix goes on and tells at the end, prepare makes nothing of half a corpus."""
    (tmp_path / "in/yes").mkdir(parents=True)
    (tmp_path / "in/no").mkdir()
    sf.write(tmp_path / "in/yes/a.wav", sound(), RATE)
    scandir, closed = os.scandir, str(tmp_path / "in/no")

    def refuse(place):
        if str(place) == closed:
            raise PermissionError(13, "Permission denied", closed)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    status, out, err = cli("mix", tmp_path / "in", "street", "--snr", "5", "-o", tmp_path / "out")
    assert (status, len(out), len(err)) == (2, 1, 1)
    assert f"{closed}: cannot be searched" in err[0]
    assert (tmp_path / "out/mix.jsonl.gz").is_file()
    for corpus in ("folder", "noise-folder"):
        status, out, err = cli("prepare", corpus, tmp_path / "in", tmp_path / "m")
        told(status, err, closed, "cannot be searched")
        assert out == []
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", [b"new\nline.wav", b"latin1-\xe9.wav"], ids=["newline", "not UTF-8"])
def test_odd_names(cli, run, tmp_path, name):
    """Sound under any name is used where the name need not be written down; a line of output stays one line."""
    folder = tmp_path / "in"
    (folder / "yes").mkdir(parents=True)
    sf.write(tmp_path / "a.wav", sound(), RATE)
    shutil.copy(tmp_path / "a.wav", folder / "yes/a.wav")
    shutil.copy(os.fsencode(tmp_path / "a.wav"), os.path.join(os.fsencode(folder / "yes"), name))
    for command in ("classify", "classify --json", "estimate-snr", "estimate-snr --json"):
        status, out, err = cli(*COMMANDS[command](folder, run, None))
        assert (status, len(out), err) == (0, 2, [])
    status, out, err = cli(*COMMANDS["mix"](folder, run, tmp_path / "out"))
    prepared = cli("prepare", "folder", folder, tmp_path / "m", "dev_share=0", "test_share=0")[1]
    if b"\n" in name:
        assert (status, len(err)) == (0, 0)
        assert " 2 train " in prepared[0]
    else:
        assert (status, len(out), len(err)) == (2, 1, 1)
        assert "its name is not UTF-8" in err[0]
        assert any("its name is not UTF-8" in line for line in prepared)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("8k.wav", 8000, 1, "PCM_16"),
        ("stereo.wav", 48000, 2, "PCM_24"),
        ("u8.wav", 22050, 1, "PCM_U8"),
        ("fast.wav", 192000, 1, "FLOAT"),
        ("torn-but-long-enough.wav", RATE, 1, "PCM_16"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_unusual_but_usable(cli, run, tmp_path, command, name, rate, channels, subtype):
    path = tmp_path / name
    sf.write(path, np.stack([sound(1, rate)] * channels, axis=1), rate, subtype=subtype)
    if "torn" in name:
        path.write_bytes(path.read_bytes()[:20001])
    status, out, err = cli(*COMMANDS[command](path, run, tmp_path / "out.wav"))
    assert (status, len(out), err) == (0, 1, [])


# manifests


def cuts_of(path, *names):
    cuts = [make_cut(SpeechFile(name, path.parent / f"{name}.wav", "test", "low", "ann")) for name in names]
    write_cuts(cuts, path)
    return path


@pytest.fixture
def manifest(tmp_path):
    for name in ("a", "b", "c"):
        sf.write(tmp_path / f"{name}.wav", sound(), RATE)
    return cuts_of(tmp_path / "cuts.jsonl.gz", "a", "b", "c")


def twice(path):
    path.write_bytes(path.read_bytes() * 2)


BAD_MANIFESTS = {
    "missing": (lambda path: path.unlink(), "no such manifest"),
    "zero bytes": (lambda path: path.write_bytes(b""), "holds no cuts"),
    "no lines": (lambda path: path.write_bytes(gzip.compress(b"")), "holds no cuts"),
    "torn": (lambda path: path.write_bytes(path.read_bytes()[:-20]), "not a readable manifest"),
    "no gzip": (lambda path: path.write_bytes(b"[" * 50), "not a readable manifest"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "not a readable manifest"),
    "not JSON": (lambda path: path.write_bytes(gzip.compress(b"{]\n")), "not a readable manifest"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "no such manifest"),
    "one id twice": (twice, "two utterances have the id 'a'"),
}


@pytest.mark.parametrize("what", BAD_MANIFESTS)
@pytest.mark.parametrize("command", ["evaluate", "mix"])
def test_a_bad_manifest(cli, run, manifest, command, what):
    harm, reason = BAD_MANIFESTS[what]
    harm(manifest)
    arguments = ["--manifest", manifest, "--model", run]
    if command == "mix":
        arguments = [manifest, "street", "--snr", "5", "-o", manifest.parent / "out"]
    status, out, err = cli(command, *arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]


@pytest.mark.parametrize("name", ["lost.wav", "text.wav", "nan.wav", "torn.flac", "pipe.wav"])
def test_a_manifest_that_names_a_bad_file(cli, run, manifest, name):
    """A mix of the others is made; a number over the others alone would be no answer to what was asked."""
    (manifest.parent / "b.wav").unlink()
    BAD[name][0](manifest.parent / f"new-{name}")
    (manifest.parent / f"new-{name}").rename(manifest.parent / "b.wav")
    status, out, err = cli("evaluate", "--manifest", manifest, "--model", run)
    told(status, err, manifest.parent / "b.wav", "prepare it again")
    assert out == []
    status, out, err = cli("mix", manifest, "street", "--snr", "5", "-o", manifest.parent / "out")
    told(status, err, manifest.parent / "b.wav", "prepare it again")
    assert len(out) == 1
    assert "2 mixes" in out[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_training_on_a_lost_file(capsys, config, manifest, task, tmp_path, workers):
    import dataclasses

    from drsn_audio.cli import guarded
    from drsn_audio.training.loop import train

    (manifest.parent / "b.wav").unlink()
    data = dataclasses.replace(config.data, train=[str(manifest)])
    settings = dataclasses.replace(config.train, workers=workers, epochs=1)
    broken = dataclasses.replace(config, data=data, train=settings, run=str(tmp_path / "run"))
    assert guarded(lambda: print(train(broken)), quiet=True) == 2
    out, err = capsys.readouterr()
    told(2, err.splitlines()[-1:], manifest.parent / "b.wav", "no such file")
    assert out == ""


# one name for two


def test_two_files_of_one_utterance(cli, tmp_path):
    (tmp_path / "in/yes").mkdir(parents=True)
    for name in ("a.wav", "a.flac"):
        sf.write(tmp_path / "in/yes" / name, sound(), RATE)
    status, out, err = cli("prepare", "folder", tmp_path / "in", tmp_path / "m")
    assert (status, out, len(err)) == (2, [], 1)
    assert "in/yes/a" in err[0]
    assert not (tmp_path / "m").exists()


def test_two_mixes_of_one_name(cli, tmp_path):
    """a.wav and a.flac have one name for their stems: the second is told, not written over the first."""
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in/a.flac", sound(), RATE)
    sf.write(tmp_path / "in/a.wav", sound(2), RATE)
    status, out, err = cli("mix", tmp_path / "in", "street", "--snr", "5", "-o", tmp_path / "out", "--stems")
    told(status, err, tmp_path / "in/a.wav", "holds the mix of another input")
    assert len(out) == 1
    assert sf.info(tmp_path / "out/street/5dB/a.clean.wav").frames == RATE


# names that are not known


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["prepare", "speech-comands", "a", "b"], "did you mean 'speech-commands'?"),
        (["prepare", "folder", "a", "b", "spaker_pattern=x"], "did you mean 'speaker_pattern'?"),
        (["mix", "GOOD", "steet", "--snr", "5", "-o", "o.wav"], "steet: no such noise"),
        (["classify", "GOOD", "--model", "comands-12"], "comands-12"),
        (["evaluate", "--model", "comands-12", "--manifest", "TEXTED"], "comands-12"),
        (
            ["evaluate", "--model", "RUN", "--manifest", "TEXTED"],
            "its word 'hig' is no label of the model; did you mean",
        ),
    ],
)
def test_an_unknown_name(cli, run, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    sf.write("good.wav", sound(), RATE)
    write_cuts([make_cut(SpeechFile("a", tmp_path / "good.wav", "test", "hig", "ann"))], tmp_path / "t.jsonl.gz")
    known = {"GOOD": "good.wav", "RUN": run, "TEXTED": "t.jsonl.gz"}
    status, out, err = cli(*(known.get(word, word) for word in arguments))
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]


# checkpoints


class Payload:
    """Unpickled, it writes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def edit(folder, **changes):
    described = json.loads((folder / "best.json").read_text())
    (folder / "best.json").write_text(json.dumps({**described, **changes}))


def edit_model(folder, **changes):
    edit(folder, model={**json.loads((folder / "best.json").read_text())["model"], **changes})


def weights(folder):
    return folder / json.loads((folder / "best.json").read_text())["weights"]


def flip(path, at):
    blob = bytearray(path.read_bytes())
    blob[at] ^= 1
    path.write_bytes(blob)


def pickled_weights(folder):
    blob = pickle.dumps(Payload(folder / "executed"))
    weights(folder).write_bytes(blob)
    edit(folder, sha256=hashlib.sha256(blob).hexdigest())


def torch_weights(folder):
    import torch

    torch.save({"a": Payload(folder / "executed")}, weights(folder))
    edit(folder, sha256=hashlib.sha256(weights(folder).read_bytes()).hexdigest())


def outside(folder):
    target = folder.parent / "elsewhere.safetensors"
    weights(folder).rename(target)
    edit(folder, weights="../elsewhere.safetensors")


BAD_CHECKPOINTS = {
    "weights torn": (lambda f: weights(f).write_bytes(weights(f).read_bytes()[:-9]), "is torn or was changed"),
    "weights missing": (lambda f: weights(f).unlink(), "no such file"),
    "a bit of the weights flipped": (lambda f: flip(weights(f), -1), "is torn or was changed"),
    "JSON torn": (lambda f: (f / "best.json").write_bytes((f / "best.json").read_bytes()[:99]), "not a whole"),
    "JSON empty": (lambda f: (f / "best.json").write_bytes(b""), "not a whole"),
    "JSON of something else": (lambda f: (f / "best.json").write_text("[1]"), "not a whole"),
    "digest changed": (lambda f: edit(f, sha256="0" * 64), "is torn or was changed"),
    "weights pickled": (pickled_weights, "not a whole"),
    "weights of torch.save": (torch_weights, "not a whole"),
    "JSON pickled": (lambda f: (f / "best.json").write_bytes(pickle.dumps(Payload(f / "executed"))), "not a whole"),
    "another format": (lambda f: edit(f, format=99), "checkpoint format 99"),
    "a label more": (lambda f: edit_model(f, labels=["a", "b", "c", "d", "e"]), "not a whole"),
    "a size that is not theirs": (lambda f: edit_model(f, width=3), "not a whole"),
    "a key that is unknown": (lambda f: edit_model(f, widht=3), "did you mean 'width'?"),
    "weights elsewhere": (outside, "no such file"),
    "weights anywhere": (lambda f: edit(f, weights="/etc/passwd"), "no such file"),
    "weights a number": (lambda f: edit(f, weights=7), "not a whole"),
}


@pytest.mark.parametrize("what", BAD_CHECKPOINTS)
def test_a_bad_checkpoint(cli, run, tmp_path, what):
    model = tmp_path / "model"
    model.mkdir()
    for path in run.glob("best*"):
        shutil.copy(path, model)
    sf.write(tmp_path / "a.wav", sound(), RATE)
    harm, reason = BAD_CHECKPOINTS[what]
    harm(model)
    status, out, err = cli("classify", tmp_path / "a.wav", "--model", model)
    told(status, err, model, reason)
    assert out == []
    assert not (model / "executed").exists()


def test_the_payload_would_run_if_it_were_unpickled(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "executed"))).close()
    assert (tmp_path / "executed").exists()
