"""Streams judged by hand, and a causal model that hears them in blocks."""

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
import soundfile as sf
import torch

from drsn_audio.config import ConfigError, NoiseSource, config_from_dict
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.streams import plan_noise, plan_words, write_streams
from drsn_audio.evaluation.stream_events import (
    Answers,
    TrialStream,
    detect,
    hear,
    is_stream,
    probabilities,
    read_streams,
    sweep,
)
from drsn_audio.evaluation.stream_facts import group_conditions
from drsn_audio.evaluation.streams import describe_streams, evaluate_streams
from drsn_audio.metrics.streaming import Spoken
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.stream import Stream
from drsn_audio.streaming.tail import tail

KEYWORDS = ["low", "mid", "high"]
LABELS = [*KEYWORDS, "silence"]


def told(label: str, time: float) -> Event:
    return Event("keyword", label, 0.9, time - 1, time, time)


def stream(content: str, kind: str, snr_db: float | None, hours: float, spoken: Sequence[Spoken] = ()) -> TrialStream:
    return TrialStream(f"{content}-{kind}-{snr_db}", None, hours, content, kind, snr_db, list(spoken))


STREAMS = [
    stream(
        "words", "street", 5.0, 0.5,
        [Spoken("low", 1, 2, "ann", "a"), Spoken("mid", 5, 6, "bob", "b"), Spoken("house", 9, 10, "ann", "c")],
    ),
    stream("words", "clean", None, 0.25, [Spoken("low", 1, 2, "ann"), Spoken("high", 4, 5, "bob")]),
    stream("words", "factory", 5.0, 0.5, [Spoken("low", 1, 2, "ann", "d"), Spoken("mid", 5, 6, "bob", "e")]),
    stream("noise", "street", None, 2.0),
    stream("speech in noise", "factory", 0.0, 2.0, [Spoken("unknown", 0, 9, "cem", "f + g")]),
]  # fmt: skip
AS_THEY_ARE = [
    [told("low", 2.25), told("mid", 6.75), told("high", 9.5)],  # in time; 0.25 s too late; on another word
    [told("low", 1.5), told("high", 5.5)],
    [told("mid", 6.0)],
    [told("low", 1.0), told("low", 1.5), told("mid", 70.0)],  # a burst, and one more
    [],
]
HIGHER = [[told("low", 2.25)], [told("low", 1.5)], [], [], []]
LOWER = [
    AS_THEY_ARE[0],
    AS_THEY_ARE[1],
    [told("mid", 6.0), told("low", 2.0)],
    AS_THEY_ARE[3],
    [told("low", second) for second in range(4, 40)],
]


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("x")
    return str(path)


@pytest.fixture
def facts(manifest):
    answers = Answers(STREAMS, KEYWORDS, {-1.0: LOWER, 0.0: AS_THEY_ARE, 1.0: HIGHER})
    return describe_streams(answers, {"name": "m", "labels": LABELS}, [manifest], replicates=50)


def by(entries, *keys):
    return {tuple(one[key] for key in keys): one for one in entries}


def test_conditions_worked_by_hand(facts):
    found = by(facts["conditions"], "noise_kind", "snr_db")
    assert list(found) == [("clean", None), ("factory", 5.0), ("street", 5.0), ("mean", 5.0)]
    street = found["street", 5.0]
    assert (street["keywords"], street["misses"], street["accuracy"]) == (2, 1, 0.5)  # "house" is no keyword
    assert (street["false_alarms"], street["false_alarms_per_hour"]) == (2, 4.0)
    assert (street["latency_median_s"], street["latency_p95_s"]) == (0.25, 0.25)
    assert (street["speakers"], street["noise_recordings"]) == (2, 2)
    clean = found["clean", None]
    assert (clean["accuracy"], clean["false_alarms"], clean["noise_recordings"]) == (1.0, 0, 0)
    assert clean["latency_median_s"] == 0.0  # of -0.5 s, before the word's end, and 0.5 s
    assert clean["latency_p95_s"] == pytest.approx(0.45)
    assert found["mean", 5.0]["accuracy"] == pytest.approx(0.5)
    assert found["mean", 5.0]["keywords"] == 4


