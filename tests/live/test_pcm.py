"""Raw PCM and wav through a pipe: what libsndfile writes is what is read, whatever the pieces that it comes in."""

import io
import logging
import struct

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.errors import InputError
from drsn_audio.live.pcm import FORMATS, PcmFormat, PcmSource, decode_pcm, encode_pcm

RATE = 16000
SUBTYPES = {"s16le": "PCM_16", "s24le": "PCM_24", "s32le": "PCM_32", "f32le": "FLOAT"}


class Pipe(io.BytesIO):
    """Bytes that come `piece` at a time."""

    def __init__(self, data, piece=10**9):
        super().__init__(data)
        self.piece = piece

    def read1(self, size=-1):
        return self.read(min(size, self.piece))


@pytest.fixture
def sound():
    return np.random.default_rng(0).uniform(-1, 1, 3000).astype(np.float32)


def encoded(wave, subtype, format="RAW", rate=RATE):
    buffer = io.BytesIO()
    sf.write(buffer, wave, rate, subtype=subtype, format=format, endian="LITTLE" if format == "RAW" else None)
    return buffer.getvalue()


def heard(data, form=None, piece=10**9, rate=RATE):
    source = PcmSource(Pipe(data, piece), form or PcmFormat(RATE))
    return np.concatenate([*source.blocks(rate, 0.05)])


@pytest.mark.parametrize("encoding", FORMATS)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("piece", [1, 7, 10**9])
def test_samples_are_those_that_were_written(sound, encoding, channels, piece):
    frames = sound.reshape(-1, channels)
    data = encoded(frames, SUBTYPES[encoding])
    wave = heard(data, PcmFormat(RATE, channels, encoding), piece)
    np.testing.assert_allclose(wave, frames.mean(axis=1), atol=2.0**-15 if encoding == "s16le" else 2.0**-22)


def test_full_scale_is_one():
    data = np.array([-(2**15), 0, 2**14], "<i2").tobytes()
    np.testing.assert_array_equal(decode_pcm(data, PcmFormat(RATE)), np.float32([-1, 0, 0.5]))
    assert decode_pcm(b"\x00\x00\x80\x00\x00\x40", PcmFormat(RATE, 1, "s24le")).tolist() == [-1, 0.5]


def test_blocks_are_no_longer_than_asked_and_come_as_soon_as_they_can(sound):
    data = encoded(sound, "PCM_16")
    sizes = [len(block) for block in PcmSource(Pipe(data), PcmFormat(RATE)).blocks(RATE, 0.05)]
    assert max(sizes) == 800
    assert sum(sizes) == 3000
    sizes = [len(block) for block in PcmSource(Pipe(data, 200), PcmFormat(RATE)).blocks(RATE, 0.05)]
    assert max(sizes[1:]) == 100  # nobody waited for more, but for the beginning, which shows what kind of file it is


def test_another_rate_is_resampled_as_the_whole_would_be(sound):
    from drsn_audio.audio import resample

    wave = heard(encoded(sound, "FLOAT"), PcmFormat(48000, 1, "f32le"), piece=333)
    np.testing.assert_allclose(wave, resample(sound, 48000, RATE), atol=1e-6)


def test_a_torn_last_sample_is_left_out_and_told(caplog):
    with caplog.at_level(logging.INFO, "drsn_audio"):
        assert heard(b"\x00\x40\x00\x40\x01").tolist() == [0.5, 0.5]
    assert "ends with 1 of the 2 bytes of a sample" in caplog.text


@pytest.mark.parametrize("data", [b"", b"a"])
def test_no_sample_at_all(data):
    with pytest.raises(InputError, match="stdin: no sound came"):
        heard(data)


@pytest.mark.parametrize("encoding", FORMATS)
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_a_wav_header_says_what_follows(sound, encoding, kind):
    """Rate, channels and encoding are the header's, not those that were asked for."""
    data = encoded(sound.reshape(-1, 2), SUBTYPES[encoding], kind, 8000)
    source = PcmSource(Pipe(data, 11), PcmFormat(RATE))
    assert source.form == PcmFormat(8000, 2, encoding)
    wave = np.concatenate([*source.blocks(8000, 0.1)])
    np.testing.assert_allclose(wave, sound.reshape(-1, 2).mean(axis=1), atol=2.0**-15)


def test_what_follows_the_sound_in_a_wav_file_is_not_heard():
    data = encoded(np.full(100, 0.5, np.float32), "PCM_16", "WAV") + b"LIST\x04\x00\x00\x00abcd"
    assert len(heard(data)) == 100


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_header_of_a_program_that_could_not_know_its_length(size):
    data = bytearray(encoded(np.full(100, 0.5, np.float32), "PCM_16", "WAV"))
    at = data.index(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", size)
    assert len(heard(bytes(data))) == 100


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"fLaC" + bytes(50), "is FLAC, not raw PCM"),
        (b"OggS" + bytes(50), "is ogg"),
        (b"ID3\x03" + bytes(50), "is mp3"),
        (b"RIFF\x00\x00\x00\x00AVI " + bytes(50), "RIFF but not wav"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "ends within its wav header"),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00", "without its format"),
        (b"RIFF\x00\x00\x00\x00WAVEjunk\xff\xff\xff\xff", "4294967296 bytes"),
        (encoded(np.zeros(9), "PCM_U8", "WAV"), "wav of kind 1 with 8 bits"),
        (encoded(np.zeros(9), "PCM_16", "WAV", 5), "its wav header says a rate of 5 Hz"),
    ],
)
def test_what_is_no_raw_sound_is_refused(data, reason):
    with pytest.raises(InputError, match=reason):
        heard(data)


