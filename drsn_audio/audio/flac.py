"""Links of FLAC files: streams that were joined, and headers without the right length (RFC 9639)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from drsn_audio.audio.links import Link, Window

INFO_BYTES = 42  # "fLaC", the head of the first block, and that block, STREAMINFO
TAIL_BYTES = (1 << 17, 1 << 20, 1 << 24)  # in which the last frames of a stream are looked for
BLOCK_SIZES = {1: 192, **{code: 576 << (code - 2) for code in range(2, 6)}, **{c: 256 << (c - 8) for c in range(8, 16)}}
MOST_SAMPLES = (1 << 36) - 1
CANDIDATES = 4  # heads near the end that are looked at: the last of them may lie in the last frame by chance


def find_links(window: Window, start: int) -> list[Link]:
    """A link of each stream. Lengths of headers that the last frames exceed are corrected."""
    starts = [start]
    position = window.find(b"fLaC", start + 4)
    while position >= 0:
        if window.at(position + 4, 4) in (b"\x00\x00\x00\x22", b"\x80\x00\x00\x22"):
            starts.append(position)
        position = window.find(b"fLaC", position + 4)
    return [_link(window, begin, end) for begin, end in zip(starts, [*starts[1:], window.size], strict=True)]


def _link(window: Window, start: int, end: int) -> Link:
    info = window.at(start, INFO_BYTES)
    if len(info) < INFO_BYTES:
        return Link(start, end)
    told = int.from_bytes(info[18:26], "big")
    total = told & MOST_SAMPLES
    found = _samples(window, start, end, total, int.from_bytes(info[10:12], "big"))
    if found <= total:  # fewer: torn
        return Link(start, end)
    return Link(start, end, info[:18] + (told - total + min(found, MOST_SAMPLES)).to_bytes(8, "big") + info[26:])


def _samples(window: Window, start: int, end: int, told: int, block_size: int) -> int:
    """How many samples there are by the last frames; 0 where none is found near the end."""
    for size in TAIL_BYTES:
        begin = max(start, end - size)
        tail = window.at(begin, end - begin)
        frames = list(_frames(tail, block_size))
        for position, _, after in frames[: -CANDIDATES - 1 : -1]:
            if (
                _crc(tail[position:], 16, 0x8005) == 0
            ):  # the last frame, and no chance: its checksum is its last two bytes
                return after
        if told == 0 and (last := _last_of_chain(frames)):  # torn
            return last
        if begin == start:
            return 0
    return 0


def _frames(tail: bytes, block_size: int) -> Iterator[tuple[int, int, int]]:
    """What may be the head of a frame, by its 8-bit checksum: where it is, and the numbers of `_frame`."""
    position = tail.find(b"\xff")
    while position >= 0:
        if frame := _frame(tail[position : position + 16], block_size):
            yield position, *frame
        position = tail.find(b"\xff", position + 1)


def _last_of_chain(frames: Sequence[tuple[int, int, int]]) -> int:
    """The end of the last frame that begins where one before it ends, or at 0; 0 where there is none."""
    ends, last = {0}, 0
    for _, first, after in frames:
        if first in ends:
            last = max(last, after)
        ends.add(after)
    return last


def _frame(head: bytes, block_size: int) -> tuple[int, int] | None:
    """The numbers of the first sample of a frame and of the one after it, by its head; None: it is not one."""
    if len(head) < 6 or head[1] not in (0xF8, 0xF9):
        return None
    ones = 8 - (head[4] ^ 0xFF).bit_length()  # the number is coded like a character of UTF-8
    if ones == 1 or ones > 7:
        return None
    length = max(1, ones)
    number = head[4] & (0x7F >> ones)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    at = 4 + length
    code = head[2] >> 4
    size = BLOCK_SIZES.get(code)
    if code in (6, 7):
        size = int.from_bytes(head[at : at + code - 5], "big") + 1
        at += code - 5
    at += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if size is None or at >= len(head) or _crc(head[:at], 8, 0x07) != head[at]:
        return None
    first = number if head[1] & 1 else number * block_size
    return first, first + size


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    crc, table = 0, _crc_table(bits, polynomial)
    for byte in data:
        crc = crc << 8 & (1 << bits) - 1 ^ table[crc >> bits - 8 ^ byte]
    return crc


@lru_cache
def _crc_table(bits: int, polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << bits - 8
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc >> bits - 1 else 0)) & (1 << bits) - 1
        table.append(crc)
    return table
