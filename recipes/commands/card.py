"""Write the card of a shipped model of words, of what other commands have measured of it.

results/NAME/run.json and results/pocketsphinx/run.json are made by peers.py; speed.json, times.json and parity.json in
results/NAME, where they are there, by benchmarks/transcription.py --json, benchmarks/word_times.py --json and
parity.py -o. Each must be of the weights that are shipped: README.md has the lines.

example:
  python recipes/commands/card.py words-20-stream
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
MEASURED = ("speed", "times", "parity")


def write_card(name: str, results: Path = RESULTS) -> Path:
    """The card of the shipped model `name`, beside it, and results/NAME/table.md; returns the card's path.

    Raises:
        ConfigError: no model of that name, a result that is missing, of other weights, or of other trials.
    """
    from drsn_audio.reports.transcription import write_transcription_report
    from drsn_audio.reports.words_card import words_card

    path = pretrained.find(name)
    if path is None:
        names = pretrained.names()
        raise ConfigError(f"{name}: no shipped model; {nearest(name, names) if names else 'put it there by ship.py'}")
    described = json.loads(path.read_text())
    facts, peer = (_read(results / each / "run.json") for each in (name, "pocketsphinx"))
    _check(results / name / "run.json", facts["model"]["checkpoint"]["sha256"], described)
    if any(facts["data"][key] != peer["data"][key] for key in ("sha256", "utterances", "noise")):
        raise ConfigError(f"{results}/pocketsphinx/run.json: of other trials: make both anew by peers.py")
    measured = {key: _measured(results / name / f"{key}.json", described) for key in MEASURED}
    write_transcription_report(facts, results / name)
    size = sum(file.stat().st_size for file in (path, path.parent / described["weights"]))
    card = path.with_suffix(".md")
    card.write_text(words_card(name, described, size, facts, peer, **measured))
    return card


def _measured(path: Path, described: dict[str, Any]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    found = _read(path)
    for sha256 in (*found.get("weights", {}).values(), *filter(None, [found.get("checkpoint")])):
        _check(path, sha256, described)
    return found


def _check(path: Path, sha256: str | None, described: dict[str, Any]) -> None:
    if sha256 != described["sha256"]:
        raise ConfigError(f"{path}: of other weights than those that are shipped: measure these")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(f"{path}: not there: make it with python recipes/commands/peers.py")
    return json.loads(path.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a shipped model, such as words-20-stream")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: the recipe's")
    options = parser.parse_args()
    return guarded(lambda: print(write_card(options.name, options.results)))


if __name__ == "__main__":
    raise SystemExit(main())
