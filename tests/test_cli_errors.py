"""What goes wrong: the user's errors are one line and status 2, bugs keep their traceback; help and the parser."""

import logging
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from drsn_audio import __version__
from drsn_audio.audio import AudioError
from drsn_audio.cli import guarded, main
from drsn_audio.config import ConfigError
from drsn_audio.corpora.espeak import EspeakError
from drsn_audio.datasets.manifests import ManifestError
from drsn_audio.errors import InputError
from drsn_audio.metrics.keyword import balanced_accuracy
from drsn_audio.models.checkpoint import CheckpointError
from drsn_audio.noise.speed import change_speed

RATE = 16000
COMMANDS = ("prepare", "mix", "classify", "denoise", "explain", "stream", "evaluate", "estimate-snr")


@pytest.fixture(autouse=True)
def _no_handlers_are_left():
    yield
    logging.getLogger("drsn_audio").handlers = []


def raise_(error):
    raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AudioError("a.wav: silent: leave it out"), "error: a.wav: silent: leave it out"),
        (PermissionError(13, "Permission denied", "out/x"), "error: out/x: Permission denied: check the path"),
        (OSError(28, "No space left on device"), "error: a file: No space left on device"),
        (ModuleNotFoundError("no", name="espeakng_loader"), "error: espeakng_loader is not installed: pip install"),
        (AudioError("a\nb\r.wav: silent: leave it out"), "error: a\\nb\\r.wav: silent: leave it out"),
        (InputError("snr_db is []: give one"), "error: snr_db is []: give one"),
    ],
)
def test_errors_of_the_user_are_one_line(capsys, error, line):
    assert guarded(lambda: raise_(error)) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(line)


class _Torn(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise AudioError("a.wav: gone: prepare it again")


def test_an_error_in_a_loader_s_process_is_one_line_without_its_traceback(capsys):
    assert guarded(lambda: list(torch.utils.data.DataLoader(_Torn(), num_workers=1))) == 2
    assert capsys.readouterr().err == "error: a.wav: gone: prepare it again\n"


@pytest.mark.parametrize("kind", [AudioError, CheckpointError, ConfigError, EspeakError, ManifestError])
def test_every_kind_of_wrong_input_is_an_input_error(kind):
    assert issubclass(kind, InputError)
    assert issubclass(kind, ValueError)  # so that callers need not know our classes


@pytest.mark.parametrize(
    ("bug", "kind"),
    [
        (lambda: raise_(KeyError("noise_kind")), KeyError),
        (lambda: raise_(ValueError("of another program")), ValueError),
        (lambda: np.zeros(2) + np.zeros(3), ValueError),
        (lambda: int("x"), ValueError),
        (lambda: balanced_accuracy(np.zeros((2, 2), int)), ValueError),  # of ours, but no input can bring it about
        (lambda: raise_(UnicodeDecodeError("utf8", b"a", 0, 1, "no")), UnicodeDecodeError),
        (lambda: raise_(ModuleNotFoundError("no", name="drsn_audio.nothing")), ModuleNotFoundError),
    ],
)
def test_bugs_keep_their_traceback(bug, kind):
    with pytest.raises(kind):
        guarded(bug)


@pytest.mark.slow
def test_a_slip_within_our_code_is_a_bug(monkeypatch):
    import drsn_audio.noise.level as level

    monkeypatch.setattr(level, "TIME_CONSTANT_S", "x")  # numpy or Python complains on a line of ours
    with pytest.raises(TypeError):
        guarded(lambda: level.active_level(np.ones(9), RATE))
    with pytest.raises(ValueError, match="broadcast"):  # raised by numpy, not in so many words by a line of ours
        guarded(lambda: change_speed(np.ones((2, 3)), Fraction(2)))


def test_interrupted(capsys):
    assert guarded(lambda: raise_(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("length", [10, 1_000_000])  # less and more than the buffer of stdout holds
def test_a_closed_pipe_is_no_traceback(monkeypatch, length):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = f"from drsn_audio.cli import guarded; raise SystemExit(guarded(lambda: print('x' * {length})))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.wait() == 1
    assert process.stderr.read() == ""
    process.stderr.close()


# the parser


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(capsys, command):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    out = capsys.readouterr().out
    assert f"leaves behind:\n  drsn-audio {command} " in out
    assert "--quiet" in out


def test_help_is_fast_and_imports_nothing_heavy():
    code = (
        "import sys, runpy\nsys.argv = ['drsn-audio', '--help']\n"
        "try:\n    runpy.run_module('drsn_audio', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'lhotse', 'soundfile'} & set(sys.modules)\nassert not heavy, heavy\n"
        "assert len(sys.modules) < 300, 'the standard library, a twentieth of what the models need'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"drsn-audio {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["classify"], ["mix", "a", "b", "--snr", "loud", "-o", "c"]])
def test_what_the_parser_refuses(capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: drsn-audio" in capsys.readouterr().err


# stdin, stdout or stderr that are closed, or whose reader is gone

SHELL = pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
REPEATED = "estimate-snr a.wav a.wav a.wav"
CASES = [  # what bash runs, and the status; P is drsn-audio
    (f"P {REPEATED} >&-", 0),
    (f"P {REPEATED} 2>&-", 0),
    (f"P {REPEATED} >&- 2>&-", 0),
    (f"P {REPEATED} <&- >&- 2>&-", 0),
    ("P estimate-snr nope.wav 2>&-", 2),
    ("P estimate-snr nope.wav >&- 2>&-", 2),
    ("P --help >&-", 0),
    ("P nonsense 2>&-", 2),
    ("P stream - <&-", 2),
    (f"P {REPEATED} | true; exit ${{PIPESTATUS[0]}}", 1),
    (f"P {REPEATED} 2>&1 | true; exit ${{PIPESTATUS[0]}}", 1),
    ("P --help | true; exit ${PIPESTATUS[0]}", 0),
    ("P --version | true; exit ${PIPESTATUS[0]}", 0),
]


@pytest.mark.slow
@SHELL
@pytest.mark.parametrize(("line", "status"), CASES)
def test_streams_that_are_not_there(tmp_path, line, status):
    tone = 0.3 * np.sin(np.arange(16000) * 0.3) * (np.arange(16000) % 8000 < 4000)
    sf.write(tmp_path / "a.wav", tone + np.random.default_rng(0).normal(0, 0.01, 16000), RATE)
    define = f'P() {{ "{sys.executable}" -m drsn_audio "$@"; }}; sleep 0.2; '
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = ["bash", "-c", define + line]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@SHELL
def test_a_file_does_not_take_the_place_of_a_closed_stdout(tmp_path):
    """Else what is printed would stand in it."""
    (tmp_path / "a.py").write_text(
        "from drsn_audio.cli import guarded\n"
        "def work():\n    with open('b.txt', 'w') as file:\n        file.write(str(file.fileno()))\n"
        "guarded(work)\n"
    )
    subprocess.run(["bash", "-c", f'"{sys.executable}" a.py <&- >&- 2>&-'], cwd=tmp_path, check=True,
                   env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])})  # fmt: skip
    assert int((tmp_path / "b.txt").read_text()) > 2
