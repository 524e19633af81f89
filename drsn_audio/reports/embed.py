"""A part of a page that a command writes, between two marks, so that what was measured is never copied by hand."""

from __future__ import annotations

from pathlib import Path

from drsn_audio.errors import InputError
from drsn_audio.files import write_whole

END = "<!-- end -->"


def mark(name: str) -> str:
    """What stands in a page above the part `name`; `END` stands below it."""
    return f"<!-- {name}: written by a command -->"


def marked(page: Path, name: str) -> bool:
    """Whether the page has such a mark.

    Raises:
        InputError: the page cannot be read.
    """
    return mark(name) in _read(page)


def embedded(page: Path, name: str) -> str:
    """The part as it is, without the marks.

    Raises:
        InputError: the page cannot be read, or does not have the mark once, and the end below it.
    """
    return _split(page, name)[1].strip("\n")


def embed(page: Path, name: str, text: str) -> None:
    """Put `text` in the place of that part; the page is replaced at once or not at all.

    Raises:
        InputError: as of `embedded`.
    """
    before, _, after = _split(page, name)
    write_whole(page, f"{before}\n\n{text}\n\n{after}".encode())


def _split(page: Path, name: str) -> tuple[str, str, str]:
    """Up to the mark and with it, the part, the end and what follows."""
    text = _read(page)
    before, found, rest = text.partition(mark(name))
    part, end, after = rest.partition(END)
    if not (found and end) or mark(name) in rest:
        raise InputError(f"{page}: no place for {name}: put {mark(name)} there once, and {END} below it")
    return before + found, part, end + after


def _read(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{page}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{page}: not a text in UTF-8") from None
