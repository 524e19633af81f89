"""Utterances for CTC: what is left out, batches capped by padded seconds, and an utterance whole in its noise."""

import dataclasses
import gzip
import json
from collections import Counter

import numpy as np
import pytest
import soundfile as sf
from torch.utils.data import DataLoader

from drsn_audio.config import AugmentConfig, ConfigError, NoiseSource
from drsn_audio.corpora.cuts import SpeechFile
from drsn_audio.corpora.prepare import prepare
from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.utterances import (
    TAIL_S,
    TrainingUtterances,
    describe_left_out,
    plan_by_seconds,
    row_samples,
    utterances,
)
from drsn_audio.decoding.units import CHARACTERS, Units
from drsn_audio.errors import InputError
from drsn_audio.noise.mix import measure_snr

RATE, BLOCK = 16000, 640
UNITS = Units("characters", CHARACTERS)
TEXTS = {"one": ("A CAT", 1.0), "two": ("ISN'T IT", 1.5), "three": ("DOWN BY THE SEA", 2.25)}
PLAIN = AugmentConfig(
    snr_db=[5.0, 5.0],
    clean_share=0.0,
    gain_db=[0.0, 0.0],
    speed=[1.0, 1.0],
    noise_speed=[1.0, 1.0],
    noise_equaliser_db=0.0,
    mix_equaliser_db=0.0,
)


def write_speech(folder, texts):
    """name -> (text, seconds) as files of tones, prepared; the manifest's path."""
    files = []
    for number, (name, (text, seconds)) in enumerate(texts.items()):
        time_s = np.arange(round(seconds * RATE)) / RATE
        path = folder / f"{name}.flac"
        sf.write(path, 0.2 * np.sin(2 * np.pi * (300 + 100 * number) * time_s), RATE)
        files.append(SpeechFile(name, path, "train", text, speaker=f"s{number % 2}"))
    return prepare("sentences", folder, files, progress=False).manifests["train"]


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return read_cuts([write_speech(tmp_path_factory.mktemp("speech"), TEXTS)])


@pytest.fixture
def store():
    return AudioStore(RATE)


@pytest.fixture
def noise(task, store):
    return NoisePool([NoiseSource(str(task.noise))], store)


def chosen(cuts, **options):
    return utterances(cuts, UNITS, 30.0, BLOCK, RATE, **options)


def renamed(cut, id, **changes):
    cut = dataclasses.replace(cut, id=id)
    text = changes.pop("text", None)
    if text is not None:
        cut.supervisions = [dataclasses.replace(cut.supervisions[0], text=text)]
    return dataclasses.replace(cut, **changes) if changes else cut


def test_targets_are_the_labels_of_the_transcript(speech):
    kept, left_out = chosen(speech)
    assert left_out == []
    assert {u.id: UNITS.text(u.targets) for u in kept} == {name: text for name, (text, _) in TEXTS.items()}
    assert {u.id: u.duration_s for u in kept} == {name: seconds for name, (_, seconds) in TEXTS.items()}
    assert [u.speaker for u in kept] == [cut.supervisions[0].speaker for cut in speech]
    assert [u.level_db for u in kept] == [cut.custom["active_level_db"] for cut in speech]
    assert [u.level_db for u in chosen(speech, level="rms")[0]] == [cut.custom["rms_db"] for cut in speech]


def test_what_is_left_out_is_counted_and_named(speech, tmp_path):
    """Of the bad input that a corpus may hold, none is trained on, and none is silent."""
    good = speech[0]
    lost = dataclasses.replace(good.recording, sources=[dataclasses.replace(good.recording.sources[0])])
    lost.sources[0].source = str(tmp_path / "lost.flac")
    cuts = [
        *speech,
        renamed(good, "digits", text="ROOM 101"),
        renamed(good, "cyrillic", text="ПРИВЕТ"),
        renamed(good, "empty", text=" "),
        renamed(good, "unspoken", supervisions=[]),
        renamed(good, "nothing", duration=0.0),
        renamed(good, "click", duration=0.01),
        renamed(good, "hours", duration=600.0),
        renamed(good, "lost", recording=lost),
        renamed(good, "hasty", text="A VERY LONG TEXT FOR A SECOND OF SPEECH"),  # 39 labels and a blank in 25 frames
    ]
    kept, left_out = chosen(cuts)
    assert [u.id for u in kept] == [cut.id for cut in speech]
    assert Counter(fault.kind for fault in left_out) == {
        "text without units": 2, "empty transcript": 2, "too short": 2, "too long": 1, "lost audio": 1,
        "transcript longer than its frames": 1,
    }  # fmt: skip
    audio = good.recording.sources[0].source
    assert {str(fault.path) for fault in left_out} == {audio, str(tmp_path / "lost.flac")}
    lines = describe_left_out(left_out)
    assert len(lines) == 6
    assert f"left out: 1 utterance, lost audio ({tmp_path / 'lost.flac'})" in "\n".join(lines)
    assert "'0', '1', for which the model has no unit" in lines[0]
    assert "40 labels, counting the blanks that part equal ones, in 25 frames" in lines[-1]
    assert "600.0 s long, over data.max_duration_s=30" in "\n".join(lines)
    many = describe_left_out([fault._replace(kind="x") for fault in left_out])
    assert "left out: 9 utterances, x (" in many[0]
    assert ", 4 more)" in many[0]