def test_false_alarms_without_keywords_worked_by_hand(facts):
    found = by(facts["keyword_free"], "content", "noise_kind")
    assert next(iter(found)) == ("all", None)
    everything = found["all", None]
    assert (everything["hours"], everything["false_alarms"], everything["per_hour"]) == (4.0, 2, 0.5)
    assert everything["claimed"] is None  # 0.5 an hour is less than 3 / 4 h
    assert everything["low"] == pytest.approx(0.2422 / 4, abs=1e-4)  # of a count of two: 0.242 to 7.225
    assert everything["high"] == pytest.approx(7.2247 / 4, abs=1e-4)
    assert found["speech in noise", "factory"]["false_alarms"] == 0
    assert found["speech in noise", "factory"]["high"] == pytest.approx(-math.log(0.025) / 2)


def test_keywords_worked_by_hand(facts):
    found = by(facts["words"], "word")
    assert list(found) == [(word,) for word in KEYWORDS]
    assert [found[word,]["spoken"] for word in KEYWORDS] == [3, 2, 1]
    assert [found[word,]["misses"] for word in KEYWORDS] == [1, 1, 0]
    assert [found[word,]["false_alarms"] for word in KEYWORDS] == [1, 1, 0]  # those among the words are not counted


def test_misses_at_a_rate_are_those_of_the_shift_that_has_it(facts):
    assert facts["det"]["shifts"] == [-1.0, 0.0, 1.0]
    assert facts["det"]["false_alarms"] == [2 + 1, 2, 0]  # 36 events a second apart are one burst
    assert by(facts["det"]["conditions"], "noise_kind")[("street",)]["misses"] == [1, 1, 1]
    assert by(facts["det"]["conditions"], "noise_kind")[("factory",)]["misses"] == [0, 1, 2]
    once, often = facts["points"]
    assert (once["wanted_per_hour"], once["shift"], once["per_hour"]) == (1.0, -1.0, 0.75)
    assert by(once["conditions"], "noise_kind")[("factory",)]["miss_rate"] == 0
    assert often["wanted_per_hour"] == 10.0
    json.dumps(facts)


def test_too_little_sound_shows_no_rate(manifest):
    streams = [STREAMS[0], stream("noise", "street", None, 0.5)]
    answers = Answers(streams, KEYWORDS, {0.0: [[], []], 1.0: [[], []]})
    found = describe_streams(answers, {"name": "m", "labels": LABELS}, [manifest], replicates=50)
    once, often = found["points"]
    assert once["shift"] is None
    assert "0.5 h without keywords cannot show 1 false alarms/h" in once["reason"]
    assert once["conditions"] == []
    assert often["conditions"][0]["miss_rate"] == 1


def test_a_recogniser_of_events_alone_has_no_curve(manifest):
    answers = Answers(STREAMS, KEYWORDS, {0.0: AS_THEY_ARE})
    found = describe_streams(answers, {"name": "peer", "labels": KEYWORDS}, [manifest], replicates=50)
    assert (found["det"], found["points"]) == (None, [])
    assert len(found["conditions"]) == 4
    with pytest.raises(ConfigError, match="no events at shift 0"):
        describe_streams(Answers(STREAMS, KEYWORDS, {1.0: HIGHER}), {}, [manifest])


def test_conditions_come_clean_first_then_the_easiest():
    streams = [stream("words", kind, snr, 1) for kind, snr in (("b", -5.0), ("b", 20.0), ("clean", None), ("a", 0.0))]
    assert [(one.noise_kind, one.snr_db) for one in group_conditions(streams)] == [
        ("clean", None), ("a", 0.0), ("b", 20.0), ("b", -5.0)
    ]  # fmt: skip


@pytest.fixture
def model():
    torch.manual_seed(0)
    names = {"preset": "10k", "pool": "causal", "labels": LABELS}
    return AudioModel(config_from_dict({"model": names}).model).eval()


