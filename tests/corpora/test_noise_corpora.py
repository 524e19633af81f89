"""UrbanSound8K, ESC, noise folders and synthetic noise: kinds, folds and original recordings."""

from __future__ import annotations

import numpy as np
import pytest

from drsn_audio.audio import AudioError, read_audio
from drsn_audio.corpora import esc, urbansound8k
from drsn_audio.corpora.esc import prepare_esc
from drsn_audio.corpora.folder import prepare_noise_folder
from drsn_audio.corpora.synthetic_noise import prepare_synthetic_noise
from drsn_audio.corpora.urbansound8k import prepare_urbansound8k


def table(load, made):
    """id -> (kind, class, source, fold)"""
    keys = ("noise_kind", "noise_class", "source", "fold")
    return {cut.id: tuple(cut.custom[key] for key in keys) for cut in load(made.manifests["noise"])}


def faults(made):
    """kind -> names of the files, lists or folders"""
    return {kind: [fault.path.name for fault in found] for kind, found in made.faults.items()}


@pytest.fixture
def urbansound(tmp_path, write_tone):
    root = tmp_path / "us8k"
    write_tone(root / "audio" / "fold1" / "7-1-0-0.flac")
    write_tone(root / "audio" / "fold2" / "9-7-0-0.flac")
    write_tone(root / "audio" / "fold2" / "9-7-0-1.flac", amplitude=0)
    write_tone(root / "audio" / "fold3" / "stray.flac")
    (root / "metadata").mkdir()
    (root / "metadata" / "UrbanSound8K.csv").write_text(
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
        "7-1-0-0.wav,7,0,4,1,1,1,car_horn\n"
        "9-7-0-0.wav,9,0,4,1,2,7,jackhammer\n"
        "9-7-0-1.wav,9,0,4,1,2,7,jackhammer\n"
        "8-0-0-0.wav,8,0,4,1,10,0,air_conditioner\n"
    )
    return root


def test_urbansound_follows_its_table(urbansound, tmp_path, load):
    made = prepare_urbansound8k(urbansound, tmp_path / "out", progress=False)
    assert table(load, made) == {
        "7-1-0-0": ("street", "car_horn", "7", 1),
        "9-7-0-0": ("machinery", "jackhammer", "9", 2),
    }
    assert faults(made) == {
        "silent audio": ["9-7-0-1.flac"],
        "listed but not there": ["UrbanSound8K.csv"],
        "not in the list": ["stray.flac"],
    }
    assert "fold10/8-0-0-0.wav" in made.faults["listed but not there"][0].reason


def test_urbansound_counts_malformed_and_doubled_rows_and_takes_flac_before_ogg(urbansound, tmp_path, load, write_tone):
    csv = urbansound / "metadata" / "UrbanSound8K.csv"
    csv.write_text(
        csv.read_text() + "9-7-0-0.wav,9,0,4,1,2,7,jackhammer\n1-1-1-1.wav,1,0,4,1,two,1,siren\n1-1-1-2.wav\n"
    )
    write_tone(urbansound / "audio" / "fold1" / "7-1-0-0.ogg")
    made = prepare_urbansound8k(urbansound, tmp_path / "out", progress=False)
    assert faults(made)["duplicated id"] == ["7-1-0-0.ogg", "UrbanSound8K.csv"]
    assert [fault.reason[:6] for fault in made.faults["malformed line"]] == ["row 7 ", "row 8 "]
    sources = {cut.id: cut.recording.sources[0].source for cut in load(made.manifests["noise"])}
    assert sources["7-1-0-0"].endswith("fold1/7-1-0-0.flac")


def test_urbansound_without_a_usable_table(urbansound, tmp_path):
    csv = urbansound / "metadata" / "UrbanSound8K.csv"
    csv.write_text("name,fold\na,1\n")
    with pytest.raises(AudioError, match="no column slice_file_name, fsID, class"):
        prepare_urbansound8k(urbansound, tmp_path / "out", progress=False)
    csv.unlink()
    with pytest.raises(AudioError, match=r"UrbanSound8K\.csv: cannot be read"):
        prepare_urbansound8k(urbansound, tmp_path / "out", progress=False)


def test_esc50_follows_its_table(tmp_path, write_tone, load):
    root = tmp_path / "esc50"
    write_tone(root / "audio" / "1-17367-A-10.wav")
    write_tone(root / "audio" / "4-5-B-44.wav")
    write_tone(root / "audio" / "2-6-A-0.wav")
    write_tone(root / "audio" / "5-9-A-0.wav")
    (root / "meta").mkdir()
    (root / "meta" / "esc50.csv").write_text(
        "filename,fold,target,category,esc10,src_file,take\n"
        "1-17367-A-10.wav,1,10,rain,True,17367,A\n"
        "4-5-B-44.wav,4,44,engine,False,5,B\n"
        "2-6-A-0.wav,2,0,dog,True,6,A\n"
        "3-7-A-0.wav,3,0,dog,True,7,A\n"
        "4-5-B-44.wav,4,44,engine,False,5,B\n"
        "3-8-A-0.wav,three,0,dog,True,8,A\n"
    )
    made = prepare_esc(root, tmp_path / "out", progress=False)
    assert table(load, made) == {
        "1-17367-A-10": ("street", "rain", "17367", 1),
        "4-5-B-44": ("machinery", "engine", "5", 4),
        "2-6-A-0": ("other", "dog", "6", 2),
    }
    assert faults(made) == {
        "duplicated id": ["esc50.csv"],
        "listed but not there": ["esc50.csv"],
        "malformed line": ["esc50.csv"],
        "not in the list": ["5-9-A-0.wav"],
    }


