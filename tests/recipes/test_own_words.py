"""Fine-tuning on one's own words: what becomes "unknown", how few recordings are split, and the command as a whole."""

import json
import os
import re
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.config import load_config
from drsn_audio.corpora import CORPORA
from drsn_audio.corpora.espeak import EspeakError, data_path
from drsn_audio.datasets.manifests import load_cut, read_cuts
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.training.watch import Watch


@pytest.fixture
def recordings(tmp_path, say):
    """ten recordings each of go_on and gate by five speakers, two of each: go_on/ann_0.wav; and two of noise."""
    for word, tone in (("go_on", "low"), ("gate", "high")):
        for speaker in ("ann", "bob", "cem", "dora", "eve"):
            for number in (0, 1):
                path = tmp_path / "words" / word / f"{speaker}_{number}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                sf.write(path, say(tone, speaker), 16000)
    (tmp_path / "site").mkdir()
    for number in (0, 1):
        hiss = np.random.default_rng(number).standard_normal(4 * 16000)
        sf.write(tmp_path / "site" / f"hall{number}.wav", 0.1 * hiss / np.abs(hiss).max(), 16000)
    return tmp_path


def cuts_of(folder, out, **options):
    prepared = CORPORA["folder"](folder, out, dev_share=0, test_share=0, progress=False, **options)
    return read_cuts(prepared.manifests.values())


def test_other_words_have_nothing_in_common_with_ones_own(recipe):
    parts = recipe("own_data").other_words(["open_gate", "stop", "Go"])
    words = [word for part in parts.values() for word in part]
    assert len(words) == len(set(words))
    assert not {"open", "gate", "stop", "go", "goat", "step"} & set(words) - {"step"}
    assert {"yes", "house", "left"} <= set(words)  # commands of the shipped model are no words here
    assert {part: len(found) for part, found in parts.items()}["dev"] == len(words) // 5


def test_no_phrase_may_be_heard_in_its_parts(recipe):
    parts = recipe("own_data").part_phrases(["open_gate", "close gate", "stop engine", "help"])
    assert {"open", "gate", "close", "stop", "engine"} <= set(parts)
    assert {"open door", "open engine", "stop gate", "start gate"} <= set(parts)
    assert not {"open gate", "close gate", "stop engine", "help"} & set(parts)
    assert recipe("own_data").part_phrases(["help", "gate"]) == []


def test_only_english_is_read_aloud(recipe):
    readable = recipe("own_data").readable
    assert all(map(readable, ("open_gate", "Don't", "go")))
    assert not any(map(readable, ("w1", "öffnen", "стоп", "b", "a+b", "")))


def test_words_spelt_alike_are_one(recipe, recordings):
    own_data = recipe("own_data")
    words = ["Gate", "gate", "open_gate", "Open-Gate", "UNKNOWN", "Silence"]
    cut = cuts_of(recordings / "words", recordings / "prepared")[0]
    found = own_data.one_spelling([own_data.renamed(cut, word, word) for word in words])
    assert [own_data.word_of(one) for one in found] == [
        "Gate", "Gate", "Open-Gate", "Open-Gate", "unknown", "silence"
    ]  # fmt: skip
    assert [one.id for one in found] == words


def test_ten_recordings_a_word_leave_no_part_empty(recipe, recordings):
    own_data = recipe("own_data")
    cuts = cuts_of(recordings / "words", recordings / "m")
    split = own_data.split_speech(cuts, by_speaker=False)
    for word in ("go_on", "gate"):
        counts = [sum(own_data.word_of(cut) == word for cut in split[part]) for part in ("train", "dev", "test")]
        assert counts == [6, 2, 2]
    assert own_data.split_speech(cuts[::-1], by_speaker=False)["test"] == split["test"][::-1]


def test_a_speaker_is_in_one_part(recipe, recordings):
    own_data = recipe("own_data")
    cuts = cuts_of(recordings / "words", recordings / "m", speaker_pattern="^([a-z]+)_")
    split = own_data.split_speech(cuts, by_speaker=True)
    speakers = [{own_data.speaker_of(cut) for cut in split[part]} for part in ("train", "dev", "test")]
    assert [len(found) for found in speakers] == [3, 1, 1]
    assert len(set.union(*speakers)) == 5
    assert sum(map(len, split.values())) == 20


