"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_UMASK = os.umask(0)  # there is no way to ask for it, and threads must not see it change
os.umask(_UMASK)


def open_mode() -> int:
    """Permissions of a new file, as `open` gives them; a temporary one has fewer."""
    return 0o666 & ~_UMASK


def same_file(one: str | Path, other: str | Path) -> bool:
    """Return True if two paths name one existing file, also through a folder that does not exist yet (new/../a.wav)."""
    try:
        return os.path.samefile(os.path.realpath(one), os.path.realpath(other))
    except OSError:  # one of them is not there
        return False


def write_whole(path: Path, data: bytes, spare: Path | None = None, sync: bool = False) -> None:
    """Write a file under another name and rename it, so that it is the old one or the new one, never half of it.

    The folder is made where it is not there. spare: a folder on the same disk for what is not whole yet; by default
    the file's own. sync: the disk has it, too, when this returns.

    Raises:
        OSError: it cannot be written; what was there still is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=spare or path.parent, prefix=f".{path.name[:80]}.")
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.chmod(temporary, open_mode())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
