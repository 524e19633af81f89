"""Data of the recipe of connected words: from corpora to strings and streams, by its scripts."""

import shutil
from collections import Counter

import pytest
import soundfile as sf

from drsn_audio.corpora import sets
from drsn_audio.corpora.free_spoken_digits import DIGITS
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.evaluation.stream_events import read_streams


@pytest.fixture
def data(tmp_path, say):
    """A few files in the layouts of Speech Commands and Free Spoken Digits."""
    commands = tmp_path / "data" / "speech_commands_v0.02"
    for word in ("yes", "bed", "one"):
        for speaker in ("0a", "0b", "0c"):
            write(commands / word / f"{speaker}_nohash_0.wav", say("low", speaker))
    for name, speaker in (("validation", "0b"), ("testing", "0c")):
        (commands / f"{name}_list.txt").write_text(
            "".join(f"{w}/{speaker}_nohash_0.wav\n" for w in ("yes", "bed", "one"))
        )
    for speaker in ("ann", "bob", "cem"):
        for digit in (1, 2):
            for take in range(14):
                path = tmp_path / "data" / "free_spoken_digit_dataset" / "recordings" / f"{digit}_{speaker}_{take}.wav"
                write(path, say("mid", speaker)[::2], 8000)
    return tmp_path / "data"


def write(path, wave, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, wave, rate)


@pytest.mark.slow
def test_from_corpora_to_strings_and_streams(recipe, call, data, task, tmp_path, monkeypatch):
    manifests = tmp_path / "m"
    small = {"count": 1, "duration_s": 0.2, "kinds": ["street"]}
    monkeypatch.setattr(recipe("prepare"), "SYNTHESISED", {"synthetic-noise": ("synthetic-noise", small)})
    status, out, err = call("prepare", "--data", data, "--out", manifests)
    assert status == 0, err
    assert {line.split(":")[0] for line in err if "left out" in line} == {"librispeech-mini", "urbansound8k", "esc"}
    made = [line.split(":")[0] for line in out[-2:]]
    assert made == [f"{manifests}/commands-strings/{part}.jsonl.gz" for part in ("dev", "test")]

    dev, test = (
        Counter(word["utterance"] for cut in read_cuts([name]) for word in cut.custom["words"]) for name in made
    )
    assert set(test) == {
        "yes/0c_nohash_0",
        "one/0c_nohash_0",
        *(f"{d}_cem_{take}" for d in (1, 2) for take in range(14)),
    }
    assert {"yes/0b_nohash_0", "one/0b_nohash_0"} < set(dev)
    assert Counter(name[:6] for name in dev) >= Counter({"1_bob_": 12, "2_bob_": 12})
    assert len(dev) == 2 + 24  # not all of the digits, of which one speaker said many

    before = (manifests / "speech-commands" / "dev.jsonl.gz").stat().st_mtime_ns
    status, out, _ = call("prepare", "--data", data, "--out", manifests)
    assert status == 0
    assert f"speech-commands: kept as it is in {manifests}" in out
    assert (manifests / "speech-commands" / "dev.jsonl.gz").stat().st_mtime_ns == before

    (manifests / "urbansound8k").mkdir()
    shutil.copy(task.noise, manifests / "urbansound8k" / "noise.jsonl.gz")
    monkeypatch.setattr(recipe("streams"), "LONG_S", 60.0)
    status, out, err = call("streams", "--manifests", manifests, "--out", tmp_path / "s")
    assert status == 0, err
    live, long = (read_streams([tmp_path / "s" / f"commands-{name}.jsonl.gz"]) for name in ("live", "long"))
    assert Counter((one.noise_kind, one.snr_db) for one in live).keys() == {
        ("clean", None), *((kind, snr_db) for kind in ("machinery", "street") for snr_db in (20, 5, -5))
    }  # fmt: skip
    assert all(said.noise_source for one in live if one.snr_db is not None for said in one.spoken)
    (one,) = long
    assert one.hours * 3600 > 60
    assert {said.word for said in one.spoken} == {"yes", "one", "two"}


def test_what_is_not_there(call, tmp_path):
    status, out, err = call("streams", "commands-lon", "--manifests", tmp_path)
    assert (status, out) == (2, [])
    assert err == ["error: commands-lon: no such set; did you mean 'commands-long'?"]
    status, _, err = call("strings", "--manifests", tmp_path)
    assert status == 2
    assert "no such manifest: make it with drsn-audio prepare" in err[0]


def test_the_sets_of_both_recipes_are_known(recipe):
    prepare = recipe("prepare")
    assert prepare.RECORDED.items() <= sets.RECORDED.items()
    assert sets.SYNTHESISED["voices-digits"][1]["words"] == DIGITS
    assert "voices-digits" in prepare.SYNTHESISED
