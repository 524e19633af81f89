"""What is written of sounds of any length and number is what the model says of each of them alone."""

import numpy as np
import pytest
import soundfile as sf
import torch

import drsn_audio
from drsn_audio.api import load_recognizer, load_transcriber
from drsn_audio.audio import AudioError, resample
from drsn_audio.decoding.alignment import word_times
from drsn_audio.decoding.greedy import greedy_spikes
from drsn_audio.errors import InputError
from drsn_audio.models.checkpoint import CheckpointError
from drsn_audio.streaming.batch import MOST_BLOCKS
from drsn_audio.transcribing.segments import segments
from drsn_audio.transcribing.transcriber import Transcriber
from drsn_audio.transcribing.voice_activity import EnergyActivity

from .conftest import RATE, sound

NAMES = ("causal", "clip", "letters")


def with_silence(model, wave):
    """As a causal model hears it: its last word may be written after the end."""
    return np.pad(wave, (0, RATE // 2 if model.module.causal else 0))


def offline(model, wave):
    """The greedy words of the logits of the whole, by the functions that say what greedy is."""
    logits = model(torch.from_numpy(with_silence(model, wave))[None])[0]
    return word_times(greedy_spikes(logits.softmax(-1).numpy()), model.units, model.frame_s)


def near_ties(model, wave):
    """Frames in which the two best labels are so near that rounding may choose."""
    best = model(torch.from_numpy(wave)[None])[0].topk(2).values
    return int((best[:, 0] - best[:, 1] < 1e-4).sum())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seconds", [0.7, 5.12, 12.345])
def test_it_is_greedy_over_the_whole(writers, name, seconds):
    """Of a causal model over the seams of what is heard at once, too."""
    model, wave = writers(name), sound(seconds)
    assert near_ties(model, wave) == 0
    found, expected = model.transcribe(wave), offline(model, wave)
    assert found.text == " ".join(word.text for word in expected)
    assert len(found.words) == len(expected) > 1
    for word, right in zip(found.words, expected, strict=True):
        latest = seconds if model.module.causal else np.inf  # of a stream no word ends after the sound
        assert (word.start, word.end) == pytest.approx((min(right.start, latest), min(right.end, latest)), abs=1e-3)
        assert word.confidence == pytest.approx(right.confidence, abs=1e-3)


def test_a_stream_writes_the_same(writers):
    model, wave = writers("causal"), sound(6.0)
    heard, stream = with_silence(model, wave), model.stream()
    events = [event for start in range(0, len(heard), 1000) for event in stream.feed(heard[start : start + 1000])]
    said = [event.label for event in [*events, *stream.flush()] if event.kind == "final"]
    assert " ".join(said) == model.transcribe(wave).text


@pytest.mark.parametrize("name", NAMES)
def test_many_files_at_once_say_what_each_says_alone(writers, tmp_path, name):
    """More than are heard at once, of all lengths, in their order, a broken one among them."""
    model = writers(name)
    lengths = [7.3, 0.5, 0.03, 6.0, 1.0, 2.0, 3.0, 0.2, 5.5, 1.5, 0.9]
    waves = [sound(seconds, seed) for seed, seconds in enumerate(lengths)]
    paths = [tmp_path / f"{number}.wav" for number in range(len(waves))]
    for path, wave in zip(paths, waves, strict=True):
        sf.write(path, wave, RATE, subtype="FLOAT")
    paths[4].write_bytes(b"no audio")
    heard_s = []
    answers = list(model.transcribe_files(paths, progress=heard_s.append))
    assert [path for path, _ in answers] == paths
    for number, (_, answer) in enumerate(answers):
        if number == 4:
            assert isinstance(answer, AudioError)
        else:
            alone = model.transcribe(waves[number])
            assert answer.text == alone.text
            starts = [[word.start for word in found.words] for found in (answer, alone)]
            assert starts[0] == pytest.approx(starts[1], abs=1e-3)
    assert sum(heard_s) == pytest.approx(sum(lengths) - lengths[4])


def test_short_sounds_need_not_wait_for_a_long_one(writers):
    model = writers("causal")
    block_s = MOST_BLOCKS * model.frame_s
    sounds = [("long", iter([sound(3 * block_s)])), ("short", iter([sound(0.5)])), ("middle", iter([sound(block_s)]))]
    assert [key for key, _ in model.hear(sounds, in_order=False)] == ["short", "middle", "long"]


def test_long_sound_of_a_clip_model_is_cut_at_pauses_and_its_times_go_on(writers):
    model = writers("clip")
    wave = np.concatenate([sound(9.0), 0.0005 * sound(1.0, 5), sound(15.0, 2), sound(15.0, 3)])
    expected = []
    for start, part in segments(iter([wave]), EnergyActivity(RATE), RATE):
        expected += [(word.text, word.start + start / RATE) for word in model.transcribe(part).words]
    found = model.transcribe(wave)
    assert [word.text for word in found.words] == [text for text, _ in expected]
    assert [word.start for word in found.words] == pytest.approx([start for _, start in expected], abs=2e-3)
    assert found.words[-1].start > 35


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seconds", [0.01, 1.0, 45.0])
def test_digital_silence_is_an_empty_transcript(writers, name, seconds):
    """Whatever a model might write of it: these write of anything."""
    found = writers(name).transcribe(np.zeros(round(seconds * RATE), np.float32))
    assert (found.text, found.words) == ("", [])


def test_one_sample_is_heard_and_a_least_duration_refuses_it(writers):
    model = writers("causal")
    one = np.full(1, 0.1, np.float32)
    assert isinstance(model.transcribe(one), drsn_audio.Transcript)
    ((_, answer),) = model.hear([("a.wav", iter([one]))], 0.025)
    assert str(answer) == "a.wav: is 0.1 ms long, too short for a word"


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(8000, 1, "PCM_16"), (44100, 2, "PCM_24"), (RATE, 1, "PCM_U8")]
)
def test_other_formats_are_converted(writers, tmp_path, rate, channels, subtype):
    wave = resample(sound(2.0), RATE, rate)
    sf.write(tmp_path / "a.wav", np.stack([wave] * channels, 1), rate, subtype=subtype)
    model = writers("causal")
    read = sf.read(tmp_path / "a.wav", dtype="float32", always_2d=True)[0].mean(1)
    assert model.transcribe(tmp_path / "a.wav").text == model.transcribe(read, rate).text != ""


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros((2, 100), np.float32), "give one channel"),
        (np.zeros(0, np.float32), "N > 0"),
        (np.zeros(100, np.int16), "divide them by full scale"),
        (np.array([0, np.nan], np.float32), "NaN or infinite"),
        (np.full(RATE, 1e6, np.float32), "full scale is 1"),
    ],
)
@pytest.mark.parametrize("name", ["causal", "clip"])
def test_samples_that_are_no_sound(writers, name, samples, reason):
    with pytest.raises(AudioError, match=reason):
        writers(name).transcribe(samples)


