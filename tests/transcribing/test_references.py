"""Which text belongs to which sound, and the error rates."""

import dataclasses
import gzip
import json
from pathlib import Path

import pytest

from drsn_audio.errors import InputError
from drsn_audio.hearing import Hearing
from drsn_audio.transcribing.inputs import find_inputs
from drsn_audio.transcribing.references import Score, read_references, score_lines


@pytest.fixture
def sounds(tmp_path):
    """Inputs of a folder; the files are not opened."""
    folder = tmp_path / "in"
    for name in ("a.wav", "deep/a.flac", "deep/1-2-0003.flac"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return {given.relative.as_posix(): given for given in find_inputs(str(folder), Hearing(16000))}


def texts(found, sounds):
    return {name: found.of(given) for name, given in sounds.items()}


def test_texts_of_a_folder_by_their_place_and_by_the_utterance(sounds, tmp_path):
    (tmp_path / "said/deep").mkdir(parents=True)
    (tmp_path / "said/a.txt").write_text("one\ntwo\n")
    (tmp_path / "said/9-9.trans.txt").write_text("1-2-0003 FOUR  FIVE\n9-9-0000\n\n")
    found = read_references(str(tmp_path / "said"), [])
    assert texts(found, sounds) == {"a.wav": "one\ntwo\n", "deep/a.flac": None, "deep/1-2-0003.flac": "FOUR  FIVE"}
    (tmp_path / "said/deep/a.txt").write_text("\ufeffthree", encoding="utf-8")
    found = read_references(str(tmp_path / "said"), [])
    assert found.of(sounds["deep/a.flac"]) == "three"
    assert len(found.files) == 3


def test_a_text_beside_the_sound(sounds, tmp_path):
    """Whatever folder is searched for sounds, and whatever for texts."""
    (tmp_path / "in/deep/a.txt").write_text("here")
    (alone,) = find_inputs(str(tmp_path / "in/deep/a.flac"), Hearing(16000))
    assert read_references(str(tmp_path / "in"), []).of(alone) == "here"
    assert texts(read_references(str(tmp_path / "in/deep"), []), sounds)["deep/a.flac"] == "here"


def test_an_utterance_of_two_texts(tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}.trans.txt").write_text(f"1-2-0003 TEXT {number}")
    with pytest.raises(InputError, match=r"2\.trans\.txt, line 1: the id '1-2-0003' has another text"):
        read_references(str(tmp_path), [])


def test_one_text_is_of_one_file(sounds, tmp_path):
    (tmp_path / "a.txt").write_text("left stop")
    found = read_references(str(tmp_path / "a.txt"), [str(sounds["a.wav"].path)])
    assert found.of(sounds["a.wav"]) == "left stop"
    for places in (["a.wav", "b.wav"], [str(tmp_path / "in")], ["*.wav"]):
        with pytest.raises(InputError, match="one text of several sounds"):
            read_references(str(tmp_path / "a.txt"), places)


def cut(id, source, start, words):
    said = [{"start": 10 - place, "text": word} for place, word in enumerate(words)]
    return {
        "id": id, "start": start, "duration": 1.0, "channel": 0, "type": "MonoCut", "supervisions": said,
        "recording": {
            "id": id, "sampling_rate": 16000, "num_samples": 16000, "duration": 1.0,
            "sources": [{"type": "file", "channels": [0], "source": source}],
        },
    }  # fmt: skip


def test_a_manifest_by_id_and_by_file(sounds, tmp_path):
    """A file of several cuts was said from first to last; so were the words of a cut."""
    path = tmp_path / "m.jsonl.gz"
    whole = str(sounds["a.wav"].path)
    cuts = [cut("later", whole, 5.0, ["four"]), cut("one", whole, 0.0, ["two", "one"])]
    with gzip.open(path, "wt") as lines:
        lines.writelines(json.dumps(line) + "\n" for line in cuts)
    found = read_references(str(path), [])
    assert texts(found, sounds) == {"a.wav": "one two four", "deep/a.flac": None, "deep/1-2-0003.flac": None}
    assert {given.id: found.of(given) for given in find_inputs(str(path), Hearing(16000))} == {
        "later": "four",
        "one": "one two",
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.trans.txt", "a\tone  two\r\n1-2-0003 \tTHREE\r\n"),
        ("x.trans.txt", "\ufeffa.wav one  two \n\n1-2-0003   THREE"),
        ("text", "a one  two\n1-2-0003 THREE\n"),
        ("x.tsv", "a\tone  two\n1-2-0003\tTHREE\n"),
        ("x.tsv", "client\tpath\tsentence\n7\tin/a.wav\tone  two\n7\tdeep/1-2-0003.flac\tTHREE\n"),
        ("x.csv", '\ufeffID,Text\r\na,"one  two"\r\n1-2-0003,THREE\r\n'),
        ("X.CSV", "id,text\na,one  two\n1-2-0003,THREE\n"),
        ("x.csv", "file,text\nin/deep/1-2-0003.flac,THREE\nelse/1-2-0003.m4a,FOUR\na.m4a,one  two\n"),
    ],
)
def test_lists_of_ids_and_texts(sounds, tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    found = texts(read_references(str(tmp_path / name), [str(tmp_path / "in")]), sounds)
    assert found["a.wav"] == "one  two"
    assert found["deep/1-2-0003.flac"] == "THREE"


def test_a_table_without_columns_of_ids_and_texts(tmp_path):
    (tmp_path / "a.csv").write_text("a,one two\n")
    with pytest.raises(InputError, match=r"a\.csv: no columns"):
        read_references(str(tmp_path / "a.csv"), ["a.wav"])


def test_quotation_marks_swallow_no_lines(sounds, tmp_path):
    (tmp_path / "x.tsv").write_text('id\ttext\na\t"one two\n1-2-0003\tTHREE"\n')
    found = read_references(str(tmp_path / "x.tsv"), [])
    assert found.of(sounds["a.wav"]) == '"one two'
    (tmp_path / "x.csv").write_text('id,text\na,"one two\n1-2-0003,THREE\n')
    with pytest.raises(InputError, match=r"x\.csv, line"):
        read_references(str(tmp_path / "x.csv"), [])


def test_a_line_without_an_id(tmp_path):
    (tmp_path / "x.csv").write_text("id,text\na,one\n,two\n")
    with pytest.raises(InputError, match=r"x\.csv, line 3: has no id"):
        read_references(str(tmp_path / "x.csv"), [])


def test_accents_may_be_taken_apart(sounds, tmp_path):
    (tmp_path / "x.tsv").write_text("id\ttext\ncaf\u00e9\tone\n", encoding="utf-8")
    found = read_references(str(tmp_path / "x.tsv"), [])
    path = sounds["a.wav"].path.with_name("cafe\u0301.wav")
    assert found.of(dataclasses.replace(sounds["a.wav"], path=path, relative=Path(path.name))) == "one"


def test_an_id_without_a_text_was_silent(sounds, tmp_path):
    (tmp_path / "x.trans.txt").write_text("1-2-0003\n")
    assert read_references(str(tmp_path / "x.trans.txt"), []).of(sounds["deep/1-2-0003.flac"]) == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.srt",
            "1\r\n00:00:00,000 --> 00:00:01,500\r\n<i>Left,</i>\r\nstop\r\n\r\n2\r\n0:0:2,0 --> 0:0:3,0\r\n1 &amp; 2",
        ),
        (
            "a.vtt",
            "WEBVTT - a title\n\nNOTE a note\n\nname\n00:00.000 --> 00:01.500 align:left\n<v Ann>Left,\nstop\n\n"
            "00:02.000 --> 00:03.000\n1 &amp; 2",
        ),
    ],
)
@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_subtitles(sounds, tmp_path, name, content, change):
    name = change(name)
    (tmp_path / name).write_text(content, newline="")
    assert read_references(str(tmp_path / name), [str(sounds["a.wav"].path)]).of(sounds["a.wav"]) == "Left, stop 1 & 2"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", "na\u00efve".encode("latin1"), "not UTF-8 text"),
        ("1-2.trans.txt", "1-2-0003 na\u00efve".encode("latin1"), "not UTF-8 text"),
        ("missing.txt", None, "No such file"),
        ("missing.jsonl.gz", None, "no such manifest"),
    ],
)
def test_what_is_no_reference(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=reason) as error:
        read_references(str(tmp_path / name), ["a.wav"])
    assert str(error.value).startswith(str(tmp_path / name))
    if content is not None:
        with pytest.raises(InputError, match=reason):  # in a folder, too
            read_references(str(tmp_path), ["a.wav"])


