"""Speech Commands, Free Spoken Digits and folders of one's own: who goes to which part."""

from __future__ import annotations

import pytest

from drsn_audio.audio import AudioError
from drsn_audio.corpora.folder import prepare_folder
from drsn_audio.corpora.free_spoken_digits import prepare_free_spoken_digits
from drsn_audio.corpora.speech_commands import prepare_speech_commands


@pytest.fixture
def speech_commands(tmp_path, write_tone):
    """Speaker a1 for training (10 commands, 10 other words), b2 for validation, c3 for testing."""
    root = tmp_path / "speech_commands"
    for index in range(10):
        write_tone(root / "yes" / f"a1_nohash_{index}.flac")
        write_tone(root / "bed" / f"a1_nohash_{index}.flac")
    write_tone(root / "yes" / "b2_nohash_0.flac")
    write_tone(root / "no" / "c3_nohash_0.flac")
    write_tone(root / "_background_noise_" / "tap.flac")
    (root / "validation_list.txt").write_text("yes/b2_nohash_0.wav\nyes/gone_nohash_0.wav\n")
    (root / "testing_list.txt").write_text("no/c3_nohash_0.wav\n")
    return root


def faults(made):
    """kind -> names of the files, lists or folders"""
    return {kind: [fault.path.name for fault in found] for kind, found in made.faults.items()}


def ids(load, made):
    return {part: {cut.id for cut in load(path)} for part, path in made.manifests.items()}


def test_speech_commands_parts_follow_the_lists_whatever_the_ending(speech_commands, tmp_path, load):
    made = prepare_speech_commands(speech_commands, tmp_path / "out", progress=False)
    found = ids(load, made)
    assert made.counts == {"train": 20, "dev": 1, "test": 1, "noise": 1}
    assert found["dev"] == {"yes/b2_nohash_0"}
    assert found["test"] == {"no/c3_nohash_0"}
    (test,) = load(made.manifests["test"])
    assert (test.supervisions[0].text, test.supervisions[0].speaker) == ("no", "c3")
    (noise,) = load(made.manifests["noise"])
    assert (noise.custom["noise_kind"], noise.custom["noise_class"], noise.custom["fold"]) == (
        "background",
        "tap",
        0,
    )
    assert faults(made) == {"listed but not there": ["validation_list.txt"]}
    assert "names yes/gone_nohash_0," in made.skipped[0].reason


def test_speech_commands_faults_are_counted(speech_commands, tmp_path, write_tone):
    write_tone(speech_commands / "yes" / "loose.flac")
    write_tone(speech_commands / "yes" / "b2_nohash_0.wav")
    (speech_commands / "up").mkdir()
    with (speech_commands / "testing_list.txt").open("a") as file:
        file.write("what is this\nyes/b2_nohash_0.wav\n")
    made = prepare_speech_commands(speech_commands, tmp_path / "out", progress=False)
    assert made.counts == {"train": 20, "dev": 1, "test": 1, "noise": 1}  # a clip of two lists stays in the first
    assert faults(made) == {
        "duplicated id": ["testing_list.txt", "b2_nohash_0.wav"],
        "empty folder": ["up"],
        "listed but not there": ["validation_list.txt"],
        "malformed line": ["testing_list.txt"],
        "misplaced audio": ["loose.flac"],
    }


def test_protocol_12_caps_the_other_words(speech_commands, tmp_path, load):
    """10 commands and share 0.3: 3 of the 10 other clips, with the words they are."""
    made = prepare_speech_commands(speech_commands, tmp_path / "out", protocol="12", unknown_share=0.3, progress=False)
    texts = [cut.supervisions[0].text for cut in load(made.manifests["train"])]
    assert (texts.count("yes"), texts.count("bed")) == (10, 3)
    assert made.counts["dev"] == made.counts["test"] == 1


def test_protocol_12_draw_depends_on_the_seed_and_not_on_other_files(speech_commands, tmp_path, load, write_tone):
    def drawn(seed):
        made = prepare_speech_commands(
            speech_commands, tmp_path / "out", protocol="12", unknown_share=0.4, seed=seed, progress=False
        )
        return {id for id in ids(load, made)["train"] if id.startswith("bed")}

    before = drawn(0)
    assert len(before) == 4
    assert drawn(0) == before
    assert any(drawn(seed) != before for seed in (1, 2, 3))
    write_tone(speech_commands / "cat" / "a1_nohash_0.flac")
    assert drawn(0) <= before  # a newcomer may take a place, but moves no one else


def test_speech_commands_without_its_lists_or_with_a_wrong_protocol(speech_commands, tmp_path):
    with pytest.raises(ValueError, match="protocol '20' is unknown: use 12 or 35"):
        prepare_speech_commands(speech_commands, tmp_path / "out", protocol="20", progress=False)
    with pytest.raises(ValueError, match="unknown_share"):
        prepare_speech_commands(speech_commands, tmp_path / "out", unknown_share=-1, progress=False)
    (speech_commands / "testing_list.txt").unlink()
    with pytest.raises(AudioError, match=r"testing_list\.txt: cannot be read"):
        prepare_speech_commands(speech_commands, tmp_path / "out", progress=False)


@pytest.fixture
def digits(tmp_path, write_tone):
    """Six speakers, digits 0 and 7, repetitions 4 and 5."""
    root = tmp_path / "fsdd"
    for speaker in "abcdef":
        for digit in (0, 7):
            for repetition in (4, 5):
                write_tone(root / "recordings" / f"{digit}_{speaker}_{repetition}.wav", sample_rate=8000)
    return root


