"""References as text and manifests, and figures worked by hand."""

import gzip
import json

import pytest

from drsn_audio.datasets.manifests import ManifestError
from drsn_audio.errors import InputError
from drsn_audio.live.reference import judge, read_reference, reference_lines
from drsn_audio.metrics.streaming import Spoken
from drsn_audio.streaming.event import Event


def event(label, time):
    return Event("keyword", label, 0.9, time - 1, time, time)


def test_text_of_words_and_labels_of_audacity(tmp_path):
    path = tmp_path / "r.txt"
    path.write_text("\ufeff# said by eve\n2.5 2.9 off\n\n1.0\t1.5\topen gate\n\\\t300.0\t3400.0\n", encoding="utf-8")
    assert read_reference(str(path), "a.wav") == [Spoken("open gate", 1.0, 1.5), Spoken("off", 2.5, 2.9)]


@pytest.mark.parametrize("line", ["1.0 on", "1.0 2.0", "one two on", "2 1 on", "-1 2 on", "nan 2 on", "1 inf on"])
def test_lines_that_are_none(tmp_path, line):
    path = tmp_path / "r.txt"
    path.write_text(f"0 1 on\n{line}\n")
    with pytest.raises(InputError, match=r"r.txt, line 2: .*give (start and end|seconds)"):
        read_reference(str(path), "a.wav")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "r.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="not text"):
        read_reference(str(tmp_path / "r.txt"), "a.wav")


def manifest_of(folder, names):
    path = folder / "streams.jsonl.gz"
    with gzip.open(path, "wt") as file:
        for name in names:
            said = {"id": f"{name}-0", "recording_id": name, "start": 1.0, "duration": 0.5, "channel": 0, "text": name}
            recording = {
                "id": name, "sampling_rate": 16000, "num_samples": 160000, "duration": 10.0, "channel_ids": [0],
                "sources": [{"type": "file", "channels": [0], "source": f"audio/{name}.flac"}],
            }  # fmt: skip
            custom = {"stream": True, "content": "words", "noise_kind": "clean", "snr_db": None}
            cut = {
                "id": name, "start": 0, "duration": 10.0, "channel": 0, "supervisions": [said],
                "recording": recording, "custom": custom, "type": "MonoCut",
            }  # fmt: skip
            file.write(json.dumps(cut) + "\n")
    (folder / "audio").mkdir()
    for name in names:
        (folder / "audio" / f"{name}.flac").touch()
    return str(path)


def test_a_manifest_knows_its_streams_by_their_files(tmp_path, monkeypatch):
    path = manifest_of(tmp_path, ["on", "off"])
    monkeypatch.chdir(tmp_path / "audio")
    (said,) = read_reference(path, "off.flac")
    assert (said.word, said.start_s, said.end_s) == ("off", 1.0, 1.5)
    (tmp_path / "link.flac").symlink_to(tmp_path / "audio" / "on.flac")
    assert read_reference(path, str(tmp_path / "link.flac"))[0].word == "on"


@pytest.mark.parametrize("sound", ["other.flac", "-", "mic"])
def test_a_manifest_without_the_stream(tmp_path, sound):
    with pytest.raises(InputError, match=f"says nothing of {sound}, but of 2 others, e.g. .*audio/on.flac"):
        read_reference(manifest_of(tmp_path, ["on", "off"]), sound)


def test_what_has_no_name_takes_a_manifest_of_one_stream(tmp_path):
    assert read_reference(manifest_of(tmp_path, ["on"]), "-")[0].word == "on"
    with pytest.raises(ManifestError, match="no such manifest"):
        read_reference(str(tmp_path / "none.jsonl.gz"), "-")


def test_figures_by_hand():
    """Of "on" twice and "off" once in half an hour, one "on" is heard 0.2 s late; three false alarms."""
    spoken = [Spoken("on", 1.0, 1.5), Spoken("other", 2, 3), Spoken("on", 5.0, 5.5), Spoken("off", 8.0, 8.4)]
    events = [event("on", 1.7), event("on", 20.0), event("off", 30.0), event("on", 40.0), event("on", 40.5)]
    figures = judge(events, spoken, ["on", "off"], 1800.0)
    assert {key: figures[key] for key in ("keywords", "hits", "misses", "false_alarms", "hours")} == {
        "keywords": 3, "hits": 1, "misses": 2, "false_alarms": 3, "hours": 0.5,
    }  # fmt: skip
    assert figures["accuracy"] == pytest.approx(1 / 3)
    assert figures["latency_median_s"] == pytest.approx(0.2)
    assert figures["claimed"] == 6.0  # the rule of three: 3 in 0.5 h just may be
    assert figures["low"] == pytest.approx(2 * 0.6187, abs=1e-3)  # of a Poisson count of 3, by any table
    assert figures["high"] == pytest.approx(2 * 8.7673, abs=1e-3)
    assert reference_lines(figures) == [
        "keywords\t33.3 %: 1 of 3 heard, 2 missed",
        "false alarms\t3 in 0.500 h: 6.0 an hour (95 % interval 1.2 to 17.5)",
        "latency\tmedian 0.20 s after the word's end, 95th percentile 0.20 s",
    ]


def test_words_that_had_not_ended_when_it_was_stopped_do_not_count():
    spoken = [Spoken("on", 1.0, 1.5), Spoken("on", 5.0, 5.5)]
    assert judge([event("on", 1.6)], spoken, ["on"], 5.4)["misses"] == 0
    assert judge([event("on", 1.6)], spoken, ["on"], 5.5)["misses"] == 1


def test_where_the_sound_ended_by_itself_words_that_began_in_it_count():
    """Labels and cues end a little after the sound."""
    spoken = [Spoken("on", 1.0, 1.5), Spoken("on", 5.0, 6.5), Spoken("on", 5.5, 6.0)]
    figures = judge([event("on", 1.6), event("on", 5.4)], spoken, ["on"], 5.4, ended=True)
    assert (figures["hits"], figures["misses"], figures["false_alarms"]) == (2, 0, 0)


def test_little_sound_claims_no_rate():
    figures = judge([], [], ["on"], 360.0)
    assert (figures["accuracy"], figures["claimed"], figures["latency_p95_s"]) == (None, None, None)
    assert reference_lines(figures) == [
        "no keyword was said",
        "false alarms\t0 in 0.100 h: too few to claim a rate, at most 36.9 an hour (95 % interval)",
    ]
    nothing = judge([], [Spoken("on", 0, 1)], ["on"], 0.0)
    assert reference_lines(nothing) == ["no keyword was said", "false alarms\t0 in 0.000 h"]
    assert json.loads(json.dumps(nothing)) == nothing
