"""A transcript as text, JSON or subtitles, and where it goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drsn_audio.decoding.subtitles import to_srt, to_txt, to_vtt
from drsn_audio.decoding.transcript import Transcript, Word
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole
from drsn_audio.transcribing.inputs import Input

TEXTS = {"txt": to_txt, "srt": to_srt, "vtt": to_vtt}  # of the words of a sound


def as_dict(given: Input, transcript: Transcript) -> dict[str, Any]:
    """What JSON says of a sound; of a cut of a manifest its id, too."""
    words = [
        {"word": word.text, "start": word.start, "end": word.end, "confidence": word.confidence}
        for word in transcript.words
    ]
    cut = {"id": given.id} if given.cut else {}
    return {"path": str(given.path), **cut, "text": transcript.text, "words": words}


def from_dict(found: Mapping[str, Any]) -> Transcript:
    """What `as_dict` was made of."""
    words = [Word(word["word"], word["start"], word["end"], word["confidence"]) for word in found["words"]]
    return Transcript(found["text"], words)


def render(given: Input, transcript: Transcript, form: str) -> str:
    """The file of one sound: txt has a line for each stretch between pauses."""
    if form == "json":
        return json.dumps(as_dict(given, transcript)) + "\n"
    return TEXTS[form](transcript.words)


class OutFolder:
    """Files of transcripts below a folder, each where its sound lies below the place that was searched for it."""

    def __init__(self, folder: Path, form: str):
        self.folder, self.form = folder, form
        self._of: dict[Path, str] = {}  # whose each file is

    def write(self, given: Input, transcript: Transcript, kept: set[Path]) -> Path:
        """A file that already says this is left as it is. `kept` are files that are not to be written over.

        Raises:
            InputError: two sounds have the same name but for the ending, or the file is one of `kept`.
            OSError: it cannot be written.
        """
        path = self.folder / given.relative.with_suffix(f".{self.form}")
        owner = self._of.setdefault(path, given.key)
        if owner != given.key:
            raise InputError(f"{given.path}: {path} holds the transcript of {owner}: give another -o for one of them")
        if path.resolve() in kept:
            raise InputError(f"{given.path}: its transcript would replace the reference {path}: choose another -o")
        data = render(given, transcript, self.form).encode("utf-8", "surrogateescape")
        if not (path.is_file() and path.read_bytes() == data):
            write_whole(path, data)
        return path
