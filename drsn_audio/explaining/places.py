"""Where the picture of each sound goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from drsn_audio.audio import is_one_file
from drsn_audio.errors import InputError
from drsn_audio.files import same_file
from drsn_audio.reports.plot import ENDINGS
from drsn_audio.transcribing.inputs import Input

FOLDER = "thresholds"  # of several pictures, without -o


class Pictures:
    """OUT of one call: a picture, or a folder of them.

    Raises:
        InputError: of one sound, an ending that is no picture's; of several, the name of a picture or of a file.
    """

    def __init__(self, out: str | None, places: Sequence[str]):
        one = len(places) == 1 and is_one_file(places[0])
        self.is_file = one and not (out and os.path.isdir(out))
        if out is None:
            out = f"{Path(places[0]).stem}-thresholds.png" if one else FOLDER
        self.out = Path(out)
        named_as_picture = self.out.suffix.lower() in ENDINGS
        if self.is_file and not named_as_picture:
            raise InputError(f"{out}: no picture has this ending: choose one of {', '.join(ENDINGS)}")
        if not self.is_file and not os.path.isdir(out) and (named_as_picture or os.path.exists(out)):
            raise InputError(f"{out}: is one file, and several sounds need a folder: give another -o")
        self._of: dict[Path, str] = {}  # whose each picture is

    def path_of(self, given: Input) -> Path:
        """Of a folder, the sound's relative path, .png.

        Raises:
            InputError: it is the picture of another sound of this call, or it is the sound itself.
        """
        path = self.out if self.is_file else self.out / given.relative.with_suffix(".png")
        owner = self._of.setdefault(path, given.key)
        if owner != given.key:
            raise InputError(f"{given}: {path} is the picture of {owner}: give another -o for one of them")
        if same_file(path, given.path):
            raise InputError(f"{given}: its picture would replace it: give another -o")
        return path
