"""What every corpus shares: levels, skips, ids, and manifests that are the same bytes for the same files."""

from __future__ import annotations

import gzip
import json
import os

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.audio import AudioError
from drsn_audio.corpora import CORPORA, WITHOUT_SOURCE
from drsn_audio.corpora.cuts import NoiseFile, Skipped, SpeechFile
from drsn_audio.corpora.prepare import prepare, unit_hash
from drsn_audio.datasets.manifests import load_cut


def speech(path, part="train", id=None):
    return SpeechFile(id or path.stem, path, part, text="yes", speaker="anna")


def test_speech_cut_carries_what_was_said_and_how_loud(tmp_path, write_tone, load):
    path = write_tone(tmp_path / "a.wav", amplitude=0.1, duration_s=0.5, sample_rate=8000)
    (cut,) = load(prepare("x", tmp_path / "out", [speech(path)], progress=False).manifests["train"])
    (supervision,) = cut.supervisions
    assert (supervision.text, supervision.speaker, supervision.language) == ("yes", "anna", "en")
    assert (cut.id, cut.sampling_rate, cut.num_samples, supervision.duration) == ("a", 8000, 4000, 0.5)
    # 20 log10(0.1 / sqrt 2) = -23.01 dB; a steady tone is active nearly throughout.
    assert cut.custom["rms_db"] == pytest.approx(-23.01, abs=0.01)
    assert cut.custom["active_level_db"] == pytest.approx(-23.01, abs=0.5)
    assert cut.custom["activity"] == pytest.approx(1, abs=0.1)
    assert np.allclose(cut.load_audio()[0], sf.read(path)[0], atol=1e-6)


def test_active_level_ignores_the_pauses(tmp_path, load):
    """1 s of tone in 4 s of silence: the RMS falls by 10 log10(4) = 6.02 dB, the active level hardly."""
    tone = 0.1 * np.sin(np.arange(16000) * 0.2)
    sf.write(tmp_path / "a.wav", np.concatenate([np.zeros(24000), tone, np.zeros(24000)]), 16000)
    made = prepare("x", tmp_path / "out", [speech(tmp_path / "a.wav")], progress=False)
    (cut,) = load(made.manifests["train"])
    assert cut.custom["rms_db"] == pytest.approx(-23.01 - 6.02, abs=0.05)
    assert cut.custom["active_level_db"] == pytest.approx(-23.01 - 10 * np.log10(1.2), abs=0.6)
    assert cut.custom["activity"] == pytest.approx(0.3, abs=0.05)


def test_noise_cut_carries_where_it_comes_from(tmp_path, write_tone, load):
    path = write_tone(tmp_path / "n.wav", amplitude=0.5)
    file = NoiseFile("n", path, "machinery", noise_class="drilling", source="77", fold=3)
    (cut,) = load(prepare("x", tmp_path / "out", noise=[file], progress=False).manifests["noise"])
    assert cut.custom["rms_db"] == pytest.approx(-9.03, abs=0.01)
    del cut.custom["rms_db"]
    assert cut.custom == {"noise_kind": "machinery", "noise_class": "drilling", "source": "77", "fold": 3}
    assert not cut.supervisions


def test_level_of_stereo_is_that_of_what_a_reader_hears(tmp_path, load):
    """Of opposite channels the louder one is taken, but for the first frames; the mean would be 20 dB below it."""
    hiss = 0.1 * np.random.default_rng(0).standard_normal(8000)
    sf.write(tmp_path / "a.wav", np.stack([hiss, -0.8 * hiss], axis=1), 16000)
    made = prepare("x", tmp_path / "out", [speech(tmp_path / "a.wav")], progress=False)
    (cut,) = load(made.manifests["train"])
    assert (cut.channel, cut.load_audio().shape) == ([0, 1], (2, 8000))
    heard = load_cut(cut, 16000)
    assert cut.custom["rms_db"] == pytest.approx(-20, abs=1)
    assert 20 * np.log10(np.sqrt(np.mean(heard**2))) == pytest.approx(cut.custom["rms_db"], abs=0.01)


def test_unusable_files_are_skipped_with_their_reason(tmp_path, write_tone):
    good = write_tone(tmp_path / "good.wav")
    (tmp_path / "text.wav").write_text("this is not audio")
    sf.write(tmp_path / "empty.wav", np.zeros(0), 16000)
    sf.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    sf.write(tmp_path / "nan.wav", np.full(100, np.nan), 16000, subtype="FLOAT")
    (tmp_path / "cut.wav").write_bytes(good.read_bytes()[:30])
    sf.write(tmp_path / "click.wav", np.full(399, 0.1), 16000)  # a sample less than 25 ms
    names = ["good", "text", "empty", "silent", "nan", "cut", "click", "missing"]
    made = prepare("x", tmp_path / "out", [speech(tmp_path / f"{n}.wav") for n in names], progress=False)
    assert made.counts == {"train": 1}
    reasons = {skipped.path.stem: skipped.reason for skipped in made.skipped}
    assert set(reasons) == set(names) - {"good"}
    assert "silent" in reasons["silent"]
    assert "no samples" in reasons["empty"]
    assert "NaN" in reasons["nan"]
    assert "no such file" in reasons["missing"]
    assert "not audio" in reasons["text"]
    assert "too short for speech (399 samples)" in reasons["click"]
    assert {kind: len(found) for kind, found in made.faults.items()} == {
        "undecodable audio": 5,
        "silent audio": 1,
        "short audio": 1,
    }


