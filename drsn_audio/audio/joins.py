"""Joined files of formats that only ffmpeg decodes: by itself, ffmpeg stops at the end of the first one."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from drsn_audio.audio.links import Window, skip_id3, without_tags

INITIAL = re.escape(bytes(flags for flags in range(256) if flags & 8))  # the first block of those of all channels
# What a file begins with -> what each one that was joined to it begins with, too.
BEGINNINGS = {
    b"\x30\x26\xb2\x75": re.compile(re.escape(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"))),  # ASF
    b"wvpk": re.compile(rb"wvpk.{4}[\x02-\x10]\x04\0.{5}\0{4}(?!\0{4}).{5}[%b]" % INITIAL, re.DOTALL),
    b"TTA1": re.compile(rb"TTA1[\x01\x02]\0[\x01-\x20]\0"),
    b"caff": re.compile(rb"caff\0\x01\0\0desc"),
    b"MAC ": re.compile(rb"MAC [\x3c-\x96]\x0f..\x34\0\0\0", re.DOTALL),  # Monkey's Audio
    b"MPCK": re.compile(rb"MPCKSH"),
    b"#!AM": re.compile(rb"#!AMR(-WB)?\n"),
}
ADTS = re.compile(rb"\xff[\xf0\xf1\xf8\xf9][\x40-\x7f]")  # of AAC LC
MOST_ADTS = 1 << 13  # bytes of a frame


def find_parts(path: Path) -> list[tuple[int, int]]:
    """Return where each of the joined files begins and ends, in bytes, without tags at the end."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        window = Window(file, len(data))
        first, end = skip_id3(window, 0), without_tags(window)
        if data[4:8] == b"ftyp":
            starts = list(_movies(data))
        elif beginning := BEGINNINGS.get(data[first : first + 4]):
            starts = [match.start() for match in beginning.finditer(data, first)]
        else:
            starts = []
        return list(zip([_first_frame(data, first), *starts[1:]], [*starts[1:], end], strict=True))


def _first_frame(data: mmap.mmap, position: int) -> int:
    """Return where the first of three AAC frames begins, 0 if there are none: recordings may begin within a frame."""
    for match in ADTS.finditer(data[position : position + MOST_ADTS]):
        at, head = position + match.start(), match[0]
        for _ in range(2):
            at += int.from_bytes(data[at + 3 : at + 6], "big") >> 5 & 0x1FFF
            if data[at : at + 3] != head:
                break
        else:
            return position + match.start()
    return 0


def _movies(data: mmap.mmap) -> Iterator[int]:
    """Yield where a box of type ftyp begins: the first one, and each that follows a moov."""
    position, complete = 0, True
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"ftyp" and complete:
            yield position
        complete = kind == b"moov" or (complete and kind != b"ftyp")
        if size == 1 and position + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, position + 8)
        if size < 8:  # 0: up to the end
            return
        position += size
