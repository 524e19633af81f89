"""Checkpoints: the same bits back, whole at every moment, and one line that names the file when they are not."""

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch

from drsn_audio import pretrained
from drsn_audio.config import config_from_dict
from drsn_audio.files import write_whole
from drsn_audio.models import checkpoint
from drsn_audio.models.checkpoint import (
    CheckpointError,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from drsn_audio.models.model import AudioModel

WAVE = torch.rand(3, 3000, generator=torch.Generator().manual_seed(0)) - 0.5


def build(seed: int = 0) -> AudioModel:
    """Trained a little: BatchNorm statistics that are not the first ones."""
    torch.manual_seed(seed)
    config = {"width": 4, "blocks": [1, 1], "labels": ["yes", "no", "höher"], "pool": "causal"}
    model = AudioModel(config_from_dict({"model": config}).model).train()
    model(WAVE)
    return model.eval()


def logits(model: AudioModel) -> torch.Tensor:
    with torch.no_grad():
        return model(WAVE)


def save(folder: Path, name: str = "best", seed: int = 0, step: int = 7) -> Path:
    return save_checkpoint(folder, name, build(seed), step=step, info={"metrics": {"accuracy": 0.5}, "commit": "abc"})


def weights_of(path: Path) -> Path:
    return path.parent / json.loads(path.read_text())["weights"]


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def replace_weights(path: Path, blob: bytes) -> None:
    """Other weights with the right digest: only their format is wrong."""
    weights_of(path).write_bytes(blob)
    edit(path, sha256=hashlib.sha256(blob).hexdigest())


def test_round_trip_is_bit_equal(tmp_path):
    model = build()
    path = save(tmp_path / "new" / "folder")
    loaded, info = load_checkpoint(path)
    assert torch.equal(logits(loaded), logits(model))
    assert loaded.config == model.config
    assert not loaded.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key]), key
    assert info["labels"] == ["yes", "no", "höher"]
    assert (info["step"], info["metrics"], info["commit"]) == (7, {"accuracy": 0.5}, "abc")
    assert path.name == "best.json"
    assert sorted(p.name for p in path.parent.iterdir()) == sorted([path.name, weights_of(path).name])


def test_a_model_in_channels_last_is_saved_alike(tmp_path):
    model = build().to(memory_format=torch.channels_last)
    path = save_checkpoint(tmp_path, "best", model, step=1, info={})
    assert weights_of(path).read_bytes() == weights_of(save(tmp_path / "b", step=1)).read_bytes()


def test_it_can_be_moved_and_renamed(tmp_path):
    path = save(tmp_path / "a")
    moved = (tmp_path / "a").rename(tmp_path / "b") / path.name
    assert torch.equal(logits(load_checkpoint(moved)[0]), logits(build()))


def test_a_newer_one_replaces_the_older_and_leaves_others_alone(tmp_path):
    save(tmp_path, "best", seed=1, step=1)
    other = [save(tmp_path, name, seed=2, step=1) for name in ("last", "best-of-all", "b")]
    (tmp_path / "best-00000003.safetensors").touch()  # as they were named without a digest
    path = save(tmp_path, "best", seed=3, step=2)
    assert torch.equal(logits(load_checkpoint(path)[0]), logits(build(3)))
    for theirs in other:
        assert torch.equal(logits(load_checkpoint(theirs)[0]), logits(build(2)))
    assert len(list(tmp_path.iterdir())) == 2 * 4


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("writes", [0, 1])
def test_interrupted_between_its_writes_the_old_one_is_whole(tmp_path, monkeypatch, writes, step):
    """Stopped before the weights or before the JSON, at a later step or at the same one of a new run."""
    path = save(tmp_path, seed=1, step=1)
    done = []

    def stop_after(target, blob, sync):
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(target)
        write_whole(target, blob, sync=sync)

    monkeypatch.setattr(checkpoint, "write_whole", stop_after)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, seed=2, step=step)
    assert torch.equal(logits(load_checkpoint(path)[0]), logits(build(1)))
    monkeypatch.undo()
    save(tmp_path, seed=2, step=step)
    assert torch.equal(logits(load_checkpoint(path)[0]), logits(build(2)))
    assert len(list(tmp_path.iterdir())) == 2


def test_info_that_is_no_json_leaves_the_old_one_and_no_weights(tmp_path):
    path = save(tmp_path, step=1)
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path, "best", build(1), step=2, info={"metrics": object()})
    assert torch.equal(logits(load_checkpoint(path)[0]), logits(build()))
    assert len(list(tmp_path.iterdir())) == 2


