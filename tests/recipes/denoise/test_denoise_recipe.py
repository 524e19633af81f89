"""Denoising from manifests to tables: prepare, two steps of training, and evaluation of what they leave."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.cli import main
from drsn_audio.config import load_config
from drsn_audio.corpora import sets

RECIPE = Path(__file__).resolve().parents[3] / "recipes" / "denoise"
CONFIGS = sorted((RECIPE / "configs").glob("*.yaml"))
SMALL = ["model.widths=[4,6]", "model.blocks=[1,1]", "model.mixer=[1]", "train.stretch_s=1"]
QUICK = ["--limit", "1", "--without-pesq"]


@pytest.fixture(scope="module")
def smoke_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("smoke")


@pytest.fixture
def smoke(call, smoke_folder):
    """Run folder of a small model after two steps."""
    run = smoke_folder / "run-smoke"
    if not run.exists():
        status, out, err = call(
            "train", "--config", CONFIGS[0], "--smoke", f"run={smoke_folder / 'run'}", *SMALL, "evaluate.replicates=20"
        )
        assert (status, out) == (0, [f"best checkpoint: {run}/best.json"]), err
    return run


@pytest.mark.slow
def test_two_steps_are_trained(smoke):
    checkpoint = json.loads((smoke / "best.json").read_text())
    assert checkpoint["step"] == 2
    assert checkpoint["model"]["head"] == "denoise"
    assert checkpoint["command"].startswith("python recipes/denoise/train.py --config")
    assert not (smoke.parent / "run").exists()  # a smoke never touches a real run


@pytest.mark.slow
def test_a_run_is_evaluated(call, smoke, tmp_path):
    status, out, err = call("evaluate", smoke, *QUICK, "evaluate.snr_db=[5,0]", "-o", tmp_path)
    assert status == 0, err
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["command"].startswith("python recipes/denoise/evaluate.py")
    assert facts["data"]["limits"]["per_speaker"] == 1
    assert {one["snr_db"] for one in facts["conditions"]} == {5.0, 0.0, "mean"}
    assert [each["name"] for each in facts["systems"]] == ["noisy", "run-smoke"]
    written = [Path(line).relative_to(tmp_path) for line in out if line.startswith(str(tmp_path))]
    assert [str(path) for path in written[:3]] == ["run.json", "table.md", "denoising.png"]
    assert all((tmp_path / path).stat().st_size for path in written)
    (first, *_) = sorted((tmp_path / "examples").iterdir())
    assert {path.name for path in first.iterdir()} == {"clean.wav", "noisy.wav", "denoised.wav", "before.png"}
    waves = {name: sf.read(first / f"{name}.wav")[0] for name in ("clean", "noisy", "denoised")}
    assert len({len(wave) for wave in waves.values()}) == 1
    assert first.name.endswith("-0dB")  # the hardest SNR
    assert np.square(waves["noisy"] - waves["clean"]).sum() > np.square(waves["clean"]).sum() / 10


@pytest.mark.slow
def test_others_hear_the_same(call, smoke, tmp_path):
    if not all(map(find_spec, ("noisereduce", "webrtc_noise_gain", "pyrnnoise"))):
        pytest.skip("other denoisers are not installed: pip install 'drsn-audio[peers]'")
    status, _, err = call("evaluate", smoke, "--peers", *QUICK, "evaluate.snr_db=[0]", "-o", tmp_path)
    assert status == 0, err
    facts = json.loads((tmp_path / "run.json").read_text())
    names = [each["name"] for each in facts["systems"]]
    assert names[:2] == ["noisy", "run-smoke"]
    assert {"WebRTC", "RNNoise"} < set(names)
    assert all(each["settings"]["delay_ms"] >= 0 for each in facts["systems"][2:])
    assert {one["system"] for one in facts["differences"]} == set(names) - {"run-smoke"}
    assert "run-smoke less each other system" in (tmp_path / "table.md").read_text()


@pytest.mark.slow
def test_the_command_line_evaluates_a_denoiser(smoke, tmp_path, capsys):
    config = load_config(smoke / "config.yaml")
    (noise,) = config.data.noise_test
    arguments = ["evaluate", "--model", smoke, "--manifest", *config.data.test, "--snr", "5", "--draws", "1", "--quiet"]
    assert main([*map(str, arguments), "--noise", noise.manifest, "-o", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "SI-SDR in dB" in out
    assert err.splitlines() == [f"{tmp_path}/{name}" for name in ("run.json", "table.md", "denoising.png")]
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["data"]["utterances"] == facts["data"]["utterances_in_manifest"]
    assert main([*map(str, arguments[:5]), "--quiet"]) == 2
    assert "no noise is given" in capsys.readouterr().err


@pytest.mark.slow
def test_prepare_keeps_what_is_there(recipe, call, task, tmp_path, monkeypatch):
    prepare = recipe("prepare")
    assert prepare.RECORDED.items() <= sets.RECORDED.items()
    small = {"count": 1, "duration_s": 0.2, "kinds": ["street"]}
    monkeypatch.setattr(prepare, "SYNTHESISED", {"synthetic-noise": ("synthetic-noise", small)})
    (tmp_path / "m" / "esc").mkdir(parents=True)
    shutil.copy(task.noise, tmp_path / "m" / "esc" / "noise.jsonl.gz")
    (tmp_path / "data").mkdir()
    status, out, err = call("prepare", "--data", tmp_path / "data", "--out", tmp_path / "m")
    assert status == 0
    assert out[0] == f"esc: kept as it is in {tmp_path}/m"
    assert {line.split(":")[0] for line in err} >= {"speech-commands", "librispeech-denoise", "urbansound8k"}
    assert (tmp_path / "m" / "synthetic-noise" / "noise.jsonl.gz").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_what_is_tested_is_in_no_training(config, recipe):
    data = load_config(config).data
    parts = (data.noise_train, data.noise_dev, data.noise_test)
    trained, chosen, tested = ({source.manifest for source in part} for part in parts)
    assert tested.isdisjoint(trained | chosen)
    assert not set(data.train) & {*data.dev, *data.test}
    assert not any("urbansound8k" in name for name in trained | chosen)  # its licence forbids it
    named = {*data.train, *data.dev, *data.test, *data.rooms, *trained, *chosen, *tested}
    prepare = recipe("prepare")
    assert {Path(name).parent.name for name in named} <= {*prepare.RECORDED, *prepare.SYNTHESISED}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere", "--config", "RUN/config.yaml"], "nowhere: no "),
        (["RUN", "model.width=3"], "model.width=3: the model is trained already"),
        (["RUN", "data.test=[nowhere.jsonl.gz]"], "nowhere.jsonl.gz: no such manifest: get its corpus"),
        (["WRITES"], "model.head=ctc takes no noise off: name a denoiser"),
    ],
)
def test_what_evaluate_refuses(call, smoke, writing_run, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    named = {"RUN": smoke, "WRITES": writing_run}
    status, out, err = call("evaluate", *(named.get(word, word.replace("RUN/", f"{smoke}/")) for word in arguments))
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]
