"""Keyword clips: targets, levels, and noise that depends on (seed, epoch, utterance) alone."""

import dataclasses
import math

import numpy as np
import pytest
import soundfile as sf
import torch
from torch.utils.data import DataLoader

from drsn_audio.config import AugmentConfig, ConfigError, DataConfig, NoiseSource
from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.keyword import EvaluationClips, TrainingClips, fit_clip, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.noise.level import rms_db
from drsn_audio.noise.mix import measure_snr

RATE = 16000
N = RATE // 2
LABELS = ["low", "mid", "high", "silence"]
PLAIN = AugmentConfig(
    snr_db=[5.0, 5.0],
    clean_share=0.0,
    silence_db=[-40.0, -40.0],
    gain_db=[0.0, 0.0],
    speed=[1.0, 1.0],
    noise_speed=[1.0, 1.0],
    noise_equaliser_db=0.0,
    mix_equaliser_db=0.0,
    shift_ms=0.0,
)


@pytest.fixture
def store():
    return AudioStore(RATE)


@pytest.fixture
def noise(task, store):
    return NoisePool([NoiseSource(str(task.noise))], store)


@pytest.fixture
def clips(task):
    return keyword_clips(read_cuts([task.train]), LABELS, DataConfig(silence_share=0.25))


def training(clips, noise, store, augment=PLAIN, seed=0, num_samples=N):
    return TrainingClips(clips, noise, store, num_samples, augment, seed)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_targets_speakers_and_silence(clips):
    words = clips[:9]
    assert [clip.target for clip in words] == [2, 2, 2, 0, 0, 0, 1, 1, 1]  # sorted by id: high, low, mid
    assert {clip.speaker for clip in words} == {"ann", "bob", "cem"}
    silence = clips[9:]
    assert len(silence) == 3  # a quarter of twelve
    assert all(clip.cut is None and clip.target == 3 for clip in silence)
    assert silence[0].level_db == np.median([clip.level_db for clip in words])


def test_no_silence_where_it_is_no_label_or_nothing_is_mixed(task):
    cuts = read_cuts([task.train])
    assert len(keyword_clips(cuts, ["low", "mid", "high"], DataConfig())) == 9
    assert len(keyword_clips(cuts, LABELS, DataConfig(), to_mix=False)) == 9


def test_other_words_are_unknown(task):
    clips = keyword_clips(read_cuts([task.dev]), ["low", "unknown"], DataConfig())
    assert [clip.target for clip in clips] == [1, 0, 1]


def test_a_word_that_is_no_label(task):
    with pytest.raises(ConfigError, match=r"high/dora: its word 'high' is no label.*did you mean 'hihg'"):
        keyword_clips(read_cuts([task.dev]), ["low", "mid", "hihg"], DataConfig())


@pytest.mark.parametrize(("level", "key"), [("p56", "active_level_db"), ("rms", "rms_db")])
def test_levels(task, level, key):
    cuts = read_cuts([task.dev])
    clips = keyword_clips(cuts, LABELS, DataConfig(level=level))
    assert [clip.level_db for clip in clips[:3]] == [cut.custom[key] for cut in cuts]


@pytest.mark.parametrize("level", ["p56", "rms"])
def test_a_cut_without_its_level_cannot_be_mixed(task, level):
    cuts = read_cuts([task.dev])
    cuts[1].custom = {}
    with pytest.raises(ManifestError, match="low/dora: carries no"):
        keyword_clips(cuts, LABELS, DataConfig(level=level))
    assert len(keyword_clips(cuts, LABELS, DataConfig(level=level), to_mix=False)) == 3


def test_a_cut_without_a_word(task):
    cuts = read_cuts([task.dev])
    cuts[0].supervisions = []
    with pytest.raises(ManifestError, match="high/dora: carries no word"):
        keyword_clips(cuts, LABELS, DataConfig())


