"""Put several trained runs to the same trials; runs that differ only by seed are averaged.

Writes compare.json and compare.md. The test manifests, the noise and evaluate.* are those of the first run.

example:
  python recipes/keywords/compare.py runs/none-0 runs/none-1 runs/cw-0 runs/cw-1 --reference none -o runs/compared
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, load_config


def compare_runs(
    runs: Sequence[str], overrides: Sequence[str], out: Path, reference: str = "", device: str = "cpu"
) -> list[Path]:
    """Evaluate each run's best checkpoint; writes and returns compare.json and compare.md in `out`."""
    from drsn_audio.api import load
    from drsn_audio.evaluation.compare import Candidate, compare_keywords
    from drsn_audio.reports.compare import compare_tables

    foreign = [word for word in overrides if not word.startswith(("evaluate.", "data."))]
    if foreign:
        raise ConfigError(f"{', '.join(foreign)}: the models are trained already: override evaluate.* and data.* only")
    if not runs:
        raise ConfigError("no runs: name the run folders to compare")
    candidates = []
    for run in runs:
        config, recognizer = load_config(Path(run) / "config.yaml", overrides), load(run, device)
        candidates.append(Candidate(run, config, recognizer.module, recognizer.info))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        facts = compare_keywords(candidates, reference, progress)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "compare.json", out / "compare.md"]
    paths[0].write_text(json.dumps(facts, indent=1) + "\n")
    paths[1].write_text(compare_tables(facts))
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="run | key=value", help="run folders of train.py, and overrides")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for compare.json and compare.md")
    parser.add_argument("--reference", default="", metavar="MODEL", help="its name in the table (default: the first)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    options = parser.parse_intermixed_args()
    overrides = [word for word in options.words if "=" in word]
    runs = [word for word in options.words if "=" not in word]

    def run() -> None:
        for path in compare_runs(runs, overrides, options.out, options.reference, options.device):
            print(path)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
