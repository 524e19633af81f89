"""Which noise is drawn: kinds equally often, folds as asked, never a pause where the speech is."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from lhotse import CutSet

from drsn_audio.config import ConfigError, NoiseSource
from drsn_audio.corpora.cuts import NoiseFile
from drsn_audio.corpora.prepare import prepare
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.noise.level import rms_db
from drsn_audio.noise.segment import loop

RATE = 16000


def pool_of(folder: Path, waves: dict[str, np.ndarray], kind: str = "street") -> NoisePool:
    files = []
    for name, wave in waves.items():
        sf.write(folder / f"{name}.wav", wave, RATE, subtype="FLOAT")
        files.append(NoiseFile(name, folder / f"{name}.wav", kind, noise_class="hum", source=name, fold=1))
    manifest = prepare("noise", folder, noise=files, progress=False).manifests["noise"]
    return NoisePool([NoiseSource(str(manifest))], AudioStore(RATE))


def hiss(num_samples, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(num_samples)).astype(np.float32)


def sources_of(task, **chosen):
    pool = NoisePool([NoiseSource(str(task.noise), **chosen)], AudioStore(RATE))
    return {source for kind in pool.kinds for source in pool.sources(kind)}


def test_kinds_and_folds(task):
    assert len(sources_of(task)) == 6
    assert sources_of(task, folds=[2]) == {"street/street2", "machinery/machinery2"}
    assert sources_of(task, kinds=["street"], folds=[1, 3]) == {"street/street1", "street/street3"}


def test_several_sources_join(task):
    sources = [NoiseSource(str(task.noise), kinds=["street"], folds=[1]), NoiseSource(str(task.noise), folds=[2])]
    pool = NoisePool(sources, AudioStore(RATE))
    assert pool.sources("street") == {"street/street1", "street/street2"}
    assert pool.sources("machinery") == {"machinery/machinery2"}


@pytest.mark.parametrize("chosen", [{"folds": [9]}, {"kinds": ["Street"]}, {"kinds": ["street"], "folds": [4]}])
def test_nothing_left_names_what_there_is(task, chosen):
    with pytest.raises(ManifestError, match=r"kinds \['machinery', 'street'\] and folds \[1, 2, 3\]"):
        sources_of(task, **chosen)
    with pytest.raises(ManifestError, match="nothing is left"):  # beside one that has some
        NoisePool([NoiseSource(str(task.noise)), NoiseSource(str(task.noise), **chosen)], AudioStore(RATE))


def test_no_source_at_all():
    with pytest.raises(ManifestError, match="no noise manifest is given"):
        NoisePool([], AudioStore(RATE))


def test_a_speech_manifest_is_no_noise_manifest(task):
    with pytest.raises(
        ManifestError, match=r"dev\.jsonl\.gz: high/dora carries no noise_kind, noise_class, source, fold"
    ):
        NoisePool([NoiseSource(str(task.dev))], AudioStore(RATE))


def test_kinds_are_drawn_equally_often(task):
    # Street has one recording, machinery three.
    sources = [
        NoiseSource(str(task.noise), kinds=["street"], folds=[1]),
        NoiseSource(str(task.noise), kinds=["machinery"]),
    ]
    pool = NoisePool(sources, AudioStore(RATE))
    rng = np.random.default_rng(0)
    counts = Counter(pool.draw(100, rng).source for _ in range(1200))
    assert counts["street/street1"] == pytest.approx(600, abs=60)  # 3.5 standard deviations
    for fold in (1, 2, 3):
        assert counts[f"machinery/machinery{fold}"] == pytest.approx(200, abs=50)


def test_sources_are_drawn_by_their_weights(task):
    sources = [NoiseSource(str(task.noise), kinds=["street"], weight=3), NoiseSource(str(task.noise), folds=[1])]
    pool = NoisePool(sources, AudioStore(RATE))
    rng = np.random.default_rng(0)
    street = sum(pool.draw(100, rng).kind == "street" for _ in range(2000)) / 2000
    assert street == pytest.approx(3 / 4 + 1 / 4 * 1 / 2, abs=0.03)  # the second source has both kinds


@pytest.mark.parametrize("weight", [0, -1.0])
def test_a_weight_that_is_none(task, weight):
    with pytest.raises(ConfigError, match="give positive numbers"):
        NoisePool([NoiseSource(str(task.noise), weight=weight)], AudioStore(RATE))


def test_a_draw_depends_on_its_generator_alone(task):
    pool = NoisePool([NoiseSource(str(task.noise))], AudioStore(RATE))
    first = pool.draw(500, np.random.default_rng(1))
    pool.draw(500, np.random.default_rng(2))
    again = NoisePool([NoiseSource(str(task.noise))], AudioStore(RATE)).draw(500, np.random.default_rng(1))
    assert np.array_equal(first.wave, again.wave)
    assert (first.kind, first.source) == (again.kind, again.source)


def test_pauses_are_avoided(tmp_path):
    wave = hiss(10 * RATE)
    wave[: 6 * RATE] *= 1e-3  # 60 dB down
    pool = pool_of(tmp_path, {"a": wave})
    levels = [rms_db(pool.draw(RATE, np.random.default_rng(seed)).wave) for seed in range(60)]
    assert min(levels) > rms_db(wave) - 20


def test_the_span_of_the_speech_hears_the_noise(tmp_path):
    wave = np.zeros(10 * RATE, np.float32)
    wave[::RATE] = 0.5  # a click a second: in nine of ten draws none falls into a tenth of a second
    pool = pool_of(tmp_path, {"a": wave})
    span = slice(3000, 4600)
    for seed in range(40):
        assert pool.draw(RATE, np.random.default_rng(seed), span=span).wave[span].any()


def test_a_single_click_is_found(tmp_path):
    wave = np.zeros(60 * RATE, np.float32)
    wave[30 * RATE + 7] = 0.5
    pool = pool_of(tmp_path, {"a": wave})
    for seed in range(3):
        assert pool.draw(1000, np.random.default_rng(seed), span=slice(200, 400)).wave[300] == 0.5


def test_short_recordings_are_looped(tmp_path):
    wave = hiss(700)
    pool = pool_of(tmp_path, {"a": wave})
    period = loop(wave, RATE)
    assert len(period) == 350  # half of it fades, for it is under 100 ms
    begins = set()
    for seed in range(20):
        segment = pool.draw(2000, np.random.default_rng(seed)).wave
        begin = int(np.flatnonzero(period == segment[0])[0])
        begins.add(begin)
        assert np.array_equal(segment, np.tile(period, 7)[begin : begin + 2000])
    assert len(begins) > 15


def test_every_offset_of_a_long_recording_occurs(tmp_path):
    wave = np.arange(1, 13, dtype=np.float32) / 16
    pool = pool_of(tmp_path, {"a": wave})
    starts = {round(16 * float(pool.draw(10, np.random.default_rng(seed)).wave[0])) for seed in range(60)}
    assert starts == {1, 2, 3}


def test_a_recording_at_another_rate_is_resampled(tmp_path):
    tone = np.sin(2 * np.pi * 500 * np.arange(8000) / 8000).astype(np.float32)
    sf.write(tmp_path / "a.wav", tone, 8000)
    file = NoiseFile("a", tmp_path / "a.wav", "street", noise_class="hum", source="a")
    manifest = prepare("noise", tmp_path, noise=[file], progress=False).manifests["noise"]
    wave = NoisePool([NoiseSource(str(manifest))], AudioStore(RATE)).draw(RATE, np.random.default_rng(0)).wave
    assert np.abs(np.fft.rfft(wave)).argmax() == 500


def test_a_manifest_without_a_level(task, tmp_path):
    import gzip

    lines = gzip.decompress(Path(task.noise).read_bytes()).decode().splitlines()
    cut = json.loads(lines[0])
    del cut["custom"]["rms_db"]
    (tmp_path / "n.jsonl").write_text(json.dumps(cut) + "\n")
    with pytest.raises(ManifestError, match="machinery1 carries no rms_db"):
        NoisePool([NoiseSource(str(tmp_path / "n.jsonl"))], AudioStore(RATE))


def test_parts_of_one_file_have_levels_of_their_own(tmp_path):
    """Though two manifests give them one id."""
    wave = np.concatenate([hiss(RATE), 0.001 * hiss(RATE)])
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    sources = []
    for number in (0, 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        file = NoiseFile("a", tmp_path / "a.wav", f"kind{number}", noise_class="hum", source="a", fold=1)
        cut = read_cuts([prepare("noise", folder, noise=[file], progress=False).manifests["noise"]])[0]
        CutSet.from_cuts([cut.truncate(offset=number, duration=1.0, preserve_id=True)]).to_file(folder / "n.jsonl.gz")
        sources.append(NoiseSource(str(folder / "n.jsonl.gz")))
    pool = NoisePool(sources, AudioStore(RATE))
    for number, level_db in enumerate((-20, -80)):
        wave = pool.draw(RATE // 2, np.random.default_rng(0), kind=f"kind{number}").wave
        assert rms_db(wave) == pytest.approx(level_db, abs=1)
        assert pool._recording(pool.cuts[f"kind{number}"][0]).level_db == pytest.approx(level_db, abs=1)


def test_a_padded_recording_is_noise_like_another(tmp_path):
    sf.write(tmp_path / "a.wav", hiss(RATE), RATE, subtype="FLOAT")
    file = NoiseFile("a", tmp_path / "a.wav", "street", noise_class="hum", source="a", fold=1)
    cut = read_cuts([prepare("noise", tmp_path, noise=[file], progress=False).manifests["noise"]])[0]
    padded = cut.pad(duration=2.0, preserve_id=True)
    padded.tracks[0].cut.custom = cut.custom
    CutSet.from_cuts([padded]).to_file(tmp_path / "padded.jsonl.gz")
    pool = NoisePool([NoiseSource(str(tmp_path / "padded.jsonl.gz"))], AudioStore(RATE))
    assert pool.draw(RATE // 2, np.random.default_rng(0)).source == "hum/a"
