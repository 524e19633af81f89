"""Audio files: what is written is read back, what cannot be used is told in one line that names the file."""

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import AudioError, encode_audio, find_audio, read_audio, resample, write_audio

RATE = 16000


def noise(num_samples=4000, seed=0):
    return (0.3 * np.random.default_rng(seed).uniform(-1, 1, num_samples)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype", "step"),
    [
        ("a.wav", None, 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "FLOAT", 0),
        ("a.flac", "PCM_16", 2**-15),
        ("a.flac", "PCM_24", 2**-23),
        ("a.aif", "PCM_16", 2**-15),
        ("deep/er/a.caf", "PCM_32", 2**-24),
    ],
)
def test_round_trip(tmp_path, name, subtype, step):
    write_audio(tmp_path / name, noise(), RATE, subtype)
    wave, rate = read_audio(tmp_path / name)
    assert rate == RATE
    assert wave.dtype == np.float32
    assert wave.flags.c_contiguous
    assert np.abs(wave - noise()).max() <= step
    assert sf.info(tmp_path / name).subtype == (subtype or "PCM_16")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff"])
@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24)])
def test_integers_are_rounded(tmp_path, name, subtype, bits):
    """To the nearest: cut off, as libsndfile does in wav, they would lie half a step too low on average."""
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, 5000).astype(np.float32)
    write_audio(tmp_path / name, wave, 16000, subtype)
    step = 2.0 ** (1 - bits)
    read = sf.read(tmp_path / name, dtype="float64")[0]
    assert np.abs(read - wave).max() <= 0.5 * step
    assert abs(np.mean(read - wave)) < 0.02 * step


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "FLOAT"), ("a.aiff", "DOUBLE"), ("a.flac", "PCM_16")])
def test_equal_samples_are_equal_bytes(name, subtype):
    """Whatever the time of day, which libsndfile writes into files of floats."""
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, 500)
    now = encode_audio(Path(name), wave, 16000, subtype)
    time.sleep(1.1)
    assert encode_audio(Path(name), wave, 16000, subtype) == now


def test_integers_clip_at_full_scale(tmp_path):
    write_audio(tmp_path / "a.wav", np.array([2.0, -2.0, 0.5], np.float32), RATE)
    assert read_audio(tmp_path / "a.wav")[0] == pytest.approx([1, -1, 0.5], abs=2**-15)


def test_channels_are_averaged(tmp_path):
    write_audio(tmp_path / "a.wav", np.stack([noise(seed=1), noise(seed=2)], axis=1), RATE, "FLOAT")
    assert read_audio(tmp_path / "a.wav")[0] == pytest.approx((noise(seed=1) + noise(seed=2)) / 2, abs=1e-7)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_resampling_keeps_frequency_and_level(tmp_path, rate):
    time_s = np.arange(rate) / rate
    write_audio(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * time_s), rate, "FLOAT")
    wave, new_rate = read_audio(tmp_path / "a.wav", sample_rate=RATE)
    assert (len(wave), new_rate, wave.dtype) == (RATE, RATE, np.float32)
    middle = wave[RATE // 4 : 3 * RATE // 4]  # half a second: bins of 2 Hz
    assert 2 * np.abs(np.fft.rfft(middle)).argmax() == 1000
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)


def test_what_lies_above_the_new_band_is_gone():
    tone = np.sin(2 * np.pi * 6000 * np.arange(RATE) / RATE).astype(np.float32)
    assert np.abs(resample(tone, RATE, 8000)[500:-500]).max() < 1e-3


def test_the_same_rate_changes_nothing():
    assert resample(noise(), RATE, RATE) is not None
    assert np.array_equal(resample(noise(), RATE, RATE), noise())


def bad_file(tmp_path, what):
    path = tmp_path / "bad.wav"
    if what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("not audio at all " * 20)
    elif what == "empty":
        path.touch()
    elif what == "no samples":
        sf.write(path, noise(0), RATE)
    elif what in ("nan", "inf"):
        sf.write(path, np.append(noise(), float(what)), RATE, subtype="FLOAT")
    elif what in ("header", "half a header"):
        sf.write(path, noise(), RATE)
        path.write_bytes(path.read_bytes()[: 44 if what == "header" else 20])
    elif what == "torn flac":
        path = path.with_suffix(".flac")
        sf.write(path, noise(40000), RATE)
        path.write_bytes(path.read_bytes()[:20000])
    elif what == "name too long":
        path = tmp_path / ("x" * 300 + ".wav")
    return path


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("missing", "no such file"),
        ("folder", "is a folder"),
        ("text", "not audio"),
        ("empty", "not audio"),
        ("no samples", "holds no samples"),
        ("nan", "NaN or infinite"),
        ("inf", "NaN or infinite"),
        ("header", "holds no samples"),
        ("half a header", "not audio"),
        ("torn flac", "not audio"),
        ("name too long", "cannot be opened"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path, what, reason):
    path = bad_file(tmp_path, what)
    with pytest.raises(AudioError, match=reason) as error:
        read_audio(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert message.count(": ") >= 2  # the file: what is wrong: what to do


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    sf.write(path, noise(), RATE)

    def refuse(self, mode):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "open", refuse)  # root may read everything
    with pytest.raises(AudioError, match=r"a.wav: cannot be opened \(Permission denied\)"):
        read_audio(path)


