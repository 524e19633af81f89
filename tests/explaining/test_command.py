"""drsn-audio explain: a picture for each sound, the numbers of its blocks, and what is heard of long ones."""

import json
import logging
import sys
import weakref

import numpy as np
import pytest
import soundfile as sf
import torch

pytest.importorskip("matplotlib")

from drsn_audio.api import load
from drsn_audio.cli import main
from drsn_audio.config import load_config
from drsn_audio.evaluation.alphas import block_shrinkage
from drsn_audio.explaining.blocks import hear_blocks
from drsn_audio.explaining.stretch import cut
from drsn_audio.extras import install_command
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel

RATE = 16000
BASE = ["model.preset=10k", "model.clip_s=0.5", "model.labels=[low,mid,high,silence]"]
DENOISER = [
    "model.head=denoise", "model.pool=causal", "model.stem_stride=[4,1]", "model.time_reduction=1", "model.mixer=[1]",
    "model.labels=[]", "model.frontend.name=log-spectrogram", "model.frontend.f_min_hz=0", "model.frontend.hop_ms=16",
]  # fmt: skip
KINDS = {
    "cw": ["model.shrinkage=cw"],
    "cs": ["model.shrinkage=cs"],
    "gate": ["model.shrinkage=se-frequency"],
    "none": ["model.shrinkage=none"],
    "causal": ["model.pool=causal"],
    "mfcc": ["model.frontend.name=mfcc"],
    "writes": ["model.head=ctc", "model.pool=causal", "model.time_reduction=4", "model.mixer_width=8",
               "model.mixer=[1]", "model.labels=[<blank>,low,mid,high]"],
    "denoises": DENOISER,
}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Run folders of every kind, that learnt nothing."""
    root = tmp_path_factory.mktemp("models")
    for name, overrides in KINDS.items():
        torch.manual_seed(0)
        save_checkpoint(root / name, "best", AudioModel(load_config(None, [*BASE, *overrides]).model), step=1, info={})
    return root


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder; its status, and the lines of stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = main(["explain", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    yield call
    logging.getLogger("drsn_audio").handlers = []


@pytest.fixture
def hiss(tmp_path):
    """1.5 s, in which the second half is louder."""
    wave = np.random.default_rng(0).standard_normal(3 * RATE // 2) * np.repeat([0.01, 0.1], 3 * RATE // 4)
    sf.write(tmp_path / "hiss.wav", wave, RATE, subtype="FLOAT")
    return tmp_path / "hiss.wav"


def in_noise(say, seconds, *words):
    """Words, each (start in s, word), in faint hiss."""
    wave = 0.001 * np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32)
    for start, word in words:
        wave[round(start * RATE) :][:4800] += say(word, "eve")
    return wave


def test_one_file_is_a_line_and_a_picture_here(cli, run, tmp_path, say):
    sf.write(tmp_path / "a b.wav", say("low", "eve"), RATE)
    status, (line,), err = cli("a b.wav", "--model", run)
    path, answer, heard, blocks, picture = line.split("\t")
    assert (status, err, path, heard, picture) == (0, [], "a b.wav", "0.00-0.30 s", "a b-thresholds.png")
    best = load(run).classify(tmp_path / "a b.wav")
    assert answer == f"low {best.score:.3f}"
    assert len(blocks.split("; ")) == 3
    assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_numbers_are_those_of_the_blocks(cli, run, tmp_path, say):
    wave = say("low", "eve")
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    _, (line,), _ = cli("a.wav", "--model", run, "--json", "-o", "a.svg")
    facts = json.loads(line)
    assert list(facts) == ["path", "label", "score", "start", "end", "picture", "blocks"]
    assert "<svg" in (tmp_path / "a.svg").read_text()
    shrunk = block_shrinkage(load(run).module, torch.from_numpy(wave)[None])
    assert [block["block"] for block in facts["blocks"]] == list(shrunk)
    for block, (x, y, alpha, tau) in zip(facts["blocks"], shrunk.values(), strict=True):
        assert block["kind"] == "alpha"
        assert block["alpha"] == pytest.approx(alpha.mean().item(), abs=1e-4)
        assert block["zeroed"] == pytest.approx((x.abs() <= tau).float().mean().item(), abs=1e-3)
        assert block["zeroed"] == pytest.approx((y == 0).float().mean().item(), abs=1e-4)
        assert block["tau"] == pytest.approx(tau.mean().item(), rel=1e-3)
        assert 0 < block["alpha_low"] < block["alpha"] < block["alpha_high"] < 1


@pytest.mark.slow
def test_a_folder_and_what_failed(cli, run, tmp_path, say):
    (tmp_path / "in/deep").mkdir(parents=True)
    stereo = np.stack([say("low", "eve")] * 2, 1)
    sf.write(tmp_path / "in/a.wav", stereo, 44100, subtype="PCM_24")
    sf.write(tmp_path / "in/deep/b.flac", say("mid", "eve"), 8000)
    sf.write(tmp_path / "in/short.wav", np.full(399, 0.1), RATE)
    sf.write(tmp_path / "in/silent.wav", np.zeros(RATE // 2), RATE)
    (tmp_path / "in/text.wav").write_text("not audio")
    status, out, err = cli("in", "missing.wav", "--model", run, "--json", "-o", "out", "--quiet")
    assert (status, len(err)) == (2, 3)
    found = {facts["path"]: facts for facts in map(json.loads, out)}
    failed = {path for path, facts in found.items() if list(facts) == ["path", "error"]}
    assert failed == {"in/short.wav", "in/text.wav", "missing.wav"}
    assert "24.9 ms long, too short" in found["in/short.wav"]["error"]
    pictures = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "out").rglob("*.*"))
    assert pictures == ["out/a.png", "out/deep/b.png", "out/silent.png"]
    assert [found[path]["picture"] for path in ("in/a.wav", "in/deep/b.flac")] == pictures[:2]


@pytest.mark.slow
def test_two_sounds_of_one_name_are_told(cli, run, tmp_path, say):
    for name in ("a.wav", "a.flac"):
        sf.write(tmp_path / name, say("low", "eve"), RATE)
    status, out, err = cli("a.wav", "a.flac", "--model", run)
    assert (status, len(out)) == (2, 1)
    assert err == [
        f"error: a.flac: thresholds/a.png is the picture of {tmp_path}/a.wav: give another -o for one of them"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.wav", "-o", "a.jpg"], "a.jpg: no picture has this ending"),
        (["a.wav", "b.wav", "-o", "a.png"], "a.png: is one file, and several sounds need a folder"),
        (["a.wav", "--at", "-1"], "--at -1: give seconds"),
        (["a.wav", "--at", "nan"], "--at nan: give seconds"),
        (["a.wav", "--duration", "600"], "--duration 600: give 0.025 to 60 seconds"),
        (["a.wav", "--duration", "2"], "it hears 0.5 s at once, leave it out"),
    ],
)
def test_options_that_make_no_sense_are_told_at_once(cli, run, tmp_path, say, arguments, message):
    sf.write(tmp_path / "a.wav", say("low", "eve"), RATE)
    status, out, err = cli(*arguments, "--model", run)
    assert (status, out, len(err)) == (2, [], 1)
    assert message in err[0]


@pytest.mark.slow
def test_the_clip_of_the_surest_word(cli, run, tmp_path, say):
    sf.write(tmp_path / "a.wav", in_noise(say, 4, (1.0, "low"), (2.5, "high")), RATE, subtype="FLOAT")
    best = load(run).classify(tmp_path / "a.wav")
    _, (line,), _ = cli("a.wav", "--model", run, "--json")
    facts = json.loads(line)
    assert (facts["label"], facts["score"]) == (best.label, best.score)
    assert facts["end"] == facts["start"] + 0.5
    middle = (best.start + best.end) / 2
    assert facts["start"] <= middle <= facts["end"]
    _, (again,), _ = cli("a.wav", "--model", run, "--json", "--at", facts["start"])
    assert json.loads(again)["blocks"] == facts["blocks"]
    assert json.loads(again)["score"] == pytest.approx(best.score, abs=1e-5)


@pytest.mark.slow
def test_at_beyond_the_end(cli, run, models, hiss):
    status, out, err = cli(hiss, "--model", models / "causal", "--at", "1.49")
    assert (status, out) == (2, [])
    assert err == [f"error: {hiss}: ends at 1.500 s: --at 1.49 leaves nothing to hear"]


@pytest.mark.slow
def test_a_stretch_is_heard_as_if_it_were_all(cli, models, hiss, tmp_path):
    wave, _ = sf.read(hiss, dtype="float32")
    sf.write(tmp_path / "part.wav", wave[8000:14400], RATE, subtype="FLOAT")
    of_long = cli(hiss, "--model", models / "causal", "--at", "0.5", "--duration", "0.4", "--json")
    of_part = cli("part.wav", "--model", models / "causal", "--json")
    long, part = (json.loads(out[0]) for _, out, _ in (of_long, of_part))
    assert long["blocks"] == part["blocks"]
    assert (long["start"], long["end"], part["start"], part["end"]) == (0.5, 0.9, 0.0, 0.4)
    assert "heard from 0.50 to 0.90 s alone" in of_long[2][0]
    assert of_part[2] == []


def test_no_more_is_read_than_is_heard():
    blocks = iter([np.full(10, value, np.float32) for value in range(100)])
    wave, read = cut(blocks, 15, 20)
    assert wave.tolist() == [1.0] * 5 + [2.0] * 10 + [3.0] * 5
    assert read == 40
    assert next(blocks)[0] == 4


def test_nothing_is_kept_of_what_comes_before():
    given, alive = [], []

    def blocks():
        for _ in range(50):
            block = np.zeros(1000, np.float32)
            given.append(weakref.ref(block))
            alive.append(sum(each() is not None for each in given))
            yield block

    wave, _ = cut(blocks(), 40_000, 1000)
    assert len(wave) == 1000
    assert max(alive) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cw", "cs", "gate", "mfcc", "writes", "denoises"])
def test_every_kind_of_model_is_drawn(cli, models, hiss, tmp_path, kind):
    status, (line,), _ = cli(hiss, "--model", models / kind, "--json", "--quiet")
    facts = json.loads(line)
    assert status == 0
    assert (tmp_path / facts["picture"]).stat().st_size > 10_000
    assert ("label" in facts, "text" in facts) == (kind not in ("writes", "denoises"), kind == "writes")
    for block in facts["blocks"]:
        assert block["kind"] == ("gate" if kind == "gate" else "alpha")
        assert (block["tau"], block["zeroed"]) == (None, 0.0) if kind == "gate" else block["tau"] > 0


@pytest.mark.parametrize("kind", ["cw", "causal", "mfcc", "writes", "denoises"])
@pytest.mark.parametrize("samples", [400, 8000, 8001])
def test_frames_and_bands_of_each_block_cover_the_sound_and_no_more(models, kind, samples):
    model = load(models / kind).module
    wave = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    for block in hear_blocks(model, wave):
        bands, frames = block.panels.effect.shape
        assert 0 <= frames * block.panels.frame_s - samples / RATE < block.panels.frame_s
        assert 0 <= bands * block.panels.rows_a_band - model.frontend.bins < block.panels.rows_a_band
        assert block.numbers["zeroed"] == pytest.approx(block.panels.effect.mean(), abs=1e-4)


def test_a_model_without_thresholds(cli, models, hiss):
    status, out, err = cli(hiss, "--model", models / "none")
    assert (status, out, len(err)) == (2, [], 1)
    assert "has neither thresholds nor gates (encoder=drsn, shrinkage=none)" in err[0]


def test_without_matplotlib(cli, run, hiss, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, out, err = cli(hiss, "--model", run)
    assert (status, out) == (2, [])
    assert err == [f"error: matplotlib is not installed: {install_command('train')}"]
