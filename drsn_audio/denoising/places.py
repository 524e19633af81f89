"""What is to be denoised, and where each file goes."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from drsn_audio.audio import AudioError, AudioReader, find_audio
from drsn_audio.denoising.writing import Target, target_named, targets_like


class Input(NamedTuple):
    """relative: where it lies below the place that was searched for it."""

    path: Path
    relative: Path


def is_one_file(place: str) -> bool:
    """Whether a place is one sound, named outright, be it there or not."""
    return os.path.isfile(place) or not (os.path.isdir(place) or glob.has_magic(place))


def find_inputs(place: str, out: Path) -> Iterator[Input]:
    """The sounds of one place, in the order of their paths; where `out` lies below it, but for what is in there.

    Raises:
        AudioError: nothing there, or `out` is the folder itself.
    """
    if is_one_file(place):
        yield Input(Path(place), Path(Path(place).name))
        return
    root = Path(place)
    if not os.path.isdir(place):
        root = next(parent for parent in root.parents if not glob.has_magic(str(parent)))
    elif os.path.realpath(place) == os.path.realpath(out):
        raise AudioError(f"{place}: would be written over: give another -o")
    made = Path(os.path.realpath(out))
    below, nothing = Path(os.path.realpath(root)) in made.parents, True
    for path in find_audio(place):
        if not (below and made in Path(os.path.realpath(path)).parents):
            nothing = False
            yield Input(path, path.relative_to(root))
    if nothing:
        raise AudioError(f"{place}: holds no audio files but those in {out}: check the path")


class Outputs:
    """OUT of one call: a file, or a folder.

    Raises:
        AudioError: OUT is a folder's name and a file is there.
    """

    def __init__(self, out: Path, places: Sequence[str]):
        self.out, self._places = out, places
        self.is_file = len(places) == 1 and is_one_file(places[0]) and not os.path.isdir(out)
        if not self.is_file and os.path.exists(out) and not os.path.isdir(out):
            raise AudioError(f"{out}: is a file, and several sounds need a folder: give another -o")
        self._of: dict[Path, Path] = {}  # whose each file is

    def targets(self, given: Input, reader: AudioReader) -> list[Target]:
        """What the file may be: the first one that libsndfile writes at that rate.

        Raises:
            AudioError: an ending that libsndfile does not write.
        """
        if self.is_file:
            return [target_named(self.out, reader)]
        return targets_like(self.out / given.relative, reader)

    def claim(self, path: Path, given: Input) -> None:
        """The file is this input's from now on.

        Raises:
            AudioError: it is another's, or would replace a file that is to be heard.
        """
        for heard in (given.path, *map(Path, filter(is_one_file, self._places))):
            if _same(path, heard):
                raise AudioError(f"{given.path}: {path} would replace the sound {heard}: give another -o")
        owner = self._of.setdefault(path.absolute(), given.path)
        if owner != given.path:
            raise AudioError(f"{given.path}: {path} is the sound of {owner}: give another -o for one of them")


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return False
