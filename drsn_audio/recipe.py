"""Command lines that recipes share; each says in its docstring what it is for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import load_config
from drsn_audio.corpora import sets
from drsn_audio.processes import here
from drsn_audio.transcribing.options import add_beam_options


def prepare_parser(about: str | None) -> argparse.ArgumentParser:
    """Of a recipe's prepare.py: where corpora are, where manifests go, and whether those there are made again."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("DRSN_AUDIO_DATA"), help="default: $DRSN_AUDIO_DATA"
    )
    parser.add_argument("--out", type=Path, default="manifests", help="default: manifests")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    return parser


def prepare_missing(recorded: sets.Recorded, synthesised: sets.Synthesised, options: argparse.Namespace) -> None:
    """What is not in the folder of manifests yet, or with --again all of it; raises what `prepare_sets` does."""
    names = [*recorded, *synthesised]
    there = [] if options.again else [name for name in names if any((options.out / name).glob("*.jsonl.gz"))]
    for name in there:
        print(f"{name}: kept as it is in {options.out}")
    sets.prepare_sets(recorded, synthesised, options.data, options.out, keep=there)


def train_command(about: str | None) -> int:
    """A recipe's train.py: a config, and what differs from it as key=value. Returns the exit status."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--smoke", action="store_true", help="two steps on synthesised speech, in RUN-smoke")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="keys of the config")
    options = parser.parse_intermixed_args()

    def run() -> None:
        from drsn_audio.training.loop import train
        from drsn_audio.training.smoke import smoke_config

        config = load_config(options.config, options.overrides)
        if options.smoke:
            config = smoke_config(config, Path(f"{config.run}-smoke"))
        best = train(config)
        if here().is_main:
            print(f"best checkpoint: {best}")

    return guarded(run)


def evaluate_command(about: str | None) -> int:
    """A recipe's evaluate.py: a run folder, on its config's test manifests and noise. Returns the exit status."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    add_beam_options(parser)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="evaluate.* and data.* of its config")
    options = parser.parse_intermixed_args()

    def run() -> None:
        from drsn_audio.evaluating import evaluate_run

        for path in evaluate_run(options.run, options.overrides, options):
            print(path)

    return guarded(run)


def compare_command(about: str | None) -> int:
    """A recipe's compare.py: run folders, on the test manifests and noise of the first. Returns the exit status."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="run | key=value", help="run folders of train.py, and overrides")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for compare.json and compare.md")
    parser.add_argument("--reference", default="", metavar="MODEL", help="its name in the table (default: the first)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    options = parser.parse_intermixed_args()
    overrides = [word for word in options.words if "=" in word]
    runs = [word for word in options.words if "=" not in word]

    def run() -> None:
        from drsn_audio.comparing import compare_runs

        for path in compare_runs(runs, overrides, options.out, options.reference, options.device):
            print(path)

    return guarded(run)
