"""A denoiser's card: every number that stands in it is of run.json, of an export's report or of recognition.json."""

import pytest

from drsn_audio.errors import InputError
from drsn_audio.reports.denoise_card import denoise_card
from drsn_audio.reports.denoised import recognition_table, recognition_words

DESCRIBED = {
    "model": {
        "preset": "100k",
        "shrinkage": "cw-frequency",
        "clip_s": 1.0,
        "gain_floor": 0.1,
        "frontend": {"sample_rate": 16000, "window_ms": 32.0, "hop_ms": 16.0},
    },
    "parameters": 98_767,
    "multiply_adds": 151_245_360,
    "licence": "MIT",
    "started_from": [{"command": "python t.py first.yaml", "commit": "fedcba987654", "seed": 5, "step": 77}],
    "command": "python t.py second.yaml",
    "commit": "0123456789ab",
    "seed": 7,
    "step": 99,
    "sha256": "ef" * 32,
    "training_data": [
        {
            "name": "ESC-10",
            "terms": "CC BY 3.0",
            "source": "https://example.org",
            "credit": "K. Piczak",
            "recordings": {"training": 1072},
        }
    ],
}
STEP = {"step_ms": 16.0, "median_ms": 0.4567, "real_time_factor": 0.02854}
EXPORTED = {
    "sound": "made speech",
    "seconds": 60.0,
    "machine": {"platform": "an OS", "processor": "a CPU"},
    "torch": STEP | {"median_ms": 1.2345},
    "float": STEP | {"bytes": 456_789, "max_gain_difference": 1.23e-5, "difference_db": -98.7},
}


def heard(recogniser, measure, front, value, difference=(0.0, 0.0, 0.0)):
    conditions = [
        {"noise_kind": kind, "snr_db": snr, measure: value + extra}
        for kind, snr, extra in (("street", 5.0, 0.1), ("mean", 5.0, 0.0), ("clean", None, 0.2))
    ]
    against = dict(zip(("difference", "low", "high"), difference, strict=True))
    return {
        "recogniser": recogniser,
        "measure": measure,
        "heard": front,
        "conditions": conditions,
        "against_noisy": against,
    }


@pytest.fixture
def recognition():
    return {
        "schema": 1,
        "kind": "denoised recognition",
        "command": "python recipes/denoise/recognise.py",
        "commit": "abc",
        "seed": 0,
        "draws": 1,
        "denoiser": {"sha256": "ef" * 32},
        "data": {
            **{kind: {"manifest": f"{kind}.jsonl.gz", "sha256": "12" * 32} for kind in ("keywords", "words")},
            "every": 1,
            "noise": {"manifest": "noise.jsonl.gz", "sha256": "34" * 32, "folds": [1, 2], "recordings": 9},
        },
        "rows": [
            heard("names", "accuracy", "noisy", 0.7),
            heard("names", "accuracy", "denoised", 0.6, (-0.1, -0.15, -0.05)),
            heard("writes", "wer", "noisy", 0.3),
            heard("writes", "wer", "denoised", 0.35, (0.05, 0.01, 0.09)),
            heard("writes", "wer", "blend 0.5", 0.31, (0.01, -0.01, 0.03)),
        ],
    }


@pytest.fixture
def card(denoising_facts, recognition):
    denoising_facts["machine"] = {"platform": "Linux", "processor": "x86_64"}
    return denoise_card("quiet-1", DESCRIBED, 212_345, denoising_facts, EXPORTED, recognition)


def test_what_it_is_and_where_it_comes_from(card):
    assert card.startswith("# quiet-1\n\nTakes noise off speech")
    for part in (
        "98,767",
        "151,245,360",
        "212,345 bytes",
        "0123456789ab, 7, 99",
        "ef" * 32,
        "32 ms, the window",
        "one for each frequency of each 16 ms, from 0.1 (-20 dB) to 1",
        "first trained at commit fedcba987654, seed 5, to step 77",
        "K. Piczak",
        "1,072 training",
        "drsn-audio denoise noisy.wav -o clean.wav --model quiet-1",
        "drsn-audio stream mic --denoise --model quiet-1",
        "drsn-audio export quiet-1 --onnx quiet-1.onnx",
        'drsn_audio.load("quiet-1")',
        "the speakers of the test are 4 of LibriSpeech",
    ):
        assert part in card