def test_digits_by_speaker(digits, tmp_path, load):
    made = prepare_free_spoken_digits(digits, tmp_path / "out", progress=False)
    speakers = {part: {c.supervisions[0].speaker for c in load(path)} for part, path in made.manifests.items()}
    assert speakers == {"train": set("abc"), "dev": {"d"}, "test": {"e", "f"}}
    words = {cut.id: cut.supervisions[0].text for cut in load(made.manifests["test"])}
    assert words["0_e_4"] == "zero"
    assert words["7_f_5"] == "seven"
    assert {cut.sampling_rate for cut in load(made.manifests["test"])} == {8000}


def test_digits_of_another_name_are_counted(digits, tmp_path, write_tone):
    write_tone(digits / "recordings" / "seven.wav", sample_rate=8000)
    made = prepare_free_spoken_digits(digits, tmp_path / "out", progress=False)
    assert faults(made) == {"misplaced audio": ["seven.wav"]}


def test_digits_as_published(digits, tmp_path, load):
    made = prepare_free_spoken_digits(digits, tmp_path / "out", split="published", progress=False)
    assert made.counts == {"train": 12, "test": 12}
    assert {cut.id[-1] for cut in load(made.manifests["test"])} == {"4"}


def test_digits_of_two_speakers_cannot_be_split_by_speaker(tmp_path, write_tone):
    for speaker in ("anna", "ben"):
        write_tone(tmp_path / "recordings" / f"1_{speaker}_0.wav")
    with pytest.raises(ValueError, match=r"only 2 speakers \(anna, ben\): use split=published"):
        prepare_free_spoken_digits(tmp_path, tmp_path / "out", progress=False)
    with pytest.raises(ValueError, match="split 'random' is unknown"):
        prepare_free_spoken_digits(tmp_path, tmp_path / "out", split="random", progress=False)


@pytest.fixture
def folder(tmp_path, write_tone):
    """Two words, each said once by 40 speakers."""
    root = tmp_path / "mine"
    for speaker in range(40):
        for word in ("open", "close gate"):
            write_tone(root / word / f"s{speaker}_1.wav", duration_s=0.1)
    write_tone(root / "_outtakes" / "x.wav", duration_s=0.1)
    return root


def test_folder_split_by_speaker(folder, tmp_path, load, write_tone):
    def prepared(name):
        made = prepare_folder(folder, tmp_path / name, speaker_pattern="^(s[0-9]+)_", progress=False)
        return made, {c.id: (part, c.supervisions[0]) for part, path in made.manifests.items() for c in load(path)}

    made, cuts = prepared("one")
    assert len(cuts) == 80
    assert made.notes == []
    part_of = {}
    for part, supervision in cuts.values():
        assert part_of.setdefault(supervision.speaker, part) == part
    # 40 speakers at shares of 0.7, 0.1 and 0.2, within three standard deviations.
    assert 19 <= list(part_of.values()).count("train") <= 36
    assert 1 <= list(part_of.values()).count("test") <= 15
    assert {supervision.text for _, supervision in cuts.values()} == {"open", "close gate"}

    write_tone(folder / "open" / "s99_1.wav", duration_s=0.1)
    _, later = prepared("two")
    assert all(later[id][0] == part for id, (part, _) in cuts.items())  # nobody moves when others arrive


def test_folder_without_a_pattern_says_that_voices_may_be_shared(folder, tmp_path, load):
    made = prepare_folder(folder, tmp_path / "out", progress=False)
    assert sum(made.counts.values()) == 80
    assert any("split by file" in note for note in made.notes)


def test_folder_of_one_speaker_says_which_parts_are_empty(tmp_path, write_tone):
    write_tone(tmp_path / "mine" / "yes" / "anna_1.wav")
    write_tone(tmp_path / "mine" / "yes" / "stray.wav")
    made = prepare_folder(tmp_path / "mine", tmp_path / "out", speaker_pattern="^([a-z]+)_", progress=False)
    assert len([note for note in made.notes if "try another seed" in note]) == 2
    assert [(skipped.path.name, "finds no speaker" in skipped.reason) for skipped in made.skipped] == [
        ("stray.wav", True)
    ]


def test_folder_refuses_patterns_and_shares_that_cannot_work(folder, tmp_path):
    for pattern, message in (
        ("[", "not a regular expression"),
        ("s[0-9]+", "0 groups"),
        ("(s)(.)", "2 groups"),
    ):
        with pytest.raises(ValueError, match=message):
            prepare_folder(folder, tmp_path / "out", speaker_pattern=pattern, progress=False)
    with pytest.raises(ValueError, match=r"test_share 0\.9"):
        prepare_folder(folder, tmp_path / "out", dev_share=0.2, test_share=0.9, progress=False)


@pytest.mark.slow
def test_real_speech_commands(real_data, tmp_path, load):
    made = prepare_speech_commands(real_data / "speech_commands_subset", tmp_path, progress=False)
    assert made.counts == {"train": 2579, "dev": 463, "test": 600, "noise": 6}
    assert made.skipped == []
    assert made.notes == []
    speakers = {
        part: {cut.supervisions[0].speaker for cut in load(made.manifests[part])} for part in ("train", "dev", "test")
    }
    assert len(set().union(*speakers.values())) == sum(map(len, speakers.values())) == 219
    assert len(speakers["test"]) == 34


@pytest.mark.slow
def test_real_digits(real_data, tmp_path):
    made = prepare_free_spoken_digits(real_data / "free_spoken_digit_dataset", tmp_path, progress=False)
    assert made.counts == {"train": 1200, "dev": 400, "test": 800}
    assert made.skipped == []
