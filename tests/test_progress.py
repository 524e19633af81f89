"""What long work writes on stderr where that is a file: plain lines, nothing else."""

import dataclasses
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from drsn_audio import progress
from drsn_audio.config import config_to_yaml
from drsn_audio.progress import ProgressBar

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "keywords"
WORK = """
import logging, sys
from pathlib import Path

import pytest
from drsn_audio.config import load_config
from drsn_audio.corpora import CORPORA
from drsn_audio.training.loop import train
from evaluate import evaluate_run

logging.basicConfig(level=logging.INFO, format="%(message)s")
config = load_config(sys.argv[1])
CORPORA["synthetic-noise"](None, Path(config.run) / "noise", count=1, duration_s=0.5)
train(config)
evaluate_run(Path(config.run), [])
"""


@pytest.mark.slow
def test_a_log_holds_no_blank_lines(config, tmp_path):
    train = dataclasses.replace(config.train, epochs=2)
    evaluate = dataclasses.replace(config.evaluate, draws=1, snr_db=[5.0], replicates=20)
    tiny = dataclasses.replace(config, run=str(tmp_path / "run"), train=train, evaluate=evaluate)
    (tmp_path / "config.yaml").write_text(config_to_yaml(tiny))
    log = tmp_path / "log.txt"
    with log.open("wb") as file:
        command = [sys.executable, "-c", WORK, str(tmp_path / "config.yaml")]
        # The recipe's scripts import each other as neighbours.
        subprocess.run(command, stderr=file, stdout=subprocess.DEVNULL, check=True, cwd=RECIPE)
    text = log.read_bytes().decode()
    assert "epoch 2" in text
    assert "\r" not in text
    assert "\x1b" not in text
    assert all(line.strip() for line in text.splitlines())


def test_lines_in_place_of_a_bar(monkeypatch, caplog, capsys):
    caplog.set_level(logging.INFO, "drsn_audio")
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with ProgressBar() as bar, ProgressBar(shown=False) as hidden:
        assert list(bar.track(range(3), description="evaluate")) == [0, 1, 2]
        task = hidden.add_task("mixing", total=None)
        for _ in range(5):
            hidden.advance(task)
    assert all(record.getMessage().startswith("evaluate: ") for record in caplog.records)
    assert caplog.records
    assert capsys.readouterr() == ("", "")
