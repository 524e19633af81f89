"""Rooms, further noises and devices: drawn by names alone, off unless asked, and the SNR still what was asked."""

import dataclasses
import math

import numpy as np
import pytest
import soundfile as sf
import torch
from torch.utils.data import DataLoader

from drsn_audio.config import AugmentConfig, ConfigError, DataConfig, NoiseSource
from drsn_audio.corpora.responses import ResponseFile, prepare_responses
from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.keyword import TrainingClips, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.noise.level import active_level, rms_db
from drsn_audio.noise.recorder import DeviceEffects, apply_effects

RATE, N = 16000, 8000
LABELS = ["low", "mid", "high", "silence"]
PLAIN = AugmentConfig(
    snr_law="fixed",
    snr_db=[5.0],
    clean_share=0.0,
    gain_db=[0.0, 0.0],
    speed=[1.0, 1.0],
    noise_speed=[1.0, 1.0],
    noise_equaliser_db=0.0,
    mix_equaliser_db=0.0,
    shift_ms=0.0,
)
EVERYTHING = dataclasses.replace(
    AugmentConfig(), noises=3, reverb_share=0.5, band_share=0.5, clip_share=0.5, mu_law_share=0.5
)


@pytest.fixture(scope="module")
def store():
    return AudioStore(RATE)


