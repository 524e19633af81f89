"""Links of Ogg files (Vorbis, Opus, FLAC): streams that follow one another, as in web radio (RFC 3533, chaining)."""

from __future__ import annotations

from drsn_audio.audio.error import AudioError
from drsn_audio.audio.flac import crc
from drsn_audio.audio.links import Link, Window, next_file

BEGINS = 0x02  # flag of a page that begins a stream
UNKNOWN = (1 << 64) - 1  # position of a page in which no packet ends


def find_links(window: Window, start: int) -> tuple[list[Link], int | None]:
    """Return the links, and where a file of another kind follows; a link begins with pages that begin streams.

    Raises:
        AudioError: the last page of a link does not say where its sound ends, which libsndfile relies on.
    """
    starts, end, following = [start], window.size, None
    position, among_firsts, lost = start, True, False
    while position < window.size:
        head = window.at(position, 27)
        sizes = window.at(position + 27, head[26]) if len(head) == 27 else b""
        after = position + len(head) + len(sizes) + sum(sizes)
        is_followed = after == window.size or window.at(after, 4) == b"OggS"
        is_page = head[:4] == b"OggS" and len(head) == 27
        if not is_page or not (is_followed or _is_whole(window.at(position, after - position))):
            following = next_file(window, position) if head[:4] != b"OggS" else None
            if following is not None:
                end = position
                break
            position = window.find(b"OggS", position + 1)
            if position < 0:
                break
            continue
        begins = bool(head[5] & BEGINS)
        if begins and not among_firsts:
            _refuse(lost)
            starts.append(position)
        among_firsts = begins
        granule = int.from_bytes(head[6:14], "little")
        if sizes and sizes[-1] < 255:  # a packet ends in it
            lost = granule == UNKNOWN
        position = after
    _refuse(lost)
    return [Link(begin, stop) for begin, stop in zip(starts, [*starts[1:], end], strict=True)], following


def _is_whole(page: bytes) -> bool:
    """Return True if the checksum of a page is right."""
    return crc(page[:22] + bytes(4) + page[26:], 32, 0x04C11DB7) == int.from_bytes(page[22:26], "little")


def _refuse(lost: bool) -> None:
    if lost:
        raise AudioError("its last page does not say where the sound ends: mend it, ffmpeg -i FILE -c copy NEW.ogg")
