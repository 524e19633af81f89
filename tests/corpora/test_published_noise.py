"""MUSAN, DEMAND, NOISEX-92, TUT scenes and OpenSLR 28, in the layouts in which they are published."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf
from scipy.io import savemat

from drsn_audio.audio import AudioError, read_audio
from drsn_audio.corpora import demand, noisex92, tut_scenes
from drsn_audio.corpora.demand import prepare_demand
from drsn_audio.corpora.musan import prepare_musan
from drsn_audio.corpora.noisex92 import prepare_noisex92
from drsn_audio.corpora.openslr28 import prepare_openslr28
from drsn_audio.corpora.tut_scenes import prepare_tut_scenes


def table(load, made):
    """id -> (kind, class, source, fold)"""
    keys = ("noise_kind", "noise_class", "source", "fold")
    return {cut.id: tuple(cut.custom[key] for key in keys) for cut in load(made.manifests["noise"])}


def faults(made):
    """kind -> names of the files, lists or folders"""
    return {kind: [fault.path.name for fault in found] for kind, found in made.faults.items()}


def sources(load, path):
    return {cut.recording.sources[0].source for cut in load(path)}


@pytest.fixture
def musan(tmp_path, write_tone):
    root = tmp_path / "musan"
    for name in ("noise/free-sound/noise-free-sound-0000", "noise/sound-bible/noise-sound-bible-0001"):
        write_tone(root / f"{name}.wav")
    for index in range(3):
        write_tone(root / f"music/fma/music-fma-000{index}.wav")
    write_tone(root / "speech/librivox/speech-librivox-0000.wav")
    (root / "music/fma/ANNOTATIONS").write_text(
        "music-fma-0000 rock,pop Y The_Band\nmusic-fma-0001 jazz N The_Band\nmusic-fma-0002 blues Y Solo\n"
    )
    (root / "noise/free-sound/LICENSE").write_text("each its own\n")
    return root


def test_musan(musan, tmp_path, load):
    made = prepare_musan(musan, tmp_path / "out", progress=False)
    rows = table(load, made)
    assert made.skipped == []
    assert {id: row[:3] for id, row in rows.items()} == {
        "noise-free-sound-0000": ("other", "free-sound", "noise-free-sound-0000"),
        "noise-sound-bible-0001": ("other", "sound-bible", "noise-sound-bible-0001"),
        "music-fma-0000": ("music", "rock", "The_Band"),
        "music-fma-0001": ("music", "jazz", "The_Band"),
        "music-fma-0002": ("music", "blues", "Solo"),
        "speech-librivox-0000": ("speech", "librivox", "speech-librivox-0000"),
    }
    assert {row[3] for row in rows.values()} <= {1, 2, 3, 4, 5}
    assert rows["music-fma-0000"][3] == rows["music-fma-0001"][3]  # no artist in two folds
    only = prepare_musan(musan, tmp_path / "noise", parts=["noise"], folds=2, progress=False)
    assert only.counts == {"noise": 2}
    assert {row[3] for row in table(load, only).values()} <= {1, 2}
    for options in ({"parts": ["voices"]}, {"folds": 0}):
        with pytest.raises(ValueError, match="parts are noise, music, speech, folds 1 or more"):
            prepare_musan(musan, tmp_path / "out", progress=False, **options)


def test_musan_is_what_lhotse_lists(musan, tmp_path, load):
    from lhotse.recipes.musan import prepare_musan as by_lhotse

    ours = sources(load, prepare_musan(musan, tmp_path / "out", progress=False).manifests["noise"])
    assert ours == {r.sources[0].source for part in by_lhotse(musan).values() for r in part["recordings"]}


def test_musan_faults(musan, tmp_path, write_tone):
    (musan / "noise/free-sound/noise-free-sound-0000.wav").write_text("torn")
    write_tone(musan / "extra/free-sound/a.wav")
    (musan / "music/fma/ANNOTATIONS").write_text("music-fma-0000 rock Y A\nmusic-fma-0009 rock Y A\nmusic-fma-0001\n")
    made = prepare_musan(musan, tmp_path / "out", progress=False)
    assert made.counts == {"noise": 5}
    assert faults(made) == {
        "listed but not there": ["ANNOTATIONS"],
        "malformed line": ["ANNOTATIONS"],
        "misplaced audio": ["a.wav"],
        "not in the list": ["music-fma-0001.wav", "music-fma-0002.wav"],
        "undecodable audio": ["noise-free-sound-0000.wav"],
    }


def test_demand(tmp_path, write_tone, load):
    for place in ("STRAFFIC", "TCAR_16k", "OOFFICE_16k/OOFFICE"):
        for channel in (1, 2, 16):
            write_tone(tmp_path / "demand" / place / f"ch{channel:02d}.wav")
    (tmp_path / "demand/TCAR_16k/ch02.wav").unlink()
    write_tone(tmp_path / "demand/ATTIC/ch01.wav")
    made = prepare_demand(tmp_path / "demand", tmp_path / "out", progress=False)
    assert table(load, made) == {
        "STRAFFIC/ch01": ("street", "STRAFFIC", "STRAFFIC", 3),
        "TCAR/ch01": ("machinery", "TCAR", "TCAR", 2),
        "OOFFICE/ch01": ("background", "OOFFICE", "OOFFICE", 3),
    }
    assert faults(made) == {"misplaced audio": ["ch01.wav"]}
    more = prepare_demand(tmp_path / "demand", tmp_path / "out", channels=[1, 2], progress=False)
    assert more.counts == {"noise": 5}
    assert more.faults["listed but not there"][0].reason.startswith("names ch02.wav")
    assert len(more.faults["listed but not there"]) == 1
    with pytest.raises(AudioError, match="no channel 3"):
        prepare_demand(tmp_path / "demand", tmp_path / "out", channels=[3], progress=False)


def test_every_kind_has_noises_in_every_fold():
    """Else nothing of a kind could be tested on that was not trained on."""
    assert len(demand.SCENES) == 18
    assert len(noisex92.NOISES) == 15
    for noises, folds in ((demand.SCENES, {1, 2, 3}), (noisex92.NOISES, {1, 2})):
        for kind in {kind for kind, _ in noises.values()}:
            assert {fold for its, fold in noises.values() if its == kind} == folds
    assert set(tut_scenes.KINDS.values()) == {"street", "machinery", "background", "other"}
    assert len(tut_scenes.KINDS) == 15


def test_noisex_as_wav_and_as_matlab_files(tmp_path, write_tone, load):
    root, out = tmp_path / "noisex", tmp_path / "out"
    write_tone(root / "factory1.wav", sample_rate=19980)
    write_tone(root / "thunder.wav")
    samples = np.round(3276.8 * np.sin(np.arange(9990) * 0.2))
    savemat(root / "babble.mat", {"babble": samples[:, None]})
    savemat(root / "factory1.mat", {"factory1": samples[:, None]})
    savemat(root / "volvo.mat", {"a": samples, "b": samples})
    (root / "pink.mat").write_text("torn")
    made = prepare_noisex92(root, out, progress=False)
    assert table(load, made) == {
        "noisex-92/factory1": ("factory", "factory1", "factory1", 1),
        "noisex-92/babble": ("background", "babble", "babble", 1),
    }
    assert faults(made) == {"not in the list": ["thunder.wav"], "undecodable audio": ["pink.mat", "volvo.mat"]}
    wave, sample_rate = read_audio(out / "audio" / "babble.wav")
    assert (sample_rate, wave.size) == (19980, 9990)
    assert np.abs(wave).max() == pytest.approx(0.1, abs=1e-4)
    assert made.notes[0].startswith("11 of the 15 noises are not here: buccaneer1")
    with pytest.raises(AudioError, match=r"no NAME\.wav or NAME\.mat"):
        prepare_noisex92(tmp_path, out, progress=False)


@pytest.fixture
def tut(tmp_path, write_tone):
    root = tmp_path / "TUT-acoustic-scenes-2017-development"
    for name in ("b020_90_100", "b020_100_110", "c001_0_10", "t003_0_10", "x9_0_10"):
        write_tone(root / "audio" / f"{name}.wav", channels=2)
    (root / "meta.txt").write_text(
        "audio/b020_90_100.wav\tbeach\tb020\naudio/b020_100_110.wav\tbeach\tb020\n"
        "audio/c001_0_10.wav\tcity_center\tc001\naudio/t003_0_10.wav\ttram\tt003\n"
        "audio/c001_0_10.wav\ttram\tc001\naudio/gone_0_10.wav\tpark\tgone\nno table\n"
    )
    return root


def test_tut_scenes_follow_their_table_and_folds(tut, tmp_path, load):
    (tut / "evaluation_setup").mkdir()
    (tut / "evaluation_setup/fold2_evaluate.txt").write_text(
        "audio/b020_90_100.wav\tbeach\naudio/b020_100_110.wav\tbeach\n"
    )
    (tut / "evaluation_setup/fold4_evaluate.txt").write_text(
        "audio/c001_0_10.wav\tcity_center\naudio/t003_0_10.wav\ttram\n"
    )
    made = prepare_tut_scenes(tut, tmp_path / "out", progress=False)
    assert table(load, made) == {
        "b020_90_100": ("other", "beach", "b020", 2),
        "b020_100_110": ("other", "beach", "b020", 2),
        "c001_0_10": ("street", "city_center", "c001", 4),
        "t003_0_10": ("machinery", "tram", "t003", 4),
    }
    assert faults(made) == {
        "duplicated id": ["meta.txt"],
        "listed but not there": ["meta.txt"],
        "malformed line": ["meta.txt"],
        "not in the list": ["x9_0_10.wav"],
    }


def test_tut_places_stay_together_without_the_published_folds(tut, tmp_path, load):
    rows = table(load, prepare_tut_scenes(tut, tmp_path / "out", progress=False))
    assert rows["b020_90_100"][3] == rows["b020_100_110"][3] in {1, 2, 3, 4}
    (tut / "meta.txt").unlink()
    with pytest.raises(AudioError, match=r"meta\.txt: cannot be read"):
        prepare_tut_scenes(tut, tmp_path / "out", progress=False)


@pytest.fixture
def rirs(tmp_path, write_tone):
    """An impulse after 40 samples and a decaying tail; the second channel hears it 9 samples later."""
    root = tmp_path / "RIRS_NOISES"

    def response(place, channels=1):
        tail = np.random.default_rng(0).standard_normal(800) * np.exp(-np.arange(800) / 100) * 0.05
        wave = np.zeros((900, channels))
        for channel in range(channels):
            wave[40 + 9 * channel, channel] = 0.9
            wave[60 + 9 * channel : 860 + 9 * channel, channel] = tail
        path = root / f"{place}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, wave, 16000)

    real = "real_rirs_isotropic_noises"
    response(f"{real}/RVB2014_type1_rir_largeroom1_far_angla", channels=2)
    response(f"{real}/air_type1_air_binaural_booth_0_1")
    for size in ("small", "medium", "large"):
        response(f"simulated_rirs/{size}room/Room001/Room001-00001")
    for take in (1, 2):
        write_tone(root / real / f"RVB2014_type1_noise_largeroom1_{take}.wav", channels=2)
    for index in range(2):
        write_tone(root / "pointsource_noises" / f"noise-free-sound-000{index}.wav")
    (root / "pointsource_noises/noise_list").write_text(
        "".join(
            f"--noise-id n{index} --noise-type point-source --bg-fg-type {type} "
            f"RIRS_NOISES/pointsource_noises/noise-free-sound-000{index}.wav\n"
            for index, type in enumerate(("background", "foreground"))
        )
    )
    return root


def test_openslr28(rirs, tmp_path, load):
    made = prepare_openslr28(rirs, tmp_path / "out", progress=False)
    assert made.counts == {"noise": 4, "responses": 2}
    assert made.skipped == []
    rows = table(load, made)
    assert {id: row[:3] for id, row in rows.items()} == {
        "pointsource/noise-free-sound-0000": ("other", "background", "noise-free-sound-0000"),
        "pointsource/noise-free-sound-0001": ("other", "foreground", "noise-free-sound-0001"),
        "isotropic/RVB2014_type1_noise_largeroom1_1": ("background", "isotropic", "RVB2014_type1_noise_largeroom1"),
        "isotropic/RVB2014_type1_noise_largeroom1_2": ("background", "isotropic", "RVB2014_type1_noise_largeroom1"),
    }
    takes = [cut for cut in load(made.manifests["noise"]) if cut.id.startswith("isotropic")]
    assert takes[0].custom["fold"] == takes[1].custom["fold"]
    assert takes[0].load_audio().shape == (1, 8000)  # one microphone, not the mean of an array
    responses = {cut.id: cut for cut in load(made.manifests["responses"])}
    assert set(responses) == {"real/RVB2014_type1_rir_largeroom1_far_angla", "real/air_type1_air_binaural_booth_0_1"}
    for cut in responses.values():
        assert cut.custom["direct_sample"] == 40
        assert cut.custom["rt60_s"] is None
        assert cut.load_audio().shape == (1, 900)


def test_openslr28_rooms_of_the_same_number_are_three(rirs, tmp_path, load):
    out = tmp_path / "out"
    prepare_openslr28(rirs, out, parts=["point-noise"], progress=False)
    made = prepare_openslr28(rirs, out, parts=["simulated-responses"], progress=False)
    assert sorted(path.name for path in out.iterdir()) == ["responses.jsonl.gz"]  # nothing of the earlier call
    rooms = {cut.id: cut.custom["room"] for cut in load(made.manifests["responses"])}
    assert rooms == {f"{size}/Room001-00001": f"{size}/Room001" for size in ("small", "medium", "large")}
    for parts in (["noise"], []):
        with pytest.raises(ValueError, match="parts are point-noise, isotropic-noise"):
            prepare_openslr28(rirs, tmp_path / "out", parts=parts, progress=False)


def test_openslr28_is_what_lhotse_lists_and_the_aachen_responses(rirs, tmp_path, load):
    from lhotse.recipes.rir_noise import prepare_rir_noise

    from drsn_audio.corpora.openslr28 import PARTS

    made = prepare_openslr28(rirs, tmp_path / "out", parts=PARTS, progress=False)
    ours = {source for path in made.manifests.values() for source in sources(load, path)}
    theirs = {r.sources[0].source for part in prepare_rir_noise(rirs).values() for r in part["recordings"]}
    assert {path.rsplit("/", 1)[1] for path in ours - theirs} == {"air_type1_air_binaural_booth_0_1.wav"}
    assert theirs <= ours


def test_openslr28_faults_of_noises_and_responses_in_one_list(rirs, tmp_path, write_tone):
    (rirs / "real_rirs_isotropic_noises/air_type1_air_binaural_booth_0_1.wav").write_text("torn")
    (rirs / "pointsource_noises/noise-free-sound-0000.wav").write_text("torn")
    write_tone(rirs / "pointsource_noises/noise-free-sound-0002.wav")
    write_tone(rirs / "elsewhere/a.wav")
    with (rirs / "pointsource_noises/noise_list").open("a") as file:
        file.write("no list\n--noise-id n9 --bg-fg-type foreground RIRS_NOISES/pointsource_noises/gone.wav\n")
    made = prepare_openslr28(rirs, tmp_path / "out", progress=False)
    assert made.counts == {"noise": 4, "responses": 1}
    found = faults(made)
    found["undecodable audio"] += found.pop("unusable audio", [])  # what the reader of responses calls it
    assert {kind: sorted(names) for kind, names in found.items()} == {
        "listed but not there": ["noise_list"],
        "malformed line": ["noise_list"],
        "misplaced audio": ["a.wav"],
        "not in the list": ["noise-free-sound-0002.wav"],
        "undecodable audio": ["air_type1_air_binaural_booth_0_1.wav", "noise-free-sound-0000.wav"],
    }
    assert (tmp_path / "out" / "faults.jsonl").read_text().count("\n") == 6
