"""Transcripts that lie beside the speech, copied beside its mixes: those of what is mixed, and of nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from drsn_audio.audio import is_audio_name
from drsn_audio.datasets.mix_outputs import put

# LibriSpeech has SPEAKER-CHAPTER.trans.txt in each chapter and SPEAKERS.TXT and the like above; others have these.
TEXT_ENDINGS = (".txt", ".lab", ".textgrid", ".ctm", ".stm", ".csv", ".tsv", ".json", ".srt", ".vtt")
KALDI = ("text", ".trans.txt")  # the name, or the end of it, of lists whose every line begins with an id
PARTING = re.compile(r"[\s,;|\"]+")


class Texts:
    """Copies text files, once, from the folders of the speech and those above them up to its root.

    copies: the folders whose mixes keep the layout of the root, such as OUT/street/5dB. chosen: the speech files that
    are mixed, where these are not all that lie there: the texts of the others are left out, be they files of their
    names or lines of a common file. spare: a folder on the same disk for what is not whole yet.
    """

    def __init__(self, root: Path, copies: list[Path], spare: Path, chosen: set[Path] | None = None):
        self.root, self.copies, self.spare = root, copies, spare
        self._chosen: dict[Path, set[str]] | None = None if chosen is None else {}
        for path in chosen or ():
            self._chosen.setdefault(path.parent, set()).add(path.name)  # type: ignore[union-attr]
        self.count = 0
        self._done: list[Path] = []  # folders on the way to the last one, whose texts are copied

    def facts(self) -> dict[str, Any]:
        """For mix.json: how many texts there were, and whether those of other speech were left out."""
        return {"texts": self.count, "texts_chosen": self._chosen is not None}

    def follow(self, folder: Path) -> None:
        """Copy what belongs to the speech of a folder at or below the root, unless it was done the last time.

        Raises:
            AudioError: a text cannot be read or written.
        """
        if self._done and self._done[-1] == folder:
            return
        way = [folder, *folder.parents]
        way = way[: way.index(self.root) + 1][::-1]
        for each in way:
            if each not in self._done:
                self._copy(each)
        self._done = way

    def _copy(self, folder: Path) -> None:
        names = sorted(os.listdir(folder))
        mixed, others = self._speech(folder, names)
        for name in names:
            path = folder / name
            text = name == KALDI[0] or path.suffix.lower() in TEXT_ENDINGS
            if not text or name.startswith(".") or not path.is_file():
                continue
            data = path.read_bytes()
            if self._chosen is not None:
                data = _of_mixed(name, data, mixed, others)
                if not data:
                    continue
            for copy in self.copies:
                put(copy / path.relative_to(self.root), data, self.spare)
            self.count += 1

    def _speech(self, folder: Path, names: list[str]) -> tuple[set[str], set[str]]:
        """Speech files in a folder: those that are mixed, and the others."""
        if self._chosen is None:
            return set(), set()
        mixed = self._chosen.get(folder, set())
        return mixed, set(filter(is_audio_name, names)) - mixed


def _of_mixed(name: str, text: bytes, mixed: set[str], others: set[str]) -> bytes:
    """What a text file says of the speech files that are mixed, and not of the others beside it; may be nothing."""
    mixed_ids = {Path(file).stem for file in mixed}
    other_ids = {Path(file).stem for file in others} - mixed_ids
    parts = name.split(".")
    for i in range(len(parts) - 1, 0, -1):  # a.en.srt is of a.wav
        owner = ".".join(parts[:i])
        if owner in mixed_ids:
            return text
        if owner in other_ids:
            return b""
    if name.lower().endswith(".json"):  # of all, and not in lines
        return b"" if others else text
    kaldi = name == KALDI[0] or name.lower().endswith(KALDI[1])
    blank = [one for one in (*other_ids, *others) if PARTING.search(one)]  # their names are parted as lines are
    odd = re.compile(rf"(?:^|{PARTING.pattern})(?:{'|'.join(map(re.escape, blank)) or '(?!)'})(?:{PARTING.pattern}|$)")
    kept = []
    for line in text.splitlines(keepends=True):
        words = os.fsdecode(line).removeprefix("\ufeff")
        fields = [Path(field).name for field in PARTING.split(words) if field]
        first = fields[0] if fields else ""
        named = first in other_ids or not others.isdisjoint(fields) or odd.search(words)
        if not (first not in mixed_ids if kaldi else named):
            kept.append(line)
    return b"".join(kept)
