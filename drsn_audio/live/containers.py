"""Recognise files that are no raw PCM by their first bytes: raw PCM has no mark of its own, all others have one."""

from __future__ import annotations

from collections.abc import Callable

from drsn_audio.errors import InputError

HEAD_BYTES = 512  # always looked at: 16 ms of 16-bit sound at 16 kHz
LONG_HEAD_BYTES = 8192  # looked at only where the first bytes could be those of a file made of frames
LATE_FRAMES = 6  # that follow one another, where the first is not the beginning
CONVERT = "name the file instead, or send it as wav: ffmpeg -i FILE -f wav - | drsn-audio stream -"
UNPACK = "unpack it first"
LOOK = "check the command before the pipe"

# (offset, bytes, kind). Four letters are two loud samples of 16 bits, or a float beyond full scale: sound does not
# begin with them. Shorter or quieter marks are too likely in sound, and are in `_FRAMED` with more that must fit.
_SOUND = (
    (0, b"RIFF", "RIFF"), (0, b"RF64", "RF64"), (0, b"BW64", "BW64"), (0, b"RIFX", "RIFX"), (0, b"FORM", "AIFF"),
    (0, b"riff\x2e\x91\xcf\x11", "w64"), (0, b"caff\x00", "caf"), (0, b".snd", "au"), (0, b"dns.", "au"),
    (0, b"fLaC", "FLAC"), (0, b"OggS", "ogg"), (0, b"APETAGEX", "mp3"), (0, b"ADIF", "aac"),
    (4, b"ftyp", "mp4 or m4a"), (4, b"moov", "mov or mp4"), (4, b"mdat", "mov or mp4"), (4, b"wide", "mov"),
    (4, b"free", "mov or mp4"), (4, b"skip", "mov or mp4"), (4, b"pnot", "mov"), (4, b"moof", "mp4"),
    (4, b"styp", "mp4"), (4, b"sidx", "mp4"), (0, b"\x1a\x45\xdf\xa3", "webm or matroska"), (0, b"FLV\x01", "flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "wma or asf"), (0, b"#!AMR", "amr"), (0, b"#!EVRC", "evrc"),
    (0, b"#!SILK", "silk"), (1, b"#!SILK", "silk"), (0, b"MAC ", "monkey's audio"), (0, b"wvpk", "wavpack"),
    (0, b"TTA1", "tta"), (0, b"TTA2", "tta"), (0, b"MPCK", "musepack"), (0, b"MP+\x07", "musepack"),
    (0, b"MP+\x17", "musepack"), (0, b"MP+\x27", "musepack"),
    (0, b"OFR ", "optimfrog"), (0, b"ajkg", "shorten"), (0, b"DSD ", "dsf"), (0, b"FRM8", "dff"),
    (0, b"Creative Voice File", "voc"), (0, b"NIST_1A", "sphere (NIST)"), (0, b"2BIT", "avr"), (0, b"PVF1\n", "pvf"),
    (0, b" paf", "paf"), (0, b"fap ", "paf"), (0, b"ALawSoundFile", "wve"), (0, b"Extended Instrument:", "xi"),
    (0, b"\x64\xa3\x01\x00", "ircam"), (0, b"\x64\xa3\x02\x00", "ircam"), (0, b"\x64\xa3\x03\x00", "ircam"),
    (0, b"\x00\x01\xa3\x64", "ircam"), (0, b"\x00\x02\xa3\x64", "ircam"), (0, b"\x00\x03\xa3\x64", "ircam"),
    (0, b".RMF", "realmedia"), (0, b".ra\xfd", "realaudio"), (0, b"MThd", "midi"),
    (0, b".SoX", "sox"), (0, b"XoS.", "sox"), (0, b"SOUND", "sndtool or smp"), (0, b"MATLAB ", "matlab"),
    (0, b"LM8953", "txw"), (0, b"\x37\x00\x00\x10\x6d\x00\x00\x10", "psion record"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
)  # fmt: skip
_PACKED = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"), (0, b"\xfd7zXZ\x00", "xz"), (0, b"Rar!\x1a\x07", "rar"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"), (0, b"\x04\x22\x4d\x18", "lz4"), (4, b"1AY&SY", "bzip2"), (257, b"ustar", "tar"),
)  # fmt: skip
_OTHER = (
    (0, b"%PDF-", "pdf"), (0, b"\x89PNG\r\n\x1a\n", "png"), (6, b"JFIF\x00", "jpeg"), (6, b"Exif\x00", "jpeg"),
    (0, b"GIF8", "gif"), (0, b"\x89HDF\r\n\x1a\n", "hdf5"), (0, b"\x93NUMPY", "npy"), (0, b"\x7fELF", "a program"),
    (0, b"SQLite format 3\x00", "sqlite"), (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
)  # fmt: skip


def recognise(peek: Callable[[int], bytes]) -> tuple[str, str] | None:
    """The beginning of a stream -> what kind of file it is and what to do about it; None: it may be raw PCM or wav.

    `peek(count)` gives its first `count` bytes, or all where there are no more of them.
    """
    head = peek(HEAD_BYTES)
    for marks, remedy in ((_SOUND, CONVERT), (_PACKED, UNPACK), (_OTHER, LOOK)):
        for offset, mark, kind in marks:
            if head.startswith(mark, offset) and not (mark == b"RIFF" and head.startswith(b"WAVE", 8)):
                return _riff(head) if mark == b"RIFF" else kind, remedy
    if _is_id3(head):
        return "mp3", CONVERT
    if _is_gzip(head):
        return "gzip", UNPACK
    if is_text(head):
        return ("a web page" if b"<html" in head.lower() else "text"), LOOK
    for kind, frame in _FRAMED.items():
        if frame(head, 0) and _has_frames(peek(LONG_HEAD_BYTES), frame):
            return kind, CONVERT
    return ("mp3", CONVERT) if not head.startswith(b"RIFF") and _has_late_mp3(peek, head) else None


def refuse_container(peek: Callable[[int], bytes], name: str) -> None:
    """Raise InputError where `recognise` knows what comes; see there."""
    found = recognise(peek)
    if found:
        raise InputError(f"{name}: is {found[0]}, not raw PCM: {found[1]}")


def is_text(head: bytes) -> bool:
    """Whether bytes are text in UTF-8, or in UTF-16 with its mark; the last character may be cut off.

    Text has neither zeros nor control characters. Quiet sound on a large DC offset has none either, but its upper bytes
    hardly change: every third and every fourth byte of text does, wherever one begins.
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        units = head[2 : len(head) - len(head) % 2]
        low, high = (units[0::2], units[1::2]) if head[:1] == b"\xff" else (units[1::2], units[0::2])
        return len(low) >= 8 and not any(high) and is_text(low.decode("latin-1").encode())
    phases = [head[phase::stride] for stride in (3, 4) for phase in range(stride)]
    if len(head) < 8 or min(len(set(phase)) for phase in phases) < min(3, len(head) // 12 + 1):
        return False
    if any((byte < 32 and byte not in b"\t\n\r\f\x1b") or byte == 127 for byte in head):
        return False
    for cut in range(4):
        try:
            head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return cut == 0 or len(head) >= HEAD_BYTES
    return False


def _riff(head: bytes) -> str:
    kind = head[8:12].decode("ascii", "replace").strip()
    return "RIFF but not wav" + (f" ({kind.lower()})" if kind.isalnum() else "")


def _is_id3(head: bytes) -> bool:
    """The tag before an mp3: its mark, version 2.2 to 2.4, and a size of which each byte has 7 bits."""
    return head.startswith(b"ID3") and len(head) > 9 and 2 <= head[3] <= 4 and max(head[6:10]) < 128


def _is_gzip(head: bytes) -> bool:
    """Its mark, deflate, no reserved flag, and an operating system that there is."""
    return head.startswith(b"\x1f\x8b\x08") and len(head) > 9 and head[3] < 32 and (head[9] < 14 or head[9] == 255)


# Files made of frames: the function gives (bytes of the frame at `at`, what all frames share), or None where there is
# none. One may be chance, in sound; several, each where the one before it ends, are not.
Frame = Callable[[bytes, int], "tuple[int, object] | None"]


def _has_frames(data: bytes, frame: Frame) -> bool:
    wanted = 20 if frame is _transport_packet else 3  # its mark is one byte
    at, shared, first = 0, None, b""
    for count in range(wanted):
        found = frame(data, at)
        if found is None or (count and found[1] != shared):
            return False
        if count == 0:
            first, shared = data[: found[0]], found[1]
        elif count == 1 and frame is _transport_packet and data.startswith(first, at):
            return False  # periodic sound
        at += found[0]
    return True


def _has_late_mp3(peek: Callable[[int], bytes], head: bytes) -> bool:
    """Whether the first frame of an mp3 is in the head behind something else, by those that follow it."""
    at = head.find(b"\xff", 1)
    while at >= 0:
        found, end = _mpeg_frame(head, at), at
        kind, count = found and found[1], 0
        while found and found[1] == kind and head[at + 1] & 6 == 2 and count < LATE_FRAMES:  # layer III
            end, count = end + found[0], count + 1
            found = _mpeg_frame(peek(end + 4), end)
        if count == LATE_FRAMES:
            return True
        at = head.find(b"\xff", at + 1)
    return False


_KBPS = {  # by (MPEG-1, layer), from index 1 on; MPEG-2 and 2.5 have one table for layers II and III
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz, by version


def _mpeg_frame(data: bytes, at: int) -> tuple[int, object] | None:
    """A frame of MPEG audio, layers I to III (ISO 11172-3, 13818-3)."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    rate_kbps, rate, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == 1 or layer == 4 or rate_kbps in (0, 15) or rate == 3 or data[at + 3] & 3 == 2:
        return None
    bits_per_s = 1000 * _KBPS[version == 3, layer][rate_kbps - 1]
    sample_rate = _MPEG_RATES[version][rate]
    if layer == 1:
        size = (12 * bits_per_s // sample_rate + padding) * 4
    else:
        size = (72 if layer == 3 and version != 3 else 144) * bits_per_s // sample_rate + padding
    return size, (version, layer, rate)


def _adts_frame(data: bytes, at: int) -> tuple[int, object] | None:
    """A frame of AAC with an ADTS header (ISO 13818-7)."""
    if len(data) < at + 7 or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0 or data[at + 2] >> 2 & 15 > 12:
        return None
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    return (size, (data[at + 1], data[at + 2])) if size > 7 else None


def _loas_frame(data: bytes, at: int) -> tuple[int, object] | None:
    """A frame of AAC in LATM with the sync of LOAS (ISO 14496-3)."""
    if len(data) < at + 3 or data[at] != 0x56 or data[at + 1] & 0xE0 != 0xE0:
        return None
    size = (data[at + 1] & 31) << 8 | data[at + 2]
    return (size + 3, None) if size > 7 else None


def _ac3_frame(data: bytes, at: int) -> tuple[int, object] | None:
    """A frame of AC-3 or E-AC-3 (ATSC A/52)."""
    if len(data) < at + 6 or data[at : at + 2] != b"\x0b\x77":
        return None
    if data[at + 5] >> 3 > 10:  # bsid: E-AC-3
        return 2 * ((data[at + 2] & 7) << 8 | data[at + 3]) + 2, None
    rate, code = data[at + 4] >> 6, data[at + 4] & 63
    if rate == 3 or code > 37:
        return None
    kbps = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)[code >> 1]
    words = (2 * kbps, 320 * kbps // 147 + (code & 1), 3 * kbps)[rate]  # at 48, 44.1 and 32 kHz
    return 2 * words, None


def _dts_frame(data: bytes, at: int) -> tuple[int, object] | None:
    """A frame of DTS, the core alone (ETSI TS 102 114)."""
    if len(data) < at + 8 or data[at : at + 4] != b"\x7f\xfe\x80\x01":
        return None
    return ((data[at + 5] & 3) << 12 | data[at + 6] << 4 | data[at + 7] >> 4) + 1, None


def _transport_packet(data: bytes, at: int) -> tuple[int, object] | None:
    """A packet of an MPEG transport stream (ISO 13818-1)."""
    if len(data) < at + 4 or data[at] != 0x47 or data[at + 1] & 0x80 or not data[at + 3] & 0x30:
        return None
    return 188, None


_FRAMED: dict[str, Frame] = {
    "mp3": _mpeg_frame, "aac": _adts_frame, "aac (latm)": _loas_frame, "ac3": _ac3_frame,
    "dts": _dts_frame, "mpeg transport stream": _transport_packet,
}  # fmt: skip
