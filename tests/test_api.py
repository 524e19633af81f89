"""What a user calls: load and classify, on files and arrays, short and long."""

import logging
import tracemalloc

import numpy as np
import pytest
import soundfile as sf
import torch

import drsn_audio
from drsn_audio.api import Recognizer
from drsn_audio.audio import AudioError
from drsn_audio.config import load_config
from drsn_audio.errors import InputError
from drsn_audio.models.checkpoint import CheckpointError

RATE = 16000
UNSURE = 0.4  # the model learned for seconds: of a tone in hiss it is not surer than this


@pytest.fixture(scope="module")
def model(run):
    return drsn_audio.load(run)


@pytest.fixture
def long_wave(say):
    """Hiss of 5 s, 40 dB below the word "high" that is said in it at 3 s."""
    wave = 0.001 * np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    wave[3 * RATE : 3 * RATE + 4800] += say("high", "eve")
    return wave


def test_public_names():
    writing = {"Transcriber", "Transcript", "Word"}
    calls = {"__version__", "load", "push"}
    assert set(drsn_audio.__all__) == {"Classification", "Denoiser", "Recognizer", *calls, *writing}
    with pytest.raises(AttributeError, match="lod"):
        _ = drsn_audio.lod


def test_words_of_other_speakers_are_recognised(model, say):
    for word in ("low", "mid", "high"):
        for speaker in ("eve", "finn"):
            answer = model.classify(say(word, speaker))
            assert answer.label == word
            assert answer.score == answer.scores[word] == max(answer.scores.values())
            assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-5)
            assert (answer.start, answer.end) == (0.0, 0.3)
            assert type(answer.start) is type(answer.end) is float


def test_a_file_and_its_samples_are_the_same(model, say, tmp_path):
    sf.write(tmp_path / "a.wav", say("mid", "eve"), RATE, subtype="FLOAT")
    assert (
        model.classify(tmp_path / "a.wav")
        == model.classify(str(tmp_path / "a.wav"))
        == model.classify(say("mid", "eve"))
    )


def test_other_rates_are_resampled(model, say):
    from drsn_audio.audio import resample

    answer = model.classify(resample(say("low", "eve"), RATE, 44100), sample_rate=44100)
    assert answer.label == "low"
    assert answer.scores == pytest.approx(model.classify(say("low", "eve")).scores, abs=0.02)


def test_the_word_in_a_long_wave_is_found(model, long_wave):
    answer = model.classify(long_wave)
    assert answer.label == "high"
    assert [answer] == model.detect(long_wave)
    assert (answer.start, answer.end) == pytest.approx((3.0, 3.3), abs=0.15)  # the tone has soft ends


def test_words_are_detected_in_order_of_time(model, say, tmp_path):
    """Each once, and where it is, for any way of giving it; with both window hops."""
    wave = 0.001 * np.random.default_rng(1).standard_normal(6 * RATE).astype(np.float32)
    said = {0.0: "mid", 1.5: "low", 2.2: "high", 4.0: "high", 4.7: "low", 5.7: "mid"}
    for start, word in said.items():
        wave[round(start * RATE) :][:4800] += say(word, "finn")
    for windows_a_clip in (4, 8):
        words = model.detect(wave, windows_a_clip=windows_a_clip, reject_below=UNSURE)
        assert [word.label for word in words] == list(said.values())
        middles = [(word.start + word.end) / 2 for word in words]
        assert middles == pytest.approx([start + 0.15 for start in said], abs=0.18)  # at the edges windows are few
        assert all(word.score == word.scores[word.label] for word in words)
        assert all(type(value) is float for word in words for value in (word.start, word.end, word.score))
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    assert model.detect(tmp_path / "a.wav", reject_below=UNSURE) == words
    assert model.classify(wave, reject_below=UNSURE) == max(words, key=lambda word: word.score)
    ((_, of_many),) = model.detect_files([tmp_path / "a.wav"], reject_below=UNSURE)
    assert [(word.label, word.start, word.end) for word in of_many] == [(w.label, w.start, w.end) for w in words]


