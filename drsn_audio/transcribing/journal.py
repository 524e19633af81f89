"""What has been transcribed into a folder, so that a run that was cut short, at whatever moment, can go on.

FOLDER/transcribe.jsonl: a line that says by which model and how, then a line for each sound that is done, written
before its file is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from drsn_audio.decoding.transcript import Transcript
from drsn_audio.errors import InputError
from drsn_audio.transcribing.inputs import Input
from drsn_audio.transcribing.outputs import as_dict, from_dict

NAME = "transcribe.jsonl"


class Journal:
    """`with Journal(folder, request, resume) as journal: journal.earlier(input), journal.add(input, transcript)`.

    `request` is all that decides what a transcript says, for JSON. Without `resume` what earlier runs noted is
    forgotten.

    Raises:
        InputError: with `resume`, the folder holds transcripts of another request; or another run is at work in it.
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path, request: dict[str, Any], resume: bool):
        self.path, self._request, self._resume = folder / NAME, json.loads(json.dumps(request)), resume
        self._places: dict[str, int] = {}  # key of an input -> where its line begins

    def __enter__(self) -> Journal:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = open(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            _lock(self._file, self.path.parent)
            end = self._read() if self._resume else 0
            self._file.seek(end)
            self._file.truncate()
            if not end:
                self._append(self._request)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def earlier(self, given: Input) -> Transcript | None:
        """What an earlier run heard in a sound that has not changed since."""
        place = self._places.get(given.key)
        if place is None:
            return None
        self._file.seek(place)
        record = json.loads(self._file.readline())
        self._file.seek(0, os.SEEK_END)
        return from_dict(record["answer"]) if record["stamp"] == given.stamp() else None

    def add(self, given: Input, transcript: Transcript) -> None:
        self._append({"key": given.key, "stamp": given.stamp(), "answer": as_dict(given, transcript)})

    def _append(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()

    def _read(self) -> int:
        """Find what is done -> where the last whole line ends: of a further one no more than a part was written."""
        end = 0
        for line in self._file:
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if not isinstance(record, dict):
                return end
            if end == 0:
                self._refuse_other(record)
            else:
                self._places[record["key"]] = end
            end += len(line)
        return end

    def _refuse_other(self, request: dict[str, Any]) -> None:
        changed = [key for key in {**self._request, **request} if request.get(key) != self._request.get(key)]
        if changed:
            raise InputError(
                f"{self.path.parent}: holds transcripts made otherwise (another {', '.join(changed)}): choose another "
                "-o, or leave out --resume to begin anew"
            )


def _lock(file: BinaryIO, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two runs in one folder are the user's to avoid
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{folder}: another drsn-audio transcribe is at work there: wait for it, or stop it") from None
