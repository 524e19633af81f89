"""Links of wav, RF64, W64, AIFF, CAF and AU files: joined ones, and headers that do not know how much sound follows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drsn_audio.audio.links import Link, Window, skip_id3

MOST_HEADER_BYTES = 1 << 24  # of all chunks before the sound
COMPARED_BYTES = 1 << 16
PERIOD = 24  # bytes: whole frames of one or two channels of 8 to 64 bits, and of most other layouts
OPEN_ENDED = 0x7FFF0000  # sizes of 32 bits from here on are those of programs that could not know it


@dataclass(frozen=True)
class Family:
    """Files of chunks: a name of `name_bytes`, a size of the struct format `size`, and so many bytes.

    data: the name of the chunk of the sound, which begins after `prefix` bytes. around: bytes of its own head that a
    size counts. first: where the first chunk begins.
    """

    magic: bytes
    kind_at: int
    kinds: tuple[bytes, ...]
    first: int
    size: str
    data: bytes
    prefix: int = 0
    name_bytes: int = 4
    around: int = 0
    align: int = 2

    @property
    def head_bytes(self) -> int:
        return self.name_bytes + struct.calcsize(self.size)


WAVE_GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")
FAMILIES = (
    Family(b"RIFF", 8, (b"WAVE",), 12, "<I", b"data"),
    Family(b"RIFX", 8, (b"WAVE",), 12, ">I", b"data"),
    Family(b"RF64", 8, (b"WAVE",), 12, "<I", b"data"),
    Family(b"FORM", 8, (b"AIFF", b"AIFC"), 12, ">I", b"SSND", prefix=8),
    Family(b"caff", 4, (b"\0\1",), 8, ">q", b"data", prefix=4, align=1),
    Family(b"riff", 24, (b"wave",), 40, "<Q", b"data" + WAVE_GUID, name_bytes=16, around=24, align=8),
)
AU = {b".snd": ">", b"dns.": "<"}


@dataclass(frozen=True)
class Chunk:
    """name, where it, its body and the next one begin, and its size as it is given, without its head; -1: unknown."""

    name: bytes
    at: int
    body: int
    size: int
    next: int


def find_links(window: Window, start: int) -> list[Link]:
    """A link of each file that was joined; sizes that end before the sound does are corrected."""
    links: list[Link] = []
    position: int | None = start
    while position is not None:
        link, position = _read_file(window, position)
        links.append(link)
    return links


def _read_file(window: Window, start: int) -> tuple[Link, int | None]:
    """The file that begins here as a link, and where the next one begins."""
    family = _family(window, start)
    all_of_it = Link(start, window.size), None
    if family is None:
        return _read_au(window, start) if window.at(start, 4) in AU else all_of_it
    before: list[Chunk] = []
    for chunk in _chunks(window, family, start + family.first):
        before.append(chunk)
        if chunk.name == family.data:
            break
    else:
        return all_of_it
    data = before[-1]
    sound = data.body + family.prefix
    if sound - start > MOST_HEADER_BYTES:
        return all_of_it
    size = data.size - family.prefix if data.size >= family.prefix else data.size
    wide = next((chunk for chunk in before if chunk.name == b"ds64"), None) if family.magic == b"RF64" else None
    if wide is not None:
        size = int.from_bytes(window.at(wide.body + 8, 8), "little")
        size = -1 if size in (0, (1 << 64) - 1) else size
    whole = struct.unpack(family.size, window.at(start + family.name_bytes, family.head_bytes - family.name_bytes))[0]
    end, following = _end(window, family, sound, size, start + 8 + whole if family.around == 0 else start + whole)
    if end is None:
        return Link(start, following or window.size), following
    head = bytearray(window.at(start, sound - start))
    _put(head, family.size, data.at + family.name_bytes - start, end - data.body + family.around)
    if family.kind_at >= 8:  # a size of all
        _put(head, family.size, family.name_bytes, end - start - (0 if family.around else 8))
    for chunk in before:
        if chunk is wide:
            _put(head, "<Q", chunk.body - start, end - start - 8)
            _put(head, "<Q", chunk.body + 8 - start, end - sound)
        if chunk.name == b"COMM":  # how many samples there are
            channels, _, bits = struct.unpack(">HIH", window.at(chunk.body, 8))
            _put(head, ">I", chunk.body + 2 - start, (end - sound) // max(1, channels * (bits + 7) // 8))
    return Link(start, end, bytes(head)), None


def _read_au(window: Window, start: int) -> tuple[Link, int | None]:
    order = AU[window.at(start, 4)]
    head = bytearray(window.at(start, 24))
    offset, size = struct.unpack(f"{order}II", head[4:12]) if len(head) == 24 else (0, 0)
    if not 24 <= offset < window.size - start:
        return Link(start, window.size), None
    size = -1 if size == 0xFFFFFFFF else size
    end, following = _end(window, None, start + offset, size, start + offset + max(0, size))
    if end is None:
        return Link(start, following or window.size), following
    _put(head, f"{order}I", 8, end - start - offset)
    return Link(start, end, bytes(head)), None


def _end(window: Window, family: Family | None, sound: int, size: int, whole: int) -> tuple[int | None, int | None]:
    """Return the end of the sound, None if its size is right, and the start of a file that follows it.

    sound: where its first sample lies; size: -1 if unknown; whole: where the file ends, as its header says.
    """
    if size < 0:
        return window.size, None
    if sound + size >= window.size:
        return None, None
    position = sound + size
    for chunk in _chunks(window, family, position + (position - sound) % 2):
        position = chunk.next
    for place in (position, position + 1):
        if _family(window, place) or window.at(place, 4) in AU:
            return None, place
    if position > sound + size or skip_id3(window, position) != position:
        return None, None
    goes_on = size == 0 or window.size + 1 >= whole > sound + size + 1 or _is_alike(window, sound, position)
    return (window.size if goes_on and _any(window, position) else None), None


def _chunks(window: Window, family: Family | None, position: int) -> Iterator[Chunk]:
    """Chunks one after another, up to what is none, or to the beginning of another file."""
    while family is not None and position + family.head_bytes <= window.size and not _family(window, position):
        head = window.at(position, family.head_bytes)
        name = head[: family.name_bytes]
        (size,) = struct.unpack(family.size, head[family.name_bytes :])
        body = position + family.head_bytes
        if not all(0x20 <= byte < 0x7F for byte in name[:4]):
            return
        if size == (1 << 64) - 1 or (family.name_bytes == 16 and size >= 1 << 62) or size >= OPEN_ENDED > window.size:
            size = -1
        size = size if size < 0 else size - family.around
        is_data = name == family.data
        if not is_data and (size < 0 or body + size > window.size):
            return
        after = body + max(0, size)
        after += -(after if family.around else size) % family.align
        yield Chunk(name, position, body, max(-1, size), after)
        position = after


def _family(window: Window, position: int) -> Family | None:
    head = window.at(position, 28)
    for family in FAMILIES:
        if head.startswith(family.magic) and head[family.kind_at :].startswith(family.kinds):
            return family
    return None


def _put(head: bytearray, form: str, at: int, value: int) -> None:
    """A number into a header; as large as it can be where it is larger."""
    most = (1 << 8 * struct.calcsize(form) - (form[1] in "q")) - 1
    struct.pack_into(form, head, at, min(value, most))


def _any(window: Window, position: int) -> bool:
    """Return True if anything but zeros, with which some programs fill up, follows."""
    while data := window.at(position, COMPARED_BYTES):
        if any(data):
            return True
        position += len(data)
    return False


def _is_alike(window: Window, sound: int, position: int) -> bool:
    """Return True if the bytes from `position` on are like the samples before it, not garbage that was added.

    Each byte of a sample, the highest among them, varies about as much: other data are as loud as can be.
    """
    begin = max(sound, position - COMPARED_BYTES // PERIOD * PERIOD)
    begin += (position - begin) % PERIOD
    before, after = (
        np.frombuffer(data[: len(data) // PERIOD * PERIOD], np.uint8).reshape(-1, PERIOD)
        for data in (window.at(begin, position - begin), window.at(position, COMPARED_BYTES))
    )
    if len(before) < 10 or len(after) < 10:
        return False
    usual, found = np.full(PERIOD, np.inf), np.zeros(PERIOD)  # how far each byte varies, as signed or as unsigned
    for kind in (np.int8, np.uint8):
        one, other = before.view(kind).astype(float), after.view(kind).astype(float)
        middle = one.mean(axis=0)
        spread = np.sqrt(np.square(one - middle).mean(axis=0))
        found = np.where(spread < usual, np.sqrt(np.square(other - middle).mean(axis=0)), found)
        usual = np.minimum(usual, spread)
    return bool((found <= 4 * usual + 4).all())