@pytest.mark.parametrize("setting", [{"level": "peak"}, {"silence_share": 1.0}, {"silence_share": -0.1}])
def test_settings_that_cannot_be(task, setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        keyword_clips(read_cuts([task.dev]), LABELS, DataConfig(**setting))


def test_an_example_depends_on_seed_epoch_and_id_alone(clips, noise, store, task):
    augment = AugmentConfig()
    first = [training(clips, noise, store, augment)[5, i] for i in range(len(clips))]
    others = keyword_clips(read_cuts([task.train, task.test]), LABELS, DataConfig(silence_share=0.4))[::-1]
    shuffled = training(others, NoisePool([NoiseSource(str(task.noise))], AudioStore(RATE)), AudioStore(RATE), augment)
    places = {clip.id: i for i, clip in enumerate(others)}
    assert all(same(shuffled[5, places[clip.id]], example) for clip, example in zip(clips, first, strict=True))
    for other in (training(clips, noise, store, augment)[6, 0], training(clips, noise, store, augment, seed=1)[5, 0]):
        assert not np.array_equal(other.noise, first[0].noise)
        assert other.snr_db != first[0].snr_db


def test_workers_change_nothing(clips, noise, store):
    plan = [[(3, 0), (3, 11)], [(3, 4)], [(3, 7), (3, 2)]]

    def batches(workers):
        dataset = training(clips, noise, store, AugmentConfig())
        return list(DataLoader(dataset, batch_sampler=plan, collate_fn=collate, num_workers=workers))

    alone = batches(0)
    for workers in (1, 2):
        for a, b in zip(alone, batches(workers), strict=True):
            assert torch.equal(a.mix(), b.mix())
            assert a.noise_source == b.noise_source


@pytest.mark.parametrize("level", ["p56", "rms"])
def test_the_mix_has_the_drawn_snr(task, noise, store, level):
    clips = keyword_clips(read_cuts([task.train]), LABELS, DataConfig(level=level, silence_share=0))
    batch = collate([training(clips, noise, store)[0, i] for i in range(9)])
    assert batch.snr_db.tolist() == [5.0] * 9
    # Over the span of the recording, which is 0.3 s at a drawn place in 0.5 s.
    part = batch.mix() - batch.speech
    for row in range(9):
        span = slice(int(batch.start[row]), int(batch.start[row] + batch.length[row]))
        assert span.stop - span.start == 4800
        measured = measure_snr(batch.speech[row : row + 1, span], part[row : row + 1, span], RATE, level=level)
        assert measured.item() == pytest.approx(5.0, abs=0.01)
    assert batch.start.unique().numel() > 5
    clean = batch.mix(math.inf)
    assert torch.equal(clean, batch.speech)


def test_the_gain_is_on_the_whole_mix(clips, noise, store):
    loud = dataclasses.replace(PLAIN, gain_db=[6.0, 6.0])
    mixes = [collate([training(clips, noise, store, augment)[0, 0]]).mix() for augment in (PLAIN, loud)]
    torch.testing.assert_close(mixes[1], 10 ** (6 / 20) * mixes[0])


def test_the_share_of_clean_clips(clips, noise, store):
    augment = dataclasses.replace(PLAIN, clean_share=0.3)
    drawn = [training(clips, noise, store, augment)[epoch, 0].snr_db for epoch in range(400)]
    assert np.mean(np.isinf(drawn)) == pytest.approx(0.3, abs=0.08)
    assert {snr for snr in drawn if not math.isinf(snr)} == {5.0}


def test_snr_is_drawn_evenly(clips, noise, store):
    augment = dataclasses.replace(PLAIN, snr_db=[-10.0, 25.0])
    drawn = [training(clips, noise, store, augment)[epoch, 0].snr_db for epoch in range(400)]
    assert np.mean(drawn) == pytest.approx(7.5, abs=1.5)
    assert min(drawn) >= -10
    assert max(drawn) <= 25
    assert max(drawn) - min(drawn) > 33


def test_silence_is_noise_at_its_level(clips, noise, store):
    example = training(clips, noise, store)[0, 9]
    assert example.silence
    assert example.target == 3
    assert not example.speech.any()
    assert rms_db(collate([example]).mix()[0].numpy()) == pytest.approx(-40, abs=0.01)


def test_an_equalised_noise_keeps_the_snr(clips, noise, store):
    coloured = dataclasses.replace(PLAIN, noise_equaliser_db=10.0)
    batch = collate([training(clips, noise, store, coloured)[0, i] for i in range(9)])
    part = batch.mix() - batch.speech
    plain = collate([training(clips, noise, store)[0, i] for i in range(9)]).mix() - batch.speech
    for row in range(9):
        span = slice(int(batch.start[row]), int(batch.start[row] + batch.length[row]))
        measured = measure_snr(batch.speech[row : row + 1, span], part[row : row + 1, span], RATE)
        assert measured.item() == pytest.approx(5.0, abs=0.01)
        assert np.corrcoef(part[row], plain[row])[0, 1] < 0.999


def test_noise_speed_changes_its_pitch(clips, tmp_path):
    from drsn_audio.corpora.cuts import NoiseFile
    from drsn_audio.corpora.prepare import prepare

    sf.write(tmp_path / "hum.wav", 0.1 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE), RATE)
    hum = [NoiseFile("hum", tmp_path / "hum.wav", "street", noise_class="hum", source="hum")]
    manifest = prepare("hum", tmp_path, noise=hum, progress=False).manifests["noise"]
    store = AudioStore(RATE)
    faster = dataclasses.replace(PLAIN, noise_speed=[1.2, 1.2])
    example = training(clips, NoisePool([NoiseSource(str(manifest))], store), store, faster)[0, 0]
    played = collate([example]).noise[0]
    assert np.abs(np.fft.rfft(played)).argmax() * RATE / N == pytest.approx(1200, abs=2)


def test_speed_changes_length_and_pitch(clips, noise, store):
    fast = dataclasses.replace(PLAIN, speed=[1.25, 1.25])
    slow, quick = (training(clips, noise, store, augment)[0, 0] for augment in (PLAIN, fast))
    assert quick.length == pytest.approx(4800 / 1.25, abs=2)
    peaks = [np.abs(np.fft.rfft(example.speech)).argmax() for example in (slow, quick)]
    assert peaks[1] / peaks[0] == pytest.approx(1.25, abs=0.01)
    outside = np.r_[quick.speech[: quick.start], quick.speech[quick.start + quick.length :]]
    assert not outside.any()


