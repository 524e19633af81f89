"""LibriSpeech: every utterance in its part, and every fault of the layout counted under its name."""

from __future__ import annotations

import shutil

import pytest

from drsn_audio.audio import AudioError
from drsn_audio.corpora import librispeech
from drsn_audio.corpora.librispeech import prepare_librispeech

SPEAKERS = """;ID  |SEX| SUBSET           |MINUTES| NAME
84   | F | dev-clean        | 8.02  | Anna
174  | M | dev-clean        | 8.00  | Ben
61   | M | test-clean       | 8.08  | Cem
999  | M | train-clean-100  | 8.08  | in a part that is not here
"""


@pytest.fixture
def corpus(tmp_path, write_tone):
    """Speakers 84 (two chapters) and 174 of dev-clean, 61 of test-clean: two utterances a chapter."""
    root = tmp_path / "LibriSpeech"
    for part, speaker, chapter in (
        ("dev-clean", 84, 121),
        ("dev-clean", 84, 122),
        ("dev-clean", 174, 5),
        ("test-clean", 61, 70968),
    ):
        folder, name = root / part / str(speaker) / str(chapter), f"{speaker}-{chapter}"
        for index in range(2):
            write_tone(folder / f"{name}-000{index}.flac", duration_s=0.2)
        (folder / f"{name}.trans.txt").write_text(f"{name}-0000 GO DO YOU HEAR\n{name}-0001 IT'S  {speaker}\n")
    (root / "SPEAKERS.TXT").write_text(SPEAKERS)
    return root


def prepared(source, out, **options):
    return prepare_librispeech(source, out, progress=False, **options)


