"""Audio out of shards: each read from its beginning to its end, once, as long as what is asked for is near."""

from __future__ import annotations

import os
import tarfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import soundfile as sf
from lhotse.cut import Cut
from lhotse.serialization import open_best

from drsn_audio.audio import AudioError
from drsn_audio.config import ConfigError
from drsn_audio.datasets.cut_list import CutList
from drsn_audio.datasets.shard_audio import decode
from drsn_audio.datasets.shard_index import is_local

Place = tuple[int, int]  # of a file in a tar: where it begins, and how many bytes it has


class ShardReader:
    """reader(cut) -> its samples, float32 [C, N].

    Of the `at_once` shards that were asked for last, memory holds the files as they are, still encoded: an order that
    stays within so many reads every shard once, see `ShardOrder`. Of those in `freely`, it holds where each file
    begins, and reads one at a time: for orders that stay nowhere, see `draw_freely`.
    """

    def __init__(self, at_once: int = 3):
        self.at_once = at_once
        self.freely: set[str] = set()
        self._held: OrderedDict[str, dict[str, bytes]] = OrderedDict()
        self._places: dict[str, dict[str, Place]] = {}

    def __call__(self, cut: Cut) -> np.ndarray:
        """Raises:
        AudioError: a shard that is lost or torn, or of other utterances.
        """
        place = cut.recording.sources[0].source
        freely = place in self.freely
        with _blamed(place):
            found = self._files(place).get(cut.id)
            if found is None:
                raise AudioError(f"{place}: does not hold {cut.id}: make the shards again")
            try:
                return decode(_read_at(place, found) if freely else found)
            except sf.LibsndfileError as error:
                raise AudioError(f"{place}: {cut.id} is not audio ({error}): make the shards again") from None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_held": OrderedDict()}

    def _files(self, place: str) -> dict[str, Any]:
        if place in self.freely:
            if place not in self._places:
                self._places[place] = dict(_places(place))
            return self._places[place]
        held = self._held
        if place in held:
            held.move_to_end(place)
            return held[place]
        while held and len(held) >= self.at_once:
            held.popitem(last=False)  # before the next is read: memory holds no more
        held[place] = dict(_contents(place))
        return held[place]


def draw_freely(cuts: Sequence[Cut], shards: ShardReader) -> None:
    """Say that these cuts are drawn in no order that keeps to a few shards.

    Raises:
        ConfigError: they lie in shards that are not on this machine.
    """
    places = cuts.shard_paths if isinstance(cuts, CutList) else []
    far = next((place for place in places if not is_local(place)), None)
    if far is not None:
        raise ConfigError(f"{far}: recordings are drawn at random here, which takes shards on this machine: copy them")
    shards.freely.update(places)


def _contents(place: str) -> Iterator[tuple[str, bytes]]:
    """Id and file of each utterance of a shard; its tar is read from the beginning to the end."""
    with open_best(place, "rb") as file, tarfile.open(fileobj=file, mode="r|*") as tar:
        for member in tar:
            name, _, ending = member.name.rpartition(".")
            if ending not in ("json", "nodata", "nometa"):
                data = tar.extractfile(member)
                assert data is not None
                yield name, data.read()


def _places(place: str) -> Iterator[tuple[str, Place]]:
    with tarfile.open(place, "r:") as tar:
        for member in tar:
            name, _, ending = member.name.rpartition(".")
            if ending not in ("json", "nodata", "nometa"):
                yield name, (member.offset_data, member.size)


def _read_at(place: str, at: Place) -> bytes:
    with open(place, "rb", buffering=0) as file:
        data = os.pread(file.fileno(), at[1], at[0])
    if len(data) < at[1]:
        raise tarfile.ReadError("unexpected end of data")
    return data


@contextmanager
def _blamed(place: str) -> Iterator[None]:
    try:
        yield
    except AudioError:
        raise
    except FileNotFoundError:
        raise AudioError(f"{place}: the shard is not there: restore it, or make the shards again") from None
    except Exception as error:  # of tar files, of commands, and of all that knows URLs
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise AudioError(f"{place}: the shard cannot be read ({reason}): restore it, or make it again") from None
