"""Long test streams: what was asked for is in them, and the manifest says where."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from drsn_audio.audio import read_audio
from drsn_audio.config import NoiseSource
from drsn_audio.corpora.cuts import SpeechFile, make_cut
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.stream_sound import FADE_S, StreamPlan, render
from drsn_audio.datasets.streams import (
    plan_noise,
    plan_speech,
    plan_words,
    usual_level_db,
    whole_utterances,
    write_streams,
)
from drsn_audio.noise.level import rms_db
from drsn_audio.noise.mix import measure_snr

RATE = 16000
CONDITIONS = [("clean", None), ("street", 10.0), ("street", -5.0), ("machinery", 0.0)]


@pytest.fixture
def store():
    return AudioStore(RATE)


@pytest.fixture
def pool(task, store):
    return NoisePool([NoiseSource(str(task.noise))], store)


def words(task, stream_s=600.0, conditions=CONDITIONS, seed=0):
    return list(plan_words(read_cuts([task.test]), conditions, set_name="t", seed=seed, stream_s=stream_s))


def write(plans, folder, pool, store):
    list(write_streams(plans, folder, "t", pool, store))
    return read_cuts([folder / "t.jsonl.gz"])


def test_every_word_is_said_once_under_each_condition(task):
    plans = words(task, stream_s=8)
    assert len({plan.name for plan in plans}) == len(plans) > len(CONDITIONS)
    for condition in CONDITIONS:
        said = [cut.id for plan in plans if (plan.noise_kind, plan.snr_db) == condition for cut in plan.said]
        assert sorted(said) == sorted(cut.id for cut in read_cuts([task.test]))


@pytest.mark.parametrize("gap_s", [(1.0, 4.0), (FADE_S, FADE_S)])
def test_each_word_has_the_snr_that_was_asked_for(task, pool, store, gap_s):
    for plan in words(task)[1:]:
        sound = render(replace(plan, gap_s=gap_s), pool, store)
        assert len(sound.said) == 6
        for said in sound.said:
            # At the clip's own gain, at which its level was measured: P.56 is not exact under another one.
            gain = 10 ** ((plan.level_db - said.cut.custom["active_level_db"]) / 20)
            parts = [torch.from_numpy(part[said.start : said.stop] / gain)[None] for part in sound[:2]]
            assert float(measure_snr(*parts, RATE)) == pytest.approx(plan.snr_db, abs=0.01)
            assert said.noise_source in pool.sources(plan.noise_kind)


def test_words_are_of_one_level_and_differ_by_a_gain_alone(task, pool, store):
    plan = words(task)[0]
    sound = render(plan, pool, store)
    assert not sound.noise.any()
    for said in sound.said:
        clip, part = store(said.cut), sound.speech[said.start : said.stop]
        gain = 10 ** ((plan.level_db - said.cut.custom["active_level_db"]) / 20)
        np.testing.assert_allclose(part, clip * gain, rtol=1e-5, atol=1e-7)
    outside = np.ones(len(sound.speech), bool)
    for said in sound.said:
        outside[said.start : said.stop] = False
    assert not sound.speech[outside].any()


def test_gaps_are_as_drawn_and_words_lie_where_the_energy_is(task, pool, store):
    sound = render(words(task)[1], pool, store)
    gaps = np.diff([0, *(bound for said in sound.said for bound in (said.start, said.stop)), len(sound.speech)])[::2]
    assert (gaps >= 1.0 * RATE).all()
    assert (gaps <= 4.0 * RATE).all()
    assert len(set(gaps.tolist())) > 3
    for said in sound.said:
        assert said.start < said.word_start < said.word_stop < said.stop
        power = sound.speech.astype(np.float64) ** 2
        share = power[said.word_start : said.word_stop].sum() / power[said.start : said.stop].sum()
        assert share == pytest.approx(0.96, abs=0.002)


def test_noise_goes_on_between_words_and_fades_without_a_gap(task, pool, store):
    sound = render(words(task)[1], pool, store)
    blocks = sound.noise[: len(sound.noise) // 800 * 800].reshape(-1, 800)  # 50 ms
    levels_db = np.array([rms_db(block) for block in blocks])
    assert levels_db.max() - levels_db.min() < 8  # of hiss; a hole would be a hundred


def test_snrs_of_a_kind_differ_in_the_level_of_the_noise_alone(task, pool, store):
    loud, quiet = (render(plan, pool, store) for plan in words(task, conditions=[("street", -5.0), ("street", 10.0)]))
    np.testing.assert_array_equal(loud.speech, quiet.speech)
    np.testing.assert_allclose(loud.noise, quiet.noise * 10 ** (15 / 20), rtol=1e-4, atol=1e-6)


def test_equal_calls_give_equal_bytes_and_the_order_of_streams_does_not_matter(task, pool, store, tmp_path):
    plans = words(task, stream_s=8)
    write(plans, tmp_path / "a", pool, store)
    write(plans[::-1], tmp_path / "b", NoisePool([NoiseSource(str(task.noise))], store), store)
    for path in sorted((tmp_path / "a").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    other = render(words(task, seed=1)[0], pool, store)
    assert len(other.speech) != len(render(words(task)[0], pool, store).speech)


def test_files_hold_the_sound_and_the_manifest_says_what_was_lowered(task, pool, store, tmp_path):
    plans = words(task, conditions=[("street", -25.0)])
    (cut,) = write(plans, tmp_path / "s", pool, store)
    sound = render(plans[0], pool, store)
    wave, rate = read_audio(cut.recording.sources[0].source)
    gain = 10 ** (cut.custom["gain_db"] / 20)
    assert gain < 0.5
    assert rate == RATE
    assert np.abs(wave).max() == pytest.approx(0.99, abs=1e-3)
    np.testing.assert_allclose(wave, (sound.speech + sound.noise) * gain, atol=1e-4)
    (quiet,) = write(words(task, conditions=[("street", 20.0)]), tmp_path / "q", pool, store)
    assert quiet.custom["gain_db"] == 0
    assert {"stream": True, "content": "words", "noise_kind": "street", "snr_db": -25.0}.items() <= cut.custom.items()
    for said, line in zip(sound.said, sorted(cut.supervisions, key=lambda one: one.start), strict=True):
        assert line.text == said.cut.supervisions[0].text
        assert line.speaker == said.cut.supervisions[0].speaker
        assert (line.start * RATE, line.end * RATE) == pytest.approx((said.word_start, said.word_stop))
        assert line.custom["noise_source"] == said.noise_source


def test_manifest_and_files_can_be_moved_together(task, pool, store, tmp_path):
    write(words(task)[:1], tmp_path / "here", pool, store)
    (tmp_path / "here").rename(tmp_path / "there")
    (cut,) = read_cuts([tmp_path / "there" / "t.jsonl.gz"])
    assert Path(cut.recording.sources[0].source).is_file()


def test_a_run_that_was_stopped_leaves_no_manifest(task, pool, store, tmp_path):
    written = write_streams(words(task), tmp_path, "t", pool, store)
    next(written)
    written.close()
    assert not (tmp_path / "t.jsonl.gz").exists()
    assert len(list((tmp_path / "t").iterdir())) == 1


def test_noise_alone_holds_every_recording_at_its_level(task, pool, store):
    plans = list(plan_noise(pool, [5.0], -20.0, set_name="t", seed=0, stream_s=4.0))
    assert sorted(cut.id for plan in plans for cut in plan.recordings) == [
        f"{kind}{fold}" for kind in ("machinery", "street") for fold in (1, 2, 3)
    ]
    for plan in plans:
        sound = render(plan, pool, store)
        assert not sound.said
        assert not sound.speech.any()
        expected = sum(2 * RATE for _ in plan.recordings) - (len(plan.recordings) - 1) * round(FADE_S * RATE)
        assert len(sound.noise) == expected
        assert rms_db(sound.noise) == pytest.approx(-25.0, abs=0.5)  # fades of equal power keep it


def test_one_recording_fades_into_the_next_with_equal_power(task, pool, store):
    """Added without fading they would be 3 dB too loud, in amplitudes that add to one 3 dB too quiet in the middle."""
    (plan,) = (one for one in plan_noise(pool, [5.0], -20.0, set_name="t", seed=0) if one.noise_kind == "street")
    noise, fade = render(plan, pool, store).noise, round(FADE_S * RATE)
    for border in (2 * RATE - fade, 4 * RATE - 2 * fade):
        assert rms_db(noise[border : border + fade]) == pytest.approx(-25.0, abs=0.6)
        middle = border + fade // 2
        assert rms_db(noise[middle - fade // 4 : middle + fade // 4]) == pytest.approx(-25.0, abs=0.8)


def test_utterances_are_whole_in_order_and_of_one_level(task, pool, store):
    cuts = read_cuts([task.test])
    halves = [
        piece.with_id(f"{cut.id}@{number}")
        for cut in cuts[::-1]
        for number, piece in enumerate((cut.truncate(duration=0.1), cut.truncate(offset=0.1)))
    ]
    whole = whole_utterances(halves)
    assert [cut.id for cut in whole] == sorted(cut.id for cut in cuts)
    assert all(cut.duration == pytest.approx(0.3) for cut in whole)
    assert all(cut.supervisions[0].duration == pytest.approx(0.3) for cut in whole)
    clean, noisy = plan_speech(whole, [("clean", None), ("street", 5.0)], set_name="t", seed=0)
    assert (clean.content, noisy.content) == ("speech", "speech in noise")
    assert [cut.id for cut in clean.said] == [cut.id for cut in whole]
    assert clean.level_db == usual_level_db(whole)


def test_noise_under_a_long_utterance_is_of_several_recordings_of_one_level(pool, store, tmp_path):
    """One whose SNR holds over the whole of it."""
    rng = np.random.default_rng(0)
    wave = (0.1 * rng.standard_normal(20 * RATE)).astype(np.float32)
    path = tmp_path / "long.wav"
    sf.write(path, wave, RATE, subtype="FLOAT")
    cut = make_cut(SpeechFile("long", path, "test", "unknown", "eve"))
    level_db = cut.custom["active_level_db"]
    plan = StreamPlan("s", "speech in noise", (0,), [cut], (0.3, 1.0), level_db, "street", 3.0)
    sound = render(plan, pool, store)
    (said,) = sound.said
    assert level_db - rms_db(sound.noise[said.start : said.stop]) == pytest.approx(3.0, abs=0.01)
    assert len(said.noise_source.split(" + ")) > 1
    seconds = [rms_db(second) for second in sound.noise[: len(sound.noise) // RATE * RATE].reshape(-1, RATE)]
    assert max(seconds) - min(seconds) < 2


def test_gaps_too_short_to_fade_in_are_refused(task, pool, store):
    plan = StreamPlan("s", "words", (0,), read_cuts([task.test]), (0.1, 1.0))
    with pytest.raises(ValueError, match="gaps"):
        render(plan, pool, store)