def test_a_blank_is_needed_between_equal_labels(speech):
    """CTC writes AA as A-blank-A: 13 pairs of letters fit in 25 frames of one second only where no two are equal."""
    one_second = next(cut for cut in speech if cut.duration == 1.0)
    unequal, equal = renamed(one_second, "unequal", text="AB" * 12 + "A"), renamed(one_second, "equal", text="A" * 14)
    kept, left_out = chosen([unequal, equal])
    assert [u.id for u in kept] == ["unequal"]
    assert "has 27 labels" in left_out[0].reason
    # Played faster it has fewer frames.
    with pytest.raises(ManifestError, match=r"none of 1 utterances can be used.*25 labels.* in 23 frames"):
        chosen([unequal], fastest=1.12)


def test_where_nothing_is_left_or_no_level(speech):
    with pytest.raises(ManifestError, match=r"none of 3 utterances can be used, first .*\.flac: is 1\.0 s long"):
        utterances(speech, UNITS, 0.5, BLOCK, RATE)
    with pytest.raises(ConfigError, match=r"data\.level='peak' is unknown"):
        chosen(speech, level="peak")
    bare = dataclasses.replace(speech[0], custom={})
    with pytest.raises(ManifestError, match="carries no active_level_db"):
        chosen([bare])


def test_a_sentencepiece_model_that_is_not_there(speech, tmp_path):
    pytest.importorskip("sentencepiece")
    units = Units("sentencepiece", CHARACTERS, str(tmp_path / "units.model"))
    with pytest.raises(InputError, match=r"units\.model: not a SentencePiece model"):
        utterances(speech, units, 30.0, BLOCK, RATE)


def test_audio_that_was_moved_is_left_out(tmp_path):
    manifest = write_speech(tmp_path, TEXTS)
    (tmp_path / "two.flac").unlink()
    kept, left_out = chosen(read_cuts([manifest]))
    assert [u.id for u in kept] == ["one", "three"]
    assert left_out[0].path == tmp_path / "two.flac"


def test_a_cut_of_no_length_in_a_manifest(tmp_path):
    manifest = write_speech(tmp_path, TEXTS)
    lines = [json.loads(line) for line in gzip.decompress(manifest.read_bytes()).splitlines()]
    lines[0]["duration"] = 0.0
    lines[0]["recording"] |= {"duration": 0.0, "num_samples": 0}
    manifest.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode()))
    kept, left_out = chosen(read_cuts([manifest]))
    assert len(kept) == 2
    assert "is 0 ms long" in left_out[0].reason


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_is_capped_by_padded_seconds(seed):
    rng = np.random.default_rng(seed)
    durations_s = rng.lognormal(1.5, 0.8, rng.integers(1, 400)).clip(0.1, 35)
    cap_s = float(rng.uniform(durations_s.max(), 300))
    plan = plan_by_seconds(durations_s, cap_s, seed, epoch=3)
    assert sorted(index for batch in plan for index in batch) == list(range(len(durations_s)))
    assert all(len(batch) * durations_s[batch].max() <= cap_s for batch in plan)


def test_little_of_a_plan_is_padding():
    durations_s = np.random.default_rng(0).lognormal(1.7, 0.7, 2000).clip(1.5, 30)  # about as dev-clean's
    plan = plan_by_seconds(durations_s, 120.0, 0, 0)
    padded_s = sum(len(batch) * durations_s[batch].max() for batch in plan)
    assert durations_s.sum() > 0.94 * padded_s
    assert padded_s > 0.85 * 120 * len(plan)  # and batches are full


