"""All of the sound is read of files that were joined, piped or never closed; what is no sound is left out."""

import shutil
import struct
import subprocess
from contextlib import suppress

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import AudioError, AudioReader, read_audio

RATE = 16000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def sound(seconds=1.0, seed=0, rate=RATE):
    """A tone that swells, in a little noise: equal to nothing else."""
    t = np.arange(round(seconds * rate)) / rate
    noise = 0.01 * np.random.default_rng(seed).standard_normal(len(t))
    return (0.2 * np.sin(2 * np.pi * (300 + 100 * seed) * t) * t / seconds + noise).astype(np.float32)


def encoded(path, wave, rate=RATE, **settings):
    sf.write(path, wave, rate, **settings)
    return path.read_bytes()


def one_file(path):
    return np.concatenate([*AudioReader(path).frames()])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.aiff", "a.caf", "a.w64", "a.au"])
@pytest.mark.parametrize("lengths", [(1, 2), (2, 1, 0.5), (1, 1)])
def test_joined_files_are_one_sound(tmp_path, name, lengths):
    form = {"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}
    parts, data = [], b""
    for number, seconds in enumerate(lengths):
        data += encoded(tmp_path / name, sound(seconds, number), **form)
        parts.append(one_file(tmp_path / name))
    (tmp_path / name).write_bytes(data)
    np.testing.assert_allclose(one_file(tmp_path / name), np.concatenate(parts), atol=1e-6)


def test_tags_between_and_after_mp3_files_are_no_sound(tmp_path):
    path = tmp_path / "a.mp3"
    data = encoded(path, sound())
    alone = one_file(path)
    tag = b"ID3\x04\0\0\0\0\x10\0" + b"\xff\xfb\x90\x64" * 512  # 2048 bytes that look like frames
    trailer = b"TAG" + bytes(125)
    path.write_bytes(data + trailer + tag + data + trailer)
    np.testing.assert_allclose(one_file(path), np.concatenate([alone, alone]), atol=1e-6)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg"])
@pytest.mark.parametrize("junk", ["text", "random", "zeros"])
def test_garbage_after_the_sound_is_none(tmp_path, name, junk):
    path = tmp_path / name
    data = encoded(path, sound())
    alone = one_file(path)
    more = {"text": b"plain words. " * 900, "random": np.random.default_rng(1).bytes(9000), "zeros": bytes(9000)}[junk]
    path.write_bytes(data + more)
    np.testing.assert_allclose(one_file(path), alone, atol=1e-6)


def test_links_of_another_rate_and_other_channels_are_converted(tmp_path):
    data = encoded(tmp_path / "a.flac", sound(1))
    data += encoded(tmp_path / "b.flac", np.stack([sound(1, 1, 8000)] * 2, 1), 8000)
    (tmp_path / "a.flac").write_bytes(data)
    wave, rate = read_audio(tmp_path / "a.flac")
    assert (rate, len(wave)) == (RATE, 2 * RATE)
    assert np.corrcoef(wave[RATE:], sound(1, 1))[0, 1] > 0.95


def mp3_without_header(path):
    """Frames whose size varies, and no header: the first half needs more bits than the second."""
    wave = sound(4, rate=44100)
    wave[: len(wave) // 2] += np.random.default_rng(2).uniform(-0.3, 0.3, len(wave) // 2)
    data = encoded(path, wave, 44100, bitrate_mode="VARIABLE", compression_level=0.1)
    at = max(data.find(b"Xing"), data.find(b"Info"))
    assert at > 0
    return wave, data, at


def test_an_mp3_without_a_length_is_read_to_its_end(tmp_path):
    wave, data, at = mp3_without_header(tmp_path / "a.mp3")
    (tmp_path / "a.mp3").write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    assert len(one_file(tmp_path / "a.mp3")) == pytest.approx(len(wave), abs=4 * 1152)


@pytest.mark.parametrize("share", [0, 0.25, 0.75])
def test_an_mp3_with_a_wrong_length_is_read_to_its_end(tmp_path, share):
    wave, data, at = mp3_without_header(tmp_path / "a.mp3")
    frames = int.from_bytes(data[at + 8 : at + 12], "big")
    wrong = int(share * frames).to_bytes(4, "big")
    (tmp_path / "a.mp3").write_bytes(data[: at + 8] + wrong + data[at + 12 :])
    assert len(one_file(tmp_path / "a.mp3")) == pytest.approx(len(wave), abs=4 * 1152)


@pytest.mark.parametrize("told", [0, 100, 7999])
@pytest.mark.parametrize("rate", [8000, 48000])
def test_a_flac_with_a_wrong_length_and_checksum_is_read_to_its_end(tmp_path, told, rate):
    path = tmp_path / "a.flac"
    data = bytearray(encoded(path, sound(2, rate=rate), rate))
    whole = one_file(path)
    data[21] &= 0xF0
    data[22:26] = told.to_bytes(4, "big")
    data[26:42] = b"\x55" * 16
    path.write_bytes(data)
    np.testing.assert_array_equal(one_file(path), whole)


def test_samples_that_look_like_the_head_of_a_flac_frame_are_samples(tmp_path):
    """Loud noise is stored as it is: three of its samples spell a head, with its checksum, of 4096 samples."""
    path, head = tmp_path / "a.flac", bytes.fromhex("fff8c508006f")
    wave = np.random.default_rng(0).integers(-32768, 32768, 1000).astype(np.int16)
    wave[500:503] = np.frombuffer(head, ">i2")
    assert head in encoded(path, wave)
    np.testing.assert_array_equal(one_file(path)[:, 0] * 2**15, wave)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFE, 8000])
