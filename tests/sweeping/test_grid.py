"""Axes -> cells: which, in which order, under which names, and what is refused."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.config import ConfigError
from drsn_audio.sweeping.grid import Axis, cell_name, expand, overrides_of, read_axis

MODEL = read_axis(
    "model", {"none": ["model.shrinkage=none", "model.width=18"], "cw": "model.shrinkage=cw", "own": None}
)
FOLD = read_axis("fold", {1: ["data.level=rms"], 2: []})
SEED = read_axis("seed", [0, 1])
AXES = [MODEL, FOLD, SEED]


def names(cells):
    return [cell_name(cell) for cell in cells]


def test_a_list_of_values_or_of_overrides():
    assert SEED.choices == {"0": ("seed=0",), "1": ("seed=1",)}
    assert read_axis("size", ["model.preset=10k", "model.preset=1m"]).choices == {
        "10k": ("model.preset=10k",), "1m": ("model.preset=1m",)
    }  # fmt: skip
    assert MODEL.choices["cw"] == ("model.shrinkage=cw",)
    assert MODEL.choices["own"] == ()


def test_the_last_axis_varies_fastest_or_as_order_says():
    axes = [MODEL, SEED]
    assert names(expand(axes)) == ["none-seed0", "none-seed1", "cw-seed0", "cw-seed1", "own-seed0", "own-seed1"]
    assert names(expand(axes, order=["seed"])) == [
        "none-seed0", "cw-seed0", "own-seed0", "none-seed1", "cw-seed1", "own-seed1"
    ]  # fmt: skip


def test_what_is_left_out_and_what_comes_beside_the_grid():
    cells = expand(
        [MODEL, SEED],
        include=[{"model": ["none", "cw"], "seed": [1, 2]}, {"model": "own", "seed": 7}],
        exclude=[{"model": "own"}, {"model": "cw", "seed": 0}],
    )
    assert names(cells) == ["none-seed0", "none-seed1", "cw-seed1", "none-seed2", "cw-seed2", "own-seed7"]
    assert overrides_of([MODEL, SEED], cells[-2]) == ["model.shrinkage=cw", "seed=2"]


labels = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(labels, min_size=1, max_size=3), st.data())
def test_every_combination_is_there_once_unless_it_is_left_out(choices, data):
    axes = [Axis(f"axis{k}", dict.fromkeys(of_axis, ())) for k, of_axis in enumerate(choices)]
    whole = [dict(zip([axis.name for axis in axes], one, strict=True)) for one in itertools.product(*choices)]
    left_out = data.draw(st.lists(st.sampled_from(whole), max_size=len(whole) - 1, unique_by=str))
    order = data.draw(st.permutations([axis.name for axis in axes]))
    cells = expand(axes, exclude=left_out, order=order)
    key = [next(axis for axis in axes if axis.name == name) for name in order]
    wanted = [cell for cell in whole if cell not in left_out]
    assert cells == sorted(wanted, key=lambda cell: [list(axis.choices).index(cell[axis.name]) for axis in key])
    assert all(list(cell) == [axis.name for axis in axes] for cell in cells)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], r"axes\.seed: give \{label: \[overrides\]\} or a list of values, got \[\]"),
        ("0", "give .* or a list of values, got '0'"),
        ([0, 0], "0 stands there twice"),
        ([[0]], r"\[0\] is no value"),
        ([None], "YAML reads an unquoted None for a word"),
        (["data.dev=[a/b]"], "cannot be a label"),
        ({"a/b": []}, "'a/b' cannot be a label, part of a file's name"),
        ({"..": []}, "cannot be a label"),
        ({"a": ["model.width"]}, r"axes\.seed\.a: give a list of overrides such as"),
        ({"a": {"model": 1}}, "give a list of overrides"),
    ],
)
def test_what_is_no_axis(given, reason):
    with pytest.raises(ConfigError, match=reason):
        read_axis("seed", given)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"exclude": [{"model": ["none", "cw", "own"]}]}, "exclude leaves nothing"),
        ({"exclude": [{"seed": 2}]}, r"exclude\.seed: 2 is no label of this axis"),  # which only include may name
        ({"include": [{"model": "cv"}]}, r"include\.model: cv is no label of this axis"),
        ({"include": [{"modl": "cw"}]}, "include: modl is no axis; did you mean 'model'"),
        ({"include": ["cw"]}, "an entry reads"),
        ({"exclude": [{}]}, "an entry reads"),  # else all would be left out
        ({"order": ["folds"]}, "order: folds is no axis; did you mean 'fold'"),
    ],
)
def test_what_is_no_entry(options, reason):
    with pytest.raises(ConfigError, match=reason):
        expand(AXES, **options)