def test_repeated_recordings_keep_their_sound(recipe, recordings):
    cuts = cuts_of(recordings / "words", recordings / "m")[:13]  # ten of one word and three of the other
    many = recipe("own_data").repeated(cuts, at_least=15)
    words = [recipe("own_data").word_of(cut) for cut in many]
    assert sorted(words.count(word) for word in set(words)) == [15, 20]
    assert len({cut.id for cut in many}) == len(many)
    assert {cut.recording.sources[0].source for cut in many} == {cut.recording.sources[0].source for cut in cuts}


def test_backwards_is_unknown_of_the_same_speaker(recipe, recordings):
    cuts = cuts_of(recordings / "words", recordings / "m", speaker_pattern="^([a-z]+)_")
    own_data = recipe("own_data")
    made = own_data.backwards(cuts, recordings / "made")
    assert len({cut.id for cut in (*made, *cuts)}) == 2 * len(cuts)
    assert {own_data.word_of(cut) for cut in made} == {"unknown"}
    assert [own_data.speaker_of(cut) for cut in made] == [own_data.speaker_of(cut) for cut in cuts]
    for cut, original in zip(made, cuts, strict=True):
        np.testing.assert_allclose(load_cut(cut, 16000), load_cut(original, 16000)[::-1], atol=1e-4)  # 16 bits
        assert cut.custom["active_level_db"] == pytest.approx(original.custom["active_level_db"], abs=0.5)


def test_few_noise_recordings_are_cut_in_time(recipe, recordings):
    prepared = CORPORA["noise-folder"](recordings / "site", recordings / "n", kind="site", progress=False)
    cuts = read_cuts(prepared.manifests.values())
    pieces = recipe("own_data").split_noise(cuts)
    found = [(cut.custom["fold"], cut.start, cut.duration) for cut in pieces if cut.id.startswith(cuts[0].id)]
    assert found == [(1, 0, 2), (2, 2, 1), (3, 3, 1)]  # of four seconds, and none of them twice
    whole = load_cut(cuts[0], 16000)
    np.testing.assert_array_equal(np.concatenate([load_cut(cut, 16000) for cut in pieces[:3]]), whole)


@pytest.mark.parametrize(("count", "expected"), [(3, [1, 1, 1]), (6, [4, 1, 1]), (20, [12, 4, 4])])
def test_many_noise_recordings_are_split_whole(recipe, recordings, count, expected):
    prepared = CORPORA["noise-folder"](recordings / "site", recordings / "n", kind="site", progress=False)
    (cut, _) = read_cuts(prepared.manifests.values())
    split = recipe("own_data").split_noise([cut.with_id(f"{k}") for k in range(count)])
    folds = [cut.custom["fold"] for cut in split]
    assert [folds.count(fold) for fold in (1, 2, 3)] == expected
    assert all(cut.duration == 4 for cut in split)


@pytest.mark.parametrize(
    ("durations_s", "expected"),
    [([], 1.0), ([0.4, 0.6], 1.0), ([1.21] * 20, 1.3), ([1.2] * 20, 1.2), ([1.0] * 99 + [9.0], 1.0), ([8.0], 3.0)],
)
def test_the_clip_holds_nearly_all_words(recipe, durations_s, expected):
    assert recipe("own_data").clip_seconds(durations_s) == pytest.approx(expected)


def test_the_report_worked_by_hand(recipe):
    """Two clips of each word and four of none. At 5 dB: "b" named once in two; one of four taken for "a"."""
    labels, targets = ["a", "b", "unknown"], np.array([0, 0, 1, 1, 2, 2, 2, 2])
    cut = SimpleNamespace(custom={"origin": "voices"})
    clips = [SimpleNamespace(target=target, cut=cut) for target in targets[:-1]] + [SimpleNamespace(target=2, cut=None)]
    answers = {None: targets, 5.0: np.array([0, 0, 1, 2, 2, 2, 2, 0])}
    trials = [
        SimpleNamespace(snr_db=snr_db, targets=targets, logits=4 * np.eye(3)[answer])
        for snr_db, answer in answers.items()
    ]
    lines = recipe("own_report").report(trials, clips, labels, temperature=1.0, reject_below=0.5).splitlines()
    assert re.fullmatch(r" +clean +100\.0 \[51, 100\] +0\.0 \[0, 49\]", lines[2])
    assert re.fullmatch(r" +5 dB +75\.0 \[30, 95\] +25\.0 \[5, 70\]", lines[3])
    assert lines[4].startswith(
        "None of the words is in 3 of voices (0%), 1 of noise alone (100%); in brackets, how many"
    )
    assert "No person's other words are among them" in lines[4]
    assert lines[5].startswith("2 test recordings a word: at 5 dB 75% were named, which for a single word means ")
    shy = recipe("own_report").report(trials, clips, labels, temperature=1.0, reject_below=0.99).splitlines()
    assert re.fullmatch(r" +5 dB +0\.0 \[0, 49\] +0\.0 \[0, 49\]", shy[3])  # each answer has probability 0.96