def test_a_fault_in_the_middle_fails_that_file_alone(writers):
    def torn():
        yield sound(6.0)
        raise AudioError("b.wav: torn")

    for name in NAMES:
        sounds = [("a", iter([sound(6.0)])), ("b", torn()), ("c", iter([sound(6.0)]))]
        answers = dict(writers(name).hear(sounds))
        assert str(answers["b"]) == "b.wav: torn"
        assert answers["a"].text == answers["c"].text != ""


def test_which_model_is_loaded(models):
    assert isinstance(drsn_audio.load(models.causal), drsn_audio.Transcriber)
    assert isinstance(drsn_audio.load(models.keywords), drsn_audio.Recognizer)
    with pytest.raises(InputError, match="cannot write, it names keywords"):
        load_transcriber(models.keywords)
    with pytest.raises(InputError, match="use drsn-audio transcribe"):
        load_recognizer(models.clip)
    with pytest.raises(CheckpointError, match="cannot write"):
        Transcriber(drsn_audio.load(models.keywords).module, {})
    with pytest.raises(InputError, match="cannot stream"):
        drsn_audio.load(models.clip).stream()


def test_a_reference_as_the_model_can_write_it(writers):
    assert writers("causal").as_written("Low  HIGH sideways") == "low high sideways"  # no label says unknown
    assert writers("letters").as_written("It's well-known, no?") == "IT'S WELL KNOWN NO"


def test_the_checkpoint_s_timing_moves_the_words(writers):
    model = writers("causal")
    timing = {"start_s": {"low": 0.5}, "end_s": {}, "default": [0.4, 0.1]}
    moved, plain = Transcriber(model.module, {"timing": timing}), model
    wave = sound(4.0)
    for word, before in zip(moved.transcribe(wave).words[5:], plain.transcribe(wave).words[5:], strict=True):
        begins = before.start + model.frame_s - (0.5 if word.text == "low" else 0.4)
        assert word.start == pytest.approx(begins, abs=0.101)  # no word begins before the one before it
