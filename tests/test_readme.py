"""README's commands, pasted one after the other where `make demo` has been: they work, and they answer right.

The demo takes minutes, so it is not run here: `make demo` goes before, in the same checkout.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import read_audio

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "runs" / "demo"
WORDS = "yes left stop go"  # of runs/demo/words.wav
NOISY = "runs/demo/noisy.wav"  # "stop"
LIVE = "yes"  # in live.wav

THE_DEMO, THE_TESTS = "is what this test begins with", "are what is running"
NOT_RUN = {  # the beginning of a command -> why it is not run here
    "make demo": THE_DEMO,
    "make test": THE_TESTS,
    "python3 -m venv": "needs a package registry",
    ".venv/bin/python -m pip install": "needs a package registry",
    ".venv/bin/python recipes/keywords/demo.py": THE_DEMO,
    ".venv/bin/python -m pytest": THE_TESTS,
    "drsn-audio stream mic": "needs a microphone",
    "arecord": "needs a microphone and a loudspeaker; the command between the pipes is run below",
    "accelerate launch --multi_gpu": "needs eight GPUs, and corpora that are not free to copy",
}
A_STEP = "train.max_steps=2 evaluate.draws=1 evaluate.replicates=20 'evaluate.snr_db=[5]'"
SHORTER = {  # the beginning of a command -> what goes behind it, so that it takes a minute and not twenty
    "python recipes/keywords/train.py init=commands-12": A_STEP,
    "python recipes/keywords/train.py --synthesise": A_STEP,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (DEMO / "words.wav").exists(), reason=f"{DEMO} is not there: run `make demo` before"),
]


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Code blocks of a markdown page in their order: ("python" of a fence, or "shell" where indented, code)."""
    pattern = re.compile(r"^```(\w+)\n((?:.*\n)*?)```$|((?:^ {4}.*\n)+)", re.MULTILINE)
    return [(found[1], found[2]) if found[1] else ("shell", found[3]) for found in pattern.finditer(text)]


