"""The work of recipes/keywords/evidence.py: tables and pictures of what is there of one sweep or several."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drsn_audio.config import ConfigError
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole
from drsn_audio.reports.embed import embed, embedded, marked
from drsn_audio.reports.evidence import evidence_tables
from drsn_audio.reports.evidence_page import brief_differences, evidence_summary
from drsn_audio.reports.evidence_plot import plot_evidence
from drsn_audio.sweeping.cells import cells_of
from drsn_audio.sweeping.config import read_sweep
from drsn_audio.sweeping.evidence import Costs, evidence
from drsn_audio.sweeping.gather import COSTS, TABLES
from drsn_audio.sweeping.rows import Planned

COSTS_SCHEMA = 1
MEASURED = ("training", "inference", "inference_64")  # of a model's costs, {"ms", "ratio"} a clip each


def prove(options: argparse.Namespace) -> int:
    """Writes tables and pictures, and prints their paths; returns the exit status.

    Raises:
        InputError: a sweep, a result or costs that cannot be used; no run that is done; a model that there is not.
    """
    words = tuple(word for word in options.words if "=" in word)
    paths = list(dict.fromkeys(word for word in options.words if "=" not in word))
    if not paths:
        raise ConfigError("no sweep: name its YAML")
    pairs = [_pair(word) for word in options.pairs]
    sweeps = [_planned(Path(path), words) for path in paths]
    if len({planned.name for planned in sweeps}) < len(sweeps):
        raise ConfigError("sweeps of one file name cannot be told apart in a table: give them other names")
    parts = [sweeps] if options.out else [[planned] for planned in sweeps]
    folders = [Path(options.out or part[0].sweep.results) for part in parts]
    places = [[(page, *_place(page, folder.name)) for page in map(Path, options.page)] for folder in folders]
    for part, folder, pages in zip(parts, folders, places, strict=True):
        facts = evidence(part, options.ours, pairs, read_costs(part, options.costs))
        for path in write_evidence(facts, folder):
            print(path)
        for page, name, text in pages:
            embed(page, name, text(facts))
            print(page)
    return 0


def write_evidence(facts: Mapping[str, Any], folder: Path) -> list[Path]:
    """tables.json, tables.md and the pictures."""
    paths = [folder / f"{TABLES}.json", folder / f"{TABLES}.md"]
    write_whole(paths[0], (json.dumps(facts, indent=1) + "\n").encode())
    write_whole(paths[1], evidence_tables(facts).encode())
    return paths + plot_evidence(facts, folder)


def read_costs(sweeps: Sequence[Planned], given: str | None = None) -> dict[str, Costs]:
    """Costs of each sweep's models: of the file that is given, or of costs.json beside its results where there is one.

    Raises:
        InputError: a file that is named and not there, or that model_costs.py did not write.
    """
    found: dict[str, Costs] = {}
    for planned in sweeps:
        path = Path(given) if given else Path(planned.sweep.results) / f"{COSTS}.json"
        if given or path.exists():
            found[planned.name] = _read_costs(path)
    return found


def _place(page: Path, name: str) -> tuple[str, Callable[[Mapping[str, Any]], str]]:
    """What a page has a place for: NAME, the first tables, or NAME-differences, the briefest one."""
    if marked(page, brief := f"{name}-differences"):
        return brief, brief_differences
    embedded(page, name)
    return name, evidence_summary


def _planned(path: Path, words: tuple[str, ...]) -> Planned:
    sweep = read_sweep(path, words)
    return Planned(path, sweep, cells_of(sweep), words)


def _pair(word: str) -> tuple[str, str]:
    one, colon, other = word.partition(":")
    if not (one and colon and other):
        raise ConfigError(f"--pairs {word}: give two models, such as drsn-cw:se")
    return one, other


def _read_costs(path: Path) -> Costs:
    remedy = "make it with benchmarks/model_costs.py"
    try:
        facts = json.loads(path.read_text())
        if facts["schema"] != COSTS_SCHEMA:
            raise InputError(f"{path}: schema {facts['schema']}, this version reads {COSTS_SCHEMA}: {remedy}")
        costs: Costs = facts["models"]
        for cost in costs.values():
            _ = cost["parameters"], *(cost[key][of] for key in MEASURED for of in ("ms", "ratio"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): {remedy}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not costs of models ({type(error).__name__}): {remedy}") from None
    return costs