@pytest.mark.parametrize(("rate", "channels"), [(999, 1), (10**7, 1), (RATE, 0), (RATE, 65)])
def test_formats_that_are_none(rate, channels):
    with pytest.raises(InputError, match="give 1"):
        PcmFormat(rate, channels)


@pytest.mark.parametrize("encoding", FORMATS)
def test_what_is_encoded_is_decoded_again(sound, encoding):
    step = {"s16le": 2.0**-15, "s24le": 2.0**-23}.get(encoding, 2.0**-24)
    again = decode_pcm(encode_pcm(sound, encoding), PcmFormat(RATE, 1, encoding))
    assert np.abs(again - sound).max() <= 0.5001 * step


@pytest.mark.parametrize("encoding", ["s16le", "s24le", "s32le"])
def test_integers_clip_at_full_scale(encoding):
    full = 2 ** (8 * FORMATS[encoding] - 1)
    data = encode_pcm(np.array([1.5, 1.0, -1.0, -1.5], np.float32), encoding)
    size = FORMATS[encoding]
    values = [int.from_bytes(data[at : at + size], "little", signed=True) for at in range(0, len(data), size)]
    assert values == [full - 1, full - 1, -full, -full]


def test_floats_may_exceed_full_scale():
    assert np.frombuffer(encode_pcm(np.array([1.5], np.float32), "f32le"), "<f4") == 1.5


# several wavs in one pipe


def wav(wave, rate=RATE, subtype="PCM_16", format="WAV"):
    return encoded(wave, subtype, format, rate)


def open_ended(data, size=0xFFFFFFFF):
    at = data.index(b"data") + 4
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


@pytest.mark.parametrize("piece", [1, 7, 1000, 10**9])
@pytest.mark.parametrize(
    "between", [b"", b"LIST\x04\x00\x00\x00abcd", b"LIST\x03\x00\x00\x00abc\x00", b"id3 \x02\x00\x00\x00RI"]
)
def test_joined_wavs_are_one_sound(sound, piece, between):
    data = wav(sound[:1001]) + between + wav(sound[1001:]) + between
    np.testing.assert_allclose(heard(data, piece=piece), sound, atol=2.0**-15)


def test_a_wav_of_an_odd_number_of_bytes(sound):
    """24-bit mono, with and without the byte of padding that the format wants."""
    first = wav(sound[:1001], subtype="PCM_24")
    assert len(first) % 2 == 0  # padded
    for data in (first, first[:-1]):
        np.testing.assert_allclose(heard(data + wav(sound[1001:])), sound, atol=2.0**-15)


def test_joined_wavs_of_other_kinds_are_converted(sound):
    from drsn_audio.audio import resample

    second = np.sin(np.arange(8000) * 0.05).astype(np.float32)
    data = wav(sound) + wav(np.stack([second, second], 1), 8000, "FLOAT", "WAVEX") + wav(sound)
    wave = heard(data)
    np.testing.assert_allclose(wave[:3000], sound, atol=2.0**-15)
    np.testing.assert_allclose(wave[3000:-3000], resample(second, 8000, RATE), atol=1e-5)
    np.testing.assert_allclose(wave[-3000:], sound, atol=2.0**-15)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
@pytest.mark.parametrize("piece", [1, 5, 100, 10**9])
def test_a_wav_after_one_of_unknown_length(sound, size, piece):
    data = open_ended(wav(sound[:1000]), size) + open_ended(wav(sound[1000:2000]), size) + wav(sound[2000:])
    np.testing.assert_allclose(heard(data, piece=piece), sound, atol=2.0**-15)


def test_letters_of_a_header_within_sound_are_sound():
    data = (b"RIFF" + bytes(96) + b"WAVE") * 20 + b"RIRIFRIF" * 50 + b"RIF"
    np.testing.assert_array_equal(
        heard(bytes(600) + data + b"\0"), decode_pcm(bytes(600) + data + b"\0", PcmFormat(RATE))
    )


def test_an_empty_wav_before_another(sound):
    empty = wav(np.zeros(0, np.float32))
    np.testing.assert_allclose(heard(empty + wav(sound)), sound, atol=2.0**-15)
    with pytest.raises(InputError, match="no sound came"):
        heard(empty)


@pytest.mark.parametrize("garbage", [b"\x01" * 50, bytes(51), b"\xffgarbage\x00\x01" * 9, b"data\x04\x00\x00\x00abcd"])
def test_what_is_no_wav_after_one_is_reported_and_what_follows_it_is_read(sound, garbage, caplog):
    with caplog.at_level(logging.WARNING, "drsn_audio"):
        np.testing.assert_allclose(heard(wav(sound) + garbage), sound, atol=2.0**-15)
        np.testing.assert_allclose(heard(wav(sound[:1000]) + garbage + wav(sound[1000:])), sound, atol=2.0**-15)
    assert len(caplog.records) == 2


def test_sound_of_another_kind_after_a_wav_is_an_error_and_what_came_before_is_read(sound):
    flac = encoded(sound, "PCM_16", "FLAC")
    blocks = PcmSource(Pipe(wav(sound) + flac), PcmFormat(RATE)).blocks(RATE, 0.05)
    assert sum(len(next(blocks)) for _ in range(4)) == 3000
    with pytest.raises(InputError, match="FLAC follows"):
        next(blocks)
