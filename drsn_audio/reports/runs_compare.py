"""Trainings side by side: what of them differs, and what that says, in plain words."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from drsn_audio.errors import InputError
from drsn_audio.reports.runs import TrainingRun
from drsn_audio.reports.runs_table import describe_figure, describe_seconds, describe_value, of, worse

NAMES = ("run", "resume")  # settings that say where, not what
MISSING = "-"
PARTS = {"settings": "settings that differ", "results": "results", "origin": "code, machine and data that differ"}
# What a figure of development data is measured on; data.dev and data.noise_dev by their fingerprints, too.
MEASURED_BY = ("data.dev", "data.noise_dev", "data.level", "data.silence_share", "evaluate.seed", "model.labels")
ENDED = {"stopped": "was stopped", "failed": "failed", "killed": "was killed"}
LISTED = 6  # settings in a sentence, at most


def compare_runs(runs: Sequence[TrainingRun]) -> dict[str, Any]:
    """{"runs": titles, "settings" | "results" | "origin": {name: a value of each run}, "words": sentences}: of
    settings and origin only what differs, None where a run has none.

    Raises:
        InputError: fewer than two runs.
    """
    if len(runs) < 2:
        found = f"{runs[0].path} alone" if runs else "none"
        raise InputError(
            f"--compare takes two runs at least, found {found}: name their folders, or one that holds them"
        )
    settings = differing([run.config for run in runs], leave_out=NAMES)
    origin = differing([_origin(run) for run in runs])
    results = {name: [of_run.get(name) for of_run in map(_results, runs)] for name in _names(map(_results, runs))}
    titles = run_names(runs)
    return {
        "runs": titles,
        "settings": settings,
        "results": results,
        "origin": origin,
        "words": _words(runs, titles, settings, origin),
    }


def comparison_view(compared: Mapping[str, Any]) -> Group:
    """For rich.print: a table a part, and the words below."""
    parts: list[Any] = []
    for part, title in PARTS.items():
        if compared[part]:
            table = Table(title=Text(title), title_justify="left")
            table.add_column("")
            for name in compared["runs"]:
                table.add_column(Text(name), overflow="fold")
            for name, values in compared[part].items():
                table.add_row(Text(name), *(Text(_shown(name, value)) for value in values))
            parts.append(table)
    return Group(*parts, *(Text(f"- {sentence}") for sentence in compared["words"]))


def differing(flat: Sequence[Mapping[str, Any]], leave_out: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Keys whose values are not the same in all -> the value of each, None where it has none."""
    return {
        key: [one.get(key) for one in flat]
        for key in _names(flat)
        if key not in leave_out and any(key not in one or one[key] != flat[0].get(key) for one in flat)
    }


def run_names(runs: Sequence[TrainingRun]) -> list[str]:
    """The paths, without what they all begin with."""
    paths = [str(run.path) for run in runs]
    common = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
    short = [os.path.relpath(os.path.abspath(path), common) for path in paths]
    return short if len(set(short)) == len(short) else paths


def _names(flat: Any) -> list[str]:
    return list(dict.fromkeys(key for one in flat for key in one))


def _results(run: TrainingRun) -> dict[str, Any]:
    best = {f"best {run.figure}": run.best, "of epoch": run.best_epoch} if run.figure else {}
    return {
        "status": run.status or None,
        "steps": of(run.step, run.total_steps),
        "epochs": of(run.epoch, run.epochs),
        "parameters": run.parameters,
        "multiply_adds": run.multiply_adds,
        **best,
        **{f"last {name}": value for name, value in run.figures.items()},
        **run.throughput,
        "seconds": run.seconds,
    }


def _origin(run: TrainingRun) -> dict[str, Any]:
    known: dict[str, Any] = {"commit": run.commit}
    known |= {"processes": run.processes, "device": run.device, "precision": run.precision}
    known |= {f"version of {name}": version for name, version in run.versions.items()}
    known |= {f"machine's {name}": value for name, value in run.machine.items()}
    known |= {f"sha256 of {name}": digest for name, digest in run.data.items()}
    return {name: value for name, value in known.items() if value}


