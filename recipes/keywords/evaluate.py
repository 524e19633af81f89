"""Evaluate a trained run on its config's test manifests and noise; results go into the run folder.

example:
  python recipes/keywords/evaluate.py runs/demo evaluate.draws=8
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, load_config
from drsn_audio.progress import ProgressBar


def evaluate_run(run: Path, overrides: list[str], device: str = "cpu") -> list[Path]:
    """Print the table, write run.json, table.md and the pictures into the run folder; returns their paths."""
    from drsn_audio.api import load
    from drsn_audio.evaluation.run import evaluate_keywords
    from drsn_audio.reports.folder import write_report
    from drsn_audio.reports.table import terminal_table

    foreign = [word for word in overrides if not word.startswith(("evaluate.", "data."))]
    if foreign:
        raise ConfigError(f"{', '.join(foreign)}: the model is trained already: override evaluate.* and data.* only")
    config = load_config(run / "config.yaml", overrides)
    model = load(run, device)
    with ProgressBar() as progress:
        facts = evaluate_keywords(
            model.module,
            config.data.test,
            config.data.noise_test,
            name=run.resolve().name,
            data=config.data,
            evaluate=config.evaluate,
            checkpoint=model.info,
            progress=progress,
        )
    Console().print(terminal_table(facts))
    return write_report(facts, run)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args()

    def run() -> None:
        for path in evaluate_run(options.run, options.overrides, options.device):
            print(path)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
