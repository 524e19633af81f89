"""The work of recipes/sweep.py: list, run, gather."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from drsn_audio.config import ConfigError, nearest
from drsn_audio.errors import BAD_INPUT, InputError
from drsn_audio.files import write_whole
from drsn_audio.reports.sweep import sweep_tables
from drsn_audio.sweeping.cells import (
    SUMMARY,
    Cell,
    begun_differently,
    cells_of,
    check_begun,
    read_result,
)
from drsn_audio.sweeping.config import Sweep, read_sweep
from drsn_audio.sweeping.gather import gather
from drsn_audio.sweeping.jobs import Outcome, claim, last_lines, run_cells
from drsn_audio.sweeping.results import changed_data, check_manifests


def sweep(options: argparse.Namespace) -> int:
    """Returns the exit status: 0, 2 where a run failed, 128 + number of a signal that stopped it.

    Raises:
        InputError: anything that can be known to be wrong before the first run is started.
    """
    if options.jobs < 1:
        raise ConfigError(f"--jobs {options.jobs}: give 1 or more")
    if options.again and (options.list or options.gather):
        raise ConfigError("--again does runs anew: give it without --list and --gather")
    plan = read_sweep(options.sweep, options.overrides)
    cells = cells_of(plan)
    if options.list:
        for line in listed(cells):
            print(line)
        return 0
    if options.gather:
        write_summary(plan, cells)
        return 0
    again = chosen(cells, options.again)
    todo = prepare(plan, cells, again)
    tell(f"{len(cells) - len(todo)} of {len(cells)} runs are done")
    outcome = run_cells(plan, todo, options.jobs, tell)
    return finish(plan, cells, outcome)


def prepare(plan: Sweep, cells: Sequence[Cell], again: Sequence[Cell]) -> list[Cell]:
    """Checks what can be checked before anything is started, and returns the cells that are to be done.

    Raises:
        InputError: no such recipe, another config's results or run folders, or manifests that are not there.
    """
    for name in ("train.py", "evaluate.py"):
        if not (Path(plan.recipe) / name).is_file():
            raise ConfigError(f"recipe={plan.recipe}: has no {name}: name a recipe's folder")
    done = {cell.name: found for cell in cells if cell not in again and (found := read_result(cell)) is not None}
    todo = [cell for cell in cells if cell.name not in done]
    for cell in todo:
        if cell not in again:
            check_begun(cell)
        check_manifests(cell)
    changed = {path: name for name, found in done.items() for path in changed_data(found)}
    for path, name in changed.items():
        tell(f"warning: {path} is not what it was when {name} was made: do it --again if more than its paths differ")
    for cell in again:
        clear(cell)
    return todo


def chosen(cells: Sequence[Cell], patterns: Sequence[str]) -> list[Cell]:
    """Cells by name or pattern. Raises ConfigError where there is none."""
    found: list[Cell] = []
    for pattern in patterns:
        named = [cell for cell in cells if fnmatchcase(cell.name, pattern)]
        if not named:
            raise ConfigError(f"--again {pattern}: no such run; {nearest(pattern, [cell.name for cell in cells])}")
        found += [cell for cell in named if cell not in found]
    return found


def clear(cell: Cell) -> None:
    """Remove a cell's result, and its run folder unless only the test has changed.

    Raises:
        InputError: somebody is at work on it.
    """
    lock = claim(cell)
    if lock is None:
        raise InputError(f"{cell.name}: is at work just now: stop the sweep that does it, then --again")
    with lock:
        keep = begun_differently(cell)
        cell.result.unlink(missing_ok=True)
        if keep and all(key.startswith("evaluate.") for key in keep):
            cell.begun.unlink(missing_ok=True)
        elif cell.run.exists():
            shutil.rmtree(cell.run)


def listed(cells: Sequence[Cell]) -> list[str]:
    """A line for each cell: its state and name."""
    return [f"{state(cell):7} {cell.name}" for cell in cells]


def state(cell: Cell) -> str:
    """done | other (of another config) | running | begun | to do"""
    try:
        if read_result(cell) is not None:
            return "done"
        check_begun(cell)
    except InputError:
        return "other"
    if cell.lock.exists():
        lock = claim(cell)
        if lock is None:
            return "running"
        lock.close()
    return "begun" if cell.begun.exists() else "to do"


def finish(plan: Sweep, cells: Sequence[Cell], outcome: Outcome) -> int:
    """The table, the failures with the ends of their logs; returns the exit status."""
    if outcome.signal:
        tell("stopped: the same command goes on")
        return 128 + outcome.signal
    if any(cell.result.exists() for cell in cells):
        write_summary(plan, cells)
    by_name = {cell.name: cell for cell in cells}
    for name, reason in outcome.failed.items():
        tell(f"error: {name}: {reason}: see {by_name[name].log}; the same command tries again")
        for line in last_lines(by_name[name].log):
            tell(f"    {line}")
    return BAD_INPUT if outcome.failed else 0


def write_summary(plan: Sweep, cells: Sequence[Cell]) -> None:
    """Prints the table; sweep.md and sweep.json in the folder of results."""
    facts = gather(plan, cells)
    tables, folder = sweep_tables(facts), Path(plan.results)
    write_whole(folder / f"{SUMMARY}.json", (json.dumps(facts, indent=1) + "\n").encode())
    write_whole(folder / f"{SUMMARY}.md", tables.encode())
    print(tables, end="")


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
