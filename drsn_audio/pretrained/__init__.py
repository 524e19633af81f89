"""Shipped models: `<name>.json` with its weights, as a checkpoint holds them, and the model card `<name>.md`.

`recipes/keywords/ship.py` puts a model here, `card.py` of its recipe writes its card.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Names of the models that came with this version."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def find(name: str) -> Path | None:
    """A shipped model's name -> its checkpoint's JSON; None where there is none of that name."""
    return FOLDER / f"{name}.json" if name in names() else None