def test_where_nothing_is_said_there_is_one_answer(model):
    wave = 0.001 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    (answer,) = model.detect(wave)
    assert answer.label in ("silence", "unknown")
    assert (answer.start, answer.end) == (0.0, 3.0)
    assert model.classify(wave) == answer


@pytest.fixture
def calibrated(model):
    """The same model with a calibration."""

    def make(**calibration):
        return drsn_audio.Recognizer(model.module, {**model.info, "calibration": calibration})

    return make


def test_a_temperature_divides_the_logits(model, calibrated, say):
    logits = model(torch.from_numpy(say("mid", "eve"))[None])[0]
    scores = calibrated(temperature=2.5).classify(say("mid", "eve")).scores
    expected = dict(zip(model.labels, (logits / 2.5).softmax(0).tolist(), strict=True))
    assert scores == pytest.approx(expected, abs=1e-5)


def test_what_is_too_improbable_is_unknown(model, calibrated, say, long_wave):
    word = say("mid", "eve")
    surest = model.classify(word)
    strict = calibrated(reject_below=1.0)
    answer = strict.classify(word)
    assert answer.label == "unknown"
    assert answer.score == answer.scores.get("unknown", 0.0) < surest.score
    assert answer.scores == surest.scores
    assert strict.classify(word, reject_below=0) == surest
    assert calibrated(reject_below=surest.score - 1e-4).classify(word) == surest
    (found,) = strict.detect(long_wave)
    assert (found.label, found.score) == ("unknown", found.scores.get("unknown", 0.0))
    assert strict.detect(long_wave, reject_below=0.5) == model.detect(long_wave)


@pytest.mark.parametrize("calibration", [{"temperature": 0}, {"temperature": "hot"}, {"reject_below": float("nan")}])
def test_a_calibration_that_is_none(calibrated, calibration):
    with pytest.raises(CheckpointError, match=f"calibration.{next(iter(calibration))} of the checkpoint"):
        calibrated(**calibration)


def test_a_calibration_of_another_shape(model):
    with pytest.raises(CheckpointError, match=r"calibration of the checkpoint is \[0.5\]: calibrate it again"):
        Recognizer(model.module, model.info | {"calibration": [0.5]})


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_none(model, threshold):
    with pytest.raises(InputError, match="give a probability"):
        model.classify(np.zeros(100, np.float32), reject_below=threshold)


def test_the_last_samples_are_heard(model, say):
    wave = np.concatenate([np.zeros(RATE + 77, np.float32), say("low", "eve")])
    answer = model.classify(wave, reject_below=UNSURE)
    assert answer.label == "low"
    assert (answer.start + answer.end) / 2 == pytest.approx(
        len(wave) / RATE - 0.15, abs=0.2
    )  # at the edge windows are few


