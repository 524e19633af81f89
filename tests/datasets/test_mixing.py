"""`drsn-audio mix`: what is written, at which SNR, with which noise; files that cannot be used."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from lhotse import CutSet, Recording, SupervisionSegment

from drsn_audio.audio import AudioError, read_audio
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.datasets.mixing import mix_files
from drsn_audio.noise.mix import measure_snr

RATE = 16000


def write(path: Path, seed: int, seconds: float = 0.5, rate: int = RATE, gain: float = 0.05, **kwargs) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = gain * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    sf.write(path, wave.clip(-1, 1), rate, **kwargs)
    return path


@pytest.fixture
def speech(tmp_path):
    write(tmp_path / "speech/a.wav", 0, subtype="PCM_24")
    write(tmp_path / "speech/sub/b.flac", 1, rate=8000)
    write(tmp_path / "speech/c.wav", 2, subtype="FLOAT")
    return tmp_path / "speech"


@pytest.fixture
def noise(tmp_path):
    write(tmp_path / "hall/short.wav", 10, seconds=0.1, rate=22050)
    write(tmp_path / "hall/long.wav", 11, seconds=3)
    return tmp_path / "hall"


def mixes(report):
    return {cut.id: cut for cut in read_cuts([report.manifest])}


@pytest.mark.parametrize("source", ["hall", "street"])
def test_folder_layout_formats_and_snr(speech, noise, tmp_path, source):
    out = tmp_path / "out"
    report = mix_files(speech, noise if source == "hall" else source, [20, -5], out, stems=True, progress=False)
    assert report.failed == []
    names = {path.relative_to(out).as_posix() for path in report.written}
    assert names == {f"{source}/{snr}/{name}" for snr in ("20dB", "-5dB") for name in ("a.wav", "c.wav", "sub/b.flac")}
    assert sf.info(out / source / "20dB/a.wav").subtype == "PCM_24"
    assert sf.info(out / source / "20dB/sub/b.flac").samplerate == 8000
    assert sf.info(out / source / "20dB/c.wav").subtype == "FLOAT"
    for cut in mixes(report).values():
        path = Path(cut.recording.sources[0].source)
        clean, rate = read_audio(path.with_suffix(".clean.wav"))
        part, _ = read_audio(path.with_suffix(".noise.wav"))
        noisy, _ = read_audio(path)
        measured = measure_snr(torch.from_numpy(clean)[None], torch.from_numpy(part)[None], rate).item()
        tolerance_db = 0.01 if path.suffix == ".wav" else 0.05  # 16 bits
        assert measured == pytest.approx(cut.custom["snr_db"], abs=tolerance_db)
        assert noisy == pytest.approx(clean + part, abs=2 / 32768)


def test_the_clean_speech_is_not_rescaled(speech, noise, tmp_path):
    report = mix_files(speech / "c.wav", noise, [-20], tmp_path / "out", stems=True, progress=False)
    (cut,) = mixes(report).values()
    assert cut.custom["scale"] == 1
    clean, _ = read_audio(tmp_path / "out" / cut.custom["stems"]["clean"])
    assert np.array_equal(clean, read_audio(speech / "c.wav")[0])


def test_an_integer_file_that_would_clip_is_scaled_and_says_so(noise, tmp_path):
    loud = write(tmp_path / "speech/loud.wav", 0, gain=0.25)
    report = mix_files(loud, noise, [-10], tmp_path / "out", stems=True, progress=False)
    (cut,) = mixes(report).values()
    scale = cut.custom["scale"]
    assert scale in (1 / 2, 1 / 4, 1 / 8)
    noisy, _ = read_audio(report.written[0])
    clean, _ = read_audio(tmp_path / "out" / cut.custom["stems"]["clean"])
    assert np.abs(noisy).max() < 1
    assert clean == pytest.approx(scale * read_audio(loud)[0], abs=1e-4)
    assert cut.custom["snr_measured_db"] == pytest.approx(-10, abs=0.01)


def test_one_file_and_one_snr_is_written_to_out(speech, noise, tmp_path):
    report = mix_files(speech / "a.wav", noise / "long.wav", [5], tmp_path / "x/mix.wav", progress=False)
    assert report.written == [tmp_path / "x/mix.wav"]
    assert report.manifest == tmp_path / "x/mix.mix.jsonl.gz"
    assert sf.info(tmp_path / "x/mix.wav").subtype == "PCM_24"
    assert mixes(report)["long/5dB/a.wav"].custom["noise_kind"] == "long"


def test_the_draw_depends_on_seed_and_name_alone(speech, noise, tmp_path):
    def noise_of(out, snr_db, speech=speech, seed=0):
        report = mix_files(speech, noise, snr_db, tmp_path / out, seed=seed, progress=False)
        return {c.id.split("/", 2)[2]: (c.custom["noise_source"], c.custom["offset_s"]) for c in mixes(report).values()}

    all_files = noise_of("1", [5])
    assert noise_of("2", [20, -5]) == all_files
    assert noise_of("3", [5], seed=1) != all_files
    (speech / "a.wav").unlink()
    write(speech / "0.wav", 3)
    others = noise_of("4", [5])
    assert {name: others[name] for name in ("c.wav", "sub/b.flac")} == {
        name: all_files[name] for name in ("c.wav", "sub/b.flac")
    }


def test_every_snr_has_the_same_noise(speech, noise, tmp_path):
    report = mix_files(speech / "c.wav", noise, [0, 20], tmp_path / "out", stems=True, progress=False)
    loud, quiet = (read_audio(path.with_suffix(".noise.wav"))[0] for path in report.written)
    assert loud == pytest.approx(10 * quiet, rel=1e-4, abs=1e-7)


def test_infinite_snr_is_the_clean_speech(speech, noise, tmp_path):
    report = mix_files(speech / "c.wav", noise, [float("inf"), 5], tmp_path / "out", progress=False)
    assert report.written[0] == tmp_path / "out/hall/clean/c.wav"
    assert np.array_equal(read_audio(report.written[0])[0], read_audio(speech / "c.wav")[0])
    assert mixes(report)["hall/clean/c.wav"].custom["snr_db"] is None


def test_bad_files_are_reported_once_and_the_others_mixed(speech, noise, tmp_path):
    (speech / "text.wav").write_text("not audio")
    sf.write(speech / "silent.wav", np.zeros(RATE), RATE)
    sf.write(noise / "silent.wav", np.zeros(RATE), RATE)
    for i in range(8):
        write(speech / f"more{i}.wav", 20 + i, seconds=0.05)
    report = mix_files(speech, noise, [0, 5], tmp_path / "out", progress=False)
    assert len(report.written) == 2 * 11
    reasons = dict(report.failed)
    assert set(reasons) == {speech / "text.wav", speech / "silent.wav", noise / "silent.wav"}
    assert "not audio" in reasons[speech / "text.wav"]
    assert "silent speech" in reasons[speech / "silent.wav"]
    assert "silent noise" in reasons[noise / "silent.wav"]
    assert len(report.failed) == 3


@pytest.mark.parametrize("level", ["p56", "rms"])
def test_an_offset_is_no_level_the_speech_keeps_it_and_the_noise_does_not(tmp_path, level):
    wave = 0.05 * np.random.default_rng(0).standard_normal(RATE)
    hum = 0.01 * np.random.default_rng(1).standard_normal(3 * RATE)
    for name, sound in (("s/plain", wave), ("s/moved", wave + 0.1), ("plain", hum), ("moved", hum - 0.3)):
        (tmp_path / "s").mkdir(exist_ok=True)
        sf.write(tmp_path / f"{name}.wav", sound, RATE, subtype="FLOAT")
    parts = {}
    for noise in ("plain", "moved"):
        options = {"stems": True, "level": level, "progress": False}
        report = mix_files(tmp_path / "s", tmp_path / f"{noise}.wav", [0], tmp_path / noise, **options)
        assert report.failed == []
        for cut in mixes(report).values():
            name = cut.custom["utterance"]
            parts[noise, name] = [
                read_audio(tmp_path / noise / cut.custom["stems"][part])[0].astype(float) for part in ("clean", "noise")
            ]
            clean, part = parts[noise, name]
            assert cut.custom["snr_measured_db"] == pytest.approx(0, abs=0.001)
            if level == "rms":
                assert 20 * np.log10(clean.std() / part.std()) == pytest.approx(0, abs=0.001)
            assert part.mean() == pytest.approx(0, abs=1e-6)
            assert clean.mean() == pytest.approx(0.1 if name == "moved.wav" else 0, abs=2e-3)
    for name in ("plain.wav", "moved.wav"):
        (_, plain), (_, moved) = parts["plain", name], parts["moved", name]
        assert plain.std() == pytest.approx(moved.std(), rel=1e-3)


@pytest.mark.parametrize("rooms", [None, "rooms"])
def test_a_constant_is_silence(speech, noise, tmp_path, rooms):
    for i in range(3):
        sf.write(speech / f"constant{i}.wav", np.full(RATE, 0.2), RATE, subtype=("PCM_16", "PCM_U8", "FLOAT")[i])
    (tmp_path / "rooms").mkdir()
    sf.write(tmp_path / "rooms/r.wav", np.r_[1, np.zeros(500), 0.5], RATE)
    options = {"rooms": str(tmp_path / rooms)} if rooms else {}
    report = mix_files(speech, noise, [0, 5], tmp_path / "out", progress=False, **options)
    reasons = dict(report.failed)
    assert {path.name for path in reasons} == {"constant0.wav", "constant1.wav", "constant2.wav"}
    assert all("silent speech" in reason for reason in reasons.values())
    assert report.mixes == 6
    sf.write(noise / "constant.wav", np.full(3 * RATE, -0.2), RATE)
    report = mix_files(speech / "c.wav", noise / "constant.wav", [0, 5], tmp_path / "b", progress=False, **options)
    assert report.mixes == 0
    assert "silent noise" in report.failed[0][1]


def test_noise_that_is_all_silent_mixes_nothing(speech, tmp_path):
    sf.write(tmp_path / "quiet.wav", np.zeros(RATE), RATE)
    report = mix_files(speech / "a.wav", tmp_path / "quiet.wav", [5], tmp_path / "out", progress=False)
    assert report.written == []
    assert report.manifest is None
    assert [path for path, _ in report.failed] == [tmp_path / "quiet.wav", speech / "a.wav"]


def test_inputs_are_never_overwritten(speech, noise, tmp_path):
    before = (speech / "a.wav").read_bytes(), (noise / "long.wav").read_bytes()
    for out in (speech / "a.wav", noise / "long.wav", speech / "new" / ".." / "a.wav"):
        report = mix_files(speech / "a.wav", noise / "long.wav", [5], out, progress=False)
        assert report.written == []
        assert "is an input" in report.failed[0][1]
    assert before == ((speech / "a.wav").read_bytes(), (noise / "long.wav").read_bytes())
    for out in (speech, speech / "deeper", noise):
        with pytest.raises(AudioError, match="choose a folder outside"):
            mix_files(speech, noise, [5], out, progress=False)


def cuts_manifest(path: Path, files: list[Path], custom: list[dict], text: str | None = None) -> Path:
    cuts = []
    for i, file in enumerate(files):
        cut = Recording.from_file(file, recording_id=f"utt{i}").to_cut()
        cut.id, cut.custom = f"utt{i}", custom[i]
        if text:
            cut.supervisions = [
                SupervisionSegment(f"utt{i}", f"utt{i}", 0.0, cut.duration, text=text, speaker="anna", language="en")
            ]
        cuts.append(cut)
    CutSet.from_cuts(cuts).to_file(path)
    return path


def test_manifests_keep_words_kinds_and_sources(speech, noise, tmp_path):
    spoken = cuts_manifest(tmp_path / "s.jsonl.gz", [speech / "a.wav"], [{}], text="yes")
    customs = [
        {"noise_kind": "street", "noise_class": "siren", "source": "s1", "fold": 1},
        {"noise_kind": "machinery", "noise_class": "drill", "source": "m1", "fold": 1},
    ]
    noises = cuts_manifest(tmp_path / "n.jsonl.gz", [noise / "long.wav", noise / "short.wav"], customs)
    report = mix_files(spoken, noises, [5], tmp_path / "out", progress=False)
    found = mixes(report)
    assert set(found) == {"street/5dB/utt0", "machinery/5dB/utt0"}
    cut = found["street/5dB/utt0"]
    assert Path(cut.recording.sources[0].source) == tmp_path / "out/street/5dB/utt0.wav"
    assert cut.supervisions[0].text == "yes"
    assert cut.supervisions[0].speaker == "anna"
    assert (cut.custom["noise_class"], cut.custom["noise_source"]) == ("siren", "s1")
    assert cut.load_audio().shape == (1, RATE // 2)


def test_level_methods_differ_by_the_pauses(noise, tmp_path):
    # Speech in a quarter of the file: its RMS lies 6 dB below its active level (hangover: a little less).
    wave = np.zeros(16 * RATE, np.float32)
    wave[: 4 * RATE] = 0.05 * np.random.default_rng(0).standard_normal(4 * RATE)
    sf.write(tmp_path / "pauses.wav", wave, RATE, subtype="FLOAT")
    gains = {}
    for level in ("p56", "rms"):
        report = mix_files(
            tmp_path / "pauses.wav",
            noise / "long.wav",
            [5],
            tmp_path / level / "m.wav",
            level=level,
            progress=False,
        )
        (cut,) = mixes(report).values()
        assert cut.custom["level_method"] == level
        gains[level] = cut.custom["gain_db"]
    assert gains["p56"] - gains["rms"] == pytest.approx(5.8, abs=0.3)


def test_stereo_lossy_and_one_sample(noise, tmp_path):
    folder = tmp_path / "speech"
    wave = 0.05 * np.random.default_rng(0).standard_normal(RATE // 2)
    folder.mkdir()
    sf.write(folder / "two.wav", np.stack([wave, wave], 1), RATE)
    sf.write(folder / "lossy.ogg", wave, RATE)
    sf.write(folder / "one.wav", wave[:1], RATE)
    report = mix_files(folder, noise, [5], tmp_path / "out", progress=False)
    assert report.failed == []
    infos = {path.name: sf.info(path) for path in report.written}
    assert infos["two.wav"].channels == 1
    assert infos["lossy.ogg.wav"].subtype == "FLOAT"
    assert infos["one.wav"].frames == 1


@pytest.mark.parametrize(("snr_db", "level"), [([], "p56"), ([float("nan")], "p56"), ([5], "peak")])
def test_nonsense_is_refused(speech, noise, tmp_path, snr_db, level):
    with pytest.raises(ValueError, match=r"choose p56|give one number"):
        mix_files(speech, noise, snr_db, tmp_path / "out", level=level, progress=False)


def test_missing_inputs(speech, noise, tmp_path):
    report = mix_files(tmp_path / "no.wav", noise, [5], tmp_path / "out.wav", progress=False)
    assert report.failed == [(tmp_path / "no.wav", "no such file: check the path")]
    with pytest.raises(AudioError, match=r"no such noise.*factory"):
        mix_files(speech, "strasse", [5], tmp_path / "out", progress=False)


@pytest.mark.slow
@pytest.mark.skipif("DRSN_AUDIO_DATA" not in os.environ, reason="DRSN_AUDIO_DATA names no folder of real audio")
def test_real_recordings(tmp_path):
    data = Path(os.environ["DRSN_AUDIO_DATA"])
    pattern = str(data / "speech_commands_subset/yes/*_nohash_0.flac")
    report = mix_files(pattern, data / "esc10_subset/008 - Chainsaw", [0], tmp_path / "out", stems=True, progress=False)
    assert len(report.written) > 20
    errors_db = [abs(cut.custom["snr_measured_db"]) for cut in mixes(report).values()]
    assert max(errors_db) < 0.01
