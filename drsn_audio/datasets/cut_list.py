"""Cuts that stay on the disk: a list of which memory holds where each line begins."""

from __future__ import annotations

import json
import os
import pickle
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, overload

import numpy as np
from lhotse.cut import Cut
from lhotse.serialization import deserialize_item

from drsn_audio.datasets.cut_parts import recording_of
from drsn_audio.datasets.manifest_lines import ManifestError, unreadable

Lines = Iterator[tuple[bytes, dict[str, Any]]]  # as scan_lines gives them
TOGETHER = 1000  # facts that are written at once
# Of cuts that are made of nothing else, what must be there for lhotse to take them; it is asked about all others.
CUT_KEYS = {"id", "start", "duration", "channel", "supervisions", "recording", "custom", "type"}
SEGMENT_KEYS = ("id", "recording_id", "start", "duration")
RECORDING_KEYS = ("id", "sources", "sampling_rate", "num_samples", "duration")


class CutFacts(NamedTuple):
    """What is asked of every cut before any is heard. text: of all its supervisions; word: of the first."""

    id: str
    duration_s: float
    word: str | None
    text: str
    speaker: str | None
    source: str  # its file, or the id where it has none
    stored: bool  # in shards: there is no file of its own
    custom: dict[str, Any]


class CutList(Sequence[Cut]):
    """Cuts of manifests in order, each made of its line when it is asked for: do not change what you are given.

    The lines lie in a file without a name, which processes that are forked share; one that is started afresh gets the
    list by its manifests, which it reads again. `shards` says of each cut from which shard it comes, -1 for none, and
    `shard_paths` where those lie. A slice is a list of the same kind.

    Raises:
        ManifestError: as read_cuts.
    """

    def __init__(
        self, sources: Iterable[tuple[str, Lines, int]], reopen: Callable[[], CutList], shard_paths: Sequence[str] = ()
    ):
        """sources: name of each manifest, its lines and the number of the shard that they describe, or -1. reopen:
        makes the same list again, in another process.
        """
        self._reopen, self.shard_paths = reopen, list(shard_paths)
        self._rows: np.ndarray | None = None
        self._sizes: list[int] = []  # bytes of each piece of the facts
        offsets, shards, hashes = array("q", [0]), array("l"), array("q")
        self._file, self._facts = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  # as long as this
        pending, facts = list[bytes](), list[CutFacts]()
        for name, lines, shard in sources:
            for line, cut in lines:
                hashes.append(_checked(cut, name))
                offsets.append(offsets[-1] + len(line))
                shards.append(shard)
                pending.append(line)
                facts.append(_facts(cut))
                if len(facts) == TOGETHER:
                    self._keep(pending, facts)
        self._keep(pending, facts)
        self._begin = np.frombuffer(offsets, np.int64)[:-1]
        self._end = np.frombuffer(offsets, np.int64)[1:]
        self._count = len(self._begin)  # of the whole, of which this may be a part
        self.shards = np.array(shards, np.int32)
        self._refuse_twice(np.frombuffer(hashes, np.int64))

    def __len__(self) -> int:
        return len(self._begin)

    @overload
    def __getitem__(self, index: int) -> Cut: ...
    @overload
    def __getitem__(self, index: slice) -> CutList: ...
    def __getitem__(self, index: int | slice) -> Cut | CutList:
        if isinstance(index, slice):
            return self.at(np.arange(len(self))[index])
        return _as_cut(self._line(index))

    def at(self, rows: np.ndarray) -> CutList:
        """The cuts of these indices, in their order."""
        chosen = object.__new__(CutList)
        chosen.__dict__.update(self.__dict__)
        chosen._rows = rows if self._rows is None else self._rows[rows]
        chosen._begin, chosen._end, chosen.shards = self._begin[rows], self._end[rows], self.shards[rows]
        return chosen

    def facts(self) -> Iterator[CutFacts]:
        """Of each cut, in order, a tenth of the time that the cuts themselves would take."""
        if self._rows is not None:
            yield from (_facts(self._line(index)) for index in range(len(self)))
            return
        at = 0
        for size in self._sizes:
            yield from map(CutFacts._make, pickle.loads(os.pread(self._facts.fileno(), size, at)))
            at += size

    def id(self, index: int) -> str:
        return self._line(index)["id"]

    def __reduce__(self) -> tuple[Any, ...]:
        return _read_again, (self._reopen, self._rows, self._count)

    def _line(self, index: int) -> dict[str, Any]:
        begin = int(self._begin[index])
        return json.loads(os.pread(self._file.fileno(), int(self._end[index]) - begin, begin))

    def _keep(self, lines: list[bytes], facts: list[CutFacts]) -> None:
        """Write what is then forgotten here; the facts so that they need not be asked of the lines again."""
        data = pickle.dumps([tuple(one) for one in facts])
        with _no_room():
            for file, content in ((self._file, b"".join(lines)), (self._facts, data)):
                file.write(content)
                file.flush()
        self._sizes.append(len(data))
        lines.clear()
        facts.clear()

    def _refuse_twice(self, hashes: np.ndarray) -> None:
        _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        for row in np.flatnonzero(first[inverse] != np.arange(len(hashes))).tolist():
            same = np.flatnonzero(hashes[:row] == hashes[row]).tolist()
            name = self.id(row)
            if any(self.id(other) == name for other in same):
                raise ManifestError(f"two utterances have the id {name!r}: give each corpus its manifest once")


