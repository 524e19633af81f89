"""What else a mix may hold: drawn SNRs, a background, noise around the speech, rooms, a recording device, a picture."""

import math

import numpy as np
import pytest
import soundfile as sf
import torch

from drsn_audio.audio import read_audio
from drsn_audio.corpora.cuts import SpeechFile, make_cut, write_cuts
from drsn_audio.datasets.mix_rebuild import rebuild
from drsn_audio.datasets.mixing import mix_files
from drsn_audio.errors import InputError
from drsn_audio.noise.level import active_level, rms_db
from drsn_audio.noise.recorder import DeviceEffects, apply_effects
from drsn_audio.noise.reverb import Room

RATE = 16000


@pytest.fixture
def mix(inputs, tmp_path, lines_of):
    """Mixes with float stems, by name of the utterance; every set is also made again, and is to be the same."""
    for path in inputs.speech.rglob("*.flac"):
        wave, rate = read_audio(path)
        sf.write(path.with_suffix(".wav"), wave, rate, subtype="FLOAT")
        path.unlink()

    def run(snr_db=(5,), noise=None, speech=None, **options):
        out = tmp_path / "out"
        report = mix_files(
            speech or inputs.speech, noise or inputs.noise, snr_db, out, stems=True, progress=False, **options
        )
        assert report.failed == []
        again = rebuild(report.manifest, tmp_path / "again", progress=False)
        assert again.failed == []
        assert again.manifest.read_bytes() == report.manifest.read_bytes()
        return {cut["custom"]["utterance"]: cut for cut in lines_of(report.manifest)}

    return run


def parts(tmp_path, cut):
    """The mix, and its clean and noise part."""
    stems = cut["custom"]["stems"]
    names = cut["recording"]["sources"][0]["source"], stems["clean"], stems["noise"]
    return [read_audio(tmp_path / "out" / name)[0] for name in names]


def snr_of(clean, noise):
    return active_level(clean, RATE).active_db - rms_db(noise)


@pytest.mark.parametrize(
    ("law", "values", "fits"),
    [
        ("listed", (20, 0), lambda snr: snr in (20, 0)),
        ("uniform", (-5, 20), lambda snr: -5 <= snr <= 20),
        ("normal", (5, 3), lambda snr: abs(snr - 5) < 18),
    ],
)
def test_snr_laws(mix, tmp_path, law, values, fits):
    cuts = mix(values, snr_law=law)
    assert len(cuts) == 5
    snrs = [cut["custom"]["snr_db"] for cut in cuts.values()]
    assert all(map(fits, snrs))
    assert len(set(snrs)) > 1
    for cut in cuts.values():
        assert cut["recording"]["sources"][0]["source"] == f"hall/{cut['custom']['utterance']}"
        assert cut["id"] == f"hall/{cut['custom']['utterance']}"
        _, clean, noise = parts(tmp_path, cut)
        assert snr_of(clean, noise) == pytest.approx(cut["custom"]["snr_db"], abs=0.01)


def test_a_drawn_snr_depends_on_seed_and_name_alone(inputs, tmp_path, lines_of):
    def drawn(out, speech, **options):
        options = {"snr_law": "uniform", "progress": False, **options}
        report = mix_files(speech, inputs.noise, [-5, 20], tmp_path / out, **options)
        return {cut["custom"]["utterance"]: cut["custom"]["snr_db"] for cut in lines_of(report.manifest)}

    all_of_them = drawn("a", inputs.speech)
    assert drawn("b", inputs.speech, jobs=2) == all_of_them
    assert drawn("c", inputs.speech, seed=1) != all_of_them
    (inputs.speech / "dev-clean/11/100/11-100-0000.flac").unlink()
    assert drawn("d", inputs.speech).items() < all_of_them.items()


def test_a_background_lies_under_the_noise_and_the_snr_is_that_of_both(mix, tmp_path):
    sf.write(tmp_path / "hum.wav", 0.3 * np.sin(2 * np.pi * 50 * np.arange(3 * RATE) / RATE), RATE)
    cuts = mix(background=str(tmp_path / "hum.wav"), background_db=(-12.0, -6.0))
    under_db = set()
    for cut in cuts.values():
        _, clean, noise = parts(tmp_path, cut)
        assert snr_of(clean, noise) == pytest.approx(5, abs=0.01)
        first, second = cut["custom"]["noises"]
        assert (second["root"], second["file"]) == ("background", "hum.wav")
        hum, _ = read_audio(tmp_path / "hum.wav")
        hum = second["gain"] * hum[second["offset_samples"] :][: len(noise)]
        level_db = rms_db(hum) - rms_db(noise - hum)
        assert -12 <= level_db <= -6
        under_db.add(level_db)
        assert first["root"] == "noise"
    assert len(under_db) == 5


def test_lead_in_and_trail_are_outside_of_the_snr(mix, inputs, tmp_path):
    (path,) = inputs.speech.rglob("22-200-0000.wav")
    write_cuts([make_cut(SpeechFile("22", path, "test", "WORDS", "22"))], tmp_path / "speech.jsonl.gz")
    (cut,) = mix(speech=tmp_path / "speech.jsonl.gz", lead_in_s=0.5, trail_s=0.25, noise="factory").values()
    noisy, clean, noise = parts(tmp_path, cut)
    speech, _ = read_audio(path)
    begin, end = RATE // 2, RATE // 2 + len(speech)
    assert len(noisy) == end + RATE // 4 == cut["recording"]["num_samples"]
    assert np.array_equal(clean[begin:end], speech)
    assert not clean[:begin].any()
    assert not clean[end:].any()
    assert noise[:begin].any()
    assert noise[end:].any()
    assert snr_of(clean[begin:end], noise[begin:end]) == pytest.approx(5, abs=0.01)
    assert abs(snr_of(clean, noise) - 5) > 0.05
    (supervision,) = cut["supervisions"]
    assert (supervision["start"], supervision["text"]) == (0.5, "WORDS")
    assert supervision["duration"] == pytest.approx(len(speech) / RATE)


