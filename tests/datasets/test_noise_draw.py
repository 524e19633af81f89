"""One draw of noise, for training and evaluation as for mix sets: every recording and every offset equally often."""

from collections import Counter

import numpy as np
import pytest
import soundfile as sf
from lhotse import CutSet

from drsn_audio.config import NoiseSource
from drsn_audio.corpora.cuts import NoiseFile
from drsn_audio.corpora.prepare import prepare
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.mix_noise import RecordedNoise, noises_of
from drsn_audio.datasets.mix_sources import Sources
from drsn_audio.datasets.mixing import mix_files
from drsn_audio.datasets.noise_draw import PAUSE_DB, Recording, draw_noise
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.noise.level import mean_of, rms_db
from drsn_audio.noise.segment import cut_segment, loop

RATE = 1000
LENGTHS = (3000, 700, 40)  # the last two are looped under a second of speech


def hiss(num_samples, seed=0, offset=0.0):
    return (offset + 0.1 * np.random.default_rng(seed).standard_normal(num_samples)).astype(np.float32)


def recordings(waves):
    return [Recording(wave, rms_db(wave)) for wave in waves]


def draws(waves, count, num_samples=RATE, span=slice(None), seed=0):
    load, rng = recordings(waves).__getitem__, np.random.default_rng(seed)
    return [draw_noise(load, len(waves), num_samples, span, RATE, rng) for _ in range(count)]


@pytest.fixture
def manifest(tmp_path):
    """Noise of one kind: a recording of each length, the second with a large offset."""
    files = []
    for name, length in zip("abc", LENGTHS, strict=True):
        path = tmp_path / "noise" / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        sf.write(path, hiss(length, ord(name), 0.4 * (name == "b")), RATE, subtype="FLOAT")
        files.append(NoiseFile(name, path, "hall", noise_class="hum", source=name, fold=1))
    return prepare("noise", tmp_path, noise=files, progress=False).manifests["noise"]


def test_every_recording_and_every_offset_is_drawn_equally_often():
    count = 6000
    found = draws([hiss(length, length) for length in LENGTHS], count)
    counts = Counter(one.recording for one in found)
    for number, length in enumerate(LENGTHS):
        assert counts[number] == pytest.approx(count / 3, abs=5 * np.sqrt(count * 2 / 9))
        last = length - RATE if length >= RATE else len(loop(np.zeros(length), RATE)) - 1
        offsets = np.array([one.offset for one in found if one.recording == number])
        assert (offsets.min(), offsets.max()) == (pytest.approx(0, abs=0.01 * last), pytest.approx(last, rel=0.01))
        for share in (0.25, 0.5, 0.75):  # within 5 standard deviations
            wanted = (np.floor(share * last) + 1) / (last + 1)
            error = 5 * np.sqrt(wanted * (1 - wanted) / len(offsets))
            assert np.mean(offsets <= np.floor(share * last)) == pytest.approx(wanted, abs=error)


def test_mix_and_the_pool_of_training_and_evaluation_draw_alike(manifest):
    """What `mix` puts into a set is what `evaluate --noise` would have drawn by the same generator."""
    pool = NoisePool([NoiseSource(str(manifest))], AudioStore(RATE))
    kinds, folder, _ = noises_of(manifest, "noise")
    sources, span = Sources({"noise": folder}), slice(200, 900)
    for seed in range(60):
        drawn = pool.draw(RATE, draw_generator("any", seed), "hall", span)
        found, unusable = kinds["hall"].draw(sources, RATE, span, RATE, draw_generator("any", seed))
        assert unusable == []
        assert f"hum/{found.part.source}" == drawn.source
        assert found.wave == pytest.approx(drawn.wave - mean_of(drawn.wave[span]), abs=1e-6)