def test_what_was_measured(card):
    results, rest = card.split("## Results")[1].split("## Clean speech, silence, noise alone")
    for part in (
        "SI-SDR in dB; mean of all noise kinds, 8 trials.",
        "STOI, 0 to 1; mean of all noise kinds",
        "16.0 [15.0, 17.0]",
        "more than the noisy speech has; street",
        "ours less each other system",
        "6.0 [5.0, 7.0]",
        "- WebRTC: library webrtc-noise-gain",
    ):
        assert part in results
    assert "PESQ, 1" not in results  # no value of it
    assert "STOI, 0 to 1; street" not in results  # in table.md of the recipe
    edges, rest = rest.split("## Speed")
    assert "25.0 [24.0, 26.0]" in edges
    assert "real-time factor" not in edges
    speed = rest.split("## In front of a recogniser")[0]
    for part in ("Linux, x86_64", "0.0123", "an OS, a CPU", "457", "1.234", "0.457", "0.0285", "1.2e-05", "-99"):
        assert part in speed
    assert "8 bits" not in speed  # there is none


def test_bad_at_follows_from_the_numbers(denoising_facts):
    def bad_at():
        return denoise_card("quiet-1", DESCRIBED, 1, denoising_facts).split("## Bad at")[1].split("## Not tested")[0]

    assert "- Least SI-SDR gained: drills at 10 dB (5.0 dB), drills at -5 dB (5.0 dB), street at 10 dB" in bad_at()
    assert "- Least SI-SDR left: drills at -5 dB (0.0 dB), street at -5 dB (2.0 dB)" in bad_at()
    assert "below that of" not in bad_at()
    assert "Better" not in bad_at()
    for one in denoising_facts["conditions"]:
        if (one["system"], one["noise_kind"], one["snr_db"]) == ("ours", "street", -5.0):
            one["stoi"]["mean"] = 0.65
    denoising_facts["differences"][2] |= {"system": "WebRTC", "difference": -0.02, "low": -0.03, "high": -0.01}
    assert "- STOI below that of the noisy speech: street at -5 dB (0.650, noisy 0.710)." in bad_at()
    assert "- Better, over all noise kinds and SNRs: WebRTC in STOI (0.0200 [0.0100, 0.0300] more)." in bad_at()


def test_recognition_is_told_as_it_came_out(card, recognition):
    told = card.split("## In front of a recogniser")[1].split("## Bad at")[0]
    assert "makes it worse for names (keywords, denoised), writes (connected words, denoised)." in told
    assert "No sure difference, for its interval holds 0: writes (connected words, blend 0.5)." in told
    assert "So let recognisers hear the noisy sound itself." in told
    assert "9 recordings of `noise.jsonl.gz` (sha256 343434343434, folds 1, 2)" in told
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in recognition_table(recognition).splitlines()]
    assert rows[0] == ["recogniser", "heard", "5 dB", "clean", "against noisy, mean over noise"]
    assert rows[3] == ["names, % right", "denoised", "60.0", "80.0", "-10.0 [-15.0, -5.0]"]
    assert rows[2][4] == ""
    # The other way about.
    recognition["rows"][1]["against_noisy"] = {"difference": 0.1, "low": 0.05, "high": 0.15}
    recognition["rows"][3]["against_noisy"] = {"difference": -0.1, "low": -0.15, "high": -0.05}
    told = recognition_words(recognition)
    assert "makes it better for names (keywords, denoised), writes (connected words, denoised)." in told
    assert "worse" not in told
    assert "So let" not in told


def test_without_an_interval_nothing_is_sure(recognition):
    nothing = float("nan")
    recognition["rows"] = [
        heard("names", "accuracy", "noisy", 0.7),
        heard("names", "accuracy", "denoised", 0.6, (-0.1, nothing, nothing)),
    ]
    assert "No sure difference" in recognition_words(recognition)
    assert "-10.0 [n/a]" in recognition_table(recognition)


def test_what_was_not_measured_is_said_to_be_so(denoising_facts):
    card = denoise_card("quiet-1", DESCRIBED, 1, denoising_facts | {"edges": []})
    assert "A stream and its ONNX form: not measured." in card
    assert card.count("Not measured.") == 2  # the edges, recognition
    with pytest.raises(InputError, match="not of denoising"):
        denoise_card("quiet-1", DESCRIBED, 1, {"kind": "transcription"})
    with pytest.raises(InputError, match="not of recognition behind a denoiser"):
        recognition_words(denoising_facts)