def test_a_shift_moves_and_may_cut_but_keeps_half(clips, noise, store):
    far = dataclasses.replace(PLAIN, shift_ms=1000.0)
    drawn = [training(clips, noise, store, far)[epoch, 0] for epoch in range(200)]
    lengths = [example.length for example in drawn]
    assert min(lengths) >= 2400
    assert min(lengths) < 3000
    assert max(lengths) == 4800
    assert {example.start for example in drawn if example.length < 4800} > {0}
    for example in drawn[:20]:
        assert collate([example]).mix().isfinite().all()


def test_long_recordings_are_cut_anywhere(clips, noise, store):
    drawn = [training(clips, noise, store, num_samples=1600)[epoch, 0] for epoch in range(30)]
    assert {(example.start, example.length) for example in drawn} == {(0, 1600)}
    assert len({example.speech.tobytes() for example in drawn}) > 20


@pytest.mark.parametrize(
    "setting", [{"snr_db": [5.0]}, {"gain_db": [3.0, -3.0]}, {"speed": [0.0, 1.0]}, {"noise_speed": []}]
)
def test_bounds_that_are_none(clips, noise, store, setting):
    with pytest.raises(ConfigError, match=f"augment.{next(iter(setting))}="):
        training(clips, noise, store, dataclasses.replace(PLAIN, **setting))


def evaluation(clips, noise, store, kind="street", draw=0, seed=0):
    return EvaluationClips(clips, noise, store, N, seed, kind, draw)


def test_evaluation_is_fixed_by_seed_id_kind_and_draw(clips, noise, store, task):
    first = evaluation(clips, noise, store)[4]
    others = keyword_clips(read_cuts([task.test, task.train]), LABELS, DataConfig(silence_share=0))
    place = [clip.id for clip in others].index(clips[4].id)
    assert same(evaluation(others, noise, store)[place], first)
    assert first.noise_source.startswith("street/")
    for change in ({"draw": 1}, {"seed": 1}, {"kind": "machinery"}):
        assert not np.array_equal(evaluation(clips, noise, store, **change)[4].noise, first.noise)


def test_every_snr_hears_the_same_noise(clips, noise, store):
    batch = collate([evaluation(clips, noise, store)[i] for i in range(12)])
    parts = [batch.mix(snr_db)[:9] - batch.speech[:9] for snr_db in (0.0, 20.0)]
    torch.testing.assert_close(parts[0], 10 * parts[1], rtol=1e-3, atol=1e-6)
    assert torch.equal(batch.mix(math.inf)[:9], batch.speech[:9])
    # Where nobody speaks, clean means 40 dB below the usual speech; at 0 dB the noise is as loud as it.
    usual_db = batch.speech_level_db[9].item()
    assert rms_db(batch.mix(math.inf)[9].numpy()) == pytest.approx(usual_db - 40, abs=0.01)
    assert rms_db(batch.mix(0.0)[9].numpy()) == pytest.approx(usual_db, abs=0.01)


def test_an_evaluation_clip_is_the_recording_itself(clips, noise, store, say):
    example = evaluation(clips, noise, store)[0]
    assert (example.start, example.length) == (0, 4800)
    assert example.speech[:4800] == pytest.approx(say("high", "ann"), abs=2**-15)
    assert not example.speech[4800:].any()


def test_batches_move_whole(clips, noise, store):
    batch = collate([evaluation(clips, noise, store)[0]])
    moved = batch.to(torch.device("meta"))
    assert moved.speech.device.type == moved.target.device.type == "meta"
    assert moved.noise_source == batch.noise_source


def test_fit_clip():
    assert fit_clip(np.array([1.0, 2, 3]), 2).tolist() == [1, 2]
    assert fit_clip(np.array([1.0]), 3).tolist() == [1, 0, 0]


@pytest.mark.slow
def test_real_speech_in_real_noise_has_its_snr(real_audio, tmp_path):
    from drsn_audio.corpora import CORPORA
    from drsn_audio.corpora.cuts import SpeechFile
    from drsn_audio.corpora.prepare import prepare

    paths = sorted((real_audio / "speech_commands_subset" / "yes").glob("*_nohash_0.flac"))[:12]
    speech = [SpeechFile(path.stem, path, "dev", "yes", path.stem) for path in paths]
    cuts = read_cuts([prepare("some", tmp_path, speech, progress=False).manifests["dev"]])
    esc = CORPORA["esc"](real_audio / "esc10_subset", tmp_path / "esc", progress=False).manifests["noise"]
    store = AudioStore(RATE)
    clips = keyword_clips(cuts, ["yes"], DataConfig())
    pool = NoisePool([NoiseSource(str(esc), folds=[4, 5])], store)
    batch = collate([EvaluationClips(clips, pool, store, RATE, 0, pool.kinds[0], 0)[i] for i in range(len(clips))])
    part = batch.mix(-5.0) - batch.speech
    measured = measure_snr(batch.speech, part, RATE, batch.length)
    assert measured.numpy() == pytest.approx(np.full(len(clips), -5.0), abs=0.02)
