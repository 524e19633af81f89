"""What has been mixed so far, so that a run that was cut short, at whatever moment, goes on where it stopped.

OUT/mix.unfinished holds, until the manifest is written: request.json, all that decides what the mixes are;
journal.jsonl, a record for every utterance that is done, in their order; earlier.jsonl, those of the runs before; and
files that are being written.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from drsn_audio.datasets.mix_header import differences, read_header, write_header
from drsn_audio.datasets.mix_outputs import HOPELESS, OutError
from drsn_audio.errors import InputError

FOLDER = "mix.unfinished"
WAIT_S = 5.0  # for the processes of a run that was killed, which still hold the lock


class Record(NamedTuple):
    """Of one utterance, the number-th: its lines of the manifest, and files that could not be used."""

    number: int
    id: str
    lines: list[str]
    failed: list[tuple[str, str]]


class Journal:
    """`with Journal(out, request) as journal: journal.earlier(id), journal.add(record), journal.finish(manifest)`.

    Raises:
        InputError: OUT holds mixes of another request, or another run is at work in it.
    """

    def __init__(self, manifest: Path, request: dict[str, Any]):
        self.manifest, self.request = manifest, request
        self.folder = manifest.parent / FOLDER
        self._earlier: Iterator[Record] = iter(())
        self._next: Record | None = None

    def __enter__(self) -> Journal:
        finished = read_header(self.manifest.with_name("mix.json"))
        if finished and self.manifest.exists():
            self._refuse_other({key: finished.get(key) for key in self.request}, self.manifest.with_name("mix.json"))
        with _out_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.folder / "lock", self.manifest.parent)
        try:
            self._begin(bool(finished))
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        os.close(self._lock)

    def earlier(self, id: str) -> Record | None:
        """The record that an earlier run has left of the utterance whose turn it is."""
        if self._next is None or self._next.id != id:
            return None
        found, self._next = self._next, next(self._earlier, None)
        return found

    def add(self, record: Record) -> None:
        head = {"number": record.number, "id": record.id, "lines": len(record.lines), "failed": record.failed}
        text = "".join(f"{line}\n" for line in [json.dumps(head), *record.lines])
        with _out_errors(self.folder / "journal.jsonl"):
            self._file.write(text.encode("utf-8", "surrogateescape"))
            self._file.flush()

    def finish(self) -> int:
        """Write the manifest, if there are mixes, and forget the journal -> how many mixes."""
        count, spare = 0, self.folder / ".manifest"
        with _out_errors(self.manifest):
            with open(spare, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
                for record in _records(self.folder / "journal.jsonl"):
                    for line in record.lines:
                        file.write(f"{line}\n".encode())
                        count += 1
            if count:
                os.replace(spare, self.manifest)
        return count

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if not any(self.manifest.parent.iterdir()):
            self.manifest.parent.rmdir()

    def _begin(self, finished: bool) -> None:
        for leftover in self.folder.glob(".*"):  # of writers that were killed
            leftover.unlink(missing_ok=True)
        begun, now, before = (self.folder / name for name in ("request.json", "journal.jsonl", "earlier.jsonl"))
        if begun.exists():
            self._refuse_other(read_header(begun), self.folder)
        else:
            write_header(begun, self.request)
        if now.exists():
            _merge(now, before, self.folder / ".merged")
        if before.exists():
            self._earlier = _records(before)
        elif finished and self.manifest.exists():
            self._earlier = _finished_records(self.manifest)
        self._next = next(self._earlier, None)
        self._file = open(now, "wb")  # noqa: SIM115  # closed by __exit__

    def _refuse_other(self, request: dict[str, Any], where: Path) -> None:
        # Through JSON and back, as the other has been: tuples are lists there.
        changed = differences(request, json.loads(json.dumps(self.request)))
        if changed:
            raise InputError(
                f"{self.manifest.parent}: holds mixes made otherwise ({'; '.join(changed[:3])}): "
                f"choose another OUT, or delete that one ({where.name} says how they were made)"
            )


def _merge(now: Path, before: Path, spare: Path) -> None:
    """Both journals -> earlier.jsonl; killed at any moment, it can be done again."""
    last = -1
    with open(spare, "wb") as merged:
        for path in (now, before):
            for record in _records(path):
                if record.number > last:
                    last = record.number
                    head = {**record._asdict(), "lines": len(record.lines)}
                    text = "".join(f"{line}\n" for line in [json.dumps(head), *record.lines])
                    merged.write(text.encode("utf-8", "surrogateescape"))
    os.replace(spare, before)
    now.unlink()


def _records(path: Path) -> Iterator[Record]:
    """Whole records; one that was being written when the run was killed is left out."""
    if not path.exists():
        return
    with open(path, "rb") as file:
        while (head := file.readline()).endswith(b"\n"):
            try:
                facts = json.loads(head)
                lines = [file.readline() for _ in range(facts["lines"])]
            except (ValueError, KeyError, TypeError):
                return
            if lines and not lines[-1].endswith(b"\n"):
                return
            failed = [(str(path), str(reason)) for path, reason in facts["failed"]]
            yield Record(facts["number"], facts["id"], [line.decode().rstrip("\n") for line in lines], failed)


def _finished_records(manifest: Path) -> Iterator[Record]:
    """Of a manifest, whose cuts of one utterance stand together."""
    for number, (id, lines) in enumerate(by_utterance(manifest_lines(manifest))):
        yield Record(number, id, lines, [])


def manifest_lines(manifest: Path) -> Iterator[str]:
    with gzip.open(manifest, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.rstrip("\n")


def by_utterance(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Lines of a manifest of mixes -> utterance and its lines."""
    group: list[str] = []
    current = None
    for line in lines:
        id = str(json.loads(line)["custom"]["utterance"])
        if group and id != current:
            yield str(current), group
            group = []
        current = id
        group.append(line)
    if group:
        yield str(current), group


class _out_errors:
    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            remedy = "make room or choose another OUT; the same command then goes on from here"
            hint = remedy if error.errno in HOPELESS else "choose another OUT"
            raise OutError(f"{self.path}: cannot be written ({error.strerror}): {hint}") from None


def _locked(path: Path, out: Path) -> int:
    """File descriptor of a lock that its processes hold; the system opens it when they have died."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        import fcntl
    except ImportError:  # Windows: two runs in one OUT are the user's to avoid
        return handle
    until = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(handle)
                raise InputError(f"{out}: another drsn-audio mix is at work there: wait for it, or stop it") from None
            time.sleep(0.1)
        else:
            return handle
