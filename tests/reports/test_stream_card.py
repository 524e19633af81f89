"""A streaming model's card: every number that stands in it was measured, and what was not is said to be so."""

import pytest

from drsn_audio.reports.stream_card import stream_card

DESCRIBED = {
    "labels": ["yes", "no", "unknown", "silence"],
    "model": {"preset": "30k", "shrinkage": "cw-frequency", "clip_s": 1.0, "frontend": {"sample_rate": 16000}},
    "parameters": 29123, "multiply_adds": 5123456, "licence": "MIT", "command": "python train.py",
    "commit": "0123456789ab", "seed": 7, "step": 99, "sha256": "ab" * 32,
    "calibration": {"temperature": 1.234},
    "detector": {
        "config": {"thresholds": {"yes": 0.91, "no": 0.876}, "smoothing_s": 0.24},
        "wanted_per_hour": 1.0, "false_alarms": 4, "hours": 4.47, "misses": 1045, "keywords": 2947,
        "data": [{"manifest": "streams/dev-words.jsonl.gz", "sha256": "cd" * 32}],
    },
    "training_data": [
        {"corpus": "esc-10", "name": "ESC-10", "terms": "CC BY 3.0", "source": "https://example.org",
         "credit": "K. Piczak", "shippable": True, "recordings": {"training": 72, "development": 48}},
    ],
}  # fmt: skip


def condition(kind, snr_db, misses, median_s, p95_s):
    return {
        "noise_kind": kind, "snr_db": snr_db, "keywords": 200, "misses": misses, "accuracy": 1 - misses / 200,
        "low": 0.3, "high": 0.99, "speakers": 9, "noise_recordings": 0 if snr_db is None else 31,
        "hours": 0.5, "false_alarms": 4, "false_alarms_per_hour": 8.0,
        "latency_median_s": median_s, "latency_p95_s": p95_s,
    }  # fmt: skip


def free(content, kind, hours, alarms, claimed, low, high):
    return {
        "content": content, "noise_kind": kind, "hours": hours, "false_alarms": alarms,
        "per_hour": alarms / hours, "low": low, "high": high, "claimed": claimed,
    }  # fmt: skip


@pytest.fixture
def facts():
    return {
        "command": "python card.py", "commit": "abc", "seed": 0, "tolerance_s": 0.5,
        "model": {"name": "tiny", "parameters": 29123, "frame_s": 0.08},
        "data": {"manifest": "m", "sha256": "1234567890abcdef", "streams": 4, "hours": 11.5, "speakers": 9},
        "conditions": [
            condition("clean", None, 10, 0.121, 0.303),
            condition("street", -5.0, 120, 0.222, 0.404),
            condition("machinery", -5.0, 80, None, None),
        ],
        "keyword_free": [
            free("all", None, 10.0, 7, 0.7, 0.28, 1.44),
            free("noise", None, 4.0, 0, None, 0.0, 0.92),
            free("noise", "street", 4.0, 0, None, 0.0, 0.92),
            free("speech", None, 6.0, 7, 1.17, 0.47, 2.4),
            free("speech", "clean", 6.0, 7, 1.17, 0.47, 2.4),
        ],
        "words": [
            {"word": "yes", "spoken": 300, "misses": 60, "false_alarms": 0},
            {"word": "no", "spoken": 300, "misses": 150, "false_alarms": 7},
        ],
        "points": [
            {"wanted_per_hour": 1.0, "reason": None, "shift": -0.5, "per_hour": 0.9,
             "conditions": [{"noise_kind": "clean", "snr_db": None, "miss_rate": 0.043, "low": 0.01, "high": 0.09}]},
            {"wanted_per_hour": 10.0, "reason": "the thresholds were not swept so low", "shift": None,
             "per_hour": None, "conditions": []},
        ],
        "distinct": {
            "words": {"utterances": 600, "hours": 0.17, "speakers": 34},
            "keyword_free": {"utterances": 261, "hours": 0.525, "speakers": 5, "noise_hours": 1.456},
        },
    }  # fmt: skip