def test_the_summary_counts_by_kind_with_an_example_and_the_list_is_whole(tmp_path, write_tone):
    write_tone(tmp_path / "good.wav")
    for name in "abc":
        (tmp_path / f"{name}.wav").write_text("this is not audio")
    out, lost = tmp_path / "out", Skipped(tmp_path / "list.txt", "names d.wav", "listed but not there")
    files = [speech(tmp_path / f"{name}.wav") for name in ("good", "a", "b", "c")]
    made = prepare("x", out, files, skipped=[lost], progress=False)
    lines = str(made).splitlines()
    assert lines[0].startswith("x: 1 train -> ")
    assert lines[1] == f"skipped 3 files; faults by kind, all of them in {out / 'faults.jsonl'}:"
    assert lines[2] == f"  1 listed but not there, first {tmp_path / 'list.txt'}: names d.wav"
    assert lines[3].startswith(f"  3 undecodable audio, first {tmp_path / 'a.wav'}: not audio")
    assert len(lines) == 4
    written = [json.loads(line) for line in (out / "faults.jsonl").read_text().splitlines()]
    assert [(fault["kind"], fault["path"]) for fault in written] == [
        ("listed but not there", str(tmp_path / "list.txt")),
        *(("undecodable audio", str(tmp_path / f"{name}.wav")) for name in "abc"),
    ]
    assert all(fault["reason"] for fault in written)
    prepare("x", out, files[:1], progress=False)
    assert not (out / "faults.jsonl").exists()  # those of an earlier call would be taken for this one's


def test_nothing_usable_is_an_error_that_names_a_reason(tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    with pytest.raises(AudioError, match=r"none of 1 files can be used, first .*a\.wav: is digitally silent"):
        prepare("x", tmp_path / "out", [speech(tmp_path / "a.wav")], progress=False)
    assert not (tmp_path / "out").exists()


def test_of_two_files_of_one_id_the_first_that_can_be_used_is_kept(tmp_path, write_tone, load):
    """FLAC before the others; a torn one leaves its place to the next."""
    paths = [write_tone(tmp_path / name) for name in ("a.wav", "a.flac", "b.wav")] + [tmp_path / "b.flac"]
    paths[-1].write_text("torn")
    made = prepare("x", tmp_path / "out", [speech(path) for path in paths], progress=False)
    kept = [cut.recording.sources[0].source for cut in load(made.manifests["train"])]
    assert kept == [str(tmp_path / "a.flac"), str(tmp_path / "b.wav")]
    (double,) = made.faults["duplicated id"]
    assert double.path == tmp_path / "a.wav"
    assert f"has the id a, as has {tmp_path / 'a.flac'}, which is kept" in double.reason
    assert len(made.faults["undecodable audio"]) == 1


def test_same_files_give_the_same_bytes_in_any_order(tmp_path, write_tone):
    files = [speech(write_tone(tmp_path / f"{name}.wav", amplitude=0.2)) for name in "bca"]
    one = prepare("x", tmp_path / "one", files, progress=False).manifests["train"]
    two = prepare("x", tmp_path / "two", files[::-1], progress=False).manifests["train"]
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes()[4:8] == b"\0\0\0\0"  # gzip's time of writing
    ids = [line.split('"id": "')[1][0] for line in gzip.decompress(one.read_bytes()).decode().splitlines()]
    assert ids == ["a", "b", "c"]


def test_manifest_of_an_earlier_call_does_not_survive_an_empty_part(tmp_path, write_tone):
    a, b = write_tone(tmp_path / "a.wav"), write_tone(tmp_path / "b.wav")
    out = tmp_path / "out"
    prepare("x", out, [speech(a), speech(b, "test")], progress=False)
    made = prepare("x", out, [speech(a), speech(b)], progress=False)
    assert sorted(path.name for path in out.iterdir()) == ["train.jsonl.gz"]
    assert made.counts == {"train": 2}


def test_paths_are_absolute_wherever_it_is_called_from(tmp_path, write_tone, load, monkeypatch):
    write_tone(tmp_path / "in" / "yes" / "a.wav")
    monkeypatch.chdir(tmp_path)
    made = CORPORA["folder"]("in", "out", test_share=0, dev_share=0, progress=False)
    (cut,) = load(made.manifests["train"])
    assert cut.recording.sources[0].source == str(tmp_path / "in" / "yes" / "a.wav")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_out_that_cannot_be_written_is_named(tmp_path, write_tone):
    path = write_tone(tmp_path / "a.wav")
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(AudioError, match="cannot be written"):
        prepare("x", tmp_path / "shut" / "out", [speech(path)], progress=False)


def test_out_that_is_a_file_is_named(tmp_path, write_tone):
    path = write_tone(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="cannot be written"):
        prepare("x", path, [speech(path)], progress=False)


@pytest.mark.parametrize("name", [n for n in CORPORA if n not in {*WITHOUT_SOURCE, "noise-folder"}])
def test_wrong_folders_are_told_what_was_expected(name, tmp_path, write_tone):
    (tmp_path / "empty").mkdir()
    file = write_tone(tmp_path / "a.wav")
    for source in (tmp_path / "empty", tmp_path / "nowhere", file):
        with pytest.raises(AudioError, match=r"(\.(wav|ogg|txt)|chNN|NAME).*files"):
            CORPORA[name](source, tmp_path / "out", progress=False)


@settings(deadline=None, max_examples=20)
@given(st.text(max_size=8), st.integers(0, 5))
def test_unit_hash_is_a_fraction(text, seed):
    assert 0 <= unit_hash(text, seed) < 1
    assert unit_hash(text, seed) == unit_hash(text, seed) != unit_hash(text, seed + 1)


def test_unit_hash_is_uniform():
    """1,000 draws: the mean of a uniform draw is 0.5 with a standard error of 0.009."""
    draws = [unit_hash(str(index)) for index in range(1000)]
    assert np.mean(draws) == pytest.approx(0.5, abs=0.03)
    assert np.std(draws) == pytest.approx(12**-0.5, abs=0.02)
