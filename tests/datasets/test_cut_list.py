"""Manifests whose cuts stay on the disk: the same cuts, the same errors, and memory that does not grow with them."""

import errno
import gzip
import json
import pickle
import tempfile

import numpy as np
import psutil
import pytest
from torch.utils.data import DataLoader

from drsn_audio.config import DataConfig
from drsn_audio.datasets import cut_list
from drsn_audio.datasets.cut_list import CutList, chosen, cut_facts, facts_of
from drsn_audio.datasets.keyword import keyword_clips
from drsn_audio.datasets.manifests import MANY, ManifestError, open_cuts, read_cuts
from drsn_audio.datasets.speech_rows import _by_speaker
from drsn_audio.datasets.utterances import utterances
from drsn_audio.decoding.units import Units

LABELS = ["low", "mid", "high", "silence"]
WORDS = Units("words", ["<blank>", "low", "mid", "high"], "")


def lines_of(manifest):
    with gzip.open(manifest, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_lines(path, lines):
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def repeated(manifest, count, path):
    lines = lines_of(manifest)
    return write_lines(path, (lines[i % len(lines)] | {"id": f"u{i:06d}"} for i in range(count)))


@pytest.fixture(scope="module")
def many(task, tmp_path_factory):
    """So many that they are no list."""
    return repeated(task.train, MANY + 500, tmp_path_factory.mktemp("many") / "train.jsonl")


def test_many_stay_on_the_disk_and_are_what_a_list_holds(task, many):
    cuts = read_cuts([many])
    assert isinstance(cuts, CutList)
    assert not isinstance(read_cuts([task.train]), CutList)
    few = read_cuts([task.train])
    for index in (0, 7, 8, 9, 1234, -1):
        place = range(len(cuts))[index]
        like = few[place % 9]
        assert cuts[index].id == f"u{place:06d}"
        assert cuts[index].supervisions[0].text == like.supervisions[0].text
        assert (cuts[index].recording, cuts[index].custom) == (like.recording, like.custom)
    assert [cut.id for cut in cuts[5:-1:700]] == ["u000005", "u000705", "u001405", "u002105"]
    assert [cut.id for cut in cuts[::-1][:3][1:]] == ["u002498", "u002497"]
    assert [cut.id for cut in chosen(cuts, [4, 2])] == ["u000004", "u000002"]
    assert sum(1 for _ in cuts) == len(cuts) == MANY + 500
    with pytest.raises(IndexError):
        cuts[len(cuts)]


def test_facts_are_those_of_the_cuts(task, many):
    cuts = read_cuts([many])
    facts = list(cut_facts(cuts))
    assert facts[::401] == [facts_of(cut) for cut in cuts[::401]]
    assert list(cut_facts(cuts[3:20:8])) == facts[3:20:8]
    assert list(cut_facts(read_cuts([task.dev]))) == list(open_cuts([str(task.dev)]).facts())


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.pop("duration"),
        lambda line: line["supervisions"][0].pop("recording_id"),
        lambda line: line["recording"].pop("sampling_rate"),
        lambda line: line["recording"]["sources"][0].pop("channels"),
        lambda line: line.update(start="early"),
        lambda line: line.update(id=["a"]),
        lambda line: line.update(type="OddCut"),
        lambda line: line.update(type="MixedCut"),
    ],
)
def test_what_lhotse_makes_no_cut_of_is_told_at_once(many, tmp_path, change):
    lines = [json.loads(line) for line in many.read_text().splitlines()]
    change(lines[-3])
    path = write_lines(tmp_path / "odd.jsonl", lines)
    with pytest.raises(ManifestError, match="not a readable manifest") as error:
        read_cuts([path])
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_an_id_twice_among_many(many, task):
    with pytest.raises(ManifestError, match=r"id 'u000000': give each corpus its manifest once"):
        read_cuts([many, task.dev, many])


def test_two_ids_of_one_hash_are_two(many, monkeypatch):
    """What is compared in the end are the ids themselves."""
    monkeypatch.setattr(cut_list, "_checked", lambda cut, name: int(cut["id"][1:]) // 2)
    assert len(read_cuts([many])) == MANY + 500


def test_relative_audio_lies_beside_the_manifest(task, tmp_path):
    lines = lines_of(task.dev)
    (tmp_path / "a.wav").touch()
    for line, name in zip(lines, ("a.wav", "lost.wav", "/b.wav"), strict=True):
        line["recording"]["sources"][0]["source"] = name
    cuts = open_cuts([str(write_lines(tmp_path / "dev.jsonl", lines))])
    assert [cut.recording.sources[0].source for cut in cuts] == [str(tmp_path / "a.wav"), "lost.wav", "/b.wav"]


def test_a_pickled_list_is_read_again(many):
    cuts = read_cuts([many])
    data = pickle.dumps(cuts[10::1000])
    assert len(data) < 2000
    assert [cut.id for cut in pickle.loads(data)] == ["u000010", "u001010", "u002010"]


def test_a_manifest_that_changed_before_another_process_read_it(many, tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_bytes(many.read_bytes())
    data = pickle.dumps(read_cuts([path]))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ManifestError, match="changed while it was in use"):
        pickle.loads(data)


def test_loader_processes_read_the_list(many):
    cuts, rows = read_cuts([many]), range(0, MANY + 500, 97)
    data = DataLoader(cuts, 5, sampler=rows, num_workers=2, multiprocessing_context="fork", collate_fn=ids_of)
    assert [id for batch in data for id in batch] == [f"u{i:06d}" for i in rows]


def ids_of(cuts):
    return [cut.id for cut in cuts]


def test_no_room_for_the_lines(many, monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(ManifestError, match=r"no room for the lines.*No space left on device.*TMPDIR"):
        read_cuts([many])


@pytest.mark.slow
def test_clips_and_utterances_of_many_are_those_of_few(task, many):
    few, cuts = list(read_cuts([many])), read_cuts([many])
    listed, lazy = (keyword_clips(each, LABELS, DataConfig(silence_share=0.1)) for each in (few, cuts))
    assert len(listed) == len(lazy) == round((MANY + 500) / 0.9)
    for index in (0, 5, 2499, 2500, -1):
        assert all(getattr(listed[index], key) == getattr(lazy[index], key) for key in ("id", "target", "speaker"))
        assert (listed[index].cut, listed[index].level_db) == (lazy[index].cut, lazy[index].level_db)
    assert lazy[-1].cut is None
    assert [clip.id for clip in lazy[1:2600:1249]] == ["u000001", "u001250", "u002499"]
    listed, lazy = (utterances(each, WORDS, 30.0, 640, 16000)[0] for each in (few, cuts))
    for index in (0, 5, 2499):
        for key in ("id", "targets", "speaker", "level_db", "duration_s", "cut"):
            assert getattr(listed[index], key) == getattr(lazy[index], key)
    assert [[cut.id for cut in each] for each in _by_speaker(few)] == [
        [cut.id for cut in each] for each in _by_speaker(cuts)
    ]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_manifest(task, tmp_path):
    """30,000 cuts as objects are 150 MB."""
    process = psutil.Process()
    keyword_clips(read_cuts([repeated(task.train, 3000, tmp_path / "first.jsonl")]), LABELS, DataConfig())
    path = repeated(task.train, 30_000, tmp_path / "large.jsonl")
    before = process.memory_full_info().uss
    clips = keyword_clips(read_cuts([path]), LABELS, DataConfig())
    assert len(np.unique(clips.speakers[clips.rows >= 0])) == 3
    assert process.memory_full_info().uss - before < 20e6
