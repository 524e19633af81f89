"""What has been done, a line each, so that a run that was cut short, at whatever moment, can go on.

PATH: a line that says by which model and how, then a line for each input that is done. Where several processes work,
each but the main one has a file of its own beside it, PATH with its rank before the ending, until the main one has
added it to PATH.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from drsn_audio.errors import InputError
from drsn_audio.processes import ALONE, Processes

Opened = TypeVar("Opened", bound="JsonJournal")


class JsonJournal:
    """`with JsonJournal(path, request, resume) as journal: journal.answer_of(key, stamp), journal.note(...)`.

    `request` is all that decides what an answer is, for JSON. Without `resume` what earlier runs noted is forgotten.
    `what` and `command` are what messages call the answers and the command. All `processes` must enter it.

    Raises:
        InputError: with `resume`, it holds answers of another request; or another run is at work there.
        OSError: it cannot be written.
    """

    what, command = "answers", "drsn-audio"

    def __init__(self, path: Path, request: dict[str, Any], resume: bool, processes: Processes = ALONE):
        self.path, self._request, self._resume = path, json.loads(json.dumps(request)), resume
        self._processes = processes
        self._places: dict[str, int] = {}  # key of an input -> where its line begins, in the main file
        self.empty = True  # nothing is noted

    def __enter__(self: Opened) -> Opened:
        self._processes.wait()  # from here on they notice where one is gone
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._processes.is_main:
            self._file = self._main = self._open(self.path)
            self._or_close(self._begin)
        self._processes.wait()
        if not self._processes.is_main:
            self._main = open(self.path, "rb")
            self._file = self._open(self._part(self._processes.rank))
            self._read()
            self._file.truncate(0)
            self._append(self._request)
        self._processes.wait()  # the main one writes when all have read
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._main.close()

    def answer_of(self, key: str, stamp: Any) -> Any:
        """What an earlier run noted of an input that has not changed since; None: nothing."""
        place = self._places.get(key)
        if place is None:
            return None
        self._main.seek(place)
        record = json.loads(self._main.readline())
        self._main.seek(0, os.SEEK_END)
        return record["answer"] if record["stamp"] == json.loads(json.dumps(stamp)) else None

    def note(self, key: str, stamp: Any, answer: Any) -> None:
        """One that is done. `answer_of` tells it after `collect`, or in the next run."""
        self._append({"key": key, "stamp": stamp, "answer": answer})
        self.empty = False

    def collect(self, facts: Any) -> list[Any]:
        """When all have done their share: the main one has all answers then. -> the facts of each process, by rank."""
        if not self._processes.is_main:
            self._file.close()
        found = self._processes.gather(facts)
        if self._processes.is_main:
            self._take_parts()
            self._places.clear()
            self._read()
        return found

    def _begin(self) -> None:
        if self._resume:
            end = self._read()
            self._file.seek(end)
            self._file.truncate()
            if not end:
                self._append(self._request)
            self._take_parts()
            self._read()
            return
        for path in self._parts():
            with self._open(path):
                path.unlink()
        self._file.truncate(0)
        self._append(self._request)

    def _take_parts(self) -> None:
        """Add the parts that processes have left. A kill between leaves one that is added twice: no harm."""
        for path in self._parts():
            with self._open(path) as part:
                for number, (line, record) in enumerate(_whole_lines(part)):
                    if number == 0:
                        self._refuse_other(record)
                    else:
                        self._file.write(line)
                self._file.flush()
                path.unlink()

    def _read(self) -> int:
        """Find what is done, in the main file -> where its last whole line ends: the next may be written in part."""
        end = 0
        self._main.seek(0)
        for line, record in _whole_lines(self._main):
            if end == 0:
                self._refuse_other(record)
            else:
                self._places[record["key"]] = end
            end += len(line)
        self._main.seek(0, os.SEEK_END)
        self.empty = not self._places
        return end

    def _append(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()

    def _part(self, rank: int) -> Path:
        return self.path.with_name(f"{self.path.stem}.{rank}{self.path.suffix}")

    def _parts(self) -> list[Path]:
        """Of whatever number of processes."""
        name = re.compile(rf"{re.escape(self.path.stem)}\.\d+{re.escape(self.path.suffix)}")
        return sorted(path for path in self.path.parent.iterdir() if name.fullmatch(path.name))

    def _open(self, path: Path) -> BinaryIO:
        """For reading and writing, made where it is not there, and nobody else's until it is closed."""
        file: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            self._lock(file)
        except BaseException:
            file.close()
            raise
        return file

    def _lock(self, file: BinaryIO) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: two runs in one folder are the user's to avoid
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{self.path.parent}: another {self.command} is at work there: wait for it, or stop it"
            ) from None

    def _or_close(self, begin: Any) -> None:
        try:
            begin()
        except BaseException:
            self._file.close()
            raise

    def _refuse_other(self, request: dict[str, Any]) -> None:
        changed = [key for key in {**self._request, **request} if request.get(key) != self._request.get(key)]
        if changed:
            raise InputError(
                f"{self.path.parent}: holds {self.what} made otherwise (another {', '.join(changed)}): choose another "
                "-o, or leave out --resume to begin anew"
            )


def _whole_lines(file: BinaryIO) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Lines with what they say, up to the first that is not whole."""
    for line in file:
        try:
            record = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            return
        if not isinstance(record, dict):
            return
        yield line, record