def test_rooms_the_snr_is_that_of_the_reverberant_speech(mix, inputs, tmp_path):
    response = np.zeros(4000, np.float32)
    response[40], response[2040] = 0.5, 0.25  # the direct sound, and an echo of half of it 0.125 s later
    (tmp_path / "rooms").mkdir()
    sf.write(tmp_path / "rooms/r.wav", response, RATE, subtype="FLOAT")
    for id, cut in mix(rooms=str(tmp_path / "rooms")).items():
        noisy, clean, noise = parts(tmp_path, cut)
        speech, _ = read_audio(inputs.speech / id)
        echo = np.pad(0.5 * speech, (2000, 0))[: len(speech)]
        assert clean == pytest.approx(speech + echo, abs=1e-5)
        assert noisy == pytest.approx(clean + noise, abs=1e-6)
        assert snr_of(clean, noise) == pytest.approx(5, abs=0.01)
        assert abs(snr_of(speech, noise) - 5) > 0.1
        reverb = cut["custom"]["reverb"]
        assert (reverb["file"], reverb["direct_sample"]) == ("r.wav", 40)


def test_drawn_rooms(mix, monkeypatch):
    pytest.importorskip("pyroomacoustics")

    def draw(rng, sample_rate):  # in place of a simulation of seconds
        response = np.zeros(2000, np.float32)
        response[100], response[int(rng.integers(200, 2000))] = 1.0, 0.5
        return Room("hall", response, 0.5, 0.5, 1.0, 100)

    monkeypatch.setattr("drsn_audio.datasets.mix_sources.draw_room", draw)
    monkeypatch.setattr("drsn_audio.datasets.mixer.DRAWN_ROOMS", 2)
    cuts = mix(rooms="drawn")
    rooms = {cut["custom"]["reverb"]["seed"]: cut["custom"]["reverb"]["sha256"] for cut in cuts.values()}
    assert len(rooms) == len(set(rooms.values())) == 2


def test_a_device_changes_the_mix_and_not_its_parts(mix, tmp_path):
    effects = {"band_hz": (300.0, 3400.0), "gain_db": 20.0, "clip_db": -12.0, "mu_law": True}
    for cut in mix(**effects).values():
        noisy, clean, noise = parts(tmp_path, cut)
        assert snr_of(clean, noise) == pytest.approx(5, abs=0.01)
        expected = apply_effects(torch.from_numpy(clean + noise), DeviceEffects(**effects), RATE)
        assert noisy == pytest.approx(expected.numpy(), abs=1e-6)
        assert np.abs(noisy).max() <= 10 ** (-12 / 20) * 1.05
        assert cut["custom"]["device_effects"]["mu_law"] is True


def test_a_device_that_amplifies_does_not_clip_an_integer_file_by_accident(inputs, tmp_path, lines_of):
    report = mix_files(inputs.speech, inputs.noise, [0], tmp_path / "out", gain_db=40.0, progress=False)
    for path, cut in zip(report.written, lines_of(report.manifest), strict=True):
        assert np.abs(read_audio(path)[0]).max() < 1
        assert cut["custom"]["scale"] < 1


def test_pictures_of_the_first_mixes(inputs, tmp_path):
    drawn = []

    def plot(path, clean, noise, noisy, sample_rate, title, levels):
        assert noisy == pytest.approx(clean + noise)
        drawn.append((path.relative_to(tmp_path / "out").as_posix(), levels))

    options = {"plot": plot, "plots": 3, "progress": False}
    mix_files(inputs.speech, inputs.noise, [5, math.inf], tmp_path / "out", **options)
    names = [f"hall/{snr}/dev-clean/11/100/11-100-000{i}.png" for i in range(2) for snr in ("5dB", "clean")]
    assert [name for name, _ in drawn] == names[:3]
    assert drawn[0][1]["SNR"] == pytest.approx(5)
    assert drawn[1][1]["SNR"] == math.inf


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"snr_law": "uniform"}, "none for the law uniform"),
        ({"snr_law": "gauss"}, "no SNR law"),
        ({"lead_in_s": -1.0}, "give seconds"),
        ({"background_db": (0.0, -10.0)}, "lowest and the highest"),
        ({"band_hz": (3400.0, 300.0)}, "lowest and the highest"),
        ({"clip_db": math.nan}, "clipping at nan"),
        ({"format": "mp3"}, "choose wav or flac"),
        ({"jobs": 0}, "give 1 or more"),
        ({"rooms": "nowhere"}, "no such rooms"),
    ],
)
def test_options_that_make_no_sense(inputs, tmp_path, options, reason):
    with pytest.raises(InputError, match=reason):
        mix_files(inputs.speech, inputs.noise, [5], tmp_path / "out", progress=False, **options)
    assert not (tmp_path / "out/mix.jsonl.gz").exists()
