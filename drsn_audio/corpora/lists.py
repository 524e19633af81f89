"""Lists that come with a corpus: read, and compared with the files that are there."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from drsn_audio.audio import AudioError
from drsn_audio.corpora.cuts import Skipped

DUPLICATE = "duplicated id"
MALFORMED = "malformed line"

_Key = TypeVar("_Key")


def read_csv(
    path: Path, columns: Sequence[str], whole_numbers: Sequence[str] = ()
) -> tuple[list[dict[str, str]], list[Skipped]]:
    """Rows of a corpus' csv with a header, and those of its rows that lack one of the columns or hold no number in it.

    Raises:
        AudioError: it cannot be read, or lacks one of the columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AudioError(f"{path}: cannot be read ({error}): it comes with the corpus, restore it") from None
    lacking = [column for column in columns if not rows or rows[0].get(column) is None]
    if lacking:
        raise AudioError(f"{path}: no column {', '.join(lacking)}: it comes with the corpus, restore it")
    good, faults = [], []
    for number, row in enumerate(rows, 2):
        if all(row[name] for name in columns) and all(row[name].isdecimal() for name in whole_numbers):
            good.append(row)
        else:
            said = ", ".join(f"{name} {row[name]!r}" for name in columns)
            faults.append(Skipped(path, f"row {number} cannot be taken: {said}", MALFORMED))
    return good, faults


def by_key(paths: Iterable[Path], key: Callable[[Path], _Key]) -> dict[_Key, list[Path]]:
    """Paths by what a list calls them: several, where one sound lies there in several formats."""
    found: dict[_Key, list[Path]] = {}
    for path in paths:
        found.setdefault(key(path), []).append(path)
    return found


def lost(list_path: Path, entry: str) -> Skipped:
    """An entry of a list without a file."""
    return Skipped(list_path, f"names {entry}, which is not there: get the corpus again", "listed but not there")


def unlisted(path: Path, list_name: str) -> Skipped:
    """A file that the corpus' list does not name."""
    return Skipped(path, f"is not in {list_name}", "not in the list")
