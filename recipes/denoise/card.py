"""Write the card of a shipped denoiser, of what other commands have measured of it.

results/NAME/run.json is made by evaluate.py NAME --peers; results/NAME/export.json, where it is there, is the
OUT.report.json of drsn-audio export NAME --onnx OUT.onnx; results/recognition/recognition.json is made by recognise.py.
Each must be of the weights that are shipped.

example:
  python recipes/denoise/card.py denoise-small
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from drsn_audio import pretrained
from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, nearest

RESULTS = Path(__file__).parent / "results"


def write_card(name: str, results: Path = RESULTS) -> Path:
    """The card of the shipped denoiser `name`, beside it; returns its path.

    Raises:
        ConfigError: no denoiser of that name, a result that is missing, or of other weights.
    """
    from drsn_audio.reports.denoise_card import denoise_card

    path = pretrained.find(name)
    if path is None:
        names = pretrained.names()
        raise ConfigError(f"{name}: no shipped model; {nearest(name, names) if names else 'put it there by ship.py'}")
    described = json.loads(path.read_text())
    if described["model"]["head"] != "denoise":
        raise ConfigError(f"{name}: takes no noise off: its card is of another recipe")
    run = results / name / "run.json"
    if not run.is_file():
        raise ConfigError(f"{run}: not there: make it with python recipes/denoise/evaluate.py {name} --peers")
    facts = json.loads(run.read_text())
    _check(run, facts["model"]["checkpoint"]["sha256"], described)
    exported = _read(results / name / "export.json")
    if exported and "checkpoint" in exported.get("about", {}):  # one that was not made by the command does not say
        _check(results / name / "export.json", exported["about"]["checkpoint"], described)
    recognition = _read(results / "recognition" / "recognition.json")
    if recognition:
        _check(results / "recognition" / "recognition.json", recognition["denoiser"]["sha256"], described)
    size = sum(file.stat().st_size for file in (path, path.parent / described["weights"]))
    card = path.with_suffix(".md")
    card.write_text(denoise_card(name, described, size, facts, exported, recognition))
    return card


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.is_file() else None


def _check(path: Path, sha256: str | None, described: dict[str, Any]) -> None:
    if sha256 != described["sha256"]:
        raise ConfigError(f"{path}: of other weights than those that are shipped: measure these")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a shipped denoiser, such as denoise-small")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: the recipe's")
    options = parser.parse_args()
    return guarded(lambda: print(write_card(options.name, options.results)))


if __name__ == "__main__":
    raise SystemExit(main())
