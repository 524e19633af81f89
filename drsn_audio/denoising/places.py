"""What is to be denoised, and where each file goes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.audio import AudioError, AudioReader, find_audio, is_manifest, is_one_file, search_root
from drsn_audio.denoising.writing import Target, target_named, targets_like
from drsn_audio.files import same_file
from drsn_audio.processes import Processes


class Input(NamedTuple):
    """relative: where it lies below the place that was searched for it. cut: as found, if of a manifest."""

    path: Path
    relative: Path
    cut: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """Tells it, and where it goes, from any other, whatever folder one stands in."""
        return f"{self.path.absolute()}#{self.cut['id'] if self.cut else ''}>{self.relative}"

    def stamp(self) -> list[float | str] | None:
        """Changes with the file, and with what is meant of it; None: it is not there."""
        if self.cut is None:
            return stamp_of(self.path)
        from drsn_audio.datasets.cut_parts import sound_key

        return stamp_of(self.path, sound_key(self.cut, places=False))

    def sound(self, reader: AudioReader) -> tuple[int, int, Iterator[np.ndarray]]:
        """Rate in Hz, channels, and the samples [N, channels] of what is meant of a file, in blocks.

        Raises:
            AudioError: as `reader.frames` and `read_part`.
        """
        if self.cut is not None:
            from drsn_audio.datasets.cut_parts import is_whole, read_part

            if not is_whole(self.cut):
                samples, rate = read_part(self.path, self.cut)
                return rate, samples.shape[1], iter([samples])
        return reader.sample_rate, reader.channels, reader.frames()


def stamp_of(path: Path, *part: str) -> list[float | str] | None:
    """Bytes of a file, time of its change in ns, and `part`; None: it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, *part]


def find_inputs(place: str, out: Path) -> Iterator[Input]:
    """The sounds of one place, in the order of their paths or of the manifest; where `out` lies below a folder, but for
    what is in there.

    Raises:
        AudioError: nothing there, or `out` is the folder itself.
        ManifestError: a manifest that cannot be used.
    """
    if is_manifest(place):
        from drsn_audio.datasets.mix_inputs import find_speech  # needs lhotse

        made = Path(os.path.realpath(out))
        for found in find_speech(place):
            if made in Path(os.path.realpath(found.path)).parents:
                raise AudioError(f"{place}: {found.path} lies in {out} and could be written over: give another -o")
            yield Input(found.path, found.relative, found.cut)
        return
    if is_one_file(place):
        yield Input(Path(place), Path(Path(place).name))
        return
    root = search_root(place)
    if os.path.isdir(place) and os.path.realpath(place) == os.path.realpath(out):
        raise AudioError(f"{place}: would be written over: give another -o")
    made = Path(os.path.realpath(out))
    below, nothing = Path(os.path.realpath(root)) in made.parents, True
    for path in find_audio(place):
        if not (below and made in Path(os.path.realpath(path)).parents):
            nothing = False
            yield Input(path, path.relative_to(root))
    if nothing:
        raise AudioError(f"{place}: holds no audio files but those in {out}: check the path")


def shared(inputs: Iterable[Input], processes: Processes) -> Iterator[Input]:
    """The share of one of several processes. Inputs that could be written to the same file all fall to one of them,
    which sees that they are; else they go round.
    """
    groups: dict[str, int] = {}
    for given in inputs:
        group = str(given.relative).removesuffix(".flac")
        if groups.setdefault(group, len(groups) % processes.count) == processes.rank:
            yield given


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
        self._of: dict[Path, Input] = {}  # whose each file is

    def holds(self, given: Input, name: str) -> bool:
        """Whether a file below the folder can be this input's."""
        return name in (f"{given.relative}", f"{given.relative}.flac")

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
            if same_file(path, heard):
                raise AudioError(f"{given.path}: {path} would replace the sound {heard}: give another -o")
        owner = self._of.setdefault(path.absolute(), given)
        if owner.key != given.key:
            raise AudioError(f"{given.path}: {path} is the sound of {owner.path}: give another -o for one of them")
