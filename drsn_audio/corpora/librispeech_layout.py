"""LibriSpeech's layout (Panayotov et al. 2015), read with its faults.

PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac and SPEAKER-CHAPTER.trans.txt, a line "SPEAKER-CHAPTER-NNNN TEXT" each.

Why not by Lhotse's recipe: it takes FLAC alone and the official names of parts alone, passes over audio without a
transcript and over empty folders in silence, only logs lost audio, and stops at an empty transcript or at a file
that it cannot decode. Of a corpus without faults it lists what this does, which a test holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from drsn_audio.audio import AudioError
from drsn_audio.audio.search import AudioChoice
from drsn_audio.corpora.cuts import Skipped
from drsn_audio.corpora.lists import DUPLICATE, MALFORMED
from drsn_audio.corpora.prepare import refuse_closed
from drsn_audio.errors import InputError
from drsn_audio.text import parse_transcripts, read_text

LAYOUT = "SPEAKER/CHAPTER/*.trans.txt files (LibriSpeech)"
TRANSCRIPTS = ".trans.txt"

_ID = re.compile(r"(\d+-\d+)-\d+")


class Utterance(NamedTuple):
    """One audio file that has a transcript; several have the same id where it lies there in several formats."""

    id: str
    speaker: str
    part: str  # name of the folder of the speakers
    text: str  # as in the corpus: upper case
    path: Path


def read_layout(
    source: str | Path, parts: Sequence[str] | None = None
) -> tuple[list[Utterance], list[Skipped], set[Path]]:
    """Any folder in the layout: the corpus, a part, a speaker -> utterances, faults, and the folders of its parts.

    Audio in any format that `find_audio` takes is taken. `parts` names those to read; by default all.

    Raises:
        AudioError: nothing in SOURCE has this layout, or a folder in it may not be read.
        InputError: one of `parts` is not there.
    """
    folders = _walk(Path(source))
    chapters = [folder for folder, files in folders.items() if _is_chapter(folder, files)]
    found = {chapter.parent.parent for chapter in chapters}
    if not found:
        raise AudioError(f"{source}: no {LAYOUT} in it: check the path")
    names = sorted({part.name for part in found})
    unknown = [name for name in parts or () if name not in names]
    if unknown:
        raise InputError(f"{source}: no part {unknown[0]} in it: it holds {', '.join(names)}")
    utterances: list[Utterance] = []
    faults: list[Skipped] = []
    chosen = {part for part in found if parts is None or part.name in parts}
    for chapter in chapters:
        if chapter.parent.parent in chosen:
            for item in _read_chapter(chapter, folders[chapter]):
                if isinstance(item, Utterance):
                    utterances.append(item)
                else:
                    faults.append(item)
    for folder in folders:
        if folder not in chapters and (parts is None or chosen.intersection((folder, *folder.parents))):
            faults += [_misplaced(path) for path in folders[folder] if _is_audio(path)]
    faults += [fault for part in sorted(chosen) for fault in _empty_folders(part, folders)]
    return utterances, faults, chosen


def _walk(source: Path) -> dict[Path, list[Path]]:
    """Each folder below SOURCE, and itself -> its audio and transcripts, sorted; links are followed, each folder
    entered once.
    """
    source = source.absolute()
    if not source.is_dir():
        what = "is not a folder" if source.exists() else "no such folder"
        raise AudioError(f"{source}: {what}: name the folder that holds {LAYOUT}")
    folders: dict[Path, list[Path]] = {}
    entered: set[str] = set()
    choice = AudioChoice(source)
    for name, subfolders, files in os.walk(source, onerror=refuse_closed, followlinks=True):
        real = os.path.realpath(name)
        if real in entered:
            subfolders.clear()
            continue
        entered.add(real)
        subfolders[:] = sorted(subfolder for subfolder in subfolders if not subfolder.startswith("."))
        folders[Path(name)] = [
            Path(name, file)
            for file in sorted(files)
            if not file.startswith(".") and (file.endswith(TRANSCRIPTS) or choice.takes(file))
        ]
    choice.report()
    return folders


def _is_audio(path: Path) -> bool:
    return not path.name.endswith(TRANSCRIPTS)


def _is_chapter(folder: Path, files: Sequence[Path]) -> bool:
    """Whether it lies as a chapter does and holds something of one."""
    numbered = folder.name.isdecimal() and folder.parent.name.isdecimal()
    return numbered and bool(files)


def _read_chapter(chapter: Path, files: Sequence[Path]) -> Iterator[Utterance | Skipped]:
    """Every audio file and every line of its transcripts: as an utterance or as a fault."""
    prefix = f"{chapter.parent.name}-{chapter.name}"
    lists = [path for path in files if path.name.endswith(TRANSCRIPTS)]
    texts: dict[str, str] = {}
    for path in lists:
        yield from _read_transcripts(path, prefix, texts)
    heard = set()
    for path in filter(_is_audio, files):
        match, text = _ID.fullmatch(path.stem), texts.get(path.stem)
        if not match or match[1] != prefix:
            yield _misplaced(path)
            continue
        heard.add(path.stem)
        if text is None:
            reason = f"no line for it in {lists[0].name}" if lists else f"no {prefix}{TRANSCRIPTS} beside it"
            yield Skipped(path, reason, "audio without transcript")
        elif not text:
            yield Skipped(path, "its line in the transcripts holds no words", "empty transcript")
        else:
            yield Utterance(path.stem, chapter.parent.name, chapter.parent.parent.name, text, path)
    for id in texts:
        if id not in heard:
            yield Skipped(lists[0], f"{id} has no audio: get the corpus again", "transcript without audio")


def _read_transcripts(path: Path, prefix: str, texts: dict[str, str]) -> Iterator[Skipped]:
    """Fill id -> text ("" where there are no words); gives what cannot be taken."""
    try:
        lines = parse_transcripts(read_text(path))
    except InputError as error:
        yield Skipped(path, str(error).removeprefix(f"{path}: "), "unreadable transcripts")
        return
    for number, id, text in lines:
        match = _ID.fullmatch(id)
        if not match or match[1] != prefix:
            yield Skipped(path, f"line {number} is not {prefix}-NNNN TEXT: {f'{id} {text}'[:60]!r}", MALFORMED)
        elif id in texts:
            yield Skipped(path, f"line {number} is a second one for {id}; the first is kept", DUPLICATE)
        else:
            texts[id] = " ".join(text.split())


def _misplaced(path: Path) -> Skipped:
    return Skipped(path, "is not SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN: rename or move it", "misplaced audio")


def _empty_folders(part: Path, folders: dict[Path, list[Path]]) -> Iterator[Skipped]:
    """Speakers and chapters of a part, as far as SOURCE reaches, without audio."""
    for speaker in [folder for folder in folders if folder.parent == part and folder.name.isdecimal()]:
        chapters = [folder for folder in folders if folder.parent == speaker]
        empty = [chapter for chapter in chapters if not any(map(_is_audio, folders[chapter]))]
        yield from (Skipped(chapter, "holds no audio", "empty chapter") for chapter in empty)
        if len(empty) == len(chapters):
            yield Skipped(speaker, "holds no audio in any chapter", "empty speaker")
