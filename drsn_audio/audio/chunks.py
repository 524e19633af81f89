"""Links of wav, RF64, W64, AIFF, CAF and AU files: joined ones, and headers that do not know how much sound follows."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile as sf

from drsn_audio.audio import mpeg
from drsn_audio.audio.links import MOST_BYTES, Link, LinkBytes, Window, next_file, skip_id3

MOST_HEADER_BYTES = 1 << 24  # of all chunks before the sound
COMPARED_BYTES = 1 << 16
COMPARED_FRAMES = 1 << 15
LOUDEST = 16  # of full scale, of sound in floats
CLIPPED = 0.01  # share of samples at full scale that smooth sound has at most
ALIKE = 0.2  # difference of the correlations of two parts of one sound
SMOOTH = 0.5  # correlation of neighbouring samples from which on they are sound: those of garbage have none
MPEG_TAGS = (0x50, 0x55)  # of wavs that hold frames of MPEG audio
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


def is_head(window: Window, start: int) -> bool:
    """Return True if a file of one of these kinds begins there."""
    head = window.at(start, 24)
    if len(head) < 24 or head[:4] not in AU:
        return _family(window, start) is not None
    offset, _, encoding, rate, channels = struct.unpack(f"{AU[head[:4]]}IIIII", head[4:])
    return 24 <= offset <= MOST_HEADER_BYTES and 1 <= encoding <= 27 and rate < 1 << 20 and 1 <= channels <= 1024


def find_links(window: Window, start: int) -> tuple[list[Link], int | None]:
    """The file that begins here as a link, and where the next one begins.

    Sizes that end before the sound does are corrected.
    """
    link, following = _read_file(window, start)
    return [link], following


def _read_file(window: Window, start: int) -> tuple[Link, int | None]:
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
    whole_end = start + 8 + whole if family.around == 0 else start + whole

    def link(end: int, most: int = 0) -> Link:
        head = bytearray(window.at(start, sound - start))
        _put(head, family.size, data.at + family.name_bytes - start, end + most - data.body + family.around)
        if family.kind_at >= 8:  # a size of all
            _put(head, family.size, family.name_bytes, end + most - start - (0 if family.around else 8))
        for chunk in before:
            if chunk is wide:
                _put(head, "<Q", chunk.body - start, end - start - 8)
                _put(head, "<Q", chunk.body + 8 - start, end - sound)
            if chunk.name == b"COMM" and chunk.size >= 8:  # how many samples there are
                channels, _, bits = struct.unpack(">HIH", window.at(chunk.body, 8))
                _put(head, ">I", chunk.body + 2 - start, (end - sound) // max(1, channels * (bits + 7) // 8))
        return Link(start, end, bytes(head), most // MOST_BYTES or None)

    end, following = _end(window, family, sound, size, whole_end, link)
    if _holds_mpeg(window, before):
        end = end or following or min(sound + size, window.size)
        frames = mpeg.count_samples(Window(window.file, end), sound)
        return link(end, frames * MOST_BYTES), following
    if following and family.around:  # libsndfile reads to the end of the link
        end = end or sound + size
    return link(end) if end else Link(start, following or window.size), following


def _read_au(window: Window, start: int) -> tuple[Link, int | None]:
    order = AU[window.at(start, 4)]
    head = window.at(start, 24)
    offset, size = struct.unpack(f"{order}II", head[4:12]) if len(head) == 24 else (0, 0)
    if not 24 <= offset < window.size - start:
        return Link(start, window.size), None
    size = -1 if size == 0xFFFFFFFF else size
    sound = start + offset

    def link(end: int) -> Link:
        return Link(start, end, head[:8] + struct.pack(f"{order}I", min(end - sound, 0xFFFFFFFE)) + head[12:])

    end, following = _end(window, None, sound, size, sound + max(0, size), link)
    return link(end) if end else Link(start, following or window.size), following


def _end(
    window: Window, family: Family | None, sound: int, size: int, whole: int, link: Callable[[int], Link]
) -> tuple[int | None, int | None]:
    """Return the end of the sound, None if its size is right, and the start of a file that follows it.

    sound: where its first sample lies; size: -1 if unknown; whole: where the file ends, as its header says; link:
    returns a link of it that ends at a given byte.
    """
    stated = sound + size
    if size >= 0 and stated == window.size:
        return None, None
    magic = link(window.size).head[:4]
    if size < 0 or stated > window.size:  # unknown, or torn
        following = _find_head(window, magic, sound)
        return following or (window.size if size < 0 else None), following
    position = stated
    for chunk in _chunks(window, family, position + size % 2):
        position = chunk.next
    following = next_file(window, position) or next_file(window, position + 1)
    if following is None and position < window.size:
        following = _find_head(window, magic, sound)
        if following and following < stated:  # torn
            return following, following
    if position > stated or skip_id3(window, position) != position:
        return None, following
    limit = following or window.size
    if not _any(window, position, limit):
        return None, following
    goes_on = size == 0 or window.size + 1 >= whole > stated + 1 or _is_sound(window, link(limit), sound, stated)
    return limit if goes_on else None, following


def _holds_mpeg(window: Window, chunks: Sequence[Chunk]) -> bool:
    for chunk in chunks:
        if chunk.name == b"fmt ":
            tags = [int.from_bytes(window.at(chunk.body + at, 2), "little") for at in (0, 24)]
            return (tags[1] if tags[0] == 0xFFFE else tags[0]) in MPEG_TAGS
    return False


def _find_head(window: Window, magic: bytes, position: int) -> int | None:
    """Return where another file with that magic begins; None if none does."""
    while (position := window.find(magic, position)) >= 0:
        if is_head(window, position):
            return position
        position += 1
    return None


def _chunks(window: Window, family: Family | None, position: int) -> Iterator[Chunk]:
    """Chunks one after another, up to what is none, or to the beginning of another file."""
    while family and position + family.head_bytes <= window.size and next_file(window, position) is None:
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
        after += -(after - body) % family.align
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


def _any(window: Window, position: int, end: int) -> bool:
    """Return True if anything but zeros, with which some programs fill up, follows."""
    while data := window.at(position, min(COMPARED_BYTES, max(0, end - position))):
        if any(data):
            return True
        position += len(data)
    return False


def _is_sound(window: Window, link: Link, sound: int, stated: int) -> bool:
    """Return True if the bytes from `stated` on are samples, not garbage that was added: smooth, or as those before."""
    try:
        with sf.SoundFile(LinkBytes(window.file, link)) as file:
            at = file.frames * (stated - sound) // (link.end - sound)
            begin = max(0, at - COMPARED_FRAMES)
            file.seek(begin)
            samples = file.read(at - begin + COMPARED_FRAMES, always_2d=True)
    except (sf.LibsndfileError, RuntimeError):
        return False
    before, after = samples[: at - begin], samples[at - begin :]
    if len(after) < 10 or not np.isfinite(after).all() or np.abs(after).max() > LOUDEST:
        return False
    level, smoothness = _level(after)
    if level == 0 or np.abs(after.mean()) > level / 2:
        return False
    usual, usually = _level(before)
    if level < 2 * usual and abs(smoothness - usually) < ALIKE:
        return True
    return smoothness > SMOOTH and (np.abs(after) > 0.98).mean() < CLIPPED


def _level(samples: np.ndarray) -> tuple[float, float]:
    """Return the RMS of samples [N, channels], and the correlation of neighbouring ones."""
    power = float(np.square(samples).sum())
    smoothness = float((samples[1:] * samples[:-1]).sum()) / power if power else 0.0
    return (power / max(1, samples.size)) ** 0.5, smoothness
