"""The recipe of read English: data with its faults, every config for two steps, units, and what is left out."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.config import load_config
from drsn_audio.corpora.cuts import SpeechFile
from drsn_audio.corpora.prepare import prepare
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.decoding.units import CHARACTERS

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "librispeech"
CONFIGS = sorted(path for path in (RECIPE / "configs").glob("*.yaml") if path.stem != "base")
RATE = 16000
TEXTS = ("OPEN THE GATE", "STOP THAT", "TURN THE PUMP OFF", "IT ISN'T COLD", "WE GO ON", "NO MORE OIL")


@pytest.fixture
def folder(folder):
    return folder.parent / "librispeech"


def write_chapter(part, speaker, texts, encoding="utf-8"):
    """Chapter 7 of a speaker: a FLAC of noise for each text; the folder."""
    chapter = part / str(speaker) / "7"
    chapter.mkdir(parents=True)
    lines = []
    for number, text in enumerate(texts):
        id = f"{speaker}-7-{number:04d}"
        wave = 0.1 * np.random.default_rng([speaker, number]).standard_normal(RATE + 1000 * number)
        sf.write(chapter / f"{id}.flac", wave, RATE)
        lines.append(f"{id} {text}\n")
    (chapter / f"{speaker}-7.trans.txt").write_bytes("".join(lines).encode(encoding))
    return chapter


@pytest.fixture
def noiseless(recipe, monkeypatch):
    """The recipe's prepare.py, with little noise to synthesise."""
    module = recipe("prepare")
    monkeypatch.setattr(
        module, "SYNTHESISED", {"synthetic-noise": ("synthetic-noise", {"count": 1, "duration_s": 0.2})}
    )
    return module


@pytest.mark.slow
def test_prepare_mini_splits_by_speaker_and_counts_faults(noiseless, call, tmp_path):
    part = tmp_path / "data" / "LibriSpeech" / "dev-clean"
    for speaker in (652, 2277, 1272, 1462, 2035, 2902, 84):
        write_chapter(part, speaker, TEXTS)
    lost = write_chapter(part, 174, TEXTS) / "174-7-0003.flac"
    lost.unlink()
    write_chapter(part, 422, ["", "DÉJÀ VU"], encoding="latin-1")
    write_chapter(part, 1673, ["", "Well-known: café!", "?!"])
    status, out, err = call("prepare", "mini", "--data", tmp_path / "data", "--out", tmp_path / "m")
    assert status == 0
    assert [line for line in err if "left out" in line] == [
        f"{name}: no folder {folders} in {tmp_path / 'data'}: left out"
        for name, folders in (
            ("urbansound8k", "UrbanSound8K or urbansound8k_subset"),
            ("esc", "ESC-50 or ESC-50-master or esc10_subset"),
        )
    ]
    cuts = {
        part: read_cuts([tmp_path / "m" / "librispeech-mini" / f"{part}.jsonl.gz"]) for part in ("train", "dev", "test")
    }
    speakers = {part: {cut.supervisions[0].speaker for cut in of_part} for part, of_part in cuts.items()}
    assert speakers["test"] == {"652", "2277"}
    assert speakers["dev"] == {"2035", "2902"}
    assert speakers["train"] == {"1272", "1462", "84", "174", "1673"}
    texts = [cut.supervisions[0].text for cut in cuts["train"] if cut.id.startswith("1673")]
    assert texts == ["WELL KNOWN CAFE"]
    faults = [
        json.loads(line) for line in (tmp_path / "m" / "librispeech-mini" / "faults.jsonl").read_text().splitlines()
    ]
    by_kind = {fault["kind"]: Path(fault["path"]).name for fault in faults}
    assert by_kind["transcript without audio"] == "174-7.trans.txt"
    assert by_kind["unreadable transcripts"] == "422-7.trans.txt"
    assert by_kind["audio without transcript"] == "422-7-0001.flac"
    assert sorted(Path(f["path"]).name for f in faults if f["kind"] == "empty transcript") == [
        "1673-7-0000.flac", "1673-7-0002.flac"
    ]  # fmt: skip

    status, out, _ = call("prepare", "mini", "--data", tmp_path / "data", "--out", tmp_path / "m")
    assert f"librispeech-mini: kept as it is in {tmp_path / 'm'}" in out


