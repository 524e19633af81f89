"""What is a file and what is a pattern; stems of mixes; files that only ffmpeg decodes."""

import logging
import shutil
import subprocess

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import AudioError, AudioReader, find_audio, is_one_file, read_audio, writes
from drsn_audio.audio import ffmpeg as decoder

RATE = 16000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def tone(path, seconds=0.5, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.2 * np.sin(0.1 * np.arange(round(seconds * RATE)))
    sf.write(path, np.stack([wave] * channels, 1), RATE, format="WAV", subtype="PCM_16")
    return path


@pytest.mark.parametrize("name", ["talk [x1].wav", "what?.wav", "a*b.wav", "[!a].wav"])
def test_a_name_that_is_there_is_no_pattern(tmp_path, name):
    path = tone(tmp_path / "rec [1]" / name)
    assert is_one_file(str(path))
    assert [*find_audio(path)] == [*find_audio(path.parent)] == [*find_audio(path.parent / "*.wav")] == [path]


@pytest.mark.parametrize("name", ["*.wav", "[a-b].wav", "?.wav"])
def test_a_pattern_is_none(tmp_path, name):
    tone(tmp_path / "a.wav")
    assert not is_one_file(str(tmp_path / name))
    assert [*find_audio(tmp_path / name)] == [tmp_path / "a.wav"]


def test_stems_are_left_out_of_folders_alone(tmp_path):
    for name in ("a.flac", "a.clean.wav", "a.noise.wav", "b.mp3.wav", "b.mp3.clean.wav", "alone.clean.wav"):
        tone(tmp_path / "5dB" / name)
    folder = tmp_path / "5dB"
    assert [path.name for path in find_audio(tmp_path)] == ["a.flac", "alone.clean.wav", "b.mp3.wav"]
    assert [*find_audio(folder / "a.clean.wav")] == [folder / "a.clean.wav"]
    assert len([*find_audio(folder / "*.clean.wav")]) == 3


def test_what_needs_ffmpeg_is_counted_once_where_there_is_none(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("drsn_audio.audio.search.find_ffmpeg", lambda: None)
    monkeypatch.setattr(decoder, "find_ffmpeg", lambda: None)
    tone(tmp_path / "a.wav")
    for name in ("b.m4a", "c.M4A", "deep/d.webm", ".hidden.m4a", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\0\0\x20ftypM4A ")
    with caplog.at_level(logging.WARNING, "drsn_audio"):
        assert [*find_audio(tmp_path)] == [*find_audio(tmp_path)] == [tmp_path / "a.wav"]
    (record,) = caplog.records
    assert "2 .m4a" in record.message
    assert "1 .webm" in record.message
    with pytest.raises(AudioError, match="ffmpeg"):
        AudioReader(tmp_path / "b.m4a")


@needs_ffmpeg
@pytest.mark.parametrize("name", ["b.m4a", "-b c.webm", "b:c.mka", "[b].wma"])
def test_ffmpeg_reads_the_rest(tmp_path, name, monkeypatch):
    tone(tmp_path / "a.wav", channels=2)
    subprocess.run(["ffmpeg", "-v", "error", "-i", "a.wav", f"file:{name}"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    assert sorted(path.name for path in find_audio(".")) == sorted(["a.wav", name])
    with AudioReader(name) as reader:
        assert reader.channels == 2
    wave, _ = read_audio(name, RATE)
    assert len(wave) == pytest.approx(0.5 * RATE, abs=0.1 * RATE)
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(0.2 / np.sqrt(2), rel=0.1)


@pytest.mark.slow
@needs_ffmpeg
def test_ffmpeg_ends_with_the_reader_and_says_what_is_wrong(tmp_path):
    tone(tmp_path / "a.wav", 60)
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", tmp_path / "a.m4a"], check=True)
    with AudioReader(tmp_path / "a.m4a") as reader:
        next(reader.frames())
        process = reader._file._process
    assert process.poll() is not None
    (tmp_path / "b.m4a").write_bytes((tmp_path / "a.m4a").read_bytes()[:3000])
    with pytest.raises(AudioError, match=r"b\.m4a: not audio that ffmpeg can read"):
        read_audio(tmp_path / "b.m4a")


@pytest.mark.parametrize(
    ("form", "subtype", "rate", "channels", "written"),
    [
        ("WAV", "PCM_16", 16000, 1, True),
        ("FLAC", "PCM_24", 16000, 2, True),
        ("MP3", "MPEG_LAYER_III", 16000, 1, True),
        ("OGG", "OPUS", 48000, 1, True),
        ("WAV", "MPEG_LAYER_III", 16000, 1, False),
        ("OGG", "OPUS", 44100, 1, False),
        ("WAV", "GSM610", 16000, 2, False),
    ],
)
def test_formats_that_are_written(form, subtype, rate, channels, written):
    assert sf.check_format(form, subtype)
    assert writes(form, subtype, rate, channels) == written
