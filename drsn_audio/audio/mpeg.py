"""Links of MPEG audio files (MP3): joined files, and headers that give no length or a wrong one (ISO 11172-3, 13818-3).

The first frame of a file may be none of sound but Xing's header, with the number of frames that follow. Without it
libsndfile guesses the length from the size of the file and of its first frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from drsn_audio.audio.links import Link, Window, next_file, skip_ape, skip_id3

RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz, by version: 1, 2, 2.5
KBITS = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),  # by MPEG 1?, and layer: 3 is I
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
XING_FIELDS = ((1, 4), (2, 4), (4, 100), (8, 4))  # flag and bytes of each, before the encoder's tag
HEAD_BYTES = 64  # of a frame, that are looked at: its header, and Xing's
CONFIRMED_BY = 2  # frames of the same kind that must follow the first one of a link
FOUND_BY = 8  # the same, of the first link of a file that begins with something else
SEARCHED_BYTES = 1 << 20  # at the beginning of such a file
TAG = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)  # without a tag, or a name, libsndfile takes some files for something else
COUNTED = 1  # Xing's flag: the number of frames follows


class Frame(NamedTuple):
    """What the header of a frame says. kind: what all frames of a link have in common."""

    size: int  # bytes
    samples: int
    kind: tuple[int, int, int, bool]  # version, layer, rate in Hz, mono
    xing_at: int  # where Xing's header would begin


class Run(NamedTuple):
    """Frames that follow one another; the first may be a header, which says that `told` frames follow."""

    start: int
    end: int
    frames: int  # of sound
    told: int | None
    first: Frame


def is_sync(head: bytes) -> bool:
    return len(head) == 4 and parse(head) is not None


def is_first(window: Window, position: int) -> bool:
    """Return True if a frame begins there, by several that follow it."""
    frame = parse(window.at(position, 4))
    return frame is not None and _is_confirmed(window, position, frame, FOUND_BY)


def find_first(window: Window, start: int) -> int:
    """Where the first frame is, from `start` on; -1 where there is none near the beginning."""
    position = start
    while 0 <= position < start + SEARCHED_BYTES:
        if is_first(window, position):
            return position
        position = window.find(b"\xff", position + 1)
    return -1


def find_links(window: Window, start: int) -> tuple[list[Link], int | None]:
    """A link of each run of frames, and where a file of another kind follows them.

    Lengths that are wrong, or that libsndfile would have to guess, are corrected.
    """
    runs: list[Run] = []
    following = None
    for run in _runs(window, start):
        runs.append(run)
        following = next_file(window, run.end)
        if following is not None and not is_sync(window.at(following, 4)):
            break
        following = None
    links = [_link(window, run, run is runs[-1] and following is None) for run in runs]
    return links or [Link(start, window.size)], following


def count_samples(window: Window, start: int) -> int:
    """How many samples, of each channel, all frames from `start` on hold."""
    return sum(run.frames * run.first.samples for run in _runs(window, start))


def _link(window: Window, run: Run, is_last: bool) -> Link:
    if not run.told:
        return Link(run.start, run.end, frames=run.frames * run.first.samples, before=TAG)
    if run.told == run.frames or (run.told > run.frames and is_last):  # the latter: torn
        return Link(run.start, window.size if is_last else run.end, before=TAG)
    head = bytearray(window.at(run.start, run.first.size))
    at = run.first.xing_at
    head[at + 8 : at + 12] = run.frames.to_bytes(4, "big")
    gaps = at + 8 + sum(size for flag, size in XING_FIELDS if head[at + 7] & flag) + 21
    if len(head) >= gaps + 3:  # the encoder's tag: silence at the beginning, which is left out, and at the end
        head[gaps + 1] &= 0xF0
        head[gaps + 2] = 0
    return Link(run.start, run.end, bytes(head), before=TAG)


def _runs(window: Window, position: int) -> Iterator[Run]:
    """Runs of frames; tags and anything else between them are passed over."""
    run: Run | None = None
    while position < window.size:
        head = window.at(position, HEAD_BYTES)
        frame = parse(head[:4])
        told = _told(head, frame) if frame else None
        if run is not None and frame is not None and frame.kind == run.first.kind and told is None:
            run = run._replace(end=min(position + frame.size, window.size), frames=run.frames + 1)
            position += frame.size
            continue
        if run is not None:
            yield run
            run = None
        if frame is not None and _is_confirmed(window, position, frame):
            run = Run(position, position + frame.size, told is None, told, frame)
            position += frame.size
        else:
            position = _next(window, position)
    if run is not None:
        yield run


def _is_confirmed(window: Window, position: int, frame: Frame, count: int = CONFIRMED_BY) -> bool:
    """Whether so many other frames of its kind follow, or the end where few are asked for."""
    following: Frame | None = frame
    for _ in range(count):
        position += following.size if following else 0
        if position >= window.size:
            return position == window.size and count == CONFIRMED_BY
        following = parse(window.at(position, 4))
        if following is None or following.kind != frame.kind:
            return False
    return True


def _next(window: Window, position: int) -> int:
    """Where a tag ends that begins here, or where the next frame may begin; the size of the file if it does not."""
    after = skip_ape(window, skip_id3(window, position))
    if window.at(position, 3) == b"TAG":
        after = position + 128
    if after == position:
        after = window.find(b"\xff", position + 1)
    return after if after >= 0 else window.size


def _told(head: bytes, frame: Frame) -> int | None:
    """How many frames follow, where this one is a header; 0: it does not say. None: it is a frame of sound."""
    at = frame.xing_at
    if frame.kind[1] != 1 or head[at : at + 4] not in (b"Xing", b"Info"):
        return None
    return int.from_bytes(head[at + 8 : at + 12], "big") if head[at + 7] & COUNTED else 0


@lru_cache(4096)
def parse(head: bytes) -> Frame | None:
    """The four bytes that begin a frame; None: they do not, or its size is not given (free format)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbit, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 0 or kbit in (0, 15) or rate == 3:
        return None
    sample_rate = RATES[version][rate]
    bits = 1000 * KBITS[3 if version == 3 else 2, layer][kbit - 1]
    padding = head[2] >> 1 & 1
    mono = head[3] >> 6 == 3
    if layer == 3:
        samples, size = 384, (12 * bits // sample_rate + padding) * 4
    else:
        samples = 576 if layer == 1 and version != 3 else 1152
        size = samples // 8 * bits // sample_rate + padding
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return Frame(size, samples, (version, layer, sample_rate, mono), 4 + side)
