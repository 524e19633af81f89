"""What is wrong with what the user gave. Any other exception is a bug and keeps its traceback."""


class InputError(ValueError):
    """The user can mend it. The message is one line: the file or value, what is wrong, what to do.

    Each package has its own kind: AudioError, ConfigError, ManifestError, CheckpointError, EspeakError.
    """
