"""What is wrong with what the user gave. Any other exception is a bug and keeps its traceback."""

import re
from collections.abc import Sequence

BAD_INPUT = 2  # exit status


class InputError(ValueError):
    """The user can mend it. The message is one line: the file or value, what is wrong, what to do.

    Each package has its own kind: AudioError, ConfigError, ManifestError, CheckpointError, EspeakError.
    """


def one_line(message: str) -> str:
    """Without the traceback that a loader's process puts before its error, and without line breaks of file names."""
    return re.split(r"\n[\w.]+Error: ", message)[-1].strip().replace("\n", "\\n").replace("\r", "\\r")


def nearest(name: str, known: Sequence[str]) -> str:
    """What to say of an unknown name: the nearest known one, or all of them."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
