"""Links of Ogg files (Vorbis, Opus, FLAC): streams that follow one another, as in web radio (RFC 3533, chaining)."""

from __future__ import annotations

from drsn_audio.audio.error import AudioError
from drsn_audio.audio.links import Link, Window

BEGINS = 0x02  # flag of a page that begins a stream
UNKNOWN = (1 << 64) - 1  # position of a page in which no packet ends


def find_links(window: Window, start: int) -> list[Link]:
    """A link begins with pages that begin streams, after pages that do not.

    Raises:
        AudioError: the last page of a link does not say where its sound ends, which libsndfile relies on.
    """
    starts = [start]
    position, among_firsts, lost = start, True, False
    while position < window.size:
        head = window.at(position, 27)
        if head[:4] != b"OggS" or len(head) < 27:
            position = window.find(b"OggS", position + 1)
            if position < 0:
                break
            continue
        begins = bool(head[5] & BEGINS)
        if begins and not among_firsts:
            _refuse(lost)
            starts.append(position)
        among_firsts = begins
        sizes = window.at(position + 27, head[26])
        after = position + 27 + head[26] + sum(sizes)
        granule = int.from_bytes(head[6:14], "little")
        if sizes and sizes[-1] < 255 and after <= window.size:  # a packet ends in it
            lost = granule == UNKNOWN
        position = after
    _refuse(lost)
    return [Link(begin, end) for begin, end in zip(starts, [*starts[1:], window.size], strict=True)]


def _refuse(lost: bool) -> None:
    if lost:
        raise AudioError("its last page does not say where the sound ends: mend it, ffmpeg -i FILE -c copy NEW.ogg")