@pytest.fixture
def streams(task, tmp_path):
    store = AudioStore(16000)
    pool = NoisePool([NoiseSource(str(task.noise))], store)
    plans = [
        *plan_words(read_cuts([task.test]), [("clean", None), ("street", 0.0)], set_name="t", seed=0),
        *plan_noise(pool, [0.0], -20.0, set_name="t", seed=0),
    ]
    list(write_streams(plans, tmp_path / "s", "t", pool, store))
    return tmp_path / "s" / "t.jsonl.gz"


def test_a_model_hears_in_blocks_what_it_hears_of_the_whole(model, streams):
    read = read_streams([streams])
    heard = hear(probabilities(model, 2.0), read, 16000)
    for one, found in zip(read, heard, strict=True):
        wave, _ = sf.read(one.path, dtype="float32")
        padded = np.concatenate([wave, tail(len(wave), 16000, model.block)])
        with torch.inference_mode():
            whole = (model(torch.from_numpy(padded)[None])[0] / 2).softmax(-1).numpy()
        np.testing.assert_allclose(found, whole, atol=1e-4)


def test_events_of_the_tail_have_the_end_of_the_sound_as_their_time_as_in_a_live_stream(model):
    rate, frame_s = 16000, model.block / 16000
    wave = np.random.default_rng(0).standard_normal(round(1.01 * rate)).astype(np.float32) / 10
    config = DetectorConfig({"low": 1e-6}, smoothing_s=0)
    frames = math.ceil((1.01 + 0.5) / frame_s)
    posteriors = np.full((frames, len(LABELS)), 1e-9, np.float32)
    posteriors[:, -1] = 1
    late = math.ceil(1.2 / frame_s)  # in the tail
    posteriors[late, :] = (1, 0, 0, 0)
    one = stream("noise", "street", None, len(wave) / rate / 3600)
    ((event,),) = detect([one], [posteriors], LABELS, frame_s, config)
    assert (event.label, event.time, event.end) == ("low", pytest.approx(1.01), pytest.approx(1.01))
    assert event.start <= event.end

    heard = probabilities(model)(iter([wave]))
    live = Stream(model, Detector(LABELS, frame_s, config))
    streamed = live.feed(wave) + live.flush()
    (found,) = detect([one], [heard], LABELS, frame_s, config)
    assert [(event.label, event.time) for event in found] == [
        (event.label, pytest.approx(event.time)) for event in streamed
    ]
    assert found


def test_evaluation_from_manifest_to_facts(model, streams):
    detector = DetectorConfig(dict.fromkeys(KEYWORDS, 0.4))
    facts = evaluate_streams(model, detector, [str(streams)], name="tiny", checkpoint={"sha256": "1"})
    assert [(one["noise_kind"], one["keywords"]) for one in facts["conditions"]] == [("clean", 6), ("street", 6)]
    assert facts["detector"]["thresholds"] == dict.fromkeys(KEYWORDS, 0.4)
    assert facts["model"]["checkpoint"]["sha256"] == "1"
    assert facts["data"]["streams"] == 4
    assert facts["data"]["hours"] == pytest.approx(sum(cut.duration for cut in read_cuts([streams])) / 3600)


def test_higher_thresholds_tell_less():
    rng = np.random.default_rng(0)
    heard = [rng.dirichlet([0.3] * 4, 500) for _ in STREAMS]
    answers = sweep(STREAMS, heard, LABELS, 0.08, DetectorConfig(dict.fromkeys(KEYWORDS, 0.5)), shifts=(2.0, 4.0))
    assert list(answers.events) == [0.0, 2.0, 4.0]
    counts = [sum(map(len, events)) for events in answers.events.values()]
    assert counts[0] > counts[1] > counts[2]


def test_a_stream_knows_nothing_of_the_one_before():
    """A word that fills both is told once in each, at the same time."""
    heard = np.tile([0.0, 1.0, 0.0, 0.0], (50, 1))
    both = [stream("noise", "street", None, 4 / 3600)] * 2
    first, second = detect(both, [heard, heard], LABELS, 0.08, DetectorConfig({"mid": 0.9}))
    assert len(first) == 1
    assert first == second


def test_clips_are_no_streams(task):
    assert not is_stream(read_cuts([task.test])[0])
    with pytest.raises(ManifestError, match="no stream of recipes/keywords/streams"):
        read_streams([task.test])
