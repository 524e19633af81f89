"""Audio read in blocks and cut into windows: together they are the whole, in memory that does not grow with it."""

import tracemalloc

import numpy as np
import pytest
import soundfile as sf

from drsn_audio import audio
from drsn_audio.audio import AudioError, AudioReader, read_audio, resample, sliding_windows

RATE = 16000


def noise(num_samples=4000, seed=0):
    return (0.3 * np.random.default_rng(seed).uniform(-1, 1, num_samples)).astype(np.float32)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(audio, "BLOCK_VALUES", 2000)


def blocks(path, sample_rate=None):
    with AudioReader(path) as reader:
        return list(reader.blocks(sample_rate))


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("num_samples", [9, 1999, 2000, 33333])
def test_blocks_are_the_whole(tmp_path, small_blocks, rate, num_samples):
    sf.write(tmp_path / "a.wav", noise(num_samples), rate, subtype="FLOAT")
    parts = blocks(tmp_path / "a.wav", RATE)
    assert all(part.size and part.dtype == np.float32 for part in parts)
    assert len(parts) >= num_samples // 2000
    whole = resample(noise(num_samples), rate, RATE)
    assert len(np.concatenate(parts)) == len(whole)
    assert np.concatenate(parts) == pytest.approx(whole, abs=1e-6)


def test_blocks_average_channels(tmp_path, small_blocks):
    sf.write(tmp_path / "a.wav", np.stack([noise(5000, 1), noise(5000, 2)], axis=1), RATE, subtype="FLOAT")
    parts = blocks(tmp_path / "a.wav")
    assert [len(part) for part in parts] == [1000] * 5
    assert np.concatenate(parts) == pytest.approx((noise(5000, 1) + noise(5000, 2)) / 2, abs=1e-7)


def test_nan_in_the_middle_is_told_with_its_time(tmp_path, small_blocks):
    wave = noise(3 * RATE)
    wave[2 * RATE + RATE // 2] = np.nan
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav: holds NaN or infinite samples, at 2\.500 s"):
        blocks(tmp_path / "a.wav", 8000)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_what_is_torn_gives_what_it_holds_or_says_where_it_ends(tmp_path, name, share):
    path = tmp_path / name
    sf.write(path, noise(10 * RATE), RATE)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    try:
        wave, reason = read_audio(path)[0], ""
    except AudioError as error:
        wave, reason = noise(1), str(error)
    assert 0 < len(wave) <= 10 * RATE + 2000
    assert not reason or reason.startswith((f"{path}: not audio that libsndfile can read", f"{path}: holds no samples"))


def vbr_mp3(path):
    """Without the frame that says how long it is."""
    sf.write(path, noise(3 * RATE), RATE, bitrate_mode="VARIABLE", compression_level=0.2)
    data = path.read_bytes()
    second = data.find(data[:2], max(data.find(b"Xing"), data.find(b"Info")))
    path.write_bytes(data[second:])


def gsm_wav(path):
    sf.write(path, noise(3 * RATE), RATE, subtype="GSM610")


def part_of_opus_stream(path):
    """The two pages of headers, and pages from the middle on, each of which says where it was in the stream."""
    sf.write(path, noise(4 * RATE), RATE, format="OGG", subtype="OPUS")
    first, second, *others = [b"OggS" + page for page in path.read_bytes().split(b"OggS")[1:]]
    path.write_bytes(first + second + b"".join(others[len(others) // 2 :]))


@pytest.mark.parametrize(("name", "make"), [("a.mp3", vbr_mp3), ("a.wav", gsm_wav), ("a.opus", part_of_opus_stream)])
def test_parts_are_of_the_whole(tmp_path, name, make):
    make(tmp_path / name)
    with AudioReader(tmp_path / name) as reader:
        whole = np.concatenate([*reader.frames()])
    assert len(whole) > RATE
    for start, frames in ((0, None), (0, 4000), (9000, None), (9000, 4000)):
        with AudioReader(tmp_path / name) as reader:
            part = reader.part(start, frames)
        expected = whole[start:] if frames is None else whole[start : start + frames]
        assert part.shape == expected.shape
        assert np.corrcoef(part[1500:, 0], expected[1500:, 0])[0, 1] > 0.9999  # where seeking begins, MP3 differs


def peak_bytes(path):
    tracemalloc.start()
    with AudioReader(path) as reader:
        for _ in reader.blocks(RATE):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_length(tmp_path):
    for name, minutes in (("short.wav", 0.25), ("long.wav", 1.5)):
        with sf.SoundFile(tmp_path / name, "w", 48000, 2) as file:
            for _ in range(int(minutes * 60)):
                file.write(np.zeros((48000, 2), np.int16))
    assert peak_bytes(tmp_path / "long.wav") < 1.1 * peak_bytes(tmp_path / "short.wav")
    assert peak_bytes(tmp_path / "long.wav") < 10e6


@pytest.mark.parametrize("num_samples", [1, 7, 8, 9, 10, 31, 32, 100])
@pytest.mark.parametrize("block", [1, 3, 8, 1000])
@pytest.mark.parametrize("hop", [1, 3, 8])
def test_windows_slide_over_blocks(num_samples, block, hop):
    wave = np.arange(num_samples, dtype=np.float32)
    windows = list(sliding_windows((wave[i : i + block] for i in range(0, num_samples, block)), 8, hop))
    last = max(0, num_samples - 8)
    assert [start for start, _ in windows] == [*range(0, last, hop), last]
    for start, window in windows:
        assert np.array_equal(window, wave[start : start + 8])