def test_short_sound_is_heard_to_its_end_only(model, say):
    """Digital silence behind it is no part of it."""
    word = say("mid", "eve")
    with torch.inference_mode():
        padded = np.pad(word, (0, RATE // 2 - len(word)))
        logits = model.module(torch.from_numpy(padded)[None], torch.tensor([len(word)]))
    expected = dict(zip(model.labels, logits.softmax(-1)[0].tolist(), strict=True))
    assert model.classify(word).scores == pytest.approx(expected, abs=1e-5)


def test_lists_and_tensors_are_taken(model, say):
    word = say("mid", "eve")
    assert model.classify(torch.from_numpy(word)) == model.classify(word)
    assert model.classify(word.tolist()).label == model.classify(word).label


def test_the_shortest_sound(model):
    assert set(model.classify(np.zeros(1, np.float32)).scores) == {"low", "mid", "high", "silence"}


def test_double_precision_is_taken(model, say):
    assert model.classify(say("mid", "eve").astype(np.float64)) == model.classify(say("mid", "eve"))


@pytest.mark.parametrize(
    ("samples", "rate", "reason"),
    [
        (np.zeros(100, np.int16), None, "int16: divide them by full scale"),
        (np.zeros((2, 100), np.float32), None, r"shape \[2, 100\]"),
        (np.zeros(0, np.float32), None, r"N > 0"),
        (np.array([0, np.nan], np.float32), None, "NaN"),
        (np.zeros(100, np.float32), -8000, "sample_rate is -8000"),
        (np.zeros(100, np.float32), 0, "sample_rate is 0"),
    ],
)
def test_samples_that_cannot_be_used(model, samples, rate, reason):
    with pytest.raises(AudioError, match=reason):
        model.classify(samples, rate)


def test_many_files_keep_their_order_and_answers(model, say, tmp_path, long_wave):
    paths = []
    for i in range(70):  # more than a batch
        word = ("low", "mid", "high")[i % 3]
        paths.append(tmp_path / f"{i}.wav")
        sf.write(paths[-1], say(word, ("eve", "finn")[i % 2]), RATE, subtype="FLOAT")
    (tmp_path / "5.wav").write_text("no audio")
    sf.write(tmp_path / "8.wav", long_wave, RATE, subtype="FLOAT")
    answers = list(model.classify_files(paths))
    assert [path for path, _ in answers] == paths
    for path, answer in answers:
        if path.name == "5.wav":
            assert isinstance(answer, AudioError)
        else:
            alone = model.classify(path)
            assert (answer.label, answer.start, answer.end) == (alone.label, alone.start, alone.end)
            assert answer.scores == pytest.approx(alone.scores, abs=1e-5)


def test_the_shortest_that_is_taken(model, tmp_path):
    for name, samples in (("a.wav", 400), ("b.wav", 399)):
        sf.write(tmp_path / name, np.full(samples, 0.1), RATE)
    (_, taken), (_, refused) = model.classify_files([tmp_path / "a.wav", tmp_path / "b.wav"], min_duration_s=0.025)
    assert not isinstance(taken, AudioError)
    assert "24.9 ms long, too short" in str(refused)


def test_an_hour_is_heard_in_the_memory_of_minutes(model, tmp_path):
    """Blocks in, windows out: a minute of 48 kHz stereo needs no more than ten seconds."""
    peaks = []
    for seconds in (10, 60):
        with sf.SoundFile(tmp_path / "a.wav", "w", 48000, 2) as file:
            for _ in range(seconds):
                file.write(np.zeros((48000, 2), np.int16))
        tracemalloc.start()
        (answer,) = model.detect(tmp_path / "a.wav")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert answer.end == pytest.approx(seconds, abs=1e-3)
    assert peaks[1] < 1.1 * peaks[0]


def test_no_files(model):
    assert list(model.classify_files([])) == []


def test_conversion_is_said_once(run, say, tmp_path, caplog):
    for name in ("a.wav", "b.wav"):
        sf.write(tmp_path / name, np.stack([say("low", "eve")] * 2, 1), 8000)
    model = drsn_audio.load(run)
    with caplog.at_level(logging.INFO, logger="drsn_audio"):
        for name in ("a.wav", "b.wav"):
            model.classify(tmp_path / name)
    (record,) = caplog.records
    assert "a.wav is 8000 Hz with 2 channel(s)" in record.getMessage()


def test_logits_and_what_the_checkpoint_says(model, run, say):
    wave = torch.from_numpy(say("low", "eve"))[None]
    logits = model(wave)
    assert logits.shape == (1, 4)
    assert not logits.requires_grad
    assert not model.module.training
    assert model.labels == ["low", "mid", "high", "silence"]
    assert model.sample_rate == RATE
    assert model.info["seed"] == load_config(run / "config.yaml").seed
