"""What is to be transcribed: files, folders, globs, and manifests of cuts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.audio import AudioError, is_one_file, search_root
from drsn_audio.hearing import Hearing

Blocks = Iterator[np.ndarray]


@dataclass(frozen=True)
class Input:
    """relative: where its transcript goes below a folder, but for the ending. cut: as found, if of a manifest."""

    path: Path
    relative: Path
    cut: dict[str, Any] | None = None
    blocks: Callable[[], Blocks] = field(compare=False, kw_only=True)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def id(self) -> str:
        """The cut's; of a file none."""
        return str(self.cut["id"]) if self.cut else ""

    @property
    def key(self) -> str:
        """Tells it from any other, whatever folder one stands in."""
        return f"{self.path.absolute()}#{self.id}" if self.cut else str(self.path.absolute())

    def stamp(self) -> list[float | str] | None:
        """Changes with the file: bytes, time of its change, and what is meant of it; None: it is not there."""
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        stamp: list[float | str] = [status.st_size, status.st_mtime_ns]
        if self.cut is None:
            return stamp
        from drsn_audio.datasets.cut_parts import sound_key

        return [*stamp, sound_key(self.cut, places=False)]


def find_inputs(place: str, hearing: Hearing) -> Iterator[Input]:
    """The sounds of one place, in the order of the manifest or of the paths.

    Raises:
        AudioError: nothing there.
        ManifestError: a manifest that cannot be used.
    """
    if is_one_file(place):  # which needs no more than its name
        path = Path(place)
        yield Input(path, Path(path.name), blocks=lambda: hearing.file(path))
        return
    from drsn_audio.datasets.mix_inputs import find_speech

    for found in find_speech(place):
        if found.cut is None:
            path = search_root(place) / found.relative
            yield Input(path, found.relative, blocks=_file_blocks(path, hearing))
        else:
            yield Input(found.path, found.relative, found.cut, blocks=_cut_blocks(found.path, found.cut, hearing))


def _file_blocks(path: Path, hearing: Hearing) -> Callable[[], Blocks]:
    return lambda: hearing.file(path)


def _cut_blocks(path: Path, cut: dict[str, Any], hearing: Hearing) -> Callable[[], Blocks]:
    """A cut that is a whole file is read in blocks; of another all is read."""
    from drsn_audio.datasets.cut_parts import is_whole

    if is_whole(cut):
        return _file_blocks(path, hearing)
    return lambda: _part_blocks(path, cut, hearing.sample_rate)


def _part_blocks(path: Path, cut: dict[str, Any], sample_rate: int) -> Blocks:
    """Read the cut when its blocks are asked for, so that a fault in it concerns no other cut."""
    from lhotse.serialization import deserialize_item

    from drsn_audio.datasets.manifests import load_cut

    try:
        loaded = deserialize_item(cut)
    except Exception as error:  # lhotse has many
        reason = " ".join(str(error).split())[:200]
        raise AudioError(f"{path}: its cut {cut['id']} cannot be read ({reason}): prepare it again") from None
    yield load_cut(loaded, sample_rate)