def test_a_folder_without_texts(tmp_path):
    with pytest.raises(InputError, match=r"holds no \.trans\.txt"):
        read_references(str(tmp_path), [])


def test_error_rates_by_hand(sounds, tmp_path):
    """3 + 2 words, of which one is taken for another, and one more is heard: WER 2 / 5. A text is missing."""
    pytest.importorskip("jiwer")
    (tmp_path / "said/deep").mkdir(parents=True)
    (tmp_path / "said/a.txt").write_text("LEFT stop go")
    (tmp_path / "said/deep/1-2-0003.txt").write_text("yes no")
    score = Score(read_references(str(tmp_path / "said"), []), str.lower)
    with pytest.raises(InputError, match="no text of any of 0 sounds"):
        score.figures()
    heard = {"a.wav": "left stop no", "deep/1-2-0003.flac": "yes yes no", "deep/a.flac": "up"}
    assert [score.add(sounds[name], text) for name, text in heard.items()] == [True, True, False]
    figures = score.figures()
    words = {"error_rate": 0.4, "count": 5, "insertions": 1, "deletions": 0, "substitutions": 1}
    assert (figures["files"], figures["without_reference"], figures["words"]) == (2, 1, words)
    assert score_lines(figures)[0] == "WER\t40.00 %: 1 insertions, 0 deletions, 1 substitutions in 5 words"


def test_a_rate_of_no_words_is_none(sounds, tmp_path):
    pytest.importorskip("jiwer")
    (tmp_path / "a.txt").write_text("\n")
    score = Score(read_references(str(tmp_path / "a.txt"), ["a.wav"]), str)
    score.add(sounds["a.wav"], "up")
    assert score.figures()["words"]["error_rate"] is None
    assert score_lines(score.figures())[0].startswith("WER\tnone: 1 insertions")
