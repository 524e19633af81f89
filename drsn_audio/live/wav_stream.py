"""Wav files that come through a pipe, one after the other: their headers, and what stands between their sounds."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from drsn_audio.errors import InputError

WAV_MARK = 12  # bytes: "RIFF", a size, "WAVE"
OPEN_ENDED = 0x7FFF0000  # sizes from here on, and 0, are those of programs that cannot know how much will follow
MOST_CHUNK = 1 << 24  # bytes of what stands beside the sound in a wav file; more is no chunk but chance
ENCODINGS = {(1, 16): "s16le", (1, 24): "s24le", (1, 32): "s32le", (3, 32): "f32le"}  # by tag and bits


@dataclass(frozen=True)
class WavHeader:
    """`encoding` as pcm.FORMATS; `data_bytes` of sound follow, None: of unknown length."""

    sample_rate: int
    channels: int
    encoding: str
    data_bytes: int | None


class ByteReader:
    """A pipe whose next bytes can be looked at before they are taken."""

    def __init__(self, pipe: BinaryIO):
        self._pipe, self._waiting = pipe, b""

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, for which it waits; fewer at the end."""
        if len(self._waiting) < count:
            self._waiting += self._pipe.read(count - len(self._waiting))
        return self._waiting[:count]

    def read(self, count: int) -> bytes:
        """As `peek`, and takes them."""
        data = self.peek(count)
        self._waiting = self._waiting[count:]
        return data

    def take(self, most: int) -> bytes:
        """What is there by now, at least a byte; nothing at the end, or where none is asked for."""
        self._fill(most)
        return self.read(min(most, len(self._waiting)))

    def take_until_wav(self, most: int) -> bytes:
        """As `take`; nothing, too, where a wav begins. For the end of what may be its mark it waits."""
        self._fill(most)
        at = self._waiting.find(b"R", 0, most)
        while at >= 0:
            if b"RIFF".startswith(self._waiting[at : at + 4]) and is_wav(self.peek(at + WAV_MARK)[at:]):
                return self.read(at)
            at = self._waiting.find(b"R", at + 1, most)
        return self.read(min(most, len(self._waiting)))

    def _fill(self, most: int) -> None:
        if len(self._waiting) < most:  # what was looked at becomes part of the first block, not one of its own
            self._waiting += self._pipe.read1(most - len(self._waiting))  # type: ignore[attr-defined]


def is_wav(head: bytes) -> bool:
    """Whether bytes begin as a wav file does, WAV_MARK of them."""
    return head.startswith(b"RIFF") and head[8:12] == b"WAVE"


def read_wav_header(pipe: ByteReader, name: str) -> WavHeader:
    """All of a wav file up to its first sample.

    Raises:
        InputError: it is torn, or of an encoding that is not among ENCODINGS.
    """
    form = None
    _exactly(pipe, WAV_MARK, name)
    while True:
        chunk, size = struct.unpack("<4sI", _exactly(pipe, 8, name))
        if chunk == b"data":
            break
        body = _exactly(pipe, size + size % 2, name)
        if chunk == b"fmt ":
            form = _wav_format(body, name)
    if form is None:
        raise InputError(f"{name}: a wav header without its format: convert it, ffmpeg -i - -f s16le -")
    return WavHeader(*form, None if size == 0 or size >= OPEN_ENDED else size)


def skip_chunks(pipe: ByteReader) -> None:
    """Skip what may follow the sound within a wav file: a byte of padding, and chunks such as LIST."""
    while True:
        if pipe.peek(1) == b"\0":
            pipe.read(1)
        head = pipe.peek(8)
        if len(head) < 8 or head.startswith((b"RIFF", b"data")) or not head[:4].isascii() or min(head[:4]) < 32:
            return
        (size,) = struct.unpack("<I", head[4:])
        if size > MOST_CHUNK:
            return
        pipe.read(8 + size)


def _wav_format(body: bytes, name: str) -> tuple[int, int, str]:
    """A wav file's fmt chunk: Microsoft's WAVEFORMATEX, or WAVEFORMATEXTENSIBLE, whose tag stands in its GUID.

    Returns rate in Hz, channels, encoding.
    """
    if len(body) < 16:
        raise InputError(f"{name}: a torn wav header: send it again")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == 0xFFFE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    encoding = ENCODINGS.get((tag, bits))
    if encoding is None:
        known = ", ".join(ENCODINGS.values())
        raise InputError(f"{name}: wav of kind {tag} with {bits} bits, only {known} are read: name the file instead")
    return rate, channels, encoding


def _exactly(pipe: ByteReader, count: int, name: str) -> bytes:
    if count > MOST_CHUNK:
        raise InputError(f"{name}: a wav header with a part of {count} bytes: it is torn, or not wav")
    data = pipe.read(count)
    if len(data) < count:
        raise InputError(f"{name}: ends within its wav header: check the command before the pipe")
    return data