EXPORTED = {
    "seconds": 60.0, "sound": "made speech", "machine": {"platform": "Linux", "processor": "x86"},
    "torch": {"events": 20, "median_ms": 1.111, "real_time_factor": 0.01389},
    "float": {"median_ms": 0.555, "real_time_factor": 0.00694, "bytes": 170123, "max_logit_difference": 3e-5,
              "agreement": 1.0, "events": 20, "equal_events": 20},
    "int8": {"median_ms": 0.444, "real_time_factor": 0.00555, "bytes": 99123, "max_logit_difference": 0.51,
             "agreement": 0.987, "events": 19, "equal_events": 18},
}  # fmt: skip
SPEED = {
    "machine": "a CPU",
    "listeners": {"float": {"memory_mb": 98.7, "chunks": {"10": {"rtf": 0.00777, "p99_ms": 0.987}}}},
}


def test_what_it_is_and_where_it_comes_from(facts):
    card = stream_card("tiny-stream", DESCRIBED, 99_887, facts)
    assert card.startswith("# tiny-stream\n\nHears 2 words (yes, no) in sound that does not stop")
    assert "in blocks of 1280 samples" in card
    assert "one block, 80 ms" in card
    for part in (
        "29,123",
        "5,123,456",
        "99,887 bytes",
        "0123456789ab, 7, 99",
        "ab" * 32,
        "72 training, 48 development",
    ):
        assert part in card
    for command in ("drsn-audio stream mic --model tiny-stream", "drsn-audio export tiny-stream --onnx"):
        assert command in card


def test_latency_is_of_the_conditions_in_which_words_were_heard(facts):
    card = stream_card("t", DESCRIBED, 1, facts)
    assert "median 0.12 to 0.22 s by condition, 95 % within 0.30 to 0.40 s" in card
    for one in facts["conditions"]:
        one["latency_median_s"] = one["latency_p95_s"] = None
    assert "No word was heard, so there is no latency." in stream_card("t", DESCRIBED, 1, facts)


def test_no_rate_that_so_few_false_alarms_cannot_claim(facts):
    card = stream_card("t", DESCRIBED, 1, facts)
    assert "Tuned for at most 1 an hour on development streams." in card
    assert "Where no keyword is said, 7 false alarms in 10.00 h: 0.70 an hour [0.28, 1.44]." in card
    assert "Noise, 0 false alarms in 4.00 h: below 0.92 an hour." in card
    assert "10 an hour cannot be told: the thresholds were not swept so low." in card
    assert "4.3 [1.0, 9.0]" in card


def test_what_it_is_bad_at_comes_worst_first(facts):
    card = stream_card("t", DESCRIBED, 1, facts)
    assert "street at -5 dB (120 of 200), machinery at -5 dB (80 of 200), clean (10 of 200)" in card
    assert "missed: no (150 of 300), yes (60 of 300)." in card
    assert "heard where none is said: no (7)." in card
    assert "- Sound without a keyword; false alarms: speech, clean (7 in 6.00 h)." in card
    assert "12 false alarms in 1.50 h of single words, keywords and others, 8.0 an hour" in card


def test_tuning_and_how_little_sound_the_hours_are_of(facts):
    card = stream_card("t", DESCRIBED, 1, facts)
    assert "yes 0.910, no 0.876" in card
    assert "1045 of 2947 keywords, with 4 false alarms in 4.47 h" in card
    assert "600 utterances of 34 speakers" in card
    assert "31 recordings of street, 31 recordings of machinery" in card
    assert "0.53 h of different speech by 5 speakers and 1.46 h of different noise" in card
    assert "too narrow" in card


def test_only_what_was_measured_is_said_of_speed(facts):
    bare = stream_card("t", DESCRIBED, 1, facts)
    assert "Memory was not measured." in bare
    assert "Exported files were not measured." in bare
    assert "ms)" not in bare.split("## Speed and size")[1].split("##")[0]
    card = stream_card("t", DESCRIBED, 1, facts, EXPORTED, SPEED)
    for part in ("1.111", "0.00694", "99,123", "98.7", "18 of 20", "0.00777", "a CPU", "60 s of made speech"):
        assert part in card
    assert "| ONNX | 10 ms" in card
    assert "not measured" not in card
