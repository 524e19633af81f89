"""The examples in the help of every command work as they are pasted, in a folder as `make demo` leaves it."""

import importlib
import logging
import re
import shlex
import shutil
from pathlib import Path

import pytest
import soundfile as sf

from drsn_audio import pretrained
from drsn_audio.cli import main
from drsn_audio.corpora import CORPORA
from drsn_audio.corpora.cuts import SpeechFile
from drsn_audio.corpora.prepare import prepare

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "keywords"
COMMANDS = (
    "prepare", "mix", "shard", "runs", "estimate-snr", "classify", "transcribe", "denoise", "explain", "stream",
    "push", "evaluate",
)  # fmt: skip
DEFAULT_MODELS = {
    "classify": "commands-12",
    "transcribe": "words-20-stream",
    "denoise": "denoise-small",
    "explain": "commands-12",
    "stream": "commands-12-stream",
}
RUN_HERE = ("answers", "calibrate", "evaluate")
# Their arguments are parsed and no more is done: they need corpora or the runs that came of them, or write into the
# package (ship, card), or take minutes (demo, streams, tune, train; the last one's requests and configs
# are read).
PARSED_ONLY = (
    "card", "demo", "evidence", "folds", "peers", "prepare", "ship", "streams", "thresholds", "train",
    "tune",
)  # fmt: skip


def examples_of(text):
    """The lines below "example:" or "examples...:", those that end with a backslash joined with the next."""
    block = re.search(r"^examples?\b.*:\n((?:  .+\n?)+)", text, re.MULTILINE)
    assert block, text
    return [line.strip() for line in block[1].replace("\\\n", " ").splitlines()]


def script(name, monkeypatch):
    monkeypatch.syspath_prepend(str(RECIPE))
    return importlib.import_module(name)


def scripts():
    return sorted(path.stem for path in RECIPE.glob("*.py") if "ArgumentParser" in path.read_text())


@pytest.fixture(scope="module")
def demo(run, say, tmp_path_factory):
    """A folder that holds runs/demo: a model, two wavs, clips of the test and noise, with their manifests."""
    root = tmp_path_factory.mktemp("pasted")
    left = shutil.copytree(run, root / "runs" / "demo")
    for name in ("noisy.wav", "words.wav"):
        sf.write(left / name, say("low", "eve", duration_s=1.0), 16000)
    clips = []
    for word in ("low", "mid", "high"):
        for speaker in ("eve", "finn"):
            path = left / "data" / "commands" / "test" / word / f"{speaker}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, say(word, speaker), 16000)
            clips.append(SpeechFile(f"{word}/{speaker}", path, "test", word, speaker))
    prepare("voices", left / "data" / "commands", clips, progress=False)
    CORPORA["synthetic-noise"](None, left / "data" / "noise", count=5, duration_s=1.0, progress=False)
    return root


@pytest.fixture
def pasted(demo, monkeypatch):
    monkeypatch.chdir(demo)
    yield demo
    logging.getLogger("drsn_audio").handlers = []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_the_command(pasted, capsys, command):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    for example in examples_of(capsys.readouterr().out):
        program, *arguments = shlex.split(example)
        assert (program, arguments[0]) == ("drsn-audio", command)
        if "--model" not in arguments and DEFAULT_MODELS.get(command, "") not in ("", *pretrained.names()):
            continue  # its default is not shipped with this checkout
        assert main(arguments) == 0, capsys.readouterr().err
        assert capsys.readouterr().out


@pytest.mark.slow
def test_every_script_of_the_recipe_is_known_here():
    assert scripts() == sorted({*RUN_HERE, *PARSED_ONLY})


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN_HERE)
def test_examples_of_the_recipe_that_the_demo_is_enough_for(pasted, monkeypatch, capsys, name):
    module = script(name, monkeypatch)
    for arguments in script_examples(module, name):
        monkeypatch.setattr("sys.argv", [f"{name}.py", *arguments])
        assert module.main() == 0, capsys.readouterr().err
        assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSED_ONLY)
def test_examples_of_the_recipe_are_parsed(pasted, monkeypatch, name):
    module = script(name, monkeypatch)
    started = []
    monkeypatch.setattr(module, "guarded", lambda command: started.append(command) or 0)
    examples = script_examples(module, name)
    for arguments in examples:
        monkeypatch.setattr("sys.argv", [f"{name}.py", *arguments])
        assert module.main() == 0
    assert len(started) == len(examples)  # none was taken for --help, none refused


@pytest.mark.slow
def test_the_requests_and_configs_of_training_are_read(monkeypatch, tmp_path):
    """All of train.py but the work: no override, key or file in its examples is unknown."""
    train, words, report = (script(name, monkeypatch) for name in ("train", "own_words", "own_report"))
    trained = []
    monkeypatch.setattr("drsn_audio.training.loop.train", trained.append)
    monkeypatch.setattr(words, "prepare_own_words", lambda request: request)
    monkeypatch.setattr(report, "print_report", lambda run: None)
    (tmp_path / "recipes").symlink_to(RECIPE.parent)  # and no runs/ that a request would find taken
    monkeypatch.chdir(tmp_path)
    examples = script_examples(train, "train")
    for arguments in examples:
        monkeypatch.setattr("sys.argv", ["train.py", *arguments])
        assert train.main() == 0
    assert len(trained) == len(examples)


def script_examples(module, name):
    """Arguments of the examples in a script's docstring; what is to be installed before is left out."""
    found = [shlex.split(line) for line in examples_of(module.__doc__) if not line.startswith("pip install ")]
    assert found
    for program, path, *_ in found:
        assert (program, path) == ("python", f"recipes/keywords/{name}.py")
    return [arguments for _, _, *arguments in found]
