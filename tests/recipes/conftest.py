"""The recipes' scripts, imported and called as the command line does."""

import importlib
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


@pytest.fixture
def folder():
    """Of the recipe that is tested."""
    return RECIPES / "keywords"


@pytest.fixture
def recipe(folder, monkeypatch):
    """The recipe's modules by name, as its scripts find them: another recipe may have some of the same name."""
    monkeypatch.syspath_prepend(str(folder))
    names = {path.stem for path in RECIPES.glob("*/*.py")}
    others = {name: sys.modules.pop(name) for name in names & sys.modules.keys()}
    yield importlib.import_module
    for name in names & sys.modules.keys():
        del sys.modules[name]
    sys.modules.update(others)


@pytest.fixture
def call(recipe, folder, monkeypatch, capsys):
    """Run a script's main; its status and the lines of stdout and stderr."""

    def run(name, *arguments):
        monkeypatch.setattr("sys.argv", [str(folder / f"{name}.py"), *map(str, arguments)])
        status = recipe(name).main()
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run
