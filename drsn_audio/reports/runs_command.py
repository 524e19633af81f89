"""The work of `drsn-audio runs`, and its options. The parser is built for every command: nothing heavy is imported."""

from __future__ import annotations

import argparse
import json
import sys

from drsn_audio.errors import BAD_INPUT, InputError, one_line

FOLDER = "runs"
KEYS = ("name", "date", "status", "step", "parameters", "best", "seconds")
WIDE = 10_000  # columns, where no terminal has fewer: a line stays a line


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "folders", metavar="FOLDER", nargs="*", default=[FOLDER], help=f"runs, or what holds some (default: {FOLDER})"
    )
    sub.add_argument("--json", action="store_true", help="one JSON object a line")
    sub.add_argument("--sort", choices=KEYS, metavar="KEY", help=f"{', '.join(KEYS)} (default: as they are found)")
    sub.add_argument(
        "--compare", action="store_true", help="two or more side by side: which settings, results, code and data differ"
    )


def run(options: argparse.Namespace) -> int:
    """Returns the exit status: that of bad input where a folder could not be read; the others are shown.

    Raises:
        InputError: no run is found, or fewer than two to compare.
    """
    from rich.console import Console

    from drsn_audio.reports.runs import TrainingRun, find_runs, read_run
    from drsn_audio.reports.runs_compare import compare_runs, comparison_view
    from drsn_audio.reports.runs_table import runs_table, sort_runs

    failed: list[InputError] = []

    def fail(error: InputError) -> None:
        failed.append(error)
        print(f"error: {one_line(str(error))}", file=sys.stderr)

    runs: list[TrainingRun] = []
    for folder in options.folders:
        try:
            paths = [path for path in find_runs(folder, fail) if all(path != run.path for run in runs)]
        except InputError as error:
            fail(error)
            continue
        for path in paths:
            try:
                runs.append(read_run(path))
            except InputError as error:
                fail(error)
    if not runs:
        if failed:
            return BAD_INPUT
        folders = ", ".join(options.folders)
        raise InputError(f"{folders}: holds no run: train one (recipes/), or name the folder that its run= names")
    if options.sort:
        runs = sort_runs(runs, options.sort)
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    if options.compare:
        compared = compare_runs(runs)
        if options.json:
            print(json.dumps(compared))
        else:
            console.print(comparison_view(compared))
    elif options.json:
        for each in runs:
            print(json.dumps(each.as_json()))
    else:
        console.print(runs_table(runs, console.width))
    return BAD_INPUT if failed else 0
