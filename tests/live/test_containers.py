"""What comes through a pipe is raw PCM, or one knows what it is: files are recognised, sound never is."""

import bz2
import gzip
import io
import lzma
import shutil
import struct
import subprocess
import zipfile

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.errors import InputError
from drsn_audio.live.containers import CONVERT, recognise, refuse_container
from drsn_audio.live.pcm import FORMATS, encode_pcm

RATE = 16000
FFMPEG = {  # ending -> options, and a word of the kind
    "mp3": (["-id3v2_version", "0", "-write_xing", "0"], "mp3"), "mp2": ([], "mp3"), "m4a": ([], "m4a"),
    "3gp": (["-c:a", "aac"], "mp4"), "mov": ([], "mp4"), "webm": (["-c:a", "libopus"], "webm"), "mkv": ([], "matroska"),
    "aac": (["-f", "adts"], "aac"), "latm": (["-c:a", "aac"], "aac"), "au": ([], "au"), "caf": ([], "caf"),
    "w64": ([], "w64"), "aiff": ([], "AIFF"), "wma": ([], "wma"), "flv": (["-ar", "44100"], "flv"),
    "avi": ([], "avi"), "ac3": ([], "ac3"), "eac3": ([], "ac3"), "dts": (["-ar", "48000", "-strict", "-2"], "dts"),
    "ts": ([], "transport"), "mpg": ([], "mpeg"), "wv": ([], "wavpack"), "tta": ([], "tta"), "voc": ([], "voc"),
}  # fmt: skip


def kind(data):
    found = recognise(lambda count: data[:count])
    return found and found[0]


def speech_like(seconds=2.0):
    """Noise whose level comes and goes."""
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.1, round(seconds * RATE)) * (1 + np.sin(np.arange(round(seconds * RATE)) / 900))
    return wave.astype(np.float32)


def mpeg_frames(header, size, count=4):
    return b"".join(header + np.random.default_rng(n).bytes(size - 4) for n in range(count))


@pytest.mark.parametrize("ending", FFMPEG)
def test_what_ffmpeg_writes(tmp_path, ending):
    if not shutil.which("ffmpeg"):
        pytest.skip("no ffmpeg")
    sf.write(tmp_path / "a.wav", speech_like(), RATE)
    options, word = FFMPEG[ending]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", tmp_path / "a.wav", *options, tmp_path / f"b.{ending}"]
    if subprocess.run(command, check=False).returncode:
        pytest.skip(f"this ffmpeg writes no {ending}")
    assert word in kind((tmp_path / f"b.{ending}").read_bytes())


@pytest.mark.parametrize(("form", "word"), [
    ("AU", "au"), ("CAF", "caf"), ("AIFF", "AIFF"), ("W64", "w64"), ("RF64", "RF64"),
    ("FLAC", "FLAC"), ("OGG", "ogg"), ("NIST", "NIST"), ("VOC", "voc"), ("IRCAM", "ircam"),
])  # fmt: skip
def test_what_libsndfile_writes(form, word):
    buffer = io.BytesIO()
    sf.write(buffer, speech_like(), RATE, format=form)
    assert word in kind(buffer.getvalue())


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (mpeg_frames(b"\xff\xfb\x90\x64", 417), "mp3"),  # 128 kbit/s, 44.1 kHz
        (mpeg_frames(b"\xff\xf3\x18\xc4", 36), "mp3"),  # MPEG-2, 8 kbit/s, 16 kHz
        (b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(600), "mp3"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(600), "m4a"),
        (b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat" + bytes(600), "mov"),
        (b"\x00\x00\x10\x00moov" + bytes(600), "mov"),
        (b"\x1a\x45\xdf\xa3" + bytes(600), "webm"),
        (b"#!AMR\n" + bytes(600), "amr"),
        (b"\x02#!SILK_V3" + bytes(600), "silk"),
        (b"MAC \x96\x0f" + bytes(600), "monkey"),
        (b"RIFF\x00\x00\x10\x00AVI LIST" + bytes(600), "avi"),
        (gzip.compress(b"a" * 999, mtime=0), "gzip"),
        (bz2.compress(b"a" * 999), "bzip2"),
        (lzma.compress(b"a" * 999), "xz"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "7z"),
        (b"%PDF-1.7\n" + bytes(600), "pdf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(600), "png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(600), "jpeg"),
        (b"\x93NUMPY\x01\x00" + bytes(600), "npy"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "hdf5"),
        (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "web page"),
        (b'{"error": "not found"}', "text"),
        ("Grüße, das ist Text.\n".encode(), "text"),
        ("Это текст, а не звук. ".encode() * 50, "text"),
        ("音ではなくて、文字です。".encode() * 50, "text"),
        ("Grüße, das ist Text.\n".encode("utf-16"), "text"),
    ],
)
def test_files_are_recognised(data, word):
    assert word in kind(data)
    with pytest.raises(InputError, match="not raw PCM"):
        refuse_container(lambda count: data[:count], "stdin")


def test_a_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.wav", b"a" * 999)
    assert kind(buffer.getvalue()) == "zip"


@pytest.mark.parametrize("encoding", FORMATS)
@pytest.mark.parametrize("offset", [0.0, 0.3, -0.3, 0.9])
def test_sound_is_not(encoding, offset):
    """Silence, noise of every level, tones, constants, with and without a DC offset that makes all bytes printable."""
    rng = np.random.default_rng(0)
    for level in np.geomspace(1e-6, 2, 60):
        for wave in (
            rng.normal(0, level, 2000),
            level * np.sin(np.arange(2000) * rng.uniform(0.01, 3)),
            np.zeros(2000),
        ):
            assert kind(encode_pcm((wave + offset).astype(np.float32), encoding)) is None


def test_constants_and_square_waves_are_sound():
    for value in range(-(2**15), 2**15, 37):
        assert kind(np.full(4500, value, "<i2").tobytes()) is None
        assert kind(np.tile(np.array([value, -value - 1], "<i2"), 2250).tobytes()) is None


@pytest.mark.parametrize(
    "header", [b"\xff\xfb\x90\x64", b"\xff\xf1\x50\x80\x10\x00", b"\x0b\x77\x00\x00\x14\x40", b"G\x40\x11\x10"]
)
def test_sound_that_begins_like_a_frame_is_sound(header):
    assert kind(header + encode_pcm(speech_like(), "s16le")) is None


@pytest.mark.parametrize("mark", [b"", b"\0", b"\xff\xfb", b"ID3", b"abc", struct.pack("<h", -1)])
def test_what_is_too_short_to_tell_is_not_refused(mark):
    assert kind(mark) is None


@pytest.mark.slow
def test_recordings_are_sound(real_audio):
    paths = sorted(real_audio.glob("speech_commands_subset/*/*.flac"))[::150]
    assert paths
    for path in paths:
        wave = sf.read(path, dtype="float32")[0]
        for encoding in FORMATS:
            data = encode_pcm(wave, encoding)
            for start in range(0, len(data) // 2, 12 * 97):
                assert kind(data[start:]) is None, (path, encoding, start)


@pytest.mark.parametrize("before", [b"\0", bytes(300), b"\1\2\3" * 100])
def test_an_mp3_behind_other_bytes_is_known_and_fewer_frames_are_sound(before):
    frame = b"\xff\xfb\x90\x64" + b"\x55" * 413  # 128 kbit/s at 44.1 kHz
    assert recognise(lambda count: (before + frame * 7)[:count]) == ("mp3", CONVERT)
    assert recognise(lambda count: (before + frame * 4 + bytes(4000))[:count]) is None