@pytest.mark.slow
def test_prepare_full_takes_the_parts_that_are_there(noiseless, call, tmp_path):
    for part, speaker in (("train-clean-100", 1), ("dev-clean", 2), ("train-clean-5", 1)):
        write_chapter(tmp_path / "data" / "LibriSpeech" / part, speaker, TEXTS[:2])
    assert call("prepare", "full", "--data", tmp_path / "data", "--out", tmp_path / "m")[0] == 0
    assert sorted(str(path.relative_to(tmp_path / "m")) for path in (tmp_path / "m").glob("*libri*/*")) == [
        "librispeech/dev-clean.jsonl.gz", "librispeech/train-clean-100.jsonl.gz",
        "mini-librispeech/train-clean-5.jsonl.gz",
    ]  # fmt: skip
    status, _, err = call("prepare", "full", "--data", tmp_path, "--out", tmp_path / "m")
    assert status == 2
    assert f"{tmp_path}: no LibriSpeech/dev-clean or other part in it" in err[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [pytest.param(path, marks=() if path.stem == "mini" else pytest.mark.slow, id=path.stem) for path in CONFIGS],
)
def test_smoke_of_every_config(call, config, tmp_path):
    run = tmp_path / "run"
    status, out, _ = call(
        "train", "--config", config, "--smoke", f"run={run}", "model.preset=ctc-500k", "train.threads=1"
    )
    assert status == 0
    assert out == [f"best checkpoint: {tmp_path}/run-smoke/best.json"]
    checkpoint = json.loads((tmp_path / "run-smoke" / "best.json").read_text())
    assert checkpoint["labels"][0] == "<blank>"
    if config.stem == "mini":
        assert checkpoint["labels"] == CHARACTERS
        assert checkpoint["parameters"] == 519_736  # as README says of ctc-500k, causal
        status, out, _ = call("progress", tmp_path / "run-smoke")
        assert out[2].startswith("| 1 | 1 |")
        assert (tmp_path / "run-smoke" / "progress.png").is_file()
        status, out, _ = call("evaluate", tmp_path / "run-smoke", "evaluate.snr_db=[5]", "evaluate.replicates=20")
        assert status == 0
        facts = json.loads((tmp_path / "run-smoke" / "run.json").read_text())
        assert {one["noise_kind"] for one in facts["conditions"]} >= {"clean", "street", "factory"}
    if config.stem == "mini-sentencepiece":
        assert any(label.startswith("\u2581") for label in checkpoint["labels"])


@pytest.mark.slow
def test_configs_name_what_prepare_makes_and_split_their_noise(recipe):
    module = recipe("prepare")
    made = {"librispeech-mini", "librispeech", *module.NOISE, *module.SYNTHESISED}
    for path in CONFIGS:
        data = load_config(path).data
        parts = (data.noise_train, data.noise_dev, data.noise_test)
        trained, chosen, tested = ({(s.manifest, fold) for s in part for fold in s.folds} for part in parts)
        assert trained.isdisjoint(chosen | tested)
        assert chosen.isdisjoint(tested)
        assert not set(data.train) & {*data.dev, *data.test}
        named = [*data.train, *data.dev, *data.test, *(source.manifest for part in parts for source in part)]
        assert {Path(name).parent.name for name in named} <= made


