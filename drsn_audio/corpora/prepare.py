"""What all corpora share: their listed files -> train, dev, test and noise manifests, and a summary.

A corpus module only lists its files, as `SpeechFile` and `NoiseFile`; `prepare` does the rest.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drsn_audio.audio import EXTENSIONS, AudioError
from drsn_audio.corpora.cuts import NoiseFile, Skipped, SpeechFile, make_cut, write_cuts
from drsn_audio.errors import InputError

if TYPE_CHECKING:
    from lhotse.cut import Cut

PARTS = ("train", "dev", "test")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Prepared:
    """What a prepare function wrote and what it left out; `str()` is the summary for people."""

    corpus: str
    manifests: dict[str, Path]
    counts: dict[str, int]
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.corpus}: {self.counts[part]} {part} -> {path}" for part, path in self.manifests.items()]
        lines += [f"note: {note}" for note in self.notes]
        if self.skipped:
            lines.append(f"skipped {len(self.skipped)} files:")
            lines += [f"  {path}: {reason}" for path, reason in self.skipped[:10]]
        if len(self.skipped) > 10:
            lines.append(f"  and {len(self.skipped) - 10} more")
        return "\n".join(lines)


def prepare(
    corpus: str,
    out: str | Path,
    speech: Sequence[SpeechFile] = (),
    noise: Sequence[NoiseFile] = (),
    notes: Iterable[str] = (),
    skipped: Iterable[Skipped] = (),
    progress: bool = True,
) -> Prepared:
    """Measure the files and write OUT/<part>.jsonl.gz; the same files give the same bytes.

    A part without cuts gets no file. `skipped` are files that the corpus itself has left out.

    Raises:
        AudioError: no file can be used, or OUT cannot be written to.
        InputError: two files have the same id.
    """
    files: list[SpeechFile | NoiseFile] = [*speech, *noise]
    _check_ids(files)
    groups: dict[str, list[Cut]] = {}
    left_out = list(skipped)
    made = map_parallel(make_cut, files, f"measuring {corpus}", progress)
    for file, cut in zip(files, made, strict=True):
        if isinstance(cut, Skipped):
            left_out.append(cut)
        else:
            groups.setdefault(file.part if isinstance(file, SpeechFile) else "noise", []).append(cut)
    if not groups:
        first = f", first {left_out[0].path}: {left_out[0].reason}" if left_out else ""
        raise AudioError(f"{corpus}: none of {len(left_out)} files can be used{first}")

    manifests = {}
    for part in (*(PARTS if speech else ()), *(("noise",) if noise else ())):
        path = Path(out).absolute() / f"{part}.jsonl.gz"
        if part in groups:
            write_cuts(groups[part], path)
            manifests[part] = path
        else:  # one that an earlier call left here would be taken for this call's
            path.unlink(missing_ok=True)
    counts = {part: len(groups[part]) for part in manifests}
    return Prepared(corpus, manifests, counts, left_out, list(notes))


def map_parallel(
    function: Callable[[_Item], _Result], items: Sequence[_Item], task: str, progress: bool
) -> list[_Result]:
    """`function` of every item, in order, on all cores (threads), under a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(function, items)
        return list(track(results, task, len(items), console=console, transient=True, disable=not progress))


def audio_files(source: str | Path, pattern: str, layout: str) -> list[Path]:
    """Audio files of a corpus that match a glob pattern, sorted, as absolute paths.

    Raises:
        AudioError: SOURCE is not a folder, a folder in it may not be read, or nothing in it matches; `layout` says
            what was expected.
    """
    folder = Path(source).absolute()
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "no such folder"
        raise AudioError(f"{source}: {what}: name the folder that holds {layout}")
    for _ in os.walk(folder, onerror=_refuse_closed):  # glob passes over a folder that it may not read
        pass
    found = sorted(
        path
        for path in folder.glob(pattern)
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and not path.is_dir()
    )
    if not found:
        raise AudioError(f"{source}: no {layout} in it: check the path")
    return found


def _refuse_closed(error: OSError) -> None:
    raise AudioError(f"{error.filename}: cannot be searched ({error.strerror}): check its permissions") from None


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a corpus' csv with a header.

    Raises:
        AudioError: it cannot be read, or lacks one of the columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AudioError(f"{path}: cannot be read ({error}): it comes with the corpus, restore it") from None
    lacking = [column for column in columns if not rows or rows[0].get(column) is None]
    if lacking:
        raise AudioError(f"{path}: no column {', '.join(lacking)}: it comes with the corpus, restore it")
    return rows


def unit_hash(text: str, seed: int = 0) -> float:
    """A number in [0, 1) that depends on text and seed alone: a draw that no other file can change."""
    digest = hashlib.sha256(f"{seed}:{text}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def missing_note(list_name: str, missing: Sequence[str]) -> list[str]:
    """The note on entries of a list without a file: none, or one."""
    return [f"{list_name} names {len(missing)} files that are not here, first {missing[0]}"] if missing else []


def _check_ids(files: Sequence[SpeechFile | NoiseFile]) -> None:
    double = [id for id, count in Counter(file.id for file in files).items() if count > 1]
    if double:
        both = " and ".join(str(file.path) for file in files if file.id == double[0])
        raise InputError(f"{len(double)} ids are not unique, first {double[0]!r} ({both}): keep one file of each")
