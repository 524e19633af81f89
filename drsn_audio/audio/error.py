"""What is wrong with an audio file."""

from drsn_audio.errors import InputError


class AudioError(InputError):
    """A file that cannot be used. The message is one line: the file, what is wrong, what to do."""
