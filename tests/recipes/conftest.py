"""The recipe's scripts, imported and called as the command line does."""

import importlib
from pathlib import Path

import pytest

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "keywords"


@pytest.fixture
def recipe(monkeypatch):
    """The recipe's modules by name, as its scripts find them."""
    monkeypatch.syspath_prepend(str(RECIPE))
    return importlib.import_module


@pytest.fixture
def call(recipe, monkeypatch, capsys):
    """Run a script's main; its status and the lines of stdout and stderr."""

    def run(name, *arguments):
        monkeypatch.setattr("sys.argv", [str(RECIPE / f"{name}.py"), *map(str, arguments)])
        status = recipe(name).main()
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run
