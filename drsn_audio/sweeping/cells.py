"""The cells of a sweep: one training and its test each, where their files are, and whether they are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drsn_audio.config import (
    WITHOUT_EFFECT,
    ConfigError,
    ExperimentConfig,
    config_from_dict,
    config_to_dict,
    load_config,
)
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole
from drsn_audio.sweeping.config import Sweep
from drsn_audio.sweeping.grid import Labels, cell_name, overrides_of

SCHEMA = 1
# What a run may differ in and be the same run.
IGNORED = {**WITHOUT_EFFECT, "evaluate": ("batch_size",)}
SUMMARY = "sweep"  # sweep.json and sweep.md, beside the cells' files


@dataclass(frozen=True)
class Cell:
    """One combination; `settings` is its config in full, with the changes of the test, less what does not matter."""

    name: str
    labels: Labels
    overrides: tuple[str, ...]  # of the training
    evaluate: tuple[str, ...]  # of the test
    settings: dict[str, Any]
    run: Path  # run folder
    result: Path  # the small JSON
    lock: Path

    @property
    def digest(self) -> str:
        return settings_digest(self.settings)

    @property
    def log(self) -> Path:
        return self.run / "sweep.log"

    @property
    def begun(self) -> Path:
        """With what settings its run folder was begun."""
        return self.run / "sweep.json"


def cells_of(sweep: Sweep) -> list[Cell]:
    """Every cell with its config resolved, in the order in which they run.

    Raises:
        ConfigError: a config that does not resolve; two cells of one name, or with the same settings.
    """
    cells: dict[str, Cell] = {}
    digests: dict[str, str] = {}
    for labels in sweep.cells:
        cell = _cell(sweep, labels)
        if cell.name in cells or cell.name == SUMMARY:
            raise ConfigError(f"{cell.name}: no name for a cell, for another one has it: give it another label")
        twin = digests.setdefault(cell.digest, cell.name)
        if twin != cell.name:
            raise ConfigError(f"{cell.name}: the same config as {twin}: check what differs between their labels")
        cells[cell.name] = cell
    return list(cells.values())


def settings_of(config: ExperimentConfig) -> dict[str, Any]:
    """A config as a plain dict, without what leaves the numbers as they are."""
    settings = config_to_dict(config)
    for part, keys in IGNORED.items():
        for key in keys:
            (settings[part] if part else settings).pop(key, None)
    return settings


def settings_digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> (old, new) where two settings differ. A key that `old` does not know had its default.

    Raises:
        ConfigError: `old` has keys that no config has any more.
    """
    before = dict(_flat(settings_of(config_from_dict(dict(old)))))
    return {key: (before.get(key), value) for key, value in _flat(new) if before.get(key) != value}


def read_result(cell: Cell) -> dict[str, Any] | None:
    """A cell's small JSON; None where it is not done.

    Raises:
        InputError: it cannot be read, or is that of another config.
    """
    found = _read(cell.result, cell)
    if found is not None:
        _check(found, cell, cell.result)
    return found


def check_begun(cell: Cell) -> None:
    """Raises InputError where its run folder was begun with another config."""
    found = _read(cell.begun, cell)
    if found is not None:
        _check(found, cell, cell.run)


def begun_differently(cell: Cell) -> list[str]:
    """In which keys the config that its run folder was begun with differs; [] where that cannot be told."""
    try:
        found = _read(cell.begun, cell)
        return list(differences(found["settings"], cell.settings)) if found else []
    except InputError:
        return []


def write_begun(cell: Cell) -> None:
    described = {"schema": SCHEMA, "digest": cell.digest, "settings": cell.settings}
    write_whole(cell.begun, (json.dumps(described) + "\n").encode())


def _cell(sweep: Sweep, labels: Labels) -> Cell:
    name, out = cell_name(labels), Path(sweep.out)
    words = (*overrides_of(sweep.axes, labels), *sweep.overrides)
    # A training that is gone on with must have its old config, and how it is tested then is not its concern.
    overrides = tuple(word for word in words if not word.startswith("evaluate."))
    test = (*(word for word in words if word.startswith("evaluate.")), *sweep.evaluate)
    try:
        config = load_config(sweep.config, [*overrides, *test])
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    return Cell(
        name,
        dict(labels),
        overrides,
        test,
        settings_of(config),
        run=out / name,
        result=Path(sweep.results) / f"{name}.json",
        lock=out / ".locks" / name,
    )


def _read(path: Path, cell: Cell) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
        if found["schema"] != SCHEMA:
            raise InputError(f"{path}: schema {found['schema']}, this version reads {SCHEMA}: {_again(cell)}")
        _ = found["digest"], found["settings"]["seed"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not what a sweep wrote ({type(error).__name__}): {_again(cell)}") from None
    return found


def _check(found: Mapping[str, Any], cell: Cell, place: Path) -> None:
    if found["digest"] == cell.digest:
        return
    try:
        differing = differences(found["settings"], cell.settings)
    except ConfigError as error:
        raise InputError(f"{place}: of another version ({error}): {_again(cell)}") from None
    if differing:
        key, (old, new) = next(iter(differing.items()))
        others = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        raise InputError(f"{place}: has {key}={old}, the sweep asks for {new}{others}: {_again(cell)}")


def _again(cell: Cell) -> str:
    return f"give other out= and results=, or --again {cell.name} to do it anew"


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
