"""Synthesised voices: deterministic, distinct, unheard in test, placed and levelled as asked."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from drsn_audio.audio import AudioError, read_audio
from drsn_audio.corpora import espeak, voices
from drsn_audio.corpora.voices import (
    ACCENTS,
    VARIANTS,
    Voice,
    draw_voices,
    place,
    prepare_voices,
    synthesise,
    synthesise_all,
    trim,
)
from drsn_audio.noise.level import active_level

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)


def test_no_variant_is_in_two_parts():
    every = [variant for part in VARIANTS.values() for variant in part]
    assert len(every) == len(set(every)) == 76
    test = {voice.variant for voice in draw_voices(400, 0, "test")}
    train = {voice.variant for voice in draw_voices(400, 5, "train")}
    dev = {voice.variant for voice in draw_voices(400, 0, "dev")}
    assert not test & train
    assert not test & dev
    assert not train & dev


def test_voices_are_distinct_and_spread():
    drawn = draw_voices(300, 7, "train")
    assert len({voice.name for voice in drawn}) == 300
    assert len({(voice.accent, voice.variant) for voice in drawn}) == 300  # of 48 x 8 = 384
    assert len({voice.variant for voice in drawn[:48]}) == 48
    accents = [voice.accent for voice in drawn]
    assert min(accents.count(accent) for accent in ACCENTS) >= 20  # 37.5 each on average


def test_voices_depend_on_the_seed_and_not_on_their_number():
    assert draw_voices(5, 3, "train") == draw_voices(50, 3, "train")[:5]
    assert draw_voices(5, 3, "train") != draw_voices(5, 4, "train")
    with pytest.raises(ValueError, match="no part 'valid'"):
        draw_voices(5, 3, "valid")


@needs_espeak
def test_every_variant_exists():
    folder = espeak.data_path() / "voices" / "!v"
    assert [v for part in VARIANTS.values() for v in part if not (folder / v).is_file()] == []


@needs_espeak
def test_every_voice_speaks():
    """Each variant and each accent says "seven" in 0.1 to 1 s; each variant has its own waveform."""
    said = [Voice(ACCENTS[i % 8], v) for i, v in enumerate(v for part in VARIANTS.values() for v in part)]
    waves = list(synthesise_all([("seven", voice) for voice in said]))
    assert all(1600 < wave.size < 16000 for wave in waves)
    assert all(np.abs(wave).max() > 0.02 for wave in waves)
    assert len({wave.tobytes() for wave in waves}) == len(said)


@needs_espeak
def test_what_is_said_does_not_depend_on_what_was_said_before():
    """eSpeak's own state leaks from one utterance to the next; ours must not."""
    target = ("stop", Voice("en-us", "klatt", 40, 160, 60))
    others = [
        ("gate", Voice("en", "f5")),
        ("zero", Voice("en-029", "steph")),
        ("off", Voice("en-us", "m3", 10)),
    ]
    alone = synthesise(*target)
    *_, last = synthesise_all([*others, target])
    _, first, *_ = synthesise_all([target, target, *others])
    assert np.array_equal(alone, last)
    assert np.array_equal(alone, first)


@needs_espeak
def test_rate_and_pitch_do_what_they_say():
    slow, fast = (synthesise("seven", Voice("en-us", "m3", rate=rate)).size for rate in (120, 240))
    assert slow > 1.4 * fast
    low, high = (_pitch_hz(synthesise("seven", Voice("en-us", "m3", pitch=pitch))) for pitch in (20, 80))
    assert high > 1.3 * low


def _pitch_hz(wave: np.ndarray) -> float:
    """The lag of the highest autocorrelation between 50 and 400 Hz, over the wave."""
    lags = np.correlate(wave, wave, "full")[wave.size - 1 :]
    return 16000 / (40 + lags[40:320].argmax())


@needs_espeak
@pytest.mark.parametrize("samples", [None, b"", bytes(2000)])
def test_a_voice_that_says_nothing_is_an_error_alone_and_skipped_among_others(samples, tmp_path, monkeypatch):
    monkeypatch.setattr(espeak, "speak", lambda requests: (samples for _ in requests))
    with pytest.raises(ValueError, match="says nothing"):
        synthesise("yes", Voice("en-us", "m3"))
    with pytest.raises(AudioError, match=r"none of 3 files can be used, first .*failed or is silent"):
        prepare_voices(None, tmp_path, words=["yes"], voices_per_part=(1, 1, 1), progress=False)


