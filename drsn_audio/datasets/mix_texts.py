"""Transcripts that lie beside the speech, copied beside its mixes."""

from __future__ import annotations

import os
from pathlib import Path

from drsn_audio.datasets.mix_outputs import put

# LibriSpeech has SPEAKER-CHAPTER.trans.txt in each chapter and SPEAKERS.TXT and the like above; others have these.
TEXT_ENDINGS = (".txt", ".lab", ".textgrid", ".ctm", ".stm", ".csv", ".tsv", ".json")


class Texts:
    """Copies text files, once, from the folders of the speech and those above them up to its root.

    copies: the folders whose mixes keep the layout of the root, such as OUT/street/5dB.
    """

    def __init__(self, root: Path, copies: list[Path]):
        self.root, self.copies = root, copies
        self.count = 0
        self._done: list[Path] = []  # folders on the way to the last one, whose texts are copied

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
        for name in sorted(os.listdir(folder)):
            path = folder / name
            if path.suffix.lower() not in TEXT_ENDINGS or name.startswith(".") or not path.is_file():
                continue
            data = path.read_bytes()
            for copy in self.copies:
                put(copy / path.relative_to(self.root), data)
            self.count += 1