def commands_of(block: str) -> list[str]:
    """Commands of a shell block; a line that ends with a backslash goes on in the next."""
    return [line.strip() for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.fixture
def clone(tmp_path):
    """A folder as a fresh clone is after `make demo`, with recordings of two words and of a place beside it."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("recipes", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    shutil.copytree(DEMO, folder / "runs" / "demo", ignore=shutil.ignore_patterns("tensorboard", ".lock"))
    for word in ("stop", "go"):
        recordings = sorted((folder / "runs/demo/data/commands/test" / word).iterdir())[:5]
        (folder / "my-words" / word).mkdir(parents=True)
        for number, path in enumerate(recordings):
            shutil.copy(path, folder / "my-words" / word / f"{number}.flac")
    (folder / "my-noise").mkdir()
    hiss = np.random.default_rng(0).standard_normal(10 * 16000)
    sf.write(folder / "my-noise" / "hall.wav", 0.05 * hiss / np.abs(hiss).max(), 16000)
    return folder


def paste(clone: Path) -> dict[str, str]:
    """Run README's commands and Python blocks in their order; what each printed on stdout. All of them work."""
    found: dict[str, str] = {}
    python = ""
    for kind, block in blocks_of((ROOT / "README.md").read_text()):
        if kind == "python":  # one session: what was imported before is there
            python += block
            found[block] = run([sys.executable, "-c", python], clone)
            continue
        for command in commands_of(block):
            if not any(command.startswith(begin) for begin in NOT_RUN):
                more = next((f" {more}" for begin, more in SHORTER.items() if command.startswith(begin)), "")
                found[command] = run(["bash", "-c", f"source .venv/bin/activate && {command}{more}"], clone)
    return found


def run(command: list[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "DRSN_AUDIO_DATA"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, f"{command[-1]}\n{ran.stdout}{ran.stderr}"
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.stdout


def lines_of(printed, command):
    """Of the one command that begins so."""
    (found,) = [out for name, out in printed.items() if name.startswith(command)]
    return found.splitlines()


def test_what_is_not_run_is_in_the_readme():
    commands = [line for kind, code in blocks_of((ROOT / "README.md").read_text()) for line in commands_of(code)]
    for begin in (*NOT_RUN, *SHORTER):
        assert any(command.startswith(begin) for command in commands), f"README has no command {begin!r} any more"


def check_mixes_are_made_and_made_again(printed, clone):
    assert (clone / "mixes" / "mix.jsonl.gz").exists()
    made = {path.relative_to(clone / "mixes"): path for path in (clone / "mixes").rglob("*.flac")}
    assert len(made) == 3 * 200  # SNRs; ten words of twenty voices
    for name, path in made.items():
        assert (clone / "mixes-again" / name).read_bytes() == path.read_bytes()
    (table,) = [out for name, out in printed.items() if "mixed-test/mix.jsonl.gz" in name]
    assert "5 dB" in table


def check_keywords_are_named(printed, clone):
    noisy, *others = lines_of(printed, f"drsn-audio classify {NOISY}")
    assert noisy.split("\t")[:2] == [NOISY, "stop"]
    assert len(others) == 20
    assert sum("\tstop\t" in line for line in others) >= 14  # the shipped model learnt from people's voices
    answers = list(map(json.loads, lines_of(printed, "drsn-audio classify 'mixes/street/-5dB")))
    assert len(answers) >= 200
    assert all(answer["score"] == answer["scores"][answer["label"]] for answer in answers)


def check_live_sound_and_python(printed, clone):
    events = list(map(json.loads, lines_of(printed, "drsn-audio stream live.wav")))
    assert [event["label"] for event in events if event["kind"] == "keyword"] == [LIVE]
    out = [text for code, text in printed.items() if "import drsn_audio" in code or "drsn_audio.load" in code]
    classified, live, written, _ = out  # each holds what those before it printed, too
    assert classified.split()[0] == "stop"
    assert classified.splitlines()[1].endswith(" stop")
    assert LIVE in live[len(classified) :].split()
    assert written[len(live) :].startswith(WORDS)


def check_words_are_written(printed, clone):
    (line,) = lines_of(printed, "drsn-audio transcribe runs/demo/words.wav")
    assert line.endswith(WORDS)
    assert len(list((clone / "subtitles").rglob("*.srt"))) >= 600
    assert lines_of(printed, "torchrun")  # as many lines as it wrote; there was nothing left to do


def check_noise_is_taken_away(printed, clone):
    noisy, quiet = (read_audio(clone / name)[0] for name in (NOISY, "denoised.wav"))
    assert quiet.shape == noisy.shape
    assert np.sqrt(np.mean(quiet**2)) < np.sqrt(np.mean(noisy**2))
    assert len(list((clone / "denoised").rglob("*.flac"))) >= 600


def check_pictures_and_estimates(printed, clone):
    (estimate,) = map(json.loads, lines_of(printed, "drsn-audio estimate-snr"))
    assert -10 <= estimate["snr_db"] <= 20  # it is 5 dB; single words are estimated badly
    assert (clone / "noisy.png").read_bytes().startswith(b"\x89PNG")


def check_models_are_trained_and_measured(printed, clone):
    for name in ("mine", "own-words"):
        left = {path.name for path in (clone / "runs" / name).iterdir()}
        assert {"best.json", "config.yaml", "report.txt", "table.md", "confusion.png"} <= left
    results = json.loads((clone / "results" / "run.json").read_text())
    (clean,) = [one for one in results["conditions"] if one["noise_kind"] == "clean"]
    assert clean["accuracy"] > 0.6  # after a training of minutes
    assert lines_of(printed, "python recipes/keywords/train.py --config")
    assert any("runs/demo" in line for line in lines_of(printed, "drsn-audio runs"))


def check_the_command_between_the_pipes(printed, clone):
    """README pipes a microphone through it into a loudspeaker."""
    command = "drsn-audio stream - --denoise"
    assert command in (ROOT / "README.md").read_text()
    command = f"source .venv/bin/activate && {command}"
    samples = (read_audio(clone / NOISY)[0] * 32767).astype("<i2").tobytes()
    ran = subprocess.run(["bash", "-c", command], cwd=clone, input=samples, capture_output=True)
    assert ran.returncode == 0
    assert len(ran.stdout) == len(samples)


def test_commands_pasted_one_after_the_other(clone):
    """One test: what a command leaves behind is what the next ones need."""
    printed = paste(clone)
    for check in (
        check_mixes_are_made_and_made_again,
        check_keywords_are_named,
        check_live_sound_and_python,
        check_words_are_written,
        check_noise_is_taken_away,
        check_pictures_and_estimates,
        check_models_are_trained_and_measured,
        check_the_command_between_the_pipes,
    ):
        check(printed, clone)
