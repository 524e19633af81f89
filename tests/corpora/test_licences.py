"""Whose recordings a cut is, by what every copy of a corpus shares: the ids that prepare gives."""

from types import SimpleNamespace

import pytest

from drsn_audio.corpora.licences import LICENCES, corpus_of


@pytest.mark.parametrize(
    ("id", "noise_class", "corpus"),
    [
        ("yes/0a7c2a8d_nohash_0", None, "speech-commands"),
        ("background/doing_the_dishes", "doing_the_dishes", "speech-commands"),
        ("7_george_12", None, "free-spoken-digits"),
        ("84-121550-0008@3", None, "librispeech"),
        ("102858-5-0-0", "engine_idling", "urbansound8k"),
        ("1-116765-A", "chainsaw", "esc-10"),
        ("1-17367-A-10", "rain", "esc-10"),
        ("3-155642-A-11", "engine", "esc-50"),
        ("open gate/en-029+m4-p31-r207-i39", None, "voices"),
        ("street-0-0012", "street", "synthetic-noise"),
        ("background/102858-5-0-0", "background", None),  # somebody's folder of that name
        ("anna_1", None, None),
        ("street/hall-3", "hall", None),
    ],
)
def test_corpus_by_id_and_class(id, noise_class, corpus):
    custom = {"noise_class": noise_class} if noise_class else None
    assert corpus_of(SimpleNamespace(id=id, custom=custom)) == corpus


def test_what_may_be_shipped():
    assert {name for name, licence in LICENCES.items() if licence.shippable} == {
        "speech-commands", "librispeech", "esc-10", "voices", "synthetic-noise"
    }  # fmt: skip
    assert not any(licence.shippable for licence in LICENCES.values() if "NC" in licence.terms)