def espeak_is_here():
    try:
        return data_path().exists()
    except EspeakError:
        return False


@pytest.fixture
def small(recipe, monkeypatch):
    """The module own_words, with few voices and words."""
    if not espeak_is_here():
        pytest.skip("eSpeak NG is not installed")
    own_words = recipe("own_words")
    for name, value in {
        "WORD_VOICES": (2, 1, 1), "PART_VOICES": (1, 1, 1), "OTHER_VOICES": 1, "CLIPS_A_WORD": 8,
        "CLIPS_WITHOUT_A_WORD": 20, "TRAIN_VOICES": 1,
        "SYNTHETIC_NOISE": {"count": 5, "duration_s": 1.0},
    }.items():  # fmt: skip
        monkeypatch.setattr(own_words, name, value)
    monkeypatch.setattr(own_words.own_data, "OTHER_WORDS", "house seven water bird machine".split())
    return own_words


@pytest.mark.slow
def test_the_whole_command(small, call, recordings, run):
    own_words = small
    mine = recordings / "mine"
    arguments = (
        f"init={run}", f"data={recordings / 'words'}", f"noise={recordings / 'site'}", f"run={mine}",
        "--synthesise", "go on, bell", "train.epochs=1", "evaluate.snr_db=[5]", "evaluate.draws=1",
        "evaluate.replicates=20",
    )  # fmt: skip
    status, out, err = call("train", *arguments)
    assert status == 0, err
    printed = "\n".join(out)
    assert "  gate: 6 to train, 2 for dev, 2 to test" in printed
    assert "split by file: voices of the test may stand in training, too" in printed
    assert "noise recordings: 2, split in time" in printed
    assert "2 test recordings a word" not in printed  # "bell" has a single test voice
    assert "1 test recordings a word: at 5 dB" in printed

    model, info = load_checkpoint(mine / "best.json")
    assert model.config.labels == ["gate", "go_on", "bell", "unknown", "silence"]
    assert {"temperature", "trials"} <= info["calibration"].keys()
    config = load_config(mine / "config.yaml")
    assert config.init == str(run)
    train, dev, test = (read_cuts(getattr(config.data, part)) for part in ("train", "dev", "test"))
    spoken = [(own_words.own_data.word_of(cut), "voices" in cut.recording.sources[0].source) for cut in train]
    assert spoken.count(("go_on", True)) == spoken.count(("bell", True)) == 2  # asked to be spoken, under its label
    assert spoken.count(("gate", True)) == 1  # never asked, so to train on alone
    assert spoken.count(("gate", False)) == 12  # 6, twice
    none = [cut for cut in train if own_words.own_data.word_of(cut) not in model.config.labels[:3]]
    origins = [own_words.own_data.origin_of(cut) for cut in none]
    assert origins.count(own_words.own_data.BACKWARDS) == 24  # 12 recordings backwards, twice
    assert set(origins) == {own_words.own_data.BACKWARDS, own_words.own_data.VOICES}
    in_test = [(own_words.own_data.word_of(cut), "voices" in cut.recording.sources[0].source) for cut in test]
    assert ("go_on", True) not in in_test  # recordings are what counts
    assert in_test.count(("bell", True)) == 1
    for part in (dev, test):
        words = {own_words.own_data.word_of(cut) for cut in part}
        assert {"gate", "go_on", "bell"} < words  # and other words
        assert sum("backwards" in cut.recording.sources[0].source for cut in part) == 4  # as many as recordings
        assert ("gate", True) not in [
            (own_words.own_data.word_of(cut), "voices" in cut.recording.sources[0].source) for cut in part
        ]
        assert not {cut.recording.sources[0].source for cut in part} & {c.recording.sources[0].source for c in train}
    assert {"run.json", "table.md", "report.txt"} <= {path.name for path in mine.iterdir()}

    before = (mine / "best.json").read_bytes()
    status, _, err = call("train", *arguments)
    assert (status, len(err)) == (2, 1)
    assert "holds a model already" in err[0]
    status, out, _ = call("calibrate", mine, "train.false_accept_rate=1")
    assert status == 0
    assert json.loads((mine / "best.json").read_text())["calibration"]["reject_below"] == 0
    assert json.loads(before)["sha256"] == json.loads((mine / "best.json").read_text())["sha256"]


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_its_report(small, call, recordings, run, monkeypatch):
    """As its message says, by the same command with resume=true: when stopped while it trained, while it was
    calibrated, and before its test.
    """
    mine = recordings / "mine"
    arguments = (
        f"init={run}", f"data={recordings / 'words'}", f"run={mine}", "train.epochs=2", "evaluate.snr_db=[5]",
        "evaluate.draws=1", "evaluate.replicates=20",
    )  # fmt: skip

    step = Watch.step
    with monkeypatch.context() as patch:
        patch.setattr(Watch, "step", lambda *args, **kw: (step(*args, **kw), os.kill(os.getpid(), signal.SIGTERM)))
        status, _, err = call("train", *arguments)
    assert status == 128 + signal.SIGTERM
    assert "resume=true" in err[-1]

    status, _, err = call("train", *arguments)
    assert (status, len(err)) == (2, 1)
    assert "resume=true" in err[0]
    status, _, err = call("train", *arguments, f"noise={recordings / 'site'}", "resume=true")  # another request
    assert (status, len(err)) == (2, 1)
    assert "noise=" in err[0]

    with monkeypatch.context() as patch:
        patch.setattr("drsn_audio.training.keyword.calibrate", interrupt)
        status, _, _ = call("train", *arguments, "resume=true")
    assert status == 128 + signal.SIGINT
    weights = json.loads((mine / "best.json").read_text())["sha256"]
    assert not (mine / "report.txt").exists()

    with monkeypatch.context() as patch:
        patch.setattr("drsn_audio.training.loop.Training.run", interrupt)  # there is nothing left to train
        patch.setattr("drsn_audio.training.watch.Watch.step", interrupt)
        with monkeypatch.context() as before_the_test:
            before_the_test.setattr(sys.modules["own_report"], "evaluate_run", interrupt)
            status, _, _ = call("train", *arguments, "resume=true")
        assert status == 128 + signal.SIGINT
        assert "calibration" in json.loads((mine / "best.json").read_text())
        status, out, err = call("train", f"run={mine}", "resume=true")
    assert status == 0, err
    assert any(line.startswith("As drsn-audio classify answers") for line in out)
    assert {"run.json", "table.md", "report.txt"} <= {path.name for path in mine.iterdir()}
    assert json.loads((mine / "best.json").read_text())["sha256"] == weights
    assert json.loads((mine / "training.json").read_text())["status"] == "finished"
    assert call("train", *arguments, "--overwrite", "resume=true")[0] == 2  # which of the two?


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "there are no words: give data=FOLDER of recordings, or --synthesise"),
        (["--synthesise", "gate", "train.epoch=3"], "did you mean 'epochs'"),
        (["--synthesise", "gate,unknown"], "'unknown': is added by itself"),
        (["--synthesise", "gate", "init=nowhere.json"], "nowhere.json: no such file"),
        (["--smoke"], "--smoke goes with --config"),
        (["--config", "x.yaml", "--synthesise", "gate"], "leave --config out"),
    ],
)
def test_what_it_refuses(call, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    status, _, err = call("train", *arguments)
    assert (status, len(err)) == (2, 1)
    assert reason in err[0]
    assert not (tmp_path / "runs").exists()


def test_too_few_recordings_are_named(call, recordings, run):
    for path in sorted((recordings / "words" / "gate").iterdir())[2:]:
        path.unlink()
    status, _, err = call("train", f"init={run}", f"data={recordings / 'words'}", f"run={recordings / 'mine'}")
    assert status == 2
    assert err[-1].endswith("words/gate: 2 recordings: give 3 at least, better 40")
