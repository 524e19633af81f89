"""A sweep as its YAML describes it.

recipe: recipes/keywords              # a folder with train.py and evaluate.py
config: recipes/keywords/configs/baselines.yaml
out: runs/sweep                       # run folders
results: recipes/keywords/results/sweep  # a small JSON each, and the table
axes:
  model: {none: [model.shrinkage=none, model.width=18], cw: [model.shrinkage=cw]}
  fold: {1: ["data.noise_test=[...]"], 2: ["data.noise_test=[...]"]}
  seed: [0, 1]
order: [seed, fold]                   # of these, that which varies slowest first: all of seed 0 comes first
include: [{model: [cw], seed: [2, 3]}]  # beside the grid
exclude: [{model: none, fold: 2}]       # of the grid
compare: model                        # what the table has a row for (default: the first axis)
reference: none                       # the row that differences are to (default: its first label)
overrides: [train.epochs=20]          # of every cell
evaluate: [evaluate.draws=8]          # of the test alone
base: other.yaml                      # a sweep beside this one, of which this one's keys, and axes, replace those
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from drsn_audio.config import ConfigError, nearest
from drsn_audio.sweeping.grid import Axis, Labels, expand, read_axis

PLACES = ("recipe", "config", "out", "results")
OURS = ("run", "resume")  # keys of a config that a sweep sets itself


@dataclass(frozen=True)
class Sweep:
    """Checked: every word in it is known, and `cells` are the combinations in the order in which they run."""

    recipe: str
    config: str
    out: str
    results: str
    axes: tuple[Axis, ...]
    cells: tuple[Labels, ...]
    compare: str  # an axis
    reference: str  # one of its labels
    overrides: tuple[str, ...] = ()
    evaluate: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    """The keys of the YAML."""

    recipe: str = ""
    config: str = ""
    out: str = ""
    results: str = ""
    axes: dict[str, Any] = field(default_factory=dict)
    include: list[Any] = field(default_factory=list)
    exclude: list[Any] = field(default_factory=list)
    order: list[Any] = field(default_factory=list)
    compare: str = ""
    reference: str = ""
    overrides: list[Any] = field(default_factory=list)
    evaluate: list[Any] = field(default_factory=list)


def read_sweep(path: str | Path, words: Sequence[str] = ()) -> Sweep:
    """A sweep's YAML; `words` such as "out=runs/x" replace its plain keys, all others are overrides of every cell.

    Raises:
        ConfigError: a file that is missing or not YAML, an unknown key, axis or label, a value of the wrong kind.
    """
    given = _load(Path(path))
    plain = [key.name for key in fields(_File) if isinstance(key.default, str)]
    further = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r}: an override reads key=value, e.g. train.epochs=2 or out=runs/other")
        if key in plain:
            given[key] = value
        else:
            further.append(word)
    try:
        return _sweep(_checked(given), further)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _load(path: Path, derived: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a file and of its base. An axis is replaced as a whole; one that is null is left out."""
    if path.resolve() in derived:
        raise ConfigError(f"{path}: its base leads back to itself: break the circle")
    try:
        loaded = OmegaConf.load(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such sweep: check the path") from None
    except Exception as error:  # yaml's errors span lines
        raise ConfigError(f"{path}: not a YAML sweep ({' '.join(str(error).split())})") from None
    if not isinstance(loaded, DictConfig):
        raise ConfigError(f"{path}: a sweep is a mapping of keys to values")
    given: dict[str, Any] = OmegaConf.to_container(loaded, resolve=False)  # type: ignore[assignment]
    base = given.pop("base", None)
    if base is None:
        return given
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base is the path of one sweep, got {base!r}")
    below = _load(path.parent / base, (*derived, path.resolve()))
    if isinstance(given.get("axes"), dict) and isinstance(below.get("axes"), dict):
        axes = {**below["axes"], **given["axes"]}
        given["axes"] = {name: choices for name, choices in axes.items() if choices is not None}
    return {**below, **given}


def _checked(given: dict[str, Any]) -> _File:
    known = {key.name: key for key in fields(_File)}
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"{name}: unknown key; {nearest(str(name), list(known))}")
        kind = str if isinstance(known[name].default, str) else dict if name == "axes" else list
        if not isinstance(value, kind):
            what = {str: "one word", dict: "axes and their choices", list: "a list"}[kind]
            raise ConfigError(f"{name}: expected {what}, got {value!r}")
    file = _File(**given)
    lacking = [name for name in (*PLACES, "axes") if not getattr(file, name)]
    if lacking:
        raise ConfigError(f"no {', '.join(lacking)}: a sweep needs {', '.join(PLACES)} and axes")
    return file


def _sweep(file: _File, further: Sequence[str]) -> Sweep:
    axes = tuple(read_axis(str(name), choices) for name, choices in file.axes.items())
    cells = expand(axes, file.include, file.exclude, [str(name) for name in file.order])
    compare = file.compare or axes[0].name
    if compare not in file.axes:
        raise ConfigError(f"compare={compare}: no such axis; {nearest(compare, list(map(str, file.axes)))}")
    present = {cell[compare] for cell in cells}
    choices = next(axis.choices for axis in axes if axis.name == compare)
    labels = [label for label in choices if label in present] + sorted(present - choices.keys())
    reference = file.reference or labels[0]
    if reference not in labels:
        raise ConfigError(f"reference={reference}: no label of {compare}; {nearest(reference, labels)}")
    overrides = _words("overrides", file.overrides) + tuple(further)
    evaluate = _words("evaluate", file.evaluate)
    foreign = [word for word in evaluate if not word.startswith(("evaluate.", "data."))]
    if foreign:
        raise ConfigError(f"evaluate: {', '.join(foreign)}: is trained already then: evaluate.* and data.* only")
    for word in (*overrides, *(word for axis in axes for choice in axis.choices.values() for word in choice)):
        if word.partition("=")[0] in OURS:
            raise ConfigError(f"{word}: the sweep sets this itself: leave it out, or give out=FOLDER")
    return Sweep(
        **{name: getattr(file, name) for name in PLACES},
        axes=axes,
        cells=tuple(cells),
        compare=compare,
        reference=reference,
        overrides=overrides,
        evaluate=evaluate,
    )


def _words(key: str, given: Sequence[Any]) -> tuple[str, ...]:
    for word in given:
        if not isinstance(word, str) or "=" not in word:
            raise ConfigError(f"{key}: an override reads key=value, got {word!r}")
    return tuple(given)
