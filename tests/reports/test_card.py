"""A model's card: every number that stands in it is one of run.json or of the checkpoint's JSON."""

import pytest

from drsn_audio.reports.card import model_card

SHARES = {"false_accepts": 0.1234, "misses": 0.0567}
DESCRIBED = {
    "labels": ["yes", "no", "up", "unknown", "silence"],
    "model": {"preset": "300k", "shrinkage": "cw-frequency", "clip_s": 1.0, "frontend": {"sample_rate": 16000}},
    "parameters": 290585,
    "multiply_adds": 30092168,
    "licence": "MIT",
    "command": "python recipes/keywords/train.py --config c.yaml",
    "commit": "0123456789ab",
    "seed": 7,
    "step": 99,
    "sha256": "ab" * 32,
    "other_words": ["bird", "cat"],
    "calibration": {"temperature": 1.234, "reject_below": 0.456, "false_accept_rate": 0.05},
    "training_data": [
        {
            "corpus": "esc-10",
            "name": "ESC-10",
            "terms": "CC BY 3.0",
            "source": "https://example.org",
            "credit": "K. Piczak",
            "shippable": True,
            "recordings": {"training": 1072, "development": 48},
        }
    ],
}


def detailed(facts):
    """With what an evaluation adds for the card."""
    classes = [("siren", 0.4, 2), ("drilling", 0.9, 9), ("car_horn", 0.3, 5), ("jackhammer", 0.5, 1), ("rain", 0.1, 7)]
    return facts | {
        "keywords_alone": facts["conditions"],
        "noise_classes": [
            {"noise_kind": "street", "noise_class": name, "snr_db": snr_db, "accuracy": a, "noise_recordings": n}
            for name, a, n in classes
            for snr_db in ((0.0,) if name != "rain" else (-5.0,))
        ],
        "other_words": [
            {"word": "tree", "trials": 50, "accepted": 5},
            {"word": "bird", "trials": 10, "accepted": 4},
            {"word": "cat", "trials": 40, "accepted": 0},
        ],
        "rejection": [
            {
                "noise_kind": "clean",
                "snr_db": None,
                "keyword_trials": 120,
                "other_trials": 80,
                "without": {"false_accepts": 0.4321, "misses": None},
                "with": SHARES,
            }
        ],
    }


@pytest.fixture
def card(facts, other_facts):
    del other_facts["model"]["parameters"]
    other_facts["model"] |= {"name": "pocketsphinx", "shrinkage": "", "settings": {"version": "5.1.1"}}
    street, machinery = (
        next(c for c in facts["conditions"] if (c["noise_kind"], c["snr_db"]) == (kind, 0.0))
        for kind in ("street", "machinery")
    )
    street["confusion"] = [[30, 10, 0, 0, 0], [0, 40, 0, 0, 0], [0, 0, 38, 2, 0], [0, 0, 0, 40, 0], [0, 0, 0, 1, 39]]
    machinery["confusion"] = [[30, 9, 0, 1, 0], [0, 40, 0, 0, 0], [0, 0, 40, 0, 0], [0, 0, 0, 40, 0], [0, 0, 0, 0, 40]]
    return model_card("words-3", DESCRIBED, 603_887, detailed(facts), [detailed(other_facts)], {"A part": facts})


def test_what_it_is_and_where_it_comes_from(card):
    assert card.startswith("# words-3\n\nWhich of 3 words (yes, no, up)")
    for part in ("290,585", "30,092,168", "603,887 bytes", "0123456789ab, 7, 99", "ab" * 32, "CC BY 3.0", "K. Piczak"):
        assert part in card
    assert "1,072 training, 48 development" in card
    assert 'drsn_audio.load("words-3")' in card
    assert "drsn-audio classify sound.wav --model words-3" in card


def test_the_peer_stands_in_the_same_tables(card):
    results, alone, part, _ = card.split("\n### ")[0], *card.split("\n### ")[1:3], None
    for table in (results, alone):
        assert "| street    | pocketsphinx" in table
        assert "| mean      | small (cw-frequency)" in table
    assert "pocketsphinx: the US English model" in results
    assert "Settings: version 5.1.1." in results
    assert part.startswith("A part")
    assert "pocketsphinx" not in part.split("## ")[0]


def test_bad_at_takes_both_kinds_at_0_db(card):
    assert "- Labels, street and machinery at 0 dB: yes (75.0 % found), up (97.5 % found)" in card
    assert "yes taken for no (19 of 80), up taken for unknown (2 of 80)" in card
    noise = "car_horn (30.0 %, 5 recordings), siren (40.0 %, 2 recordings), jackhammer (50.0 %, 1 recordings)"
    assert f"- Noise at 0 dB: {noise}." in card
    assert (
        "in 9 of 100 trials, most often bird (4 of 10), tree (5 of 50). In training it never heard tree; the rest"
        in card
    )


def test_rejection_as_measured(card):
    assert "divided by 1.234" in card
    assert "less probable than 0.456" in card
    assert "| clean |                        43.2 |    12.3 |                  n/a |     5.7 |" in card
    assert "of 80 clips without a word of its own" in card


def test_without_a_threshold_it_says_so(facts):
    plain = {key: value for key, value in DESCRIBED.items() if key != "calibration"}
    assert "No reject threshold was chosen" in model_card("m", plain, 1, detailed(facts) | {"rejection": []})
