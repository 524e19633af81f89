"""What was said as text and manifests, and word errors worked by hand."""

import gzip
import json

import pytest

from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK
from drsn_audio.live.said import Said, judge_words, read_said, word_lines
from drsn_audio.streaming.event import Event

WORDS = Units("words", [BLANK, "on", "off", "unknown"])
LETTERS = Units("characters", [BLANK, "|", "N", "O"])


def final(*words):
    return [Event("final", word, 0.9, 0.0, 1.0, 1.0) for word in words]


def test_text_with_and_without_times(tmp_path):
    path = tmp_path / "r.txt"
    path.write_text(
        "\ufeff# said by eve\n1.0\t1.5\topen gate\n\\\t300.0\t3400.0\n\non and  off\n2.5 2.9 Off\n", encoding="utf-8"
    )
    assert read_said(str(path), "a.wav") == [
        Said("open", 1.0, 1.5), Said("gate", 1.0, 1.5), Said("on", 0, 0), Said("and", 0, 0), Said("off", 0, 0),
        Said("Off", 2.5, 2.9),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "reason"), [(b"\xff\xfe", "not text"), (b"", "no word"), (b"# a\n1 2\n", "no word")]
)
def test_files_that_say_nothing(tmp_path, content, reason):
    (tmp_path / "r.txt").write_bytes(content)
    with pytest.raises(InputError, match=rf"r\.txt: .*{reason}"):
        read_said(str(tmp_path / "r.txt"), "a.wav")


def manifest_of(folder, *cuts):
    """cuts: name of the file, start of the cut in it, supervisions."""
    path = folder / "cuts.jsonl.gz"
    (folder / "audio").mkdir(exist_ok=True)
    with gzip.open(path, "wt") as file:
        for number, (name, start, supervisions) in enumerate(cuts):
            recording = {
                "id": name, "sources": [{"type": "file", "channels": [0], "source": f"audio/{name}.flac"}],
                "sampling_rate": 16000, "num_samples": 160000, "duration": 10.0, "channel_ids": [0],
            }  # fmt: skip
            common = {"recording_id": name, "channel": 0}
            said = [{"id": f"{number}/{place}", **common, **one} for place, one in enumerate(supervisions)]
            cut = {"id": str(number), "start": start, "duration": 4.0, "channel": 0, "supervisions": said}
            file.write(json.dumps({**cut, "recording": recording, "type": "MonoCut"}) + "\n")
            (folder / "audio" / f"{name}.flac").touch()
    return str(path)


ALIGNED = {
    "start": 0.0, "duration": 4.0, "text": "on off",
    "alignment": {"word": [["on", 0.5, 0.3, None], ["off", 1.5, 0.25, None]]},
}  # fmt: skip


def test_a_manifest_knows_words_and_where_they_end(tmp_path, monkeypatch):
    """From an alignment; else all of a text ends where it does. Cuts of one recording follow each other."""
    plain = {"start": 1.0, "duration": 2.0, "text": "off on"}
    path = manifest_of(tmp_path, ("a", 5.0, [plain]), ("b", 0.0, [plain]), ("a", 0.0, [ALIGNED]))
    monkeypatch.chdir(tmp_path / "audio")
    said = read_said(path, "a.flac")
    assert said == [Said("on", 0.5, 0.8), Said("off", 1.5, 1.75), Said("off", 6.0, 8.0), Said("on", 6.0, 8.0)]
    (tmp_path / "link.flac").symlink_to(tmp_path / "audio" / "b.flac")
    assert [one.word for one in read_said(path, str(tmp_path / "link.flac"))] == ["off", "on"]


def test_what_a_manifest_does_not_know(tmp_path):
    path = manifest_of(tmp_path, ("a", 0.0, [ALIGNED]), ("b", 0.0, [ALIGNED]))
    for sound in ("other.flac", "-", "mic"):
        with pytest.raises(InputError, match=f"says nothing of {sound}, but of 2 others, e.g. .*audio/a.flac"):
            read_said(path, sound)
    assert len(read_said(manifest_of(tmp_path, ("a", 0.0, [ALIGNED])), "-")) == 2


def test_figures_by_hand():
    """Of five words one is left out; "lamp" is none of the model's, and unknown; two are inserted."""
    said = [Said(word, 0.5, 1.0) for word in ("on", "Off", "on", "lamp", "off")]
    events = [*final("on"), Event("partial", "off", 0.9, 0, 1, 1), *final("on", "unknown", "off", "off", "on")]
    figures = judge_words(events, said, WORDS, 10.0)
    assert figures == {
        "words": 5, "hits": 4, "substitutions": 0, "deletions": 1, "insertions": 2,
        "wer": pytest.approx(0.6), "accuracy": pytest.approx(0.4),
        "outside_vocabulary": {"outside": 1, "of": 5, "words": [{"word": "lamp", "times": 1}], "others": 0},
    }  # fmt: skip
    assert word_lines(figures) == ["words\t40.0 %: 4 of 5 right, 0 substituted, 1 left out, 2 inserted (WER 60.0 %)"]


def test_other_words_are_unknown_to_a_model_of_words_alone():
    assert judge_words(final("unknown"), [Said("lamp", 0, 0)], WORDS, 1.0)["wer"] == 0
    assert judge_words(final("unknown"), [Said("lamp", 0, 0)], LETTERS, 1.0)["wer"] == 1
    assert judge_words(final("NO", "NOON"), [Said("no", 0, 0), Said("Noon", 0, 0)], LETTERS, 1.0)["wer"] == 0


def test_words_that_had_not_ended_when_it_was_stopped_do_not_count():
    said = [Said("on", 0, 0), Said("on", 1.2, 1.5), Said("off", 5.2, 5.5)]
    assert judge_words(final("on", "on"), said, WORDS, 5.4)["accuracy"] == 1
    assert judge_words(final("on", "on"), said, WORDS, 5.4, ended=True)["deletions"] == 1  # it ended by itself
    assert judge_words(final("on", "on"), said, WORDS, 5.2, ended=True)["accuracy"] == 1
    assert judge_words(final("on", "on"), said, WORDS, 5.5)["deletions"] == 1


def test_where_nothing_was_said_there_is_no_rate():
    figures = judge_words(final("on"), [Said("off", 4.5, 5.0)], WORDS, 1.0)
    assert (figures["wer"], figures["accuracy"], figures["insertions"]) == (None, None, 1)
    assert word_lines(figures) == ["no word was said; 1 inserted"]
    assert json.loads(json.dumps(figures)) == figures