def cut_facts(cuts: Iterable[Cut]) -> Iterator[CutFacts]:
    """Facts of each cut, in order."""
    return cuts.facts() if isinstance(cuts, CutList) else map(facts_of, cuts)


def chosen(cuts: Sequence[Cut], rows: Sequence[int]) -> Sequence[Cut]:
    """The cuts of these indices, in their order; none of them is made yet."""
    return cuts.at(np.array(rows, np.int64)) if isinstance(cuts, CutList) else [cuts[row] for row in rows]


def facts_of(cut: Cut) -> CutFacts:
    said, recording = cut.supervisions, recording_of(cut)
    source = recording.sources[0] if recording else None
    return CutFacts(
        cut.id,
        cut.duration,
        said[0].text if said else None,
        " ".join(one.text or "" for one in said).strip(),
        said[0].speaker if said else None,
        str(source.source) if source else cut.id,
        source is not None and source.type == "shar",
        cut.custom or {},
    )


def _facts(line: dict[str, Any]) -> CutFacts:
    """The same of a line, without the cut that is made of it."""
    if line["type"] != "MonoCut":
        return facts_of(_as_cut(line))
    said = line["supervisions"] or [{}]
    source = (line.get("recording") or {"sources": [{"type": "", "source": line["id"]}]})["sources"][0]
    return CutFacts(
        line["id"],
        line["duration"],
        said[0].get("text"),
        " ".join(one.get("text") or "" for one in said).strip(),
        said[0].get("speaker"),
        str(source["source"]),
        source["type"] == "shar",
        line.get("custom") or {},
    )


def _as_cut(line: dict[str, Any]) -> Cut:
    name = line["id"]
    try:
        return deserialize_item(line)
    except Exception as error:  # lhotse has many
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ManifestError(f"{name}: is no cut ({reason}): make its manifest with drsn-audio prepare") from None


def _checked(cut: dict[str, Any], name: str) -> int:
    """Hash of a cut's id, if lhotse can make a cut of it."""
    try:
        if cut["type"] != "MonoCut" or not cut.keys() <= CUT_KEYS:
            return hash(deserialize_item(json.loads(json.dumps(cut))).id)
        cut["start"] + cut["duration"], cut["channel"]
        for segment in cut["supervisions"]:
            for key in SEGMENT_KEYS:
                segment[key]
        recording = cut.get("recording")
        if recording:
            for key in RECORDING_KEYS:
                recording[key]
            for source in recording["sources"]:
                source["type"], source["channels"], source["source"]
        return hash(cut["id"])
    except Exception as error:  # lhotse has many
        raise unreadable(name, error) from None


@contextmanager
def _no_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ManifestError(
            f"{tempfile.gettempdir()}: no room for the lines of the manifests ({error.strerror}): make some, or set "
            "TMPDIR to a folder that has it"
        ) from None


def _read_again(reopen: Callable[[], CutList], rows: np.ndarray | None, count: int) -> CutList:
    cuts = reopen()
    if len(cuts) != count:
        raise ManifestError("a manifest was changed while it was in use: start again")
    return cuts if rows is None else cuts.at(rows)
