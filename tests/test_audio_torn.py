"""Streams that are torn, or whose headers say a wrong length: all whole frames are read, or it is an error."""

import io

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import AudioError, read_audio

RATE = 16000
TAILS = {
    "nothing": b"",
    "random": np.random.default_rng(0).bytes(400),
    "zeros": bytes(400),
    "an ID3v2 tag": b"ID3\x04\0\0\0\0\0\x10" + b"title..." * 2,
    "an ID3v1 tag": b"TAG" + bytes(125),
}


def sound(samples=2 * RATE):
    random = np.random.default_rng(1)
    return (0.1 * np.sin(np.arange(samples) / 5) + random.normal(0, 0.01, samples)).astype(np.float32)


def encoded(wave, form):
    buffer = io.BytesIO()
    sf.write(buffer, wave, RATE, format=form)
    return buffer.getvalue()


def flac(told, wave=None):
    """A FLAC file whose header tells so many samples."""
    data = bytearray(encoded(sound() if wave is None else wave, "FLAC"))
    data[22:26] = told.to_bytes(4, "big")
    return bytes(data)


def read(path, data):
    path.write_bytes(data)
    return read_audio(path)[0]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("told", [0, RATE, 2 * RATE - 1, 4 * RATE])
def test_a_flac_with_a_wrong_length_is_read_to_its_end_whatever_follows(tmp_path, told, tail):
    whole = read(tmp_path / "a.flac", flac(2 * RATE))
    np.testing.assert_array_equal(read(tmp_path / "a.flac", flac(told) + TAILS[tail]), whole)


@pytest.mark.parametrize("told", [0, RATE])
@pytest.mark.parametrize("torn", [100, 6000])
def test_of_a_torn_flac_with_a_wrong_length_all_whole_frames_are_read(tmp_path, told, torn):
    whole = read(tmp_path / "a.flac", flac(2 * RATE))
    wave = read(tmp_path / "a.flac", flac(told)[:-torn])
    assert len(whole) - 3 * 4096 <= len(wave) < len(whole)
    np.testing.assert_array_equal(wave, whole[: len(wave)])


@pytest.mark.parametrize("told", [2 * RATE, 4 * RATE])
@pytest.mark.parametrize("tail", ["nothing", "random"])
def test_a_torn_flac_whose_header_says_more_is_an_error(tmp_path, told, tail):
    with pytest.raises(AudioError):
        read(tmp_path / "a.flac", flac(told)[:-100] + TAILS[tail])


def test_a_flac_that_may_lack_frames_is_an_error_that_says_from_where_on(tmp_path):
    """Its last frame is as long as all others: the stream need not end with it."""
    with pytest.raises(AudioError, match=r"2\.048 s"):
        read(tmp_path / "a.flac", flac(4 * RATE, sound(8 * 4096)))


@pytest.mark.parametrize("torn", [50, 500, 3000])
@pytest.mark.parametrize("tail", [b"", b"junk" * 1000])
def test_a_torn_ogg_is_joined_to_the_next(tmp_path, torn, tail):
    data = encoded(sound(6 * RATE), "OGG")
    whole, first = read(tmp_path / "a.ogg", data), read(tmp_path / "a.ogg", data[:-torn])
    joined = read(tmp_path / "a.ogg", data[:-torn] + tail + data)
    np.testing.assert_allclose(joined, np.concatenate([first, whole]), atol=1e-6)


@pytest.mark.parametrize("second", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "W64", "CAF", "AU"])
@pytest.mark.parametrize("first", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "W64", "CAF", "AU"])
def test_joined_files_of_different_kinds_are_one_sound(tmp_path, first, second):
    one, other = encoded(sound(), first), encoded(sound(RATE), second)
    alone = [read(tmp_path / f"a.{form.lower()}", data) for form, data in ((first, one), (second, other))]
    joined = read(tmp_path / f"a.{first.lower()}", one + other + one)
    np.testing.assert_allclose(joined, np.concatenate([*alone, alone[0]]), atol=1e-6)


def test_an_ogg_that_ends_in_the_head_of_a_page(tmp_path):
    data = encoded(sound(), "OGG")
    np.testing.assert_array_equal(read(tmp_path / "a.ogg", data + data[:5]), read(tmp_path / "a.ogg", data))