@pytest.mark.slow
def test_units_of_transcripts(call, task, tmp_path):
    chapter = write_chapter(tmp_path / "s", 5, TEXTS)
    speech = [
        SpeechFile(path.stem, path, "train", text, "5")
        for path, text in zip(sorted(chapter.glob("*.flac")), TEXTS, strict=True)
    ]
    manifest = prepare("read", tmp_path / "m", speech, progress=False).manifests["train"]
    status, out, _ = call("units", manifest, "--size", 24)
    assert (status, out) == (0, [f"24 units of 6 transcripts -> {tmp_path}/m/units-24.model"])
    first = (tmp_path / "m" / "units-24.model").read_bytes()
    call("units", manifest, "--size", 24)
    assert (tmp_path / "m" / "units-24.model").read_bytes() == first
    for size in (3, 10_000):
        status, _, err = call("units", manifest, "--size", size)
        assert status == 2
        assert f"{size} units: SentencePiece cannot make so many of 6 texts" in err[0]
    status, _, err = call("units", task.noise)
    assert err == [f"error: {task.noise}: its cuts carry no text: name a manifest of speech"]

    # A model of SentencePiece that is not there, is none, or is of other units than the labels.
    config = [f"data.{part}=[{manifest}]" for part in ("train", "dev", "test")]
    config += [f"data.noise_{part}=[{{manifest: {task.noise}}}]" for part in ("train", "dev", "test")]
    for setting, reason in (
        ([f"data.sentencepiece={tmp_path}/nowhere.model"], "nowhere.model: not a SentencePiece model"),
        ([f"data.sentencepiece={manifest}"], "train.jsonl.gz: not a SentencePiece model"),
        (
            [f"data.sentencepiece={tmp_path}/m/units-24.model", "model.labels=[<blank>,A,B]"],
            "model.labels are not those",
        ),
    ):
        status, out, err = call(
            "train",
            "--config",
            RECIPE / "configs" / "mini-sentencepiece.yaml",
            f"run={tmp_path}/run",
            *config,
            *setting,
        )
        assert (status, out, len(err)) == (2, [], 1)
        assert reason in err[0]


@pytest.mark.slow
def test_training_says_what_it_leaves_out(call, task, tmp_path, caplog):
    chapter = write_chapter(tmp_path / "s", 5, [*TEXTS, "ROOM 101", "MANY MORE LETTERS THAN FRAMES IN A SECOND"])
    texts = [line.split(" ", 1)[1] for line in (chapter / "5-7.trans.txt").read_text().splitlines()]
    speech = [
        SpeechFile(path.stem, path, "train", text, "5")
        for path, text in zip(sorted(chapter.glob("*.flac")), texts, strict=True)
    ]
    manifest = prepare("read", tmp_path / "m", speech, progress=False).manifests["train"]
    (chapter / "5-7-0002.flac").unlink()
    with caplog.at_level("INFO", logger="drsn_audio"):
        status, _, _ = call(
            "train", "--config", RECIPE / "configs" / "mini.yaml", f"run={tmp_path}/run", f"data.train=[{manifest}]",
            f"data.dev=[{task.dev}]", *(f"data.noise_{part}=[{{manifest: {task.noise}}}]" for part in ("train", "dev")),
            "train.max_steps=1", "train.max_padded_s=6", "train.threads=1",
        )  # fmt: skip
    assert status == 0
    left_out = [record.message for record in caplog.records if record.message.startswith("left out")]
    assert len(left_out) == 3
    assert f"left out: 1 utterance, lost audio ({chapter}/5-7-0002.flac)" in left_out[0]
    assert f"1 utterance, text without units ({chapter}/5-7-0006.flac); the first its text 'ROOM 101'" in left_out[1]
    assert "1 utterance, transcript longer than its frames" in left_out[2]
    faults = [json.loads(line)["path"] for line in (tmp_path / "run" / "faults.jsonl").read_text().splitlines()]
    assert [Path(path).name for path in faults] == ["5-7-0002.flac", "5-7-0006.flac", "5-7-0007.flac"]


@pytest.mark.slow
def test_an_utterance_that_fits_no_batch(call, task, tmp_path):
    status, _, err = call(
        "train", "--config", RECIPE / "configs" / "mini.yaml", f"run={tmp_path}/run", f"data.train=[{task.train}]",
        f"data.dev=[{task.dev}]", *(f"data.noise_{part}=[{{manifest: {task.noise}}}]" for part in ("train", "dev")),
        "train.max_padded_s=0.4",
    )  # fmt: skip
    assert status == 2
    assert "train.max_padded_s=0.4: the longest utterance needs" in err[0]


@pytest.mark.slow
def test_progress_of_what_is_no_ctc_training(call, tmp_path):
    status, _, err = call("progress", tmp_path)
    assert status == 2
    assert f"{tmp_path}/log.jsonl: not a readable log" in err[0]
    (tmp_path / "log.jsonl").write_text('{"epoch": 1, "dev_accuracy": 0.5}\n')
    assert "holds no epochs of a CTC training" in call("progress", tmp_path)[2][0]