def test_esc10_is_read_from_its_folders(tmp_path, write_tone, load):
    root = tmp_path / "esc10"
    write_tone(root / "002 - Rain" / "5-17367-A.ogg")
    write_tone(root / "007 - Helicopter" / "1-9-B.ogg")
    write_tone(root / "003 - Sea waves" / "2-10-A.ogg")
    write_tone(root / "001 - Dog bark" / "2-11-A.ogg")
    write_tone(root / "notes" / "memo.ogg")
    made = prepare_esc(root, tmp_path / "out", progress=False)
    assert table(load, made) == {
        "5-17367-A": ("street", "rain", "17367", 5),
        "1-9-B": ("machinery", "helicopter", "9", 1),
        "2-10-A": ("other", "sea_waves", "10", 2),
        "2-11-A": ("other", "dog", "11", 2),
    }
    assert faults(made) == {"misplaced audio": ["memo.ogg"]}


def test_tables_of_kinds_name_known_kinds():
    assert set(urbansound8k.KINDS.values()) == {"street", "machinery", "other"}
    assert len(urbansound8k.KINDS) == 10
    assert set(esc.KINDS.values()) == {"street", "machinery"}


def test_noise_folder_names_kinds_by_their_folder(tmp_path, write_tone, load):
    root = tmp_path / "noises"
    write_tone(root / "hall" / "night" / "a.wav", channels=2)
    write_tone(root / "hall" / "a.wav")
    write_tone(root / "b.wav")
    made = prepare_noise_folder(root, tmp_path / "out", progress=False)
    assert table(load, made) == {
        "noises/hall/night/a": ("hall", "night", "noises/hall/night/a", 0),
        "noises/hall/a": ("hall", "hall", "noises/hall/a", 0),
        "noises/b": ("noises", "noises", "noises/b", 0),
    }
    made = prepare_noise_folder(root / "b.wav", tmp_path / "one", kind="street", fold=2, progress=False)
    assert table(load, made) == {"b": ("street", "noises", "b", 2)}
    with pytest.raises(AudioError, match="nowhere"):
        prepare_noise_folder(tmp_path / "nowhere", tmp_path / "out", progress=False)


def test_synthetic_noise_is_a_recording_of_its_own_each(tmp_path, load):
    options = {"count": 4, "duration_s": 1.0, "folds": 2, "progress": False}
    made = prepare_synthetic_noise(None, tmp_path / "a", **options)
    rows = table(load, made)
    assert made.counts == {"noise": 8}
    assert [rows[f"street-0-000{index}"][3] for index in range(4)] == [1, 2, 1, 2]
    assert {row[0] for row in rows.values()} == {"street", "factory"}
    assert len({row[2] for row in rows.values()}) == 8
    waves = [read_audio(path)[0] for path in sorted((tmp_path / "a" / "audio").glob("street-*.flac"))]
    assert {wave.size for wave in waves} == {16000}
    assert all(abs(np.corrcoef(waves[0], wave)[0, 1]) < 0.9 for wave in waves[1:])

    again = prepare_synthetic_noise(None, tmp_path / "b", kinds=["street"], **{**options, "count": 2})
    for path in again.manifests["noise"].parent.glob("audio/*"):
        assert path.read_bytes() == (tmp_path / "a" / "audio" / path.name).read_bytes()
    other = prepare_synthetic_noise(None, tmp_path / "c", kinds=["street"], seed=1, **{**options, "count": 1})
    assert not (set(table(load, other)) & set(rows))


def test_synthetic_noise_refuses_what_it_cannot_make(tmp_path):
    for options, message in (
        ({"kinds": ["stret"]}, "'stret': choose among street, factory"),
        ({"count": 0}, "count 0"),
        ({"duration_s": 0}, "duration_s 0"),
    ):
        with pytest.raises(ValueError, match=message):
            prepare_synthetic_noise(None, tmp_path, progress=False, **options)
    with pytest.raises(ValueError, match="reads nothing"):
        prepare_synthetic_noise("folder", tmp_path, progress=False)


@pytest.mark.slow
def test_real_noise(real_data, tmp_path, load):
    urban = prepare_urbansound8k(real_data / "urbansound8k_subset", tmp_path / "us8k", progress=False)
    assert urban.counts == {"noise": 1379}
    folds: dict[str, set[int]] = {}
    for _, name, source, fold in table(load, urban).values():
        folds.setdefault(f"{name}/{source}", set()).add(fold)
    assert all(len(found) == 1 for found in folds.values())  # no recording crosses folds
    made = prepare_esc(real_data / "esc10_subset", tmp_path / "esc", progress=False)
    kinds = [row[0] for row in table(load, made).values()]
    assert (kinds.count("street"), kinds.count("machinery")) == (40, 80)
