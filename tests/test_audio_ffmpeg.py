"""What ffmpeg decodes is read to its end, joined files too, or it is said where it is damaged."""

import shutil
import subprocess

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import AudioError, AudioReader
from drsn_audio.audio.joins import find_parts

RATE = 16000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def encode(path, seconds=1.0, *options, rate=RATE, channels=1):
    """The file that ffmpeg makes of a tone with noise."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * rate)) / rate
    wave = 0.2 * np.sin(2 * np.pi * 300 * t) + 0.05 * rng.standard_normal(len(t))
    source = path.parent / "source.wav"
    sf.write(source, np.tile(wave[:, None], channels), rate)
    made = subprocess.run(["ffmpeg", "-y", "-v", "error", "-i", source, *options, path])
    if made.returncode:
        pytest.skip(f"this ffmpeg writes no {path.suffix}")
    return path.read_bytes()


def read(path):
    with AudioReader(path) as reader:
        return np.concatenate([*reader.frames()])


def box(kind, size=8):
    return size.to_bytes(4, "big") + kind + bytes(size - 8)


WAVPACK = b"wvpk" + (24).to_bytes(4, "little") + b"\x10\x04" + bytes(6)  # up to the number of its first sample
MOVIE = box(b"ftyp", 16) + box(b"moov") + box(b"mdat", 32)
FIRST, LATER = (WAVPACK + start.to_bytes(4, "little") + b"\1\0\0\0\0\x18\0\0" + bytes(4) for start in (0, 7))


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        ([MOVIE, MOVIE, MOVIE], 3),
        ([box(b"ftyp", 16), box(b"mdat", 1 << 8), box(b"moov"), MOVIE], 2),
        ([box(b"ftyp", 16), box(b"ftyp", 16), box(b"moov"), box(b"moof"), box(b"mdat", 16), box(b"moof")], 1),
        ([box(b"ftyp", 16), b"\0\0\0\1mdat" + (32).to_bytes(8, "big") + MOVIE[:16], MOVIE], 1),  # in its data
        ([FIRST, LATER, LATER], 1),
        ([FIRST + LATER, FIRST + LATER], 2),
        ([b"TTA1\1\0\1\0" + bytes(20), b"TTA1\1\0\2\0" + b"TTA1\xff"], 2),
        ([b"ID3\4" + bytes(6), b"MPCKSH" + bytes(9), b"ID3\4" + bytes(6) + b"MPCKSH"], 2),
        ([bytes(100)], 1),
    ],
)
def test_parts_of_joined_files(tmp_path, files, parts):
    path = tmp_path / "a.bin"
    path.write_bytes(b"".join(files))
    found = find_parts(path)
    assert len(found) == parts
    assert [begin for begin, _ in found][1:] == [end for _, end in found][:-1]
    assert (found[0][0], found[-1][1]) == (0, path.stat().st_size)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.m4a", "a.wma", "a.wv", "a.tta", "a.mka", "a.webm", "a.aac"])
def test_joined_files_are_one_sound(tmp_path, name):
    data, path = encode(tmp_path / name), tmp_path / name
    alone = read(path)
    path.write_bytes(data + data)
    both = read(path)
    assert len(both) == pytest.approx(2 * len(alone), rel=0.07)  # an AAC stream begins once
    if name not in ("a.mka", "a.webm", "a.aac"):
        np.testing.assert_array_equal(both, np.concatenate([alone, alone]))


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.wv", "a.tta", "a.ac3", "a.aac"])
def test_tags_are_no_damage(tmp_path, name):
    data, path = encode(tmp_path / name), tmp_path / name
    alone = read(path)
    item = (3).to_bytes(4, "little") + bytes(4) + b"Title\0abc"
    head, foot = (
        b"".join([b"APETAGEX", *(n.to_bytes(4, "little") for n in (2000, len(item) + 32, 1, flags)), bytes(8)])
        for flags in (0xA0000000, 0x80000000)
    )
    for tags in (head + item + foot, b"TAG" + bytes(125), head + item + foot + b"TAG" + bytes(125)):
        path.write_bytes(data + tags)
        np.testing.assert_array_equal(read(path), alone)


@needs_ffmpeg
def test_aac_from_amid_a_frame_on(tmp_path):
    data = encode(tmp_path / "a.aac", 2.0)
    (tmp_path / "a.aac").write_bytes(data[100:])
    assert len(read(tmp_path / "a.aac")) == pytest.approx(2 * RATE, abs=0.2 * RATE)


@needs_ffmpeg
def test_later_parts_become_like_the_first(tmp_path):
    data = encode(tmp_path / "a.m4a")
    other = encode(tmp_path / "b.m4a", rate=44100, channels=2)
    (tmp_path / "a.m4a").write_bytes(data + other)
    with AudioReader(tmp_path / "a.m4a") as reader:
        assert (reader.sample_rate, reader.channels) == (RATE, 1)
        assert sum(map(len, reader.frames())) == pytest.approx(2 * RATE, abs=0.2 * RATE)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.mka", "a.wv", "a.tta", "a.aac", "a.ac3"])
def test_damage_is_told_with_its_second(tmp_path, name):
    data = bytearray(encode(tmp_path / name, 3.0))
    middle = len(data) // 2
    data[middle : middle + 1500] = bytes(1500)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AudioError, match=r"from \d\.\d\d\d s on") as told:
        read(tmp_path / name)
    assert float(str(told.value).split(" from ")[1].split(" s on")[0]) < 2.0


@needs_ffmpeg
@pytest.mark.parametrize(("name", "options"), [("a.m4a", ["-movflags", "faststart"]), ("a.mka", []), ("a.tta", [])])
def test_what_was_cut_short_is_told(tmp_path, name, options):
    data = encode(tmp_path / name, 2.0, *options)
    (tmp_path / name).write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(AudioError, match=r"from [01]\.\d\d\d s on"):
        read(tmp_path / name)


@needs_ffmpeg
@pytest.mark.parametrize(("name", "as_name", "options"), [("a.caf", "a.caf", ["-c:a", "alac"]), ("a.m4a", "a.mp3", [])])
def test_what_libsndfile_refuses_is_tried(tmp_path, name, as_name, options):
    encode(tmp_path / name, 1.0, *options)
    (tmp_path / name).rename(tmp_path / as_name)
    assert len(read(tmp_path / as_name)) == pytest.approx(RATE, abs=0.1 * RATE)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a"])
@pytest.mark.parametrize("content", [b"hello\n" * 100, b"", b"#EXTM3U\n#EXTINF:1,\nsource.mka\n#EXT-X-ENDLIST\n"])
def test_text_and_playlists_are_no_sound(tmp_path, name, content):
    if shutil.which("ffmpeg"):
        encode(tmp_path / "source.mka")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=name):
        read(tmp_path / name)
