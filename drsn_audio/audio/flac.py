"""Links of FLAC files: streams that were joined, and headers without the right length (RFC 9639)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from drsn_audio.audio.error import AudioError
from drsn_audio.audio.links import Link, Window, next_file

INFO_BYTES = 42  # "fLaC", the head of the first block, and that block, STREAMINFO
TAIL_BYTES = (1 << 17, 1 << 20, 1 << 24)  # in which the last frames of a stream are looked for
BLOCK_SIZES = {1: 192, **{code: 576 << (code - 2) for code in range(2, 6)}, **{c: 256 << (c - 8) for c in range(8, 16)}}
LEAST_BYTES = 8  # of a frame
MOST_SAMPLES = (1 << 36) - 1
CANDIDATES = 4  # heads near the end that are looked at: the last of them may lie in the last frame by chance


def find_links(window: Window, start: int) -> tuple[list[Link], int | None]:
    """The stream that begins here as a link, and where the next one, or a file of another kind, begins.

    Lengths of headers are corrected by the last frame that is whole.

    Raises:
        AudioError: the header gives more samples than the frames hold, so that frames may be missing at the end.
    """
    end = window.find(b"fLaC", start + 4)
    while end >= 0 and window.at(end + 4, 4) not in (b"\x00\x00\x00\x22", b"\x80\x00\x00\x22"):
        end = window.find(b"fLaC", end + 4)
    following = end if end >= 0 else None
    link, sound_end = _link(window, start, window.size if following is None else following)
    if sound_end < link.end:
        other = next_file(window, sound_end)
        if other is not None:
            return [replace(link, end=sound_end)], other
    return [link], following


class Frame(NamedTuple):
    """Start of the frame in the bytes searched; the numbers of its first sample and of the one after its last."""

    at: int
    first: int
    after: int


def _link(window: Window, start: int, end: int) -> tuple[Link, int]:
    """Return the link, and the end of its last frame; that of the link where it is torn."""
    info = window.at(start, INFO_BYTES)
    if len(info) < INFO_BYTES:
        return Link(start, end), end
    packed = int.from_bytes(info[18:26], "big")
    total, rate, block_size = packed & MOST_SAMPLES, packed >> 44, int.from_bytes(info[10:12], "big")
    last, sound_end = _last_frame(window, start, end, block_size)
    found = last.first if sound_end is None else last.after
    if sound_end is None and total > found:  # torn
        return Link(start, end), end
    if total > found and last.after - last.first >= block_size:  # only the last frame is shorter: it may be missing
        lengths = f"{total / max(1, rate):.3f} s, but its frames hold {found / max(1, rate):.3f} s"
        raise AudioError(f"its header gives {lengths}: get it again, or repair it: ffmpeg -i FILE NEW.flac")
    head = b""
    if total != found:
        head = info[:18] + (packed - total + min(found, MOST_SAMPLES)).to_bytes(8, "big") + info[26:]
    return Link(start, end, head), sound_end or end


def _last_frame(window: Window, start: int, end: int, block_size: int) -> tuple[Frame, int | None]:
    """The last frame of a stream, and where it ends, None: torn; an empty and torn one where none is near the end."""
    for size in TAIL_BYTES:
        begin = max(start, end - size)
        tail = window.at(begin, end - begin)
        frames = list(_frames(tail, block_size))
        for frame in frames[: -CANDIDATES - 1 : -1]:
            if crc(tail[frame.at :], 16, 0x8005) == 0:  # no chance: its checksum is its last two bytes
                return frame, end
        if last := _last_of_chain(frames):  # torn, or something else follows
            size = _frame_size(tail[last.at :])
            return last, begin + last.at + size if size else None
        if begin == start:
            break
    return Frame(0, 0, 0), None


def _frames(tail: bytes, block_size: int) -> Iterator[Frame]:
    """Yield what may be frames: places whose header has a right 8-bit checksum."""
    position = tail.find(b"\xff")
    while position >= 0:
        if numbers := _frame(tail[position : position + 16], block_size):
            yield Frame(position, *numbers)
        position = tail.find(b"\xff", position + 1)


def _last_of_chain(frames: Sequence[Frame]) -> Frame | None:
    """Return the last frame that begins where one before it ends, or at 0; None if there is none."""
    ends, last = {0}, None
    for frame in frames:
        if frame.first in ends and (last is None or frame.after > last.after):
            last = frame
        ends.add(frame.after)
    return last


def _frame_size(data: bytes) -> int:
    """How many bytes the frame has that begins the data, by its checksum; 0 if it is torn."""
    value, table = 0, _crc_table(16, 0x8005)
    for at, byte in enumerate(data):
        value = value << 8 & 0xFFFF ^ table[value >> 8 ^ byte]
        if value == 0 and at >= LEAST_BYTES:
            return at + 1
    return 0


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
    if size is None or at >= len(head) or crc(head[:at], 8, 0x07) != head[at]:
        return None
    first = number if head[1] & 1 else number * block_size
    return first, first + size


def crc(data: bytes, bits: int, polynomial: int) -> int:
    """The checksum of bytes, their highest bits first."""
    value, table = 0, _crc_table(bits, polynomial)
    for byte in data:
        value = value << 8 & (1 << bits) - 1 ^ table[value >> bits - 8 ^ byte]
    return value


@lru_cache
def _crc_table(bits: int, polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << bits - 8
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc >> bits - 1 else 0)) & (1 << bits) - 1
        table.append(crc)
    return table