@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_16"), ("a.wav", "FLOAT"), ("a.wav", "PCM_U8")])
@pytest.mark.parametrize("stale", [False, True])
def test_a_wav_that_was_never_closed_is_read_to_its_end(tmp_path, name, subtype, size, stale):
    """stale: the size of the whole, too, is one of before."""
    path = tmp_path / name
    data = bytearray(encoded(path, sound(), subtype=subtype))
    whole = one_file(path)
    at = data.index(b"data") + 4
    data[at : at + 4] = size.to_bytes(4, "little")
    if stale:
        data[4:8] = min(size + at - 4, 0xFFFFFFFF).to_bytes(4, "little")
    path.write_bytes(data)
    np.testing.assert_array_equal(one_file(path), whole)


def test_an_empty_wav_with_a_list_stays_empty(tmp_path):
    data = encoded(tmp_path / "a.wav", np.zeros(0, np.float32), subtype="PCM_16")
    (tmp_path / "a.wav").write_bytes(data + b"LIST\x04\0\0\0INFO")
    with pytest.raises(AudioError, match="no samples"):
        one_file(tmp_path / "a.wav")


@needs_ffmpeg
@pytest.mark.parametrize("form", ["flac", "wav", "aiff", "au", "caf", "w64", "ogg", "opus", "mp3"])
def test_what_a_program_wrote_into_a_pipe(tmp_path, form):
    sf.write(tmp_path / "a.wav", sound(3), RATE)
    command = ["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", "-f", form, "-"]
    (tmp_path / f"b.{form}").write_bytes(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    wave, _ = read_audio(tmp_path / f"b.{form}", RATE)
    assert len(wave) == pytest.approx(3 * RATE, abs=2000)


def test_prepare_and_cuts_have_all_of_it(tmp_path):
    from drsn_audio.corpora.cuts import SpeechFile, make_cut
    from drsn_audio.datasets.manifests import load_cut

    path = tmp_path / "a.flac"
    path.write_bytes(encoded(path, sound(1)) + encoded(path, sound(2, 1)))
    cut = make_cut(SpeechFile("a", path, "train", "words", "anna"))
    assert cut.duration == 3
    whole = read_audio(path)[0]
    np.testing.assert_array_equal(load_cut(cut, RATE), whole)
    np.testing.assert_array_equal(load_cut(cut.truncate(offset=1.5, duration=1), RATE), whole[24000:40000])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg"])
def test_any_bytes_are_read_or_refused(tmp_path, name):
    random = np.random.default_rng(7)
    data = encoded(tmp_path / name, sound())
    for _ in range(40):
        spoilt = bytearray(data)
        for at in random.integers(0, random.choice([60, len(data)]), 8):
            spoilt[at] = random.integers(256)
        (tmp_path / name).write_bytes(spoilt[: random.integers(1, len(data))])
        with suppress(AudioError):
            one_file(tmp_path / name)


@pytest.mark.parametrize("before", ["a cut frame", "a zero", "zeros", "an ID3 tag and zeros", "an APE tag"])
@pytest.mark.parametrize("times", [1, 2])
def test_an_mp3_that_begins_with_something_else_is_read_to_its_end(tmp_path, before, times):
    path = tmp_path / "a.mp3"
    _, data, at = mp3_without_header(path)
    path.write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    alone = one_file(path)
    head = {
        "a cut frame": data[at + 200 : at + 1000],
        "a zero": bytes(1),
        "zeros": bytes(2000),
        "an ID3 tag and zeros": b"ID3\x04\0\0\0\0\0\x0a" + bytes(310),
        "an APE tag": b"APETAGEX\xd0\x07\0\0\x64\0\0\0\0\0\0\0\0\0\0\xa0" + bytes(108),
    }[before]
    path.write_bytes(head + path.read_bytes() * times)
    assert len(one_file(path)) == pytest.approx(len(alone) * times, abs=4 * 1152)


def test_mpeg_audio_in_a_wav_is_read_to_its_end(tmp_path):
    """Its frames vary in size: by the size of the first ones there are fewer."""
    path = tmp_path / "a.wav"
    wave, data, at = mp3_without_header(tmp_path / "a.mp3")
    data = data[at - 21 : at] + bytes(4) + data[at + 4 :]
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, 44100, 16000, 1, 0, 12, 1, 2, 1152, 1, 1393)
    path.write_bytes(riff(b"fmt " + struct.pack("<I", 30) + form + b"data" + struct.pack("<I", len(data)) + data))
    assert len(one_file(path)) == pytest.approx(len(wave), abs=4 * 1152)
    with AudioReader(path) as reader:
        assert (reader.form, reader.subtype) == ("WAV", "MPEG_LAYER_III")


