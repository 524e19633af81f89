"""Links of Ogg files (Vorbis, Opus, FLAC): streams that follow one another, as in web radio (RFC 3533, chaining)."""

from __future__ import annotations

from drsn_audio.audio.links import Link, Window

BEGINS = 0x02  # flag of a page that begins a stream


def find_links(window: Window, start: int) -> list[Link]:
    """A link begins with pages that begin streams, after pages that do not."""
    starts = [start]
    position, among_firsts = start, True
    while position < window.size:
        head = window.at(position, 27)
        if head[:4] != b"OggS" or len(head) < 27:
            position = window.find(b"OggS", position + 1)
            if position < 0:
                break
            continue
        begins = bool(head[5] & BEGINS)
        if begins and not among_firsts:
            starts.append(position)
        among_firsts = begins
        position += 27 + head[26] + sum(window.at(position + 27, head[26]))
    return [Link(begin, end) for begin, end in zip(starts, [*starts[1:], window.size], strict=True)]
