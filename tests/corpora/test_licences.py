"""Whose recordings a cut is, by what every copy of a corpus shares: the ids that prepare gives."""

from types import SimpleNamespace

import pytest

from drsn_audio.corpora.licences import IDS, LICENCES, corpus_of, may_ship, recordings_of

CASES = [
    ("yes/0a7c2a8d_nohash_0", None, "speech-commands"),
    ("background/doing_the_dishes", "doing_the_dishes", "speech-commands"),
    ("7_george_12", None, "free-spoken-digits"),
    ("84-121550-0008@3", None, "librispeech"),
    ("84-121550-0008", None, "librispeech"),
    ("noise-free-sound-0007", "free-sound", "musan"),
    ("music-hd-classical-0011", "baroque", "musan"),
    ("pointsource/noise-free-sound-0007", "foreground", "musan"),
    ("STRAFFIC/ch01", "STRAFFIC", "demand"),
    ("noisex-92/factory1", "factory1", "noisex-92"),
    ("b020_90_100", "beach", "tut-scenes"),
    ("isotropic/RVB2014_type1_noise_largeroom1_1", "isotropic", "openslr-28"),
    ("small/Room001-00017", None, "openslr-28"),
    ("102858-5-0-0", "engine_idling", "urbansound8k"),
    ("1-116765-A", "chainsaw", "esc-10"),
    ("1-17367-A-10", "rain", "esc-10"),
    ("3-155642-A-11", "engine", "esc-50"),
    ("open gate/en-029+m4-p31-r207-i39", None, "voices"),
    ("street-0-0012", "street", "synthetic-noise"),
    ("background/102858-5-0-0", "background", None),  # somebody's folder of that name
    ("anna_1", None, None),
    ("street/hall-3", "hall", None),
]


@pytest.mark.parametrize(("id", "noise_class", "corpus"), CASES)
def test_corpus_by_id_and_class(id, noise_class, corpus):
    custom = {"noise_class": noise_class} if noise_class else None
    assert corpus_of(SimpleNamespace(id=id, custom=custom)) == corpus


@pytest.mark.parametrize("id", [case[0] for case in CASES])
def test_no_id_is_of_two_corpora(id):
    assert sum(bool(pattern.fullmatch(id)) for pattern in IDS.values()) <= 1


def test_what_may_be_shipped():
    assert {name for name, licence in LICENCES.items() if licence.shippable} == {
        "speech-commands", "librispeech", "esc-10", "voices", "synthetic-noise", "openslr-28"
    }  # fmt: skip
    assert not any(licence.shippable for licence in LICENCES.values() if "NC" in licence.terms)


def test_share_alike_is_passed_on():
    assert may_ship("free-spoken-digits", "CC BY-SA 4.0")
    assert not may_ship("free-spoken-digits", "MIT")
    assert may_ship("speech-commands", "MIT")
    assert may_ship("speech-commands", "CC BY-SA 4.0")
    assert not may_ship("urbansound8k", "CC BY-SA 4.0")


def test_connected_words_are_of_all_their_recordings():
    words = [{"utterance": "left/0a7c2a8d_nohash_0"}, {"utterance": "7_george_12"}, {"utterance": "mine"}]
    string = SimpleNamespace(id="dev-0001", custom={"words": words}, recording=SimpleNamespace(id="dev-0001"))
    assert recordings_of(string) == [
        ("left/0a7c2a8d_nohash_0", "speech-commands"), ("7_george_12", "free-spoken-digits"), ("mine", None)
    ]  # fmt: skip
    window = SimpleNamespace(id="84-121550-0008@3", custom=None, recording=SimpleNamespace(id="84-121550-0008"))
    assert recordings_of(window) == [("84-121550-0008", "librispeech")]