def riff(chunks):
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def unknown(data, name):
    """A file as programs write it into a pipe: it does not know how long it is."""
    data = bytearray(data)
    at = {"a.wav": 4, "a.aiff": 4, "a.caf": 4, "a.w64": 16, "a.au": 8}[name]
    sound = {"a.wav": b"data", "a.aiff": b"SSND", "a.caf": b"data", "a.w64": b"data", "a.au": b".snd"}[name]
    body = data.index(sound) + {"a.w64": 16, "a.au": 8}.get(name, 4)
    wide = name in ("a.w64", "a.caf")
    value = {"a.aiff": bytes(4), "a.w64": b"\xff" * 7 + b"\x7f"}.get(name, b"\xff" * (8 if wide else 4))
    for place in (body,) if name == "a.caf" else (at, body):
        data[place : place + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.caf", "a.w64", "a.au"])
@pytest.mark.parametrize("between", [b"", b"\1"])
def test_joined_files_of_unknown_length_are_one_sound(tmp_path, name, between):
    data = unknown(encoded(tmp_path / name, sound(1)), name) + between
    data += unknown(encoded(tmp_path / name, sound(1, 1, 8000), 8000), name)
    (tmp_path / name).write_bytes(data)
    wave = one_file(tmp_path / name)[:, 0]
    assert len(wave) == pytest.approx(2 * RATE, abs=2)
    np.testing.assert_allclose(wave[:RATE], sound(1), atol=1e-4)
    assert np.corrcoef(wave[RATE : 2 * RATE], sound(1, 1)[: len(wave) - RATE])[0, 1] > 0.95


@pytest.mark.parametrize("between", [b"LIST\x04\0\0\0INFO" + bytes(100), bytes(100), b"plain words. " * 9])
def test_what_lies_between_joined_wavs_is_left_out(tmp_path, between):
    data = encoded(tmp_path / "a.wav", sound())
    alone = one_file(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(data + between + data)
    np.testing.assert_array_equal(one_file(tmp_path / "a.wav"), np.concatenate([alone, alone]))


@pytest.mark.parametrize("missing", [1000, 20000])
def test_a_torn_wav_is_joined_to_the_next(tmp_path, missing):
    data = encoded(tmp_path / "a.wav", sound())
    alone = one_file(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(data[:-missing] + data)
    np.testing.assert_array_equal(one_file(tmp_path / "a.wav"), np.concatenate([alone[: -missing // 2], alone]))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("channels", [1, 5, 6])
@pytest.mark.parametrize("first", ["sound", "noise", "zeros"])
def test_a_wav_that_holds_twice_what_it_says(tmp_path, subtype, channels, first):
    wave = sound()[:15360]
    wave[:7680] *= first == "sound"
    wave[:7680] += np.random.default_rng(3).normal(0, 3e-4, 7680) * (first == "noise")
    data = bytearray(encoded(tmp_path / "a.wav", np.outer(wave, np.linspace(1, 0.3, channels)), subtype=subtype))
    whole = one_file(tmp_path / "a.wav")
    at = data.index(b"data") + 4
    size = int.from_bytes(data[at : at + 4], "little") // 2
    data[at : at + 4], data[4:8] = size.to_bytes(4, "little"), (size + at - 4).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data)
    np.testing.assert_array_equal(one_file(tmp_path / "a.wav"), whole)
