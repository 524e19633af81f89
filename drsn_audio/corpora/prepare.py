"""What all corpora share: their listed files -> train, dev, test and noise manifests, and a summary.

A corpus module only lists its files, as `SpeechFile` and `NoiseFile`, and the faults of its layout, as `Skipped`;
`prepare` does the rest. What is skipped is counted by kind, told, and written to OUT/faults.jsonl.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drsn_audio.audio import EXTENSIONS, AudioError, is_audio_name
from drsn_audio.audio.search import AudioChoice
from drsn_audio.corpora.cuts import NoiseFile, Skipped, SpeechFile, make_cut, write_cuts
from drsn_audio.corpora.lists import DUPLICATE
from drsn_audio.files import write_whole

if TYPE_CHECKING:
    from lhotse.cut import Cut

PARTS = ("train", "dev", "test")
FAULTS = "faults.jsonl"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Prepared:
    """What a prepare function wrote and what it left out; `str()` is the summary for people.

    skipped: files that could not be used, and faults of the layout: lost audio, empty transcripts, empty folders.
    """

    corpus: str
    manifests: dict[str, Path]
    counts: dict[str, int]
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.corpus}: {self.counts[part]} {part} -> {path}" for part, path in self.manifests.items()]
        lines += [f"note: {note}" for note in self.notes]
        files = sum(is_audio_name(path) for path, *_ in self.skipped)
        if self.skipped:
            place = next(iter(self.manifests.values())).parent / FAULTS
            lines.append(f"skipped {files} files; faults by kind, all of them in {place}:")
        for kind, found in self.faults.items():
            lines.append(f"  {len(found)} {kind}, first {found[0].path}: {found[0].reason}")
        return "\n".join(lines)

    @property
    def faults(self) -> dict[str, list[Skipped]]:
        """`skipped`, by kind."""
        kinds: dict[str, list[Skipped]] = {}
        for fault in self.skipped:
            kinds.setdefault(fault.kind, []).append(fault)
        return kinds


def prepare(
    corpus: str,
    out: str | Path,
    speech: Sequence[SpeechFile] = (),
    noise: Sequence[NoiseFile] = (),
    notes: Iterable[str] = (),
    skipped: Iterable[Skipped] = (),
    parts: Sequence[str] = PARTS,
    progress: bool = True,
) -> Prepared:
    """Measure the files and write OUT/<part>.jsonl.gz; the same files give the same bytes.

    A part without cuts gets no file. Of several files of one id the first that can be used is kept: FLAC before WAV
    before the other formats in the order of `audio.EXTENSIONS`, then by path; the others are skipped as duplicates.

    `skipped` is what the corpus itself has left out; `parts` are those of speech that a call may write: a manifest of
    theirs that an earlier call left is removed.

    Raises:
        AudioError: no file can be used, or OUT cannot be written to.
    """
    files: list[SpeechFile | NoiseFile] = [*speech, *noise]
    files.sort(key=_precedence)
    groups: dict[str, list[Cut]] = {}
    left_out = list(skipped)
    kept: dict[str, Path] = {}
    made = map_parallel(make_cut, files, f"measuring {corpus}", progress)
    for file, cut in zip(files, made, strict=True):
        if isinstance(cut, Skipped):
            left_out.append(cut)
        elif file.id in kept:
            reason = f"has the id {file.id}, as has {kept[file.id]}, which is kept: keep one of them"
            left_out.append(Skipped(file.path, reason, DUPLICATE))
        else:
            kept[file.id] = file.path
            groups.setdefault(file.part if isinstance(file, SpeechFile) else "noise", []).append(cut)
    if not groups:
        first = f", first {left_out[0].path}: {left_out[0].reason}" if left_out else ""
        raise AudioError(f"{corpus}: none of {len(left_out)} files can be used{first}")

    left_out.sort(key=lambda fault: (fault.kind, str(fault.path)))
    manifests = {}
    for part in (*(parts if speech else ()), *(("noise",) if noise else ())):
        path = Path(out).absolute() / f"{part}.jsonl.gz"
        if part in groups:
            write_cuts(groups[part], path)
            manifests[part] = path
        else:  # one that an earlier call left here would be taken for this call's
            path.unlink(missing_ok=True)
    counts = {part: len(groups[part]) for part in manifests}
    write_faults(left_out, Path(out))
    return Prepared(corpus, manifests, counts, left_out, list(notes))


def write_faults(skipped: Iterable[Skipped], out: Path) -> None:
    """OUT/faults.jsonl, one JSON object (kind, path, reason) a line; whole, or not there where nothing was skipped.

    Raises:
        AudioError: OUT cannot be written to.
    """
    place = out / FAULTS
    lines = [json.dumps({"kind": kind, "path": str(path), "reason": reason}) for path, reason, kind in skipped]
    try:
        if lines:
            write_whole(place, "".join(f"{line}\n" for line in lines).encode())
        else:  # those of an earlier call would be taken for this call's
            place.unlink(missing_ok=True)
    except OSError as error:
        raise AudioError(f"{place}: cannot be written ({error.strerror}): choose another place") from None


def map_parallel(
    function: Callable[[_Item], _Result], items: Sequence[_Item], task: str, progress: bool
) -> list[_Result]:
    """`function` of every item, in order, on all cores (threads), under a progress bar on stderr."""
    from drsn_audio.progress import ProgressBar

    with ThreadPoolExecutor(os.cpu_count()) as pool, ProgressBar(shown=progress) as bar:
        return list(bar.track(pool.map(function, items), len(items), description=task))


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
    for _ in os.walk(folder, onerror=refuse_closed):  # glob passes over a folder that it may not read
        pass
    choice = AudioChoice(folder)
    found = sorted(path for path in folder.glob(pattern) if not path.is_dir() and choice.takes(path.name))
    choice.report()
    if not found:
        raise AudioError(f"{source}: no {layout} in it: check the path")
    return found


def refuse_closed(error: OSError) -> None:
    """What os.walk is to do with a folder that it may not read: raise AudioError."""
    raise AudioError(f"{error.filename}: cannot be searched ({error.strerror}): check its permissions") from None


def unit_hash(text: str, seed: int = 0) -> float:
    """A number in [0, 1) that depends on text and seed alone: a draw that no other file can change."""
    digest = hashlib.sha256(f"{seed}:{text}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def part_by_hash(speaker: str, dev_share: float, test_share: float, seed: int = 0) -> str:
    """train, dev or test: by speaker and seed alone, so that no newcomer moves anybody."""
    share = unit_hash(speaker, seed)
    return "test" if share < test_share else "dev" if share < test_share + dev_share else "train"


def empty_parts(speech: Iterable[SpeechFile], dev_share: float, test_share: float) -> list[str]:
    """Notes on the parts to which `part_by_hash` took nobody."""
    used = {file.part for file in speech}
    wanted = {"train": 1.0, "dev": dev_share, "test": test_share}
    return [f"no speaker fell to {p}: try another seed" for p, share in wanted.items() if share and p not in used]


def fold_by_hash(source: str, folds: int) -> int:
    """1 to `folds`, by the recording's name alone: for corpora that are published without folds."""
    return int(unit_hash(source) * folds) + 1


def _precedence(file: SpeechFile | NoiseFile) -> tuple[int, str]:
    suffix = file.path.suffix.lower()
    return EXTENSIONS.index(suffix) if suffix in EXTENSIONS else len(EXTENSIONS), str(file.path)
