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
    assert max(sizes) == 100  # nobody waited for more


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