@needs_espeak
def test_a_phrase_takes_longer_than_its_words():
    voice = Voice("en-us", "m3")
    assert synthesise("open gate", voice).size > 1.3 * synthesise("gate", voice).size


@needs_espeak
def test_prepared_clips(tmp_path, load):
    options = {
        "words": ["yes", "open gate"],
        "voices_per_part": (4, 2, 3),
        "duration_s": 1.5,
        "progress": False,
    }
    made = prepare_voices(None, tmp_path / "a", **options)
    assert made.counts == {"train": 8, "dev": 4, "test": 6}
    for part, path in made.manifests.items():
        for cut in load(path):
            source = cut.recording.sources[0].source
            wave, sample_rate = read_audio(source)
            assert (sample_rate, wave.size) == (16000, 24000)
            assert f"/{part}/{cut.supervisions[0].text}/" in source
            assert cut.custom["active_level_db"] == pytest.approx(active_level(wave, 16000).active_db, abs=0.01)
            assert np.abs(wave).max() < 1
    prepare_voices(None, tmp_path / "b", **options)
    files = sorted((tmp_path / "a").rglob("*.flac"))
    assert len(files) == 18
    for file in files:
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()


@needs_espeak
def test_words_longer_than_the_clip_are_skipped_with_a_remedy(tmp_path):
    words = ["up", "international understanding"]
    made = prepare_voices(None, tmp_path, words=words, voices_per_part=(2, 0, 0), progress=False)
    assert made.counts == {"train": 2}
    assert all("more than duration_s 1: raise it" in clip.reason for clip in made.skipped)
    assert len(made.skipped) == 2


def test_trim_takes_what_is_50_db_below_the_peak():
    wave = np.concatenate([np.full(10, 1e-3), [0.5], np.full(5, 0.01), [-0.5], np.full(10, 1e-3), np.zeros(3)])
    assert trim(wave).size == 7  # 0.5 x 10^(-50/20) = 0.0016
    assert trim(np.zeros(5)).size == 0
    assert trim(np.zeros(0)).size == 0


@pytest.mark.slow
def test_place_draws_offset_and_level():
    word = np.sin(np.arange(6000) * 0.3).astype(np.float32)
    clips = [place(word, 16000, np.random.default_rng(seed)) for seed in range(200)]
    levels = np.array([active_level(clip, 16000).active_db for clip in clips])
    offsets = np.array([np.flatnonzero(clip)[0] for clip in clips])
    # -26 +- 6 dB, with a standard error of 6 / sqrt(200) = 0.42 dB; offsets uniform in 0..10000.
    assert levels.mean() == pytest.approx(-26, abs=1.5)
    assert levels.std() == pytest.approx(6, abs=1)
    assert offsets.mean() == pytest.approx(5000, abs=700)
    assert offsets.max() <= 10001
    assert all(clip.size == 16000 for clip in clips)
    assert place(word, 6000, np.random.default_rng(0)).size == 6000


def test_place_keeps_the_peak_below_full_scale(monkeypatch):
    monkeypatch.setattr(voices, "ACTIVE_DB", 20.0)
    word = np.sin(np.arange(6000) * 0.3).astype(np.float32)
    assert np.abs(place(word, 16000, np.random.default_rng(0))).max() == pytest.approx(0.99, abs=1e-4)


@needs_espeak
def test_requests_that_cannot_be_spoken_are_refused(tmp_path):
    good = Voice("en-us", "m3")
    for text, voice, message in (
        (" ", good, "no text"),
        ("yes", good._replace(accent="fr"), "no accent 'fr'"),
        ("yes", good._replace(variant="m99"), "no eSpeak variant 'm99'"),
        ("yes", good._replace(rate=10), "rate from 80 to 450"),
    ):
        with pytest.raises(ValueError, match=message):
            synthesise(text, voice)
    for options, message in (
        ({"words": []}, "give a list"),
        ({"words": "yes"}, "give a list"),
        ({"words": [True, "stop"]}, "put yes, no, on and off in quotes"),
        ({"words": ["../x"]}, "cannot name a folder"),
        ({"voices_per_part": (1, 2)}, "three counts"),
    ):
        with pytest.raises(ValueError, match=message):
            prepare_voices(None, tmp_path, progress=False, **options)
    with pytest.raises(ValueError, match="reads nothing"):
        prepare_voices("folder", tmp_path, progress=False)


def test_a_missing_wheel_is_told_how_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(espeak.EspeakError, match="pip install espeakng-loader"):
        synthesise("yes", Voice("en-us", "m3"))