def _words(
    runs: Sequence[TrainingRun], titles: Sequence[str], settings: Mapping[str, Any], origin: Mapping[str, Any]
) -> list[str]:
    said = [_settings_in_words(settings), *_figures_in_words(runs, titles, settings, origin)]
    unlike = [f"{title} ({of(run.step, run.total_steps)})" for title, run in zip(titles, runs, strict=True)]
    if len({run.step for run in runs}) > 1:
        said.append(f"They are not equally far: {', '.join(unlike)} steps.")
    said += [
        f"{title} {ENDED[run.status]}{f' ({run.reason})' if run.reason else ''}."
        for title, run in zip(titles, runs, strict=True)
        if run.status in ENDED
    ]
    data = [name.removeprefix("sha256 of ") for name in origin if name.startswith("sha256 of ")]
    changed = [name for name in data if all(origin[f"sha256 of {name}"])]
    if changed:
        said.append(f"Under the same name they read other data: {', '.join(changed)}.")
    if "commit" in origin:
        said.append("The code was not the same: their commits differ.")
    said += [
        f"The code of {title} was changed beside its commit (-dirty): nobody can tell how."
        for title, run in zip(titles, runs, strict=True)
        if run.commit.endswith("-dirty")
    ]
    versions = [name.removeprefix("version of ") for name in origin if name.startswith("version of ")]
    if versions:
        said.append(f"Versions differ: {', '.join(versions)}.")
    return said


def _settings_in_words(settings: Mapping[str, Any]) -> str:
    if not settings:
        return "No setting differs."
    if list(settings) == ["seed"]:
        return "The seed alone differs: what their figures differ by is chance."
    listed = ", ".join(list(settings)[:LISTED]) + (
        f" and {len(settings) - LISTED} more" if len(settings) > LISTED else ""
    )
    return (
        f"{len(settings)} setting{'s' if len(settings) > 1 else ''} differ{'' if len(settings) > 1 else 's'}: {listed}."
    )


def _figures_in_words(
    runs: Sequence[TrainingRun], titles: Sequence[str], settings: Mapping[str, Any], origin: Mapping[str, Any]
) -> list[str]:
    """Which is the best, and whether that can be said."""
    measured = [(run.best, title) for run, title in zip(runs, titles, strict=True) if run.best is not None]
    figures = {run.figure for run in runs if run.best is not None}
    if len(measured) < 2 or len(figures) > 1:
        return [f"They are not measured by the same: {', '.join(sorted(figures))}."] if len(figures) > 1 else []
    (figure,) = figures
    ranked = sorted(measured, key=lambda pair: worse(figure, pair[0]))
    others = ", ".join(f"{title} {describe_value(figure, value)}" for value, title in ranked[1:])
    said = [f"Best by development data: {ranked[0][1]}, {describe_figure(figure, ranked[0][0])}; {others}."]
    if ranked[0][0] == ranked[-1][0]:
        said = [f"By development data they are equally good: {describe_figure(figure, ranked[0][0])}."]
    other = [key for key in MEASURED_BY if key in settings]
    dev = {str(name) for run in runs for key in MEASURED_BY[:2] for name in _manifests(run.config.get(key))}
    other += [name for name in sorted(dev) if f"sha256 of {name}" in origin]
    if other:
        said.append(f"But not on the same trials, so that says little: {', '.join(other)} differ.")
    return said


def _manifests(listed: Any) -> list[Any]:
    return [each.get("manifest") if isinstance(each, dict) else each for each in listed or []]


def _shown(name: str, value: Any) -> str:
    if value is None or value == "":
        return MISSING
    if name == "seconds":
        return describe_seconds(value)
    if name.startswith("sha256"):
        return str(value)[:12]
    if isinstance(value, float):
        return describe_value(name.partition(" ")[2], value) if " " in name else f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value)
