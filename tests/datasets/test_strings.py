"""Strings of words: what is said, where, how loud; that draws depend on names alone; one word cut and joined."""

import dataclasses

import numpy as np
import pytest

from drsn_audio.config import ConfigError, StringsConfig
from drsn_audio.datasets.connect import AFTER_S, BEFORE_S, connect, cut_word
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.strings import LEVEL_DB, TAIL_S, TrainingStrings
from drsn_audio.decoding.units import Units
from drsn_audio.labels import BLANK, UNKNOWN

RATE = 16000
UNITS = Units("words", [BLANK, "low", "mid", UNKNOWN])  # "high" is another word
SIZE = 5 * RATE


@pytest.fixture
def strings(config, task):
    store = AudioStore(RATE)

    def make(seed=0, manifests=None, speech=(), augment=None, units=UNITS, size=SIZE, **given):
        wanted = StringsConfig(rows=8, **given)
        plain = dataclasses.replace(config.augment, silence_share=0.0, speed=[1.0, 1.0], **(augment or {}))
        cuts = manifests or [read_cuts([task.train])]
        return TrainingStrings(
            cuts, speech, units, NoisePool(config.data.noise_train, store), store, size, wanted, plain, seed
        )

    return make


def test_every_span_holds_its_word_and_the_rest_is_silence(strings, say):
    data = strings(gap_s=[0.05, 0.3], pause_share=0.0, level_spread_db=0.0)
    for index in range(8):
        example = data[0, index]
        assert len(example.target) == len(example.spans) >= 5
        outside = np.ones(SIZE, bool)
        names = example.id.split(": ")[1].split(", ")
        for label, (start, end), name in zip(example.target, example.spans, names, strict=True):
            word, speaker = name.split("/")
            assert UNITS.labels[label] == (word if word in UNITS.index else UNKNOWN)
            heard, said = example.speech[start:end], say(word, speaker)
            assert np.correlate(heard / np.linalg.norm(heard), said / np.linalg.norm(said), "full").max() > 0.97
            _, first, last = cut_word(said, RATE)
            assert end - start == pytest.approx(last - first, abs=3)
            outside[max(0, start - round(BEFORE_S * RATE)) : end + round(AFTER_S * RATE) + 1] = False
        assert not example.speech[outside].any()
        assert example.spans[-1][1] <= SIZE - TAIL_S * RATE
        assert (example.start, example.start + example.length) == (
            example.speech.nonzero()[0][0],
            example.speech.nonzero()[0][-1] + 1,
        )


def test_words_have_the_level_that_the_snr_refers_to(strings, task):
    data = strings(level_spread_db=0.0)
    cut = next(iter(read_cuts([task.train])))
    wave, _, _ = data._word(cut, np.random.default_rng(0))
    measured = 10 * np.log10(np.mean(np.square(cut_word(data.draws.store(cut), RATE)[0]) / np.mean(np.square(wave))))
    assert measured == pytest.approx(cut.custom["active_level_db"] - LEVEL_DB, abs=0.01)
    assert data[0, 0].speech_level_db == LEVEL_DB


def test_draws_depend_on_seed_epoch_and_row_alone(strings):
    one, other = strings(), strings()
    _ = other[3, 1]
    for key in ((0, 2), (1, 2)):
        np.testing.assert_array_equal(one[key].speech, other[key].speech)
        assert one[key].id == other[key].id
    assert one[0, 2].id != one[1, 2].id
    assert one[0, 2].id != strings(seed=1)[0, 2].id


def test_labels_come_equally_often_whatever_the_corpus_and_unknown_as_asked(strings, task):
    cuts = read_cuts([task.train])
    uneven = [cut for cut in cuts if cut.supervisions[0].text != "low"] * 9
    uneven = [cut.with_id(f"{cut.id}-{number}") for number, cut in enumerate(uneven)]
    data = strings(manifests=[cuts, uneven], unknown_share=0.2, weights=[1.0, 3.0])
    drawn = np.concatenate([data[epoch, row].target for epoch in range(8) for row in range(8)])
    shares = np.bincount(drawn, minlength=4)[1:] / len(drawn)
    np.testing.assert_allclose(shares, [0.4, 0.4, 0.2], atol=0.09)


def test_silence_and_running_speech(strings, task):
    assert strings(augment={}, unknown_share=0.1)[0, 0].target
    quiet = strings()
    quiet.draws.augment = dataclasses.replace(quiet.draws.augment, silence_share=1.0)
    example = quiet[0, 0]
    assert example.silence
    assert example.target == ()
    assert not example.speech.any()
    cuts = read_cuts([task.test])
    spoken = strings(speech=cuts, speech_share=1.0)[0, 0]
    assert len(spoken.target) == 1
    assert spoken.spans == ()
    assert spoken.speech.any()


def test_what_cannot_be_strung_is_refused(strings, task):
    low = [cut for cut in read_cuts([task.train]) if cut.supervisions[0].text == "low"]
    with pytest.raises(ConfigError, match="no recording of mid, unknown"):
        strings(manifests=[low])
    with pytest.raises(ConfigError, match="weights"):
        strings(weights=[1.0, 2.0])
    with pytest.raises(ConfigError, match="stretch_s"):
        strings(size=RATE)
    with pytest.raises(ConfigError, match="units"):
        strings(units=Units("characters", [BLANK, "A", "|"]))
    with pytest.raises(ConfigError, match=r"unknown_share=0\.12: 'unknown' is no label"):
        strings(units=Units("words", [BLANK, "low", "mid"]))
    for wrong in ({"pause_share": 1.5}, {"unknown_share": -0.1}, {"gap_s": [0.5, 0.1]}, {"pause_s": [-1.0, 1.0]}):
        with pytest.raises(ConfigError, match=f"data.strings.{next(iter(wrong))}"):
            strings(**wrong)
    with pytest.raises(ConfigError, match=r"strings\.speech"):
        strings(speech_share=0.5)


def test_a_word_is_cut_to_its_sound_and_fades():
    wave = np.zeros(RATE, np.float32)
    wave[6000:9000] = np.sin(np.arange(3000) / 5)
    kept, start, end = cut_word(wave, RATE)
    assert len(kept) == pytest.approx(3000 + (BEFORE_S + AFTER_S) * RATE, abs=250)
    assert end - start == pytest.approx(3000, rel=0.05)
    constant, _, _ = cut_word(np.ones(800, np.float32), RATE)
    assert constant[0] == constant[-1] == 0
    assert len(cut_word(np.ones(1, np.float32), RATE)[0]) == 1


def test_connected_words_and_where_they_begin():
    wave, starts = connect([np.ones(3, np.float32), np.full(2, 2, np.float32)], [1, 2, 4])
    assert wave.tolist() == [0, 1, 1, 1, 0, 0, 2, 2, 0, 0, 0, 0]
    assert starts == [1, 6]
