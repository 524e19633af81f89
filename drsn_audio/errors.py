"""What is wrong with what the user gave. Any other exception is a bug and keeps its traceback."""

import re

BAD_INPUT = 2  # exit status


class InputError(ValueError):
    """The user can mend it. The message is one line: the file or value, what is wrong, what to do.

    Each package has its own kind: AudioError, ConfigError, ManifestError, CheckpointError, EspeakError.
    """


def one_line(message: str) -> str:
    """Without the traceback that a loader's process puts before its error, and without line breaks of file names."""
    return re.split(r"\n[\w.]+Error: ", message)[-1].strip().replace("\n", "\\n").replace("\r", "\\r")
