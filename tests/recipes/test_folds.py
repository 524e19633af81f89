"""Folds of speakers and recordings: each of both is the test once, and never heard in its training."""

from collections import Counter
from types import SimpleNamespace

import pytest
from lhotse import CutSet

from drsn_audio.config import ConfigError
from drsn_audio.corpora.cuts import write_cuts
from drsn_audio.datasets.noise_pool import noise_source


def speech(sizes):
    """As many utterances of each speaker, as cuts without sound."""
    return [
        SimpleNamespace(id=f"{speaker}-{index}", supervisions=[SimpleNamespace(speaker=speaker)])
        for speaker, size in sizes.items()
        for index in range(size)
    ]


def noise(classes):
    """Per class, the number of slices of each of its recordings."""
    return [
        SimpleNamespace(id=f"{name}-{source}-{index}", custom={"noise_class": name, "source": str(source), "fold": 9})
        for name, slices in classes.items()
        for source, count in enumerate(slices)
        for index in range(count)
    ]


def test_the_largest_goes_to_the_emptiest(recipe):
    deal = recipe("folds").deal
    found = deal(
        {"a": 9, "b": 5, "c": 4, "d": 3, "e": 2}, 2
    )  # 9 | 5; 5 + 4; then 9 and 9: 3 to the first, 2 to the other
    assert found == {"a": 1, "b": 2, "c": 2, "d": 1, "e": 2}
    assert deal({"x": 1, "y": 1, "z": 1}, 3) == deal({"z": 1, "y": 1, "x": 1}, 3)  # whatever their order


def test_every_speaker_is_tested_once_and_no_part_shares_one(recipe):
    sizes = {f"speaker-{index}": 1 + index * 3 for index in range(30)}
    cuts = speech(sizes)
    parts = recipe("folds").speech_folds(cuts, 5)
    tested = Counter(cut.id for of_fold in parts.values() for cut in of_fold["test"])
    assert tested == Counter(cut.id for cut in cuts)
    for of_fold in parts.values():
        speakers = {part: {cut.supervisions[0].speaker for cut in of_fold[part]} for part in of_fold}
        assert sum(map(len, speakers.values())) == len(set.union(*speakers.values())) == 30
        assert sum(map(len, of_fold.values())) == len(cuts)
        assert abs(len(of_fold["test"]) - len(cuts) / 5) <= max(sizes.values()) / 2
        assert abs(len(of_fold["dev"]) - len(cuts) * 0.8 / 8) <= max(sizes.values()) / 2


def test_no_recording_is_in_two_folds_and_each_class_is_in_all(recipe):
    cuts = recipe("folds").noise_folds(noise({"drill": [5, 4, 3, 3, 1, 1], "horn": [1] * 7}), 5)
    folds = {}
    for cut in cuts:
        folds.setdefault(noise_source(cut), set()).add(cut.custom["fold"])
    assert all(len(of_recording) == 1 for of_recording in folds.values())
    for name in ("drill", "horn"):
        assert set.union(*(found for source, found in folds.items() if source.startswith(name))) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("function", "cuts", "told"),
    [
        ("speech_folds", speech({"a": 3, "b": 2, "c": 1}), "3 speakers for 5 folds"),
        ("noise_folds", noise({"horn": [1, 1]}), "horn: 2 recordings for 5 folds"),
    ],
)
def test_too_few_for_so_many_folds(recipe, function, cuts, told):
    with pytest.raises(ConfigError, match=told):
        getattr(recipe("folds"), function)(cuts, 5)


def test_the_command_writes_the_same_files_again(call, clips, tmp_path):
    written = []
    for out in (tmp_path / "one", tmp_path / "two"):
        status, printed, _ = call("folds", *clips, "--folds", 2, "--out", out)
        assert status == 0
        assert len(printed) == 2
        files = sorted(path.relative_to(out) for path in out.rglob("*.gz"))
        assert [str(path) for path in files] == [
            *(f"{fold}/{part}.jsonl.gz" for fold in (1, 2) for part in ("dev", "test", "train")), "noise.jsonl.gz"
        ]  # fmt: skip
        written.append([(out / path).read_bytes() for path in files])
    assert written[0] == written[1]


@pytest.fixture
def clips(tmp_path, make_cuts):
    """Arguments: a manifest of 24 speakers, and one of noise."""
    spoken, noises = make_cuts
    write_cuts(CutSet.from_cuts(spoken), tmp_path / "speech.jsonl.gz")
    write_cuts(CutSet.from_cuts(noises), tmp_path / "noise.jsonl.gz")
    return "--speech", tmp_path / "speech.jsonl.gz", "--noise", tmp_path / "noise.jsonl.gz"


@pytest.fixture
def make_cuts():
    from lhotse import MonoCut, Recording, SupervisionSegment
    from lhotse.audio import AudioSource

    def cut(id, **more):
        recording = Recording(id, [AudioSource("file", [0], f"{id}.wav")], 16000, 16000, 1.0)
        return MonoCut(id, 0.0, 1.0, 0, recording=recording, **more)

    def said(id, speaker):
        return [SupervisionSegment(id, id, 0.0, 1.0, text="yes", speaker=speaker)]

    spoken = [cut(f"yes-{n}", supervisions=said(f"yes-{n}", f"speaker-{n % 24}")) for n in range(48)]
    facts = {"noise_kind": "street", "noise_class": "horn", "fold": 0, "rms_db": -20.0}
    return spoken, [cut(f"horn-{n}", custom={**facts, "source": str(n)}) for n in range(4)]
