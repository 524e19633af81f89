"""The files of a run folder, as training leaves them or a kill does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drsn_audio.errors import InputError

TAIL_BYTES = 4096  # of a log, that hold its last line


class RunError(InputError):
    """A run folder that cannot be read. The message is one line."""


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; of one that is not there none, and without a last one that is not whole.

    Raises:
        RunError: it cannot be read, or another line is not JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return [_mapping(json.loads(line)) for line in text[: text.rfind("\n") + 1].splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def last_step(path: Path) -> int:
    """Of steps.jsonl, which is longer by a line a step, while training.json is written now and then; 0 without it."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            tail = file.read()
        return int(json.loads(tail[: tail.rfind(b"\n") + 1].splitlines()[-1])["step"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return 0


def is_locked(path: Path) -> bool:
    """Whether a process trains there. True where that cannot be told."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        with path.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back with the file
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def read_json(path: Path) -> dict[str, Any]:
    """{} where there is no such file."""
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:40]!r} where a mapping is to be")
    return value


def unreadable(path: Path, error: Exception) -> RunError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
    return RunError(f"{path}: cannot be read ({reason}): restore it, or remove the run")