def test_a_mix_set_holds_the_same_distribution(manifest, tmp_path, lines_of):
    """Recordings and offsets of a set of many utterances, by the draws that the names of these give."""
    speech = tmp_path / "speech"
    speech.mkdir()
    for i in range(40):
        sf.write(speech / f"{i}.wav", hiss(RATE, 1000 + i), RATE, subtype="FLOAT")
    report = mix_files(speech, manifest, [5], tmp_path / "out", progress=False)
    waves = [hiss(length, ord(name), 0.4 * (name == "b")) for name, length in zip("abc", LENGTHS, strict=True)]
    for cut in lines_of(report.manifest):
        custom = cut["custom"]
        (part,) = custom["noises"]
        rng = draw_generator("mix", 0, custom["utterance"], "hall")
        drawn = draw_noise(recordings(waves).__getitem__, 3, RATE, slice(0, RATE), RATE, rng)
        assert (part["source"], part["offset_samples"]) == ("abc"[drawn.recording], drawn.offset)


def test_the_order_of_draws_from_long_recordings_is_that_of_earlier_versions():
    """A recording, then an offset: the trials of earlier evaluations stay what they were."""
    waves = [hiss(length, length) for length in (3000, 1500, 1000)]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        number = rng.integers(3)
        expected = (number, rng.integers(len(waves[number]) - RATE + 1))
        (drawn,) = draws(waves, 1, seed=seed)
        assert (drawn.recording, drawn.offset) == expected


def test_a_pause_is_drawn_again_recording_and_offset_together():
    """A recording that is loud for a tenth of the time is drawn less often than one that always is."""
    rare = hiss(20 * RATE)
    rare[2 * RATE :] *= 1e-3
    found = draws([rare, hiss(20 * RATE, 1)], 400)
    counts = Counter(one.recording for one in found)
    assert counts[0] < 0.3 * counts[1]
    level_db = rms_db(rare)
    assert all(rms_db(one.wave) > level_db - PAUSE_DB for one in found)


@pytest.mark.parametrize("offset", [0.5, -0.9])
def test_an_offset_hides_no_pause_and_makes_none(offset):
    wave = hiss(10 * RATE, offset=offset)
    wave[: 6 * RATE] = offset + 1e-3 * (wave[: 6 * RATE] - offset)
    for one in draws([wave], 40):
        assert rms_db(one.wave) > rms_db(wave) - PAUSE_DB
    click = np.full(60 * RATE, offset, np.float32)
    click[30 * RATE] -= offset / 2  # nearer to zero than what surrounds it
    (one,) = draws([click], 1, num_samples=100, span=slice(20, 40))
    assert one.wave[30] == click[30 * RATE]


def test_evaluation_draws_from_an_old_manifest_whose_level_is_that_of_an_offset(manifest):
    cuts = CutSet.from_file(manifest).to_eager()
    for cut in cuts:
        cut.custom["rms_db"] = 3.0  # above anything in the recording: trusted, all of it would be pauses
    cuts.to_file(manifest)
    pool = NoisePool([NoiseSource(str(manifest))], AudioStore(RATE))
    offsets = set()
    for seed in range(40):
        drawn = pool.draw(100, np.random.default_rng(seed), "hall")
        if drawn.source == "hum/a":
            offsets.update(np.flatnonzero(pool.store(pool.cuts["hall"][0]) == drawn.wave[0]).tolist())
    assert len(offsets) > 5


def test_what_cannot_be_used_is_named_and_the_others_are_drawn(tmp_path):
    folder = tmp_path / "hall"
    folder.mkdir()
    (folder / "a.wav").write_text("no audio")
    for rate in (RATE, 44100):
        sf.write(folder / f"constant{rate}.wav", np.full(3 * rate, 0.1), rate)
    sf.write(folder / "good.wav", hiss(3 * RATE), RATE)
    kinds, root, _ = noises_of(folder, "noise")
    noise, sources, named = kinds["hall"], Sources({"noise": root}), set()
    assert isinstance(noise, RecordedNoise)
    for seed in range(20):
        drawn, unusable = noise.draw(sources, RATE, slice(0, RATE), RATE, np.random.default_rng(seed))
        assert drawn.part.file == "good.wav"
        named |= {path.name for path, _ in unusable}
    assert named == {"a.wav", f"constant{RATE}.wav", "constant44100.wav"}


def test_offsets_of_a_loop_give_different_segments():
    wave = hiss(30)
    (first, *others) = (cut_segment(wave, 100, one.offset, RATE) for one in draws([wave], 20, num_samples=100))
    assert not all(np.array_equal(first, other) for other in others)
