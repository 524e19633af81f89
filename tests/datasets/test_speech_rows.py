"""Rows of speech for a denoiser: one speaker, known level, noise at the drawn SNR; draws depend on names alone."""

import dataclasses

import numpy as np
import pytest
import torch

from drsn_audio.config import ConfigError, RowsConfig
from drsn_audio.corpora.cuts import SpeechFile
from drsn_audio.corpora.prepare import prepare
from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.speech_rows import LEVEL_DB, MOST_GAIN_DB, TrainingRows

RATE = 16000
SIZE = 2 * RATE


@pytest.fixture
def rows(config, task):
    store = AudioStore(RATE)

    def make(seed=0, manifests=None, augment=None, size=SIZE, **given):
        plain = dataclasses.replace(config.augment, **{"silence_share": 0.0, "speed": [1.0, 1.0], **(augment or {})})
        cuts = manifests or [read_cuts([task.train])]
        wanted = RowsConfig(count=12, **given)
        return TrainingRows(cuts, NoisePool(config.data.noise_train, store), store, size, wanted, plain, seed)

    return make


@pytest.fixture
def long(tmp_path):
    """A manifest of one utterance of 5 s whose level changes every second."""
    import soundfile as sf

    rng = np.random.default_rng(0)
    wave = 0.05 * rng.standard_normal(5 * RATE) * np.repeat([1, 0.5, 1, 2, 1], RATE)
    sf.write(tmp_path / "long.wav", wave, RATE, subtype="FLOAT")
    files = [SpeechFile("long", tmp_path / "long.wav", "train", "text", "gil")]
    return read_cuts([prepare("long", tmp_path, files, progress=False).manifests["train"]])


def test_a_row_holds_recordings_of_one_speaker_with_gaps(rows, say):
    data = rows(gap_s=[0.1, 0.2])
    for index in range(12):
        example = data[0, index]
        names = example.id.split(": ")[1].split(", ")
        words, speakers = zip(*(name.split("/") for name in names), strict=True)
        assert len(set(speakers)) == 1
        assert len(words) >= 4
        assert 0.1 * RATE <= example.start <= 0.2 * RATE
        assert not example.speech[: example.start].any()
        said = say(words[0], speakers[0])
        heard = example.speech[example.start : example.start + len(said)]
        assert np.corrcoef(heard, said)[0, 1] > 0.9999
        assert not example.speech[example.start + len(said) :][: round(0.1 * RATE)].any()
        assert len(example.speech) == SIZE
        assert example.target == 0


def test_speech_has_the_level_that_the_snr_refers_to(rows, task):
    """Each recording is brought from its own level to LEVEL_DB, but raised by no more than MOST_GAIN_DB."""
    data = rows()
    cut = read_cuts([task.train])[0]
    wave = data.draws.store(cut)
    rng = np.random.default_rng(0)
    for level_db, gain_db in ((cut.custom["active_level_db"], LEVEL_DB - cut.custom["active_level_db"]), (-90.0, 40.0)):
        cut.custom["active_level_db"] = level_db
        ours = data._excerpt(cut, 1, rng, anywhere=True)
        assert 20 * np.log10(np.abs(ours).max() / np.abs(wave).max()) == pytest.approx(gain_db, abs=1e-3)
    assert MOST_GAIN_DB == 40
    assert data[0, 0].speech_level_db == LEVEL_DB


def test_a_long_utterance_begins_anywhere_and_fills_the_row(rows, long):
    data = rows(manifests=[long], gap_s=[0, 0])
    wave = data.draws.store(long[0])
    begins = []
    for index in range(12):
        row = data[0, index].speech
        match = np.correlate(wave, row[:4000], "valid")
        begins.append(int(match.argmax()))
        part = wave[begins[-1] : begins[-1] + SIZE]
        assert np.corrcoef(row[: len(part)], part)[0, 1] > 0.999
    assert len(set(begins)) > 6
    assert max(begins) - min(begins) > RATE


def test_draws_depend_on_seed_epoch_and_row_alone(rows):
    one, other = rows(), rows()
    _ = other[3, 1]
    for key in ((0, 2), (1, 2)):
        np.testing.assert_array_equal(one[key].speech, other[key].speech)
        np.testing.assert_array_equal(one[key].noise, other[key].noise)
    assert one[0, 2].id != one[1, 2].id
    assert one[0, 2].id != rows(seed=1)[0, 2].id


def test_manifests_are_drawn_by_their_weights(rows, task, long):
    data = rows(manifests=[read_cuts([task.train]), long], weights=[1, 3])
    share = np.mean(["long" in data[epoch, index].id for epoch in range(10) for index in range(12)])
    assert share == pytest.approx(0.75, abs=0.12)


def test_noise_alone_has_the_drawn_level_and_nothing_to_give_back(rows):
    data = rows(augment={"silence_share": 1.0, "silence_db": [-40.0, -40.0]})
    noisy, clean = collate([data[0, index] for index in range(4)]).mix_and_speech()
    assert not clean.any()
    levels = 10 * torch.log10(noisy.square().mean(1))
    torch.testing.assert_close(levels, torch.full((4,), -40.0), rtol=0, atol=0.05)


def test_the_speech_of_a_mix_is_in_it_at_the_drawn_snr(rows):
    """noisy - clean is the noise: so much below the speech as was drawn, equaliser and gain on both."""
    data = rows(augment={"clean_share": 0.0, "snr_db": [5.0, 5.0], "gain_db": [-12.0, -12.0]})
    batch = collate([data[0, index] for index in range(4)])
    noisy, clean = batch.mix_and_speech()
    assert torch.equal(noisy, batch.mix())
    torch.testing.assert_close(clean, batch.speech * 10 ** (-12 / 20))
    for row, (start, length) in enumerate(zip(batch.start.tolist(), batch.length.tolist(), strict=True)):
        left = (noisy - clean)[row, start : start + length]
        assert 10 * torch.log10(left.square().mean()).item() == pytest.approx(LEVEL_DB - 12 - 5, abs=0.01)
    clear, same = batch.mix_and_speech(float("inf"))
    torch.testing.assert_close(clear, same)


def test_the_equaliser_of_a_place_is_on_mix_and_speech(rows):
    data = rows(augment={"clean_share": 1.0, "mix_equaliser_db": 6.0})
    batch = collate([data[0, index] for index in range(4)])
    noisy, clean = batch.mix_and_speech()
    torch.testing.assert_close(noisy, clean, rtol=0, atol=1e-6)
    assert (clean - batch.speech * 10 ** (batch.gain_db[:, None] / 20)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": [1, 2]}, "data.rows.weights=[1, 2]: give a positive number for each of data.train"),
        ({"weights": [0]}, "give a positive number"),
        ({"gap_s": [0.5, 0.1]}, "data.rows.gap_s=[0.5, 0.1]: give the shortest and the longest"),
    ],
)
def test_settings_that_make_no_sense(rows, given, message):
    with pytest.raises(ConfigError) as caught:
        rows(**given)
    assert message in str(caught.value)