def test_a_sample_of_a_higher_rate_is_none_of_a_lower(tmp_path):
    sf.write(tmp_path / "a.wav", noise(1), 48000)
    with pytest.raises(AudioError, match="holds no samples at 16000 Hz"):
        read_audio(tmp_path / "a.wav", RATE)


def test_what_is_left_of_a_torn_wav_is_read(tmp_path):
    sf.write(tmp_path / "a.wav", noise(), RATE)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[: 44 + 2 * 1000])
    assert len(read_audio(tmp_path / "a.wav")[0]) == 1000


@pytest.mark.parametrize(
    ("name", "wave", "rate", "subtype", "reason"),
    [
        ("a.wav", [0.0, np.nan], RATE, None, "NaN or infinite"),
        ("a.xyz", [0.0], RATE, None, r"writes no \.xyz"),
        ("a.raw", [0.0], RATE, None, r"writes no \.raw"),
        ("a", [0.0], RATE, None, "without an ending"),
        ("a.wav", [0.0], RATE, "VORBIS", "subtype"),
        ("a.flac", [0.0], 10**6, None, "sample rate"),
        ("a.wav", [0.0], 0, None, "SF_INFO"),
        ("file/a.wav", [0.0], RATE, None, "cannot be written"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, wave, rate, subtype, reason):
    (tmp_path / "file").touch()
    path = tmp_path / name
    with pytest.raises(AudioError, match=reason) as error:
        write_audio(path, np.array(wave, np.float32), rate, subtype)
    assert str(error.value).startswith(f"{path}: ")
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    write_audio(path, noise(seed=1), RATE, "FLOAT")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(AudioError, match=r"cannot be written \(No space left"):
        write_audio(path, noise(seed=2), RATE, "FLOAT")
    assert np.array_equal(read_audio(path)[0], noise(seed=1))
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(AudioError, match="cannot be written"):
        write_audio(tmp_path / "a.wav", noise(), RATE)


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_audio(tmp_path / "a.wav", noise(), RATE)
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.wav").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, what):
    path = tmp_path / "a.wav"
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(AudioError, match="a pipe or a device"):
        read_audio(path)


def test_a_rate_that_no_sound_has(tmp_path):
    sf.write(tmp_path / "a.wav", noise(), 1)
    with pytest.raises(AudioError, match="of 1 Hz"):
        read_audio(tmp_path / "a.wav", RATE)


@pytest.fixture
def tree(tmp_path):
    for name in ("b.wav", "a.FLAC", "sub/c.ogg", "notes.txt", ".hidden.wav", "sub/[x].wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(tree, place):
    return [path.relative_to(tree).as_posix() for path in find_audio(place)]


def test_find_audio(tree):
    assert names(tree, tree) == ["a.FLAC", "b.wav", "sub/[x].wav", "sub/c.ogg"]
    assert names(tree, tree / "notes.txt") == ["notes.txt"]  # named outright
    assert names(tree, tree / "missing.wav") == ["missing.wav"]  # reading it tells
    assert names(tree, f"{tree}/*.wav") == ["b.wav"]
    assert names(tree, f"{tree}/**/*.ogg") == ["sub/c.ogg"]
    assert names(tree, tree / "sub/[x].wav") == ["sub/[x].wav"]  # there, so no pattern
    assert len(names(tree, tree / ("x" * 300))) == 1


def test_links_are_followed_but_not_in_circles(tmp_path):
    write_audio(tmp_path / "corpus" / "a.wav", noise(), RATE)
    (tmp_path / "corpus" / "back").symlink_to(tmp_path / "corpus")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "linked").symlink_to(tmp_path / "corpus")
    assert list(find_audio(tmp_path / "mine")) == [tmp_path / "mine" / "linked" / "a.wav"]


def test_nothing_is_found(tree):
    with pytest.raises(AudioError, match="no file matches"):
        list(find_audio(f"{tree}/*.mp3"))
    (tree / "none").mkdir()
    with pytest.raises(AudioError, match="a folder without audio files"):
        list(find_audio(tree / "none"))
