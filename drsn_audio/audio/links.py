"""The links of an audio file: stretches of its bytes, each of which libsndfile reads to the end.

libsndfile stops where a header says, or where it guesses, that the sound ends. Files that were joined, piped or never
closed go on there. Each module for a kind of container finds the links of such a file, and corrects their headers.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import BinaryIO

from drsn_audio.audio.names import FOREIGN

WINDOW_BYTES = 1 << 18
MOST_BYTES = 4  # of a sample of MPEG audio


@dataclass(frozen=True)
class Link:
    """Bytes `start` to `end` of a file, the first of them replaced by as many of `head`.

    frames: samples that it holds, where no header can be made to say so; libsndfile then guesses from its size, which
        is made so large that the guess is no less.
    before: bytes that are put before all of them.
    """

    start: int
    end: int
    head: bytes = b""
    frames: int | None = None
    before: bytes = b""


class Window:
    """Random access to the bytes of a file, of which a little is held."""

    def __init__(self, file: BinaryIO, size: int):
        self.size = size
        self.file, self._start, self._data = file, 0, b""

    def at(self, position: int, count: int) -> bytes:
        """`count` bytes from `position` on; fewer at the end."""
        begin = position - self._start
        if begin < 0 or begin + count > len(self._data):
            self.file.seek(position)
            self._start, self._data, begin = position, self.file.read(max(count, WINDOW_BYTES)), 0
        return self._data[begin : begin + min(count, max(0, self.size - position))]

    def find(self, pattern: bytes, position: int) -> int:
        """Where the pattern comes next, from `position` on; -1 if it does not."""
        while self.at(position, len(pattern)):  # now held
            found = self._data.find(pattern, position - self._start)
            if found >= 0:
                return self._start + found if self._start + found < self.size else -1
            position = max(position + 1, self._start + len(self._data) - len(pattern) + 1)
        return -1


class LinkBytes:
    """A link as a file of its own, for libsndfile."""

    def __init__(self, file: BinaryIO, link: Link):
        self._file, self._link, self._position = file, link, 0
        self._head = link.before + link.head
        self._shift = link.start - len(link.before)
        self._end = link.end - self._shift
        self._size = self._end + (link.frames or 0) * MOST_BYTES

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = max(0, offset + (0, self._position, self._size)[whence])
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        count = left if count < 0 else min(count, left)
        data = self._head[self._position : self._position + count]
        if len(data) < count:
            begin = self._position + len(data)
            self._file.seek(self._shift + begin)
            data += self._file.read(min(count - len(data), max(0, self._end - begin)))
        data = data.ljust(count if self._link.frames else 0, b"\0")
        self._position += len(data)
        return data

    def write(self, data: bytes) -> int:
        raise OSError("a link is only read")


def find_links(file: BinaryIO, size: int) -> list[Link]:
    """The links of a file of `size` bytes; none where libsndfile reads all of it as it is."""
    from drsn_audio.audio import mpeg

    window = Window(file, size)
    window.size = without_tags(window)
    start = skip_ape(window, skip_id3(window, 0))
    kind = _kind(window, start)
    if kind is None:
        if mpeg.is_sync(window.at(start, 4)):
            kind = mpeg
        elif not str(file.name).lower().endswith(FOREIGN) and (found := mpeg.find_first(window, start)) >= 0:
            kind, start = mpeg, found
    links: list[Link] = []
    while kind is not None:
        more, following = kind.find_links(window, start)
        links += more
        kind, start = (None, start) if following is None else (_kind(window, following), following)
    return links if len(links) > 1 or any(link.head or link.frames is not None for link in links) else []


def next_file(window: Window, position: int) -> int | None:
    """Return where the file that follows at `position` begins, after its tags; None if none does."""
    position = skip_ape(window, skip_id3(window, position))
    return None if _kind(window, position) is None else position


def _kind(window: Window, start: int) -> ModuleType | None:
    """Return the module for the kind of file that begins there."""
    from drsn_audio.audio import chunks, flac, mpeg, ogg

    magic = window.at(start, 4)
    if magic in (b"fLaC", b"OggS"):
        return flac if magic == b"fLaC" else ogg
    if chunks.is_head(window, start):
        return chunks
    return mpeg if mpeg.is_first(window, start) else None


def skip_id3(window: Window, position: int) -> int:
    """Where an ID3v2 tag ends that begins here; `position` itself where none does."""
    head = window.at(position, 10)
    if head[:3] != b"ID3" or len(head) < 10 or any(byte > 127 for byte in head[6:]):
        return position
    size = sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    return skip_id3(window, position + 10 + size + (10 if head[5] & 0x10 else 0))


def skip_ape(window: Window, position: int) -> int:
    """Where an APE tag with a header ends that begins here; `position` itself where none does."""
    head = window.at(position, 32)
    if head[:8] != b"APETAGEX" or len(head) < 32:
        return position
    return position + 32 + int.from_bytes(head[12:16], "little")


def without_tags(window: Window) -> int:
    """Where the file ends but for ID3v1 and APE tags."""
    end = window.size
    if end > 128 and window.at(end - 128, 3) == b"TAG":
        end -= 128
    foot = window.at(end - 32, 32) if end > 32 else b""
    if foot[:8] == b"APETAGEX":
        tag = int.from_bytes(foot[12:16], "little") + (32 if foot[23] & 0x80 else 0)
        end -= tag if tag <= end else 0
    return end