def test_a_plan_depends_on_seed_and_epoch():
    durations_s = np.random.default_rng(1).uniform(1, 15, 300)
    plans = [plan_by_seconds(durations_s, 60, seed, epoch) for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert plans[0] == plans[1]
    sets = [{frozenset(batch) for batch in plan} for plan in plans]
    for other in sets[2:]:  # not only the order of the batches, but what they hold
        assert len(sets[0] & other) < len(sets[0]) / 4
    longest = [durations_s[batch].max() for batch in plans[0]]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.5  # nor by length


def test_an_utterance_that_fits_no_batch():
    with pytest.raises(
        ConfigError, match=r"train\.max_padded_s=20: the longest utterance needs 34\.20 s: raise it, or"
    ):
        plan_by_seconds([3, 34.2, 5], 20, 0, 0)
    assert plan_by_seconds([3, 20], 20, 0, 0) in ([[0], [1]], [[1], [0]])
    assert plan_by_seconds([], 20, 0, 0) == []


def example(kept, noise, store, key, augment=PLAIN, seed=0):
    return TrainingUtterances(kept, noise, store, augment, seed)[key]


@pytest.mark.parametrize("speed", [0.88, 0.93, 1.0, 1.07, 1.12])
def test_no_utterance_loses_samples(speech, noise, store, speed):
    """At every speed an utterance fits whole in a row of its own, and the tail after it."""
    kept, _ = chosen(speech)
    augment = dataclasses.replace(PLAIN, speed=[speed, speed])
    for index, utterance in enumerate(kept):
        num_samples = row_samples(utterance.duration_s, 0.88, RATE, BLOCK)
        for epoch in range(5):
            made = example(kept, noise, store, (epoch, index, num_samples), augment)
            assert made.speech.shape == (num_samples,)
            assert num_samples % BLOCK == 0
            assert abs(made.length - utterance.duration_s * RATE / speed) < 2
            assert made.start + made.length + TAIL_S * RATE <= num_samples
            assert not made.speech[: made.start].any()
            assert not made.speech[made.start + made.length :].any()
            wave = store(utterance.cut)
            inside = made.speech[made.start : made.start + made.length]
            assert np.dot(inside, inside) * speed == pytest.approx(np.dot(wave, wave), rel=0.01)
            assert made.target == utterance.targets
            assert not made.silence


def test_the_place_of_an_utterance_is_drawn(speech, noise, store):
    kept, _ = chosen(speech)
    starts = [example(kept, noise, store, (epoch, 0, 3 * RATE)).start for epoch in range(80)]
    slack = 3 * RATE - round((kept[0].duration_s + TAIL_S) * RATE)
    assert min(starts) == 0
    assert max(starts) == slack
    assert all(10 < starts.count(end) < 32 for end in (0, slack))  # a quarter each: 20 of 80, within three deviations
    assert np.std([start for start in starts if 0 < start < slack]) > slack / 5
    with pytest.raises(ValueError, match="do not fit in 16000"):
        example(kept, noise, store, (0, 2, RATE))


def test_an_example_depends_on_seed_epoch_and_id(speech, noise, store):
    augment = AugmentConfig()
    kept, _ = chosen(speech)
    size = row_samples(2.25, 0.88, RATE, BLOCK)
    first = example(kept, noise, store, (4, 1, size), augment)
    again = example(kept[::-1], noise, AudioStore(RATE), (4, 1, size), augment)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for key, seed in (((5, 1, size), 0), ((4, 1, size), 1)):
        other = example(kept, noise, store, key, augment, seed)
        assert other.snr_db != first.snr_db
        assert not np.array_equal(other.noise, first.noise)


def test_batches_are_the_same_with_workers_and_have_the_drawn_snr(speech, noise, store):
    kept, _ = chosen(speech)
    rows = [row_samples(u.duration_s, PLAIN.speed[0], RATE, BLOCK) for u in kept]
    plan = plan_by_seconds([row / RATE for row in rows], 8.0, 0, 2)
    keys = [[(2, index, max(rows[i] for i in batch)) for index in batch] for batch in plan]

    def batches(workers):
        dataset = TrainingUtterances(kept, noise, store, PLAIN, 0)
        return list(DataLoader(dataset, batch_sampler=keys, collate_fn=collate, num_workers=workers))

    for batch, other in zip(batches(0), batches(1), strict=True):
        mixed = batch.mix()
        assert mixed.equal(other.mix())
        part = mixed - batch.speech
        for row, (start, length) in enumerate(zip(batch.start.tolist(), batch.length.tolist(), strict=True)):
            span = slice(start, start + length)
            measured = measure_snr(batch.speech[row : row + 1, span], part[row : row + 1, span], RATE)
            assert measured.item() == pytest.approx(5.0, abs=0.01)
