"""Axes of a sweep and the combinations of their labels."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drsn_audio.config import ConfigError, nearest

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")  # they become names of files

Labels = dict[str, str]  # axis -> label: one cell


@dataclass(frozen=True)
class Axis:
    """What is varied: label -> the overrides that it stands for, in the order of the file."""

    name: str
    choices: dict[str, tuple[str, ...]]
    listed: bool = False  # a plain list: AXIS=VALUE for each value, so that `include` may name further ones


def read_axis(name: str, given: Any) -> Axis:
    """An axis as YAML has it: {label: overrides}, or a list of values or of overrides.

    `seed: [0, 1]` stands for seed=0 and seed=1, `shrinkage: [model.shrinkage=cw]` for one choice labelled "cw".

    Raises:
        ConfigError: something else, no choice, a label twice, or one that cannot be part of a file's name.
    """
    where = f"axes.{name}"
    if not isinstance(given, Mapping | list) or not given:
        raise ConfigError(f"{where}: give {{label: [overrides]}} or a list of values, got {given!r}")
    choices: dict[str, tuple[str, ...]] = {}
    pairs = given.items() if isinstance(given, Mapping) else ((_value_label(where, item), item) for item in given)
    for key, value in pairs:
        label = read_label(where, key)
        if label in choices:
            raise ConfigError(f"{where}: {label} stands there twice: give each choice a label of its own")
        choices[label] = _overrides(name, label, value, isinstance(given, Mapping))
    return Axis(name, choices, listed=isinstance(given, list))


def read_label(where: str, given: Any) -> str:
    """A label as text. Raises ConfigError where it cannot be part of a file's name."""
    if given is None or isinstance(given, bool):
        raise ConfigError(f"{where}: YAML reads an unquoted {given!r} for a word: quote the label")
    if not LABEL.fullmatch(str(given)):
        raise ConfigError(
            f"{where}: {str(given)!r} cannot be a label, part of a file's name: give {{label: [overrides]}}"
        )
    return str(given)


def expand(
    axes: Sequence[Axis],
    include: Sequence[Mapping[str, Any]] = (),
    exclude: Sequence[Mapping[str, Any]] = (),
    order: Sequence[str] = (),
) -> list[Labels]:
    """All combinations but those of `exclude`, then those of `include` that are not there yet.

    An entry of `include` or `exclude` is {axis: label or labels}; of an axis that it does not name it means every
    label. `order` names axes from that which varies slowest; the others follow in theirs.

    Raises:
        ConfigError: an axis or a label that there is not, or nothing left.
    """
    ordered = [_axis(axes, name, "order") for name in order]
    ordered += [axis for axis in axes if axis not in ordered]
    left_out = [_entry(ordered, entry, "exclude") for entry in exclude]
    grid = [
        cell
        for cell in _product({axis.name: list(axis.choices) for axis in ordered})
        if not any(all(cell[name] in labels for name, labels in entry.items()) for entry in left_out)
    ]
    for entry in (_entry(ordered, entry, "include") for entry in include):
        grid += [cell for cell in _product(entry) if cell not in grid]
    if not grid:
        raise ConfigError("exclude leaves nothing of the grid: leave out less")
    return [{axis.name: cell[axis.name] for axis in axes} for cell in grid]


def overrides_of(axes: Sequence[Axis], labels: Labels) -> list[str]:
    """What a cell's labels stand for, in the order of the axes."""
    found: list[str] = []
    for axis in axes:
        label = labels[axis.name]
        found += axis.choices.get(label, (f"{axis.name}={label}",))  # a further value of a list
    return found


def cell_name(labels: Labels) -> str:
    """ "resnet-fold1-seed0": labels in the order of the axes; a number has its axis before it."""
    return "-".join(f"{axis}{label}" if label[0].isdigit() else label for axis, label in labels.items())


def _value_label(where: str, item: Any) -> Any:
    if isinstance(item, list | Mapping):
        raise ConfigError(f"{where}: {item!r} is no value: give numbers, words or key=value, or {{label: [overrides]}}")
    return item.rpartition("=")[2] if isinstance(item, str) else item


def _overrides(axis: str, label: str, given: Any, named: bool) -> tuple[str, ...]:
    if not named:
        return (given,) if isinstance(given, str) and "=" in given else (f"{axis}={label}",)
    words = [] if given is None else [given] if isinstance(given, str) else given
    if not isinstance(words, list) or not all(isinstance(word, str) and "=" in word for word in words):
        raise ConfigError(f"axes.{axis}.{label}: give a list of overrides such as model.width=24, got {given!r}")
    return tuple(words)


def _axis(axes: Sequence[Axis], name: Any, where: str) -> Axis:
    found = next((axis for axis in axes if axis.name == str(name)), None)
    if found is None:
        raise ConfigError(f"{where}: {name!s} is no axis; {nearest(str(name), [axis.name for axis in axes])}")
    return found


def _entry(axes: Sequence[Axis], entry: Any, where: str) -> dict[str, list[str]]:
    """{axis: label or labels} -> every axis with its labels, in the order of `axes`."""
    if not isinstance(entry, Mapping) or not entry:
        raise ConfigError(f"{where}: an entry reads {{axis: label or [labels]}}, got {entry!r}")
    wanted: dict[str, list[str]] = {}
    for name, given in entry.items():
        axis, place = _axis(axes, name, where), f"{where}.{name}"
        wanted[axis.name] = [read_label(place, label) for label in (given if isinstance(given, list) else [given])]
        for label in wanted[axis.name]:
            if label not in axis.choices and not (where == "include" and axis.listed):
                raise ConfigError(f"{place}: {label} is no label of this axis; {nearest(label, list(axis.choices))}")
    return {axis.name: wanted.get(axis.name, list(axis.choices)) for axis in axes}


def _product(labels: Mapping[str, Sequence[str]]) -> list[Labels]:
    return [dict(zip(labels, combination, strict=True)) for combination in itertools.product(*labels.values())]