def tear_json(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def tear_weights(path: Path) -> None:
    weights_of(path).write_bytes(weights_of(path).read_bytes()[:-1])


def change_a_byte(path: Path) -> None:
    blob = bytearray(weights_of(path).read_bytes())
    blob[-1] ^= 1
    weights_of(path).write_bytes(bytes(blob))


class Bomb:
    """Ends the tests when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a checkpoint was executed')",)


def model_with(**changes):
    return lambda path: edit(path, model={**json.loads(path.read_text())["model"], **changes})


DAMAGE = {
    "torn json": (tear_json, "best.json: not a whole checkpoint"),
    "empty json": (lambda p: p.write_bytes(b""), "best.json: not a whole checkpoint"),
    "a list": (lambda p: p.write_text("[1]"), "best.json: not a whole checkpoint"),
    "no format": (lambda p: p.write_text("{}"), "best.json: not a whole checkpoint"),
    "another format": (lambda p: edit(p, format=2), "best.json: checkpoint format 2, this version reads 1: update"),
    "pickle as json": (lambda p: p.write_bytes(pickle.dumps(Bomb())), "best.json: not a whole checkpoint"),
    "torn weights": (tear_weights, "best-00000007-.*safetensors: is torn or was changed"),
    "changed byte": (change_a_byte, "best-00000007-.*safetensors: is torn or was changed"),
    "missing weights": (lambda p: weights_of(p).unlink(), "best-00000007-.*safetensors: no such file"),
    "pickle as weights": (lambda p: replace_weights(p, pickle.dumps(Bomb())), "best.json: not a whole checkpoint"),
    "empty weights": (lambda p: replace_weights(p, b""), "best.json: not a whole checkpoint"),
    "unnamed weights": (lambda p: edit(p, weights=""), "cannot be read .*directory"),
    "unknown config key": (model_with(widht=3), "best.json: its model cannot be built .*model.widht"),
    "unknown shrinkage": (model_with(shrinkage="xx"), "best.json: its model cannot be built .*'xx' is unknown"),
    "another width": (model_with(width=5), "best.json: not a whole checkpoint .*size mismatch"),
    "one label more": (model_with(labels=["a", "b", "c", "d"]), "best.json: not a whole checkpoint .*size mismatch"),
    "no label": (model_with(labels=[]), "best.json: its model cannot be built .*model.labels is empty"),
    "a label twice": (model_with(labels=["a", "a", "b"]), "best.json: its model cannot be built .*twice"),
    "a label of no kind": (model_with(labels=["a", None, "b"]), "best.json: its model cannot be built .*labels"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage):
    path = save(tmp_path)
    harm, message = DAMAGE[damage]
    harm(path)
    with pytest.raises(CheckpointError, match=message) as raised:
        load_checkpoint(path)
    assert "\n" not in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_missing_and_unreadable_files(tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match=r"nowhere\.json: no such file"):
        load_checkpoint(tmp_path / "nowhere.json")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path)

    path, weights = save(tmp_path), weights_of(tmp_path / "best.json")
    read = Path.read_bytes

    def refuse(self):  # file modes do not stop root
        if self == weights:
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CheckpointError, match=r"safetensors: cannot be read \(Permission denied\)"):
        load_checkpoint(path)


def test_weights_are_looked_for_beside_the_json_only(tmp_path):
    path = save(tmp_path / "a")
    elsewhere = tmp_path / weights_of(path).name
    weights_of(path).rename(elsewhere)
    edit(path, weights=f"../{elsewhere.name}")
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(path)


def test_half_precision_is_half_the_bytes_and_nearly_the_same_answers(tmp_path):
    """Weights of 11 bits: logits within 1e-2 of float32's; vectors, BatchNorm's statistics among them, to the bit."""
    model = build()
    path = save_checkpoint(tmp_path, "half", model, step=1, info={"calibration": {"temperature": 2}}, dtype=torch.half)
    loaded, info = load_checkpoint(path)
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    assert 0 < (logits(loaded) - logits(model)).abs().max() < 1e-2
    for key, value in model.state_dict().items():
        kept = loaded.state_dict()[key]
        assert torch.equal(kept, value.half().float() if value.ndim > 1 else value), key
    matrices = sum(value.numel() for value in model.state_dict().values() if value.ndim > 1)
    whole = weights_of(save(tmp_path / "whole")).stat().st_size
    assert whole - weights_of(path).stat().st_size == pytest.approx(2 * matrices, abs=200)
    assert info["calibration"] == {"temperature": 2}


def test_places_and_names(tmp_path, monkeypatch):
    assert find_checkpoint(tmp_path) == find_checkpoint(str(tmp_path / "best.json")) == tmp_path / "best.json"
    monkeypatch.setattr(pretrained, "find", {"commands-12": tmp_path / "commands-12.json"}.get)
    monkeypatch.setattr(pretrained, "names", lambda: ["commands-12"])
    assert find_checkpoint("commands-12") == tmp_path / "commands-12.json"
    with pytest.raises(CheckpointError, match=r"comands-12: no such .* did you mean 'commands-12'"):
        find_checkpoint("comands-12")


def test_a_checkpoint_reads_nothing_of_the_environment(tmp_path, monkeypatch):
    """OmegaConf would put in the value of ${oc.env:NAME}, and run whatever resolver a program has registered."""
    monkeypatch.setenv("SECRET", "told")
    path = save_checkpoint(tmp_path, "best", build(), step=1, info={})
    described = json.loads(path.read_text())
    described["model"]["labels"][0] = "${oc.env:SECRET}"
    path.write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match=r"model\.labels\[0\]=\$\{oc\.env:SECRET\}") as error:
        load_checkpoint(path)
    assert "told" not in str(error.value)
