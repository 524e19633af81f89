"""Files in blocks at the model's rate, and pacing."""

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import read_audio
from drsn_audio.live.source import FileSource, paced, resampled


def test_a_file_comes_in_chunks_at_the_models_rate(tmp_path):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (9000, 2))
    sf.write(tmp_path / "a.wav", wave, 8000, subtype="PCM_24")
    source = FileSource(str(tmp_path / "a.wav"))
    blocks = [*source.blocks(16000, 0.1)]
    assert max(map(len, blocks)) == 1600
    np.testing.assert_allclose(np.concatenate(blocks), read_audio(tmp_path / "a.wav", 16000)[0], atol=1e-6)
    assert source.about(16000).endswith("a.wav: 8000 Hz, 2 channels, resampled to 16000 Hz, channels averaged")
    assert source.about(8000).endswith("a.wav: 8000 Hz, 2 channels, channels averaged")
    source.close()


def test_nothing_is_resampled_where_the_rate_is_right():
    blocks = [np.ones(3, np.float32), np.zeros(2, np.float32)]
    np.testing.assert_array_equal(np.concatenate([*resampled(blocks, 16000, 16000)]), np.concatenate(blocks))


def test_a_block_is_given_out_once_it_has_sounded():
    """Three blocks of 0.1 s, of which the second takes 0.15 s to be heard: the third is late, and not waited for."""
    now, slept = [5.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    for number, _ in enumerate(paced([np.zeros(1600)] * 3, 16000, lambda: now[0], sleep)):
        now[0] += 0.15 if number == 1 else 0.0
    assert slept == pytest.approx([0.1, 0.1, 0.0])
