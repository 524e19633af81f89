PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint docs

setup: .venv/installed

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/python recipes/keywords/demo.py

test: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup
	$(BIN)/mkdocs build