def test_audio_that_needs_ffmpeg_is_reported_without_it(corpus, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("drsn_audio.audio.search.find_ffmpeg", lambda: None)
    flac = corpus / "dev-clean/84/121/84-121-0000.flac"
    flac.rename(flac.with_suffix(".m4a"))
    made = prepared(corpus, tmp_path / "out")
    assert sum(made.counts.values()) == 7
    (warning,) = [line for line in caplog.messages if ".m4a" in line]
    assert str(corpus) in warning


def texts(made, load):
    """id -> text of all parts"""
    return {cut.id: cut.supervisions[0].text for manifest in made.manifests.values() for cut in load(manifest)}


def faults(made):
    """kind -> names of the files, lists or folders"""
    return {kind: [fault.path.name for fault in found] for kind, found in made.faults.items()}


def test_a_manifest_a_part_with_text_speaker_and_gender(corpus, tmp_path, load):
    made = prepared(corpus, tmp_path / "out")
    assert made.counts == {"dev-clean": 6, "test-clean": 2}
    assert made.skipped == []
    assert made.manifests["dev-clean"] == tmp_path / "out" / "dev-clean.jsonl.gz"
    cuts = {cut.id: cut for cut in load(made.manifests["dev-clean"])}
    said = cuts["84-121-0001"].supervisions[0]
    assert (said.text, said.speaker, said.gender, said.language) == ("IT'S 84", "84", "F", "en")
    assert cuts["174-5-0000"].supervisions[0].gender == "M"
    assert cuts["174-5-0000"].custom["active_level_db"] == pytest.approx(-23, abs=0.5)


def test_lists_what_lhotse_lists_where_nothing_is_wrong(corpus, tmp_path, load):
    from lhotse.recipes.librispeech import LIBRISPEECH, MINI_LIBRISPEECH
    from lhotse.recipes.librispeech import prepare_librispeech as by_lhotse

    assert {*LIBRISPEECH, *MINI_LIBRISPEECH} == set(librispeech.OFFICIAL_PARTS)
    made = prepared(corpus, tmp_path / "out")
    theirs = by_lhotse(corpus)
    assert set(theirs) == set(made.manifests)
    for part, found in theirs.items():
        ours = {
            cut.id: (cut.recording.sources[0].source, cut.num_samples, cut.supervisions[0].speaker)
            for cut in load(made.manifests[part])
        }
        assert ours == {
            r.id: (r.sources[0].source, r.num_samples, s.speaker)
            for r in found["recordings"]
            for s in found["supervisions"]
            if s.recording_id == r.id
        }


@pytest.mark.parametrize("place", ["dev-clean", "dev-clean/84", "dev-clean/84/121"])
def test_any_folder_of_it_alone(corpus, tmp_path, place, load):
    made = prepared(corpus / place, tmp_path / "out")
    assert made.counts == {"dev-clean": {"dev-clean": 6, "dev-clean/84": 4, "dev-clean/84/121": 2}[place]}
    assert {cut.supervisions[0].gender for cut in load(made.manifests["dev-clean"])} <= {"F", "M"}
    assert "empty speaker" not in made.faults


def test_what_mix_writes_is_read_as_the_part_that_its_snr_names(corpus, tmp_path, load):
    """OUT/NOISE/SNR/SPEAKER/CHAPTER: the SNR is a number, as speakers and chapters are."""
    mixed = tmp_path / "mixed" / "street" / "5"
    shutil.copytree(corpus / "dev-clean", mixed)
    made = prepared(mixed, tmp_path / "out")
    assert (made.counts, made.skipped) == ({"5": 6}, [])


@pytest.mark.parametrize("parting", ["\t", "   ", " \t"])
def test_transcripts_may_be_parted_by_tabs(corpus, tmp_path, load, parting):
    """Kaldi's habit, and files from Windows: CRLF and a byte order mark."""
    usual = texts(prepared(corpus, tmp_path / "usual"), load)
    for path in corpus.rglob("*.trans.txt"):
        lines = [line.split(None, 1) for line in path.read_text().splitlines()]
        path.write_text("\ufeff" + "\r\n".join(map(parting.join, lines)), encoding="utf-8", newline="")
    made = prepared(corpus, tmp_path / "parted")
    assert made.skipped == []
    assert texts(made, load) == usual
    assert len(usual) == 8


def test_without_the_table_of_speakers_gender_is_unknown(corpus, tmp_path, load):
    (corpus / "SPEAKERS.TXT").unlink()
    made = prepared(corpus, tmp_path / "out")
    assert made.skipped == []
    assert {cut.supervisions[0].gender for cut in load(made.manifests["dev-clean"])} == {None}


def test_parts_are_chosen_by_name(corpus, tmp_path, write_tone):
    write_tone(corpus / "dev-clean" / "stray.flac")
    out = tmp_path / "out"
    prepared(corpus, out)
    made = prepared(corpus, out, parts=["test-clean"])
    assert made.counts == {"test-clean": 2}
    assert made.skipped == []
    assert sorted(path.name for path in out.iterdir()) == ["test-clean.jsonl.gz"]  # nothing of the earlier call
    with pytest.raises(ValueError, match="no part dev-other in it: it holds dev-clean, test-clean"):
        prepared(corpus, out, parts=["dev-other"])


def test_split_by_speaker(tmp_path, write_tone, load):
    for speaker in range(1, 31):
        folder = tmp_path / "dev-clean" / str(speaker) / "7"
        for index in range(2):
            write_tone(folder / f"{speaker}-7-000{index}.wav", duration_s=0.1)
        (folder / f"{speaker}-7.trans.txt").write_text(f"{speaker}-7-0000 A\n{speaker}-7-0001 B\n")
    made = prepared(tmp_path / "dev-clean", tmp_path / "out", split="speaker", dev_share=0.2, test_share=0.3)
    speakers = {part: {c.supervisions[0].speaker for c in load(path)} for part, path in made.manifests.items()}
    assert sum(made.counts.values()) == 60
    assert set(speakers) == {"train", "dev", "test"}
    assert sum(map(len, speakers.values())) == 30  # nobody in two parts
    assert made.notes == []
    for options, message in (({"split": "random"}, "split 'random'"), ({"test_share": 0.95}, r"test_share 0\.95")):
        with pytest.raises(ValueError, match=message):
            prepared(tmp_path / "dev-clean", tmp_path / "out", **options)


def break_transcripts(corpus, _):
    (corpus / "dev-clean/84/121/84-121.trans.txt").unlink()
    return {"audio without transcript": ["84-121-0000.flac", "84-121-0001.flac"]}


def break_line(corpus, _):
    (corpus / "dev-clean/84/121/84-121.trans.txt").write_text("84-121-0000 GO\n")
    return {"audio without transcript": ["84-121-0001.flac"]}


def break_audio(corpus, _):
    (corpus / "dev-clean/84/121/84-121-0000.flac").unlink()
    return {"transcript without audio": ["84-121.trans.txt"]}


def break_text(corpus, _):
    (corpus / "dev-clean/84/121/84-121.trans.txt").write_text("84-121-0000 \n84-121-0001 GO\n")
    return {"empty transcript": ["84-121-0000.flac"]}


def break_form(corpus, _):
    (corpus / "dev-clean/84/121/84-121.trans.txt").write_text(
        "84-121-0000 GO\n\n84-121-0001 GO\nGO ON\n84-122-0000 GO\n"
    )
    return {"malformed line": ["84-121.trans.txt"] * 2}


def break_lines_twice(corpus, _):
    with (corpus / "dev-clean/84/121/84-121.trans.txt").open("a") as file:
        file.write("84-121-0000 ANOTHER TEXT\n")
    return {"duplicated id": ["84-121.trans.txt"]}


def break_encoding(corpus, _):
    (corpus / "dev-clean/84/121/84-121.trans.txt").write_bytes(b"84-121-0000 \xff\xfe\n")
    return {
        "unreadable transcripts": ["84-121.trans.txt"],
        "audio without transcript": ["84-121-0000.flac", "84-121-0001.flac"],
    }


def break_format_twice(corpus, write_tone):
    write_tone(corpus / "dev-clean/84/121/84-121-0000.mp3", duration_s=0.2)
    return {"duplicated id": ["84-121-0000.mp3"]}


def break_part_twice(corpus, _):
    shutil.copytree(corpus / "dev-clean/84/121", corpus / "test-clean/84/121")
    return {"duplicated id": ["84-121-0000.flac", "84-121-0001.flac"]}


def break_decoding(corpus, _):
    (corpus / "dev-clean/84/121/84-121-0000.flac").write_bytes(b"fLaC and nothing more")
    return {"undecodable audio": ["84-121-0000.flac"]}


def break_chapter(corpus, _):
    (corpus / "dev-clean/84/123").mkdir()
    return {"empty chapter": ["123"]}


def break_speaker(corpus, _):
    (corpus / "dev-clean/251").mkdir()
    return {"empty speaker": ["251"]}


def break_speaker_of_empty_chapters(corpus, _):
    (corpus / "dev-clean/251/1").mkdir(parents=True)
    return {"empty chapter": ["1"], "empty speaker": ["251"]}


def break_place(corpus, write_tone):
    write_tone(corpus / "dev-clean/84/84-121-0007.flac")
    write_tone(corpus / "dev-clean/84/121/122-84-0000.flac")
    return {"misplaced audio": ["122-84-0000.flac", "84-121-0007.flac"]}


def break_table(corpus, _):
    table = corpus / "SPEAKERS.TXT"
    table.write_text("84 F dev-clean\n174|M|dev-clean|8|Ben\n61|M|test-clean|8|Cem\n77|F|dev-clean|8|Dora\n")
    return {"malformed line": ["SPEAKERS.TXT"], "listed but not there": ["SPEAKERS.TXT"], "not in the list": ["84"]}


BREAKS = {name: function for name, function in globals().items() if name.startswith("break_")}


@pytest.mark.parametrize("name", BREAKS)
def test_a_fault_is_counted_and_the_rest_is_prepared(name, corpus, tmp_path, write_tone, load):
    """Each fault, made alone: its kind and files, no other kind; no more is lost than what it spoils."""
    expected = BREAKS[name](corpus, write_tone)
    made = prepared(corpus, tmp_path / "out")
    assert faults(made) == {kind: sorted(names) for kind, names in sorted(expected.items())}
    lost = {
        "break_transcripts": 2,
        "break_encoding": 2,
        **dict.fromkeys(("break_line", "break_audio", "break_text", "break_decoding"), 1),
    }
    assert sum(made.counts.values()) == 8 - lost.get(name, 0)
    assert (tmp_path / "out" / "faults.jsonl").read_text().count("\n") == len(made.skipped)


def test_of_two_formats_flac_is_kept_of_two_parts_the_first_by_name_and_of_two_lines_the_first(
    corpus, tmp_path, write_tone, load
):
    break_format_twice(corpus, write_tone)
    break_part_twice(corpus, write_tone)
    break_lines_twice(corpus, write_tone)
    cuts = {cut.id: cut for cut in load(prepared(corpus, tmp_path / "out").manifests["dev-clean"])}
    assert cuts["84-121-0000"].recording.sources[0].source.endswith("dev-clean/84/121/84-121-0000.flac")
    assert cuts["84-121-0000"].supervisions[0].text == "GO DO YOU HEAR"


def test_a_torn_flac_leaves_its_place_to_the_copy(corpus, tmp_path, write_tone):
    break_format_twice(corpus, write_tone)
    break_decoding(corpus, write_tone)
    made = prepared(corpus, tmp_path / "out")
    assert sum(made.counts.values()) == 8
    assert faults(made) == {"undecodable audio": ["84-121-0000.flac"]}


def test_links_are_followed_once(corpus, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "dev-clean").symlink_to(corpus / "dev-clean")
    (corpus / "dev-clean" / "round").symlink_to(corpus)
    made = prepared(tmp_path / "elsewhere", tmp_path / "out", parts=["dev-clean"])
    assert (made.counts, made.skipped) == ({"dev-clean": 6}, [])


def test_what_is_no_librispeech(tmp_path, write_tone):
    write_tone(tmp_path / "yes" / "a.wav")
    with pytest.raises(AudioError, match=r"no SPEAKER/CHAPTER/\*\.trans\.txt files"):
        prepared(tmp_path, tmp_path / "out")


@pytest.mark.slow
def test_real_librispeech(real_data, tmp_path, load):
    """MP3 and FLAC: 864 utterances of 13 speakers, 1.75 h."""
    made = prepared(real_data / "LibriSpeech", tmp_path)
    assert made.counts == {"dev-clean": 864}
    assert made.skipped == []
    cuts = load(made.manifests["dev-clean"])
    assert len({cut.supervisions[0].speaker for cut in cuts}) == 13
    assert sum(cut.duration for cut in cuts) / 3600 == pytest.approx(1.75, abs=0.005)
    endings = [cut.recording.sources[0].source.rsplit(".", 1)[1] for cut in cuts]
    assert (endings.count("mp3"), endings.count("flac")) == (702, 162)
