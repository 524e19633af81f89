"""Transcripts beside the speech: those of what is mixed are copied beside its mixes, and no others."""

import json

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.datasets.mix_rebuild import rebuild
from drsn_audio.datasets.mixing import mix_files

CHAPTER = "dev-clean/11/100"


@pytest.fixture
def chapter(inputs):
    """Two utterances with transcripts of every kind, and lines of a third whose audio is not there."""
    folder = inputs.speech / CHAPTER
    with open(folder / "11-100.trans.txt", "a") as file:
        file.write("11-100-0002 WORDS WITHOUT SOUND\n")
    for i in range(2):
        name = f"11-100-000{i}"
        for ending in (".txt", ".lab", ".srt", ".en.vtt", ".TextGrid", ".json"):
            (folder / f"{name}{ending}").write_text(f"of {name}")
        with open(folder / "metadata.csv", "a") as file:
            file.write("file,text\n" if not i else "")
            file.write(f'"{name}.flac","11 is said, and more"\n')
        with open(folder / "index.tsv", "a") as file:
            file.write(f"clips/{name}.flac\t11\n")
        with open(folder / "words.ctm", "a") as file:
            file.write(f"{name} A 0.1 0.2 words\n")
    (folder / "all.json").write_text(json.dumps({f"11-100-000{i}": "words" for i in range(2)}))
    (folder / "README.txt").write_text("Read by 11.\n")
    return folder


def texts_below(folder):
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file() and path.suffix != ".flac"}


OWN = "11-100-0001"
WANTED = {
    "11-100.trans.txt": f"{OWN} WORDS OF 1\n",
    "metadata.csv": f'file,text\n"{OWN}.flac","11 is said, and more"\n',
    "index.tsv": f"clips/{OWN}.flac\t11\n",
    "words.ctm": f"{OWN} A 0.1 0.2 words\n",
    "README.txt": "Read by 11.\n",
    **{f"{OWN}{ending}": f"of {OWN}" for ending in (".txt", ".lab", ".srt", ".en.vtt", ".TextGrid", ".json")},
}


@pytest.mark.parametrize("pattern", [f"{OWN}.flac", "*0001.flac"])
def test_of_one_file_its_own_texts_are_copied(inputs, chapter, tmp_path, pattern):
    report = mix_files(chapter / pattern, inputs.noise, [5, 0], tmp_path / "out", progress=False)
    assert report.mixes == 2
    for snr in ("5dB", "0dB"):
        assert texts_below(tmp_path / "out/hall" / snr) == WANTED
    again = rebuild(report.manifest, tmp_path / "again", progress=False)
    assert again.failed == []
    assert texts_below(tmp_path / "again/hall/5dB") == WANTED


def test_of_a_pattern_over_folders_the_texts_of_what_it_takes(inputs, chapter, tmp_path):
    mix_files(inputs.speech / "**/*-0000.flac", inputs.noise, [5], tmp_path / "out", progress=False)
    lines = [path.read_text() for path in sorted((tmp_path / "out").rglob("*.trans.txt"))]
    assert lines == ["11-100-0000 WORDS OF 0\n", "11-101-0000 WORDS OF 2\n", "22-200-0000 WORDS OF 3\n"]
    assert (tmp_path / "out/hall/5dB/SPEAKERS.TXT").read_bytes() == (inputs.speech / "SPEAKERS.TXT").read_bytes()


def test_of_a_folder_they_are_copied_as_they_are(inputs, chapter, tmp_path):
    mix_files(inputs.speech, inputs.noise, [5], tmp_path / "out", progress=False)
    expected = texts_below(chapter)
    assert texts_below(tmp_path / "out/hall/5dB" / CHAPTER) == expected
    assert "all.json" in expected


def test_two_files_of_one_name_share_their_text(inputs, tmp_path):
    folder = tmp_path / "speech"
    folder.mkdir()
    for ending in (".wav", ".flac"):
        sf.write(folder / f"a{ending}", 0.1 * np.random.default_rng(0).standard_normal(8000), 16000)
    (folder / "a.txt").write_text("words")
    mix_files(folder / "a.wav", inputs.noise, [5, 0], tmp_path / "out", progress=False)
    assert (tmp_path / "out/hall/5dB/a.txt").read_text() == "words"


def test_lists_of_other_makes(inputs, tmp_path):
    """Kaldi's "text", a byte order mark, blanks in names, neighbours that ffmpeg reads."""
    folder = tmp_path / "speech"
    folder.mkdir()
    for name in ("my word.wav", "other word.wav"):
        sf.write(folder / name, 0.1 * np.random.default_rng(0).standard_normal(8000), 16000)
    (folder / "third.m4a").touch()
    (folder / "third.txt").write_text("words")
    (folder / "list.csv").write_text("my word.wav,left\nother word.wav,right\nthird.m4a,up\n")
    (folder / "all.trans.txt").write_bytes(b"\xef\xbb\xbfu1 LEFT\r\nu2 RIGHT\r\n")
    (folder / "text").write_text("u1 LEFT\nu2 RIGHT\n")
    mix_files(folder / "my word.wav", inputs.noise, [5], tmp_path / "out", progress=False)
    assert {path.name for path in (tmp_path / "out/hall/5dB").iterdir()} == {"my word.wav", "list.csv"}
    assert (tmp_path / "out/hall/5dB/list.csv").read_text() == "my word.wav,left\n"
    (folder / "my word.wav").rename(folder / "u1.wav")
    mix_files(folder / "u1.wav", inputs.noise, [5], tmp_path / "out1", progress=False)
    assert (tmp_path / "out1/hall/5dB/all.trans.txt").read_bytes() == b"\xef\xbb\xbfu1 LEFT\r\n"
    assert (tmp_path / "out1/hall/5dB/text").read_text() == "u1 LEFT\n"