@pytest.fixture(scope="module")
def rooms(store, tmp_path_factory):
    """Three: exponential decays of 0.3 s after a direct sound, which is at sample 100, 200 or 300."""
    folder, files = tmp_path_factory.mktemp("rooms"), []
    for place in (1, 2, 3):
        response = np.zeros(RATE // 2)
        decay = 10 ** (-3 * np.arange(len(response) - 100 * place) / RATE / 0.3)
        response[100 * place :] = 0.1 * decay * np.random.default_rng(place).standard_normal(len(decay))
        response[100 * place] = 0.5
        sf.write(folder / f"{place}.wav", response, RATE, subtype="FLOAT")
        files.append(ResponseFile(f"room{place}", folder / f"{place}.wav", "a", 0.3, 1.0))
    return RoomPool([str(prepare_responses("rooms", folder, files, progress=False).manifests["responses"])], store)


@pytest.fixture(scope="module")
def make(task, store, rooms):
    clips = keyword_clips(read_cuts([task.train]), LABELS, DataConfig(silence_share=0.25))
    noise = NoisePool([NoiseSource(str(task.noise))], store)

    def dataset(augment, seed=0, level="p56", rooms=rooms):
        return TrainingClips(clips, noise, store, N, augment, seed, rooms, level)

    return dataset


def batch_of(dataset, epoch=0):
    return collate([dataset[epoch, index] for index in range(len(dataset.clips))])


def spans(batch, wave):
    pairs = zip(wave, batch.start.tolist(), batch.length.tolist(), strict=True)
    return [row[start : start + length].numpy() for row, start, length in pairs]


def test_all_is_off_by_default(make):
    for example in (make(AugmentConfig())[0, index] for index in range(12)):
        assert example.further == ()
        assert example.reverb is None
        assert example.effects == DeviceEffects()


def test_what_is_drawn_around_a_clip_moves_nothing_else(make):
    for epoch in range(3):
        for index in range(12):
            plain, full = make(AugmentConfig())[epoch, index], make(EVERYTHING)[epoch, index]
            for field in plain._fields[:13]:
                assert np.array_equal(getattr(plain, field), getattr(full, field)), field
    # Nor does one of the options move another.
    less = dataclasses.replace(EVERYTHING, noises=1, clip_share=0.0)
    for index in range(12):
        some, full = make(less)[0, index], make(EVERYTHING)[0, index]
        assert some.effects == dataclasses.replace(full.effects, clip_db=None)
        assert (some.reverb is None) == (full.reverb is None)


def test_draws_stay_what_they_were(make):
    # Of the release before rooms and devices: results that were published with it can be had again.
    example = make(AugmentConfig(), seed=3)[2, 4]
    drawn = example.start, example.length, round(example.snr_db, 6), round(example.gain_db, 6), example.noise_source
    assert drawn == (0, 4564, 0.27311, 3.70894, "machinery/machinery3")


def test_all_depends_on_seed_epoch_and_id_alone(make):
    first, again = make(EVERYTHING), make(EVERYTHING)
    mixes = [collate([first[7, index]]).mix()[0] for index in range(12)]
    for index in reversed(range(12)):
        torch.testing.assert_close(collate([again[7, index]]).mix()[0], mixes[index], atol=0, rtol=0)
    together = batch_of(first, 7).mix()
    torch.testing.assert_close(together, torch.stack(mixes), atol=3e-4, rtol=0.05)  # a mu-law step at most
    assert not torch.equal(batch_of(first, 8).mix(), together)
    assert together.isfinite().all()


@pytest.mark.parametrize("level", ["p56", "rms"])
def test_the_snr_is_that_of_the_reverberant_speech(make, level):
    batch = batch_of(make(dataclasses.replace(PLAIN, reverb_share=1.0), level=level))
    heard, _ = batch.heard_speech()
    part = batch.mix() - heard
    changed = []
    for row, (wet, dry, noise) in enumerate(
        zip(spans(batch, heard), spans(batch, batch.speech), spans(batch, part), strict=True)
    ):
        if batch.silence[row]:
            assert not wet.any()
            continue
        place = active_level(wet, RATE).active_db if level == "p56" else rms_db(wet)
        assert place - rms_db(noise) == pytest.approx(5, abs=0.01)
        before = active_level(dry, RATE).active_db if level == "p56" else rms_db(dry)
        changed.append(abs(place - before))
    assert len(changed) == 9
    assert min(changed) > 0.1  # so that the level of the dry speech would have given another SNR


def test_the_direct_sound_stays_where_it_was(make):
    batch = batch_of(make(dataclasses.replace(PLAIN, reverb_share=1.0)))
    assert set(batch.direct.tolist()) == {100, 200, 300}
    clicks = batch.start[:9] + 1000
    batch.speech = torch.zeros_like(batch.speech)
    batch.speech[range(9), clicks] = 0.2
    heard = batch.heard_speech()[0][:9]
    assert torch.equal(heard.abs().argmax(1), clicks)
    assert heard[range(9), clicks].numpy() == pytest.approx(np.full(9, 0.2), abs=1e-5)


def test_rows_without_a_room_are_untouched(make):
    batch = batch_of(make(dataclasses.replace(PLAIN, reverb_share=0.5)))
    heard, level_db = batch.heard_speech()
    dry = [row for row in range(12) if row not in batch.reverb_rows.tolist()]
    assert 2 < len(batch.reverb_rows) < 9
    assert torch.equal(heard[dry], batch.speech[dry])
    assert torch.equal(level_db[dry], batch.speech_level_db[dry])


def test_shares_of_rooms_and_devices(make):
    dataset = make(dataclasses.replace(EVERYTHING, reverb_share=0.3, band_share=0.4, clip_share=0.1, mu_law_share=0.2))
    examples = [dataset[epoch, 0] for epoch in range(400)]
    shares = [
        np.mean([example.reverb is not None for example in examples]),
        np.mean([example.effects.band_hz is not None for example in examples]),
        np.mean([example.effects.clip_db is not None for example in examples]),
        np.mean([example.effects.mu_law for example in examples]),
    ]
    assert shares == pytest.approx([0.3, 0.4, 0.1, 0.2], abs=0.08)
    bands_hz = np.array([example.effects.band_hz for example in examples if example.effects.band_hz])
    assert (bands_hz.min(0) >= [50, 2500]).all()
    assert (bands_hz.max(0) <= [400, 7000]).all()


@pytest.mark.slow
def test_a_device_that_does_one_thing_is_no_likelier_to_do_another(make):
    dataset = make(EVERYTHING)
    drawn = np.array(
        [
            [
                example.reverb is not None,
                example.effects.band_hz is not None,
                example.effects.clip_db is not None,
                example.effects.mu_law,
                len(example.further) > 0,
            ]
            for example in (dataset[epoch, 0] for epoch in range(400))
        ]
    )
    correlation = np.corrcoef(drawn.T) - np.eye(5)
    assert np.abs(correlation).max() < 0.2  # chance gives 0.05, twice that seldom


def test_one_to_three_noises_equally_often_and_their_sum_has_the_snr(make):
    dataset = make(dataclasses.replace(PLAIN, noises=3))
    counts = [len(dataset[epoch, 0].further) for epoch in range(300)]
    assert np.bincount(counts) / 300 == pytest.approx([1 / 3] * 3, abs=0.09)
    batch = batch_of(dataset)
    part = batch.mix() - batch.speech
    for row, (spoken, noise) in enumerate(zip(spans(batch, batch.speech), spans(batch, part), strict=True)):
        if not batch.silence[row]:
            assert active_level(spoken, RATE).active_db - rms_db(noise) == pytest.approx(5, abs=0.02)
    alone = batch_of(make(PLAIN))
    single = alone.mix() - alone.speech
    alike = [bool(torch.allclose(part[row], single[row], atol=1e-5)) for row in range(12)]
    assert alike == [not dataset[0, row].further for row in range(12)]


def test_the_device_is_behind_the_mix(make):
    device = dataclasses.replace(PLAIN, band_share=1.0, clip_share=1.0, mu_law_share=1.0, clip_db=[-30.0, -25.0])
    plain, through = batch_of(make(PLAIN)), batch_of(make(device))
    assert through.mix().abs().amax() <= 10 ** (-25 / 20) * 1.03
    torch.testing.assert_close(through.mix(), apply_effects(plain.mix(), through.effects, RATE))


def test_listed_snr(make):
    dataset = make(dataclasses.replace(PLAIN, snr_law="listed", snr_db=[20.0, 5.0, -5.0]))
    drawn = [dataset[epoch, 0].snr_db for epoch in range(300)]
    assert set(drawn) == {20.0, 5.0, -5.0}
    assert [drawn.count(snr_db) / 300 for snr_db in (20.0, 5.0, -5.0)] == pytest.approx([1 / 3] * 3, abs=0.09)


@pytest.mark.parametrize(
    "setting",
    [
        {"snr_law": "evenly"},
        {"reverb_share": 1.5},
        {"mu_law_share": math.nan},
        {"noises": 0},
        {"further_noise_db": [0.0]},
        {"clip_db": [0.0, -6.0]},
        {"band_low_hz": [100.0, 3000.0]},
    ],
)
def test_settings_that_cannot_be(make, setting):
    key = "snr_db" if "snr_law" in setting else next(iter(setting))
    with pytest.raises(ConfigError, match=f"augment.{key}="):
        make(dataclasses.replace(PLAIN, **setting))


def test_reverberation_needs_rooms(make, task, store):
    with pytest.raises(ConfigError, match=r"name manifests in data\.rooms"):
        make(dataclasses.replace(PLAIN, reverb_share=0.1), rooms=None)
    with pytest.raises(ManifestError, match="carries no direct_sample: name a manifest of responses"):
        RoomPool([str(task.noise)], store)


def test_a_room_at_another_rate_is_found_anew(rooms, monkeypatch):
    monkeypatch.setattr(rooms, "store", AudioStore(RATE // 2))
    for seed in range(3):
        drawn = rooms.draw(np.random.default_rng(seed))
        place = int(drawn.id.removeprefix("room"))
        assert drawn.direct == 50 * place


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than there are cores
@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.parametrize("size", [2, 5])
def test_workers_order_and_batches_change_nothing(make, workers, size):
    """But for how transforms over a batch round; without mu-law, whose steps that may tip a sample over."""
    augment = dataclasses.replace(EVERYTHING, mu_law_share=0.0)
    dataset = make(augment)
    keys = [(1, index) for index in range(len(dataset.clips))]
    alone = [collate([dataset[key]]).mix()[0] for key in keys]
    planned = [keys[::-1][first : first + size] for first in range(0, len(keys), size)]
    loader = DataLoader(make(augment), batch_sampler=planned, collate_fn=collate, num_workers=workers)
    heard = [wave for batch in loader for wave in batch.mix()][::-1]
    for wave, expected in zip(heard, alone, strict=True):
        torch.testing.assert_close(wave, expected, rtol=0, atol=2e-6 * expected.abs().max().item())
