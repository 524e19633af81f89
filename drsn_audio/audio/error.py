"""The error of audio files that cannot be used."""

from drsn_audio.errors import InputError


class AudioError(InputError):
    """A file that cannot be used. The message is one line: the file, what is wrong, what to do."""
