"""Models of the Hugging Face Hub by their id: what is one, what is fetched, what is said where it fails. No network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import create_autospec

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants, errors
from huggingface_hub.utils import validate_repo_id

import drsn_audio
from drsn_audio import hub
from drsn_audio.cli import main
from drsn_audio.config import load_config
from drsn_audio.hub import HubId, parse_id, why
from drsn_audio.models.checkpoint import CheckpointError, find_checkpoint, save_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.training.start import start_from

COMMITS = ("a" * 40, "b" * 40)


@pytest.fixture(scope="module")
def config():
    return load_config(None, ["model.preset=10k", "model.clip_s=0.5", "model.labels=[low,high,silence]"]).model


@pytest.fixture(scope="module")
def checkpoints(config, tmp_path_factory):
    """Two folders of a model of tones, with other weights."""
    folders = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        folders.append(tmp_path_factory.mktemp(f"tones{seed}"))
        save_checkpoint(folders[-1], "best", AudioModel(config), step=seed, info={})
    return folders


@pytest.fixture
def snapshots(monkeypatch, tmp_path):
    """`repos[name]` is a list of folders, its commits; what is fetched of them comes into a cache, and into `calls`."""
    monkeypatch.chdir(tmp_path)
    repos, calls = {}, []

    def snapshot_download(repo_id, *, revision=None, allow_patterns=None):
        calls.append((revision, allow_patterns))
        commits = repos[repo_id]
        at = COMMITS.index(revision) if revision in COMMITS else len(commits) - 1
        folder = tmp_path / "cache" / repo_id / COMMITS[at]
        folder.mkdir(parents=True, exist_ok=True)
        for path in commits[at].iterdir():
            if path.name in allow_patterns:
                shutil.copy(path, folder)
        return str(folder)

    real = huggingface_hub.snapshot_download  # calls that it would refuse are refused here
    monkeypatch.setattr(huggingface_hub, "snapshot_download", create_autospec(real, side_effect=snapshot_download))
    return SimpleNamespace(repos=repos, calls=calls)


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    """Whoever asks the Hub has failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the Hub"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("me/tones", HubId("me/tones", None)),
        ("Some-Org/a.b_c-1", HubId("Some-Org/a.b_c-1", None)),
        ("me/tones@v1.0", HubId("me/tones", "v1.0")),
        ("me/tones@refs/pr/1", HubId("me/tones", "refs/pr/1")),
        *((text, None) for text in ("tones", "a/b/c", "/tones", "me/", "me/tones@", "./tones", "../tones", "~/tones")),
        *((text, None) for text in ("me/to nes", "me/a--b", "me/a..b", "me/x.git", "me/-x", "me/x.", "m" * 96 + "/x")),
        *((text, None) for text in ("me/tones@a b", "https://huggingface.co/me/tones", "me\\tones", "")),
    ],
)
def test_what_an_id_is(text, found):
    assert parse_id(text) == found
    if found:
        validate_repo_id(found.repo)  # the Hub's own


def test_a_model_of_the_hub_answers_as_the_local_one(snapshots, checkpoints, say):
    snapshots.repos["me/tones"] = [checkpoints[0]]
    assert drsn_audio.load("me/tones").classify(say("low", "eve")) == drsn_audio.load(checkpoints[0]).classify(
        say("low", "eve")
    )
    (weights,) = (path.name for path in checkpoints[0].glob("*.safetensors"))
    assert snapshots.calls == [(None, ["best.json", "README.md"]), (COMMITS[0], [weights])]


def test_a_revision_is_taken_as_it_was(snapshots, checkpoints):
    snapshots.repos["me/tones"] = checkpoints
    assert drsn_audio.load("me/tones").info["step"] == 1
    assert drsn_audio.load(f"me/tones@{COMMITS[0]}").info["step"] == 0


def test_json_and_weights_are_of_one_commit_when_another_is_pushed_between(snapshots, checkpoints, monkeypatch):
    snapshots.repos["me/tones"] = checkpoints[:1]
    fetch = hub._fetch

    def then_pushed(*asked):
        folder = fetch(*asked)
        snapshots.repos["me/tones"] = checkpoints
        return folder

    monkeypatch.setattr(hub, "_fetch", then_pushed)
    assert drsn_audio.load("me/tones").info["step"] == 0


def test_training_starts_from_a_model_of_the_hub(snapshots, checkpoints, config):
    snapshots.repos["me/tones"] = [checkpoints[1]]
    model = AudioModel(config)
    assert start_from(model, "me/tones") == ["low", "high", "silence"]
    there = drsn_audio.load(checkpoints[1]).module.state_dict()
    assert all(torch.equal(value, there[key]) for key, value in model.state_dict().items())


def test_what_is_here_is_not_asked_of_the_hub(no_hub, checkpoints, tmp_path):
    here = shutil.copytree(checkpoints[0], tmp_path / "me" / "tones")
    assert find_checkpoint("me/tones") == Path("me/tones/best.json")
    assert find_checkpoint("me/gone.json") == Path("me/gone.json")
    assert find_checkpoint("denoise-small").name == "denoise-small.json"
    (weights,) = here.glob("*.safetensors")
    for source in (weights, f"me/tones/{weights.name}", Path("me/gone"), "me/tones/gone", "no-model"):
        with pytest.raises(CheckpointError):
            find_checkpoint(source)
    shutil.copy(weights, "me/a.safetensors")
    with pytest.raises(CheckpointError, match=r"me/a.safetensors: no checkpoint: name a run folder, or the \.json"):
        find_checkpoint("me/a.safetensors")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no json", "has no best.json on the Hub"),
        ("no weights", "which its best.json names, is not there"),
        ("a pattern", "names no weights"),
        ("another folder", "names no weights"),
        ("no object", "names no weights"),
        ("changed weights", "SHA-256 differs"),
    ],
)
def test_repos_that_are_no_model(snapshots, checkpoints, tmp_path, fault, message):
    folder = shutil.copytree(checkpoints[0], tmp_path / "repo")
    (weights,) = folder.glob("*.safetensors")
    named = json.loads((folder / "best.json").read_text())
    if fault == "no json":
        (folder / "best.json").rename(folder / "config.json")
    elif fault == "no weights":
        weights.unlink()
    elif fault == "changed weights":
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    else:
        told = {"a pattern": named | {"weights": "*.safetensors"}, "no object": [1]}
        (folder / "best.json").write_text(json.dumps(told.get(fault, named | {"weights": f"../{weights.name}"})))
    snapshots.repos["me/tones"] = [folder]
    with pytest.raises(CheckpointError, match=message) as error:
        drsn_audio.load("me/tones")
    assert "\n" not in str(error.value)


def refused(kind, status, text="no\nway"):
    return kind(text, response=SimpleNamespace(status_code=status, headers={}, request=None, text=text))


def caused(error, cause):
    error.__cause__ = cause
    return error


HTTP, GONE = errors.HfHubHTTPError, errors.LocalEntryNotFoundError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (refused(errors.RepositoryNotFoundError, 401), "no such model, or a private one: .*hf auth login"),
        (refused(errors.GatedRepoError, 403), "agree at https://huggingface.co/me/tones"),
        (refused(errors.RevisionNotFoundError, 404), "no revision 'v1'"),
        (refused(HTTP, 401), "does not know who asks: log in"),
        (refused(HTTP, 403), "the Hub refuses: log in .* with a token that allows it"),
        (refused(HTTP, 404), "no such model"),
        (refused(HTTP, 429), "too often"),
        (refused(HTTP, 503), "out of order .HTTP 503."),
        (caused(GONE("x"), refused(HTTP, 503)), "out of order .HTTP 503."),
        (refused(errors.BadRequestError, 400), "refuses it: no way"),
        (ValueError("Invalid metadata in README.md.\n- license"), "refuses it: Invalid metadata in README.md. - lic"),
        (GONE("x"), "cannot be reached: check the network"),
        (ConnectionResetError(104, "reset"), "cannot be reached"),
        (OSError(28, "No space left on device", "/cache/x"), "/cache/x: No space left on device: check"),
        (RuntimeError("xet\nfailed"), "RuntimeError: xet failed"),
    ],
)
def test_why_it_fails_is_one_line_with_a_remedy(error, message, monkeypatch, tmp_path, snapshots, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert main(["classify", str(tmp_path), "--model", "me/tones@v1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    told = pytest.raises(CheckpointError, match=f"me/tones@v1: no such run folder or checkpoint here; .*{message}")
    with told as caught:
        drsn_audio.load("me/tones@v1")
    assert line == f"error: {caught.value}"


def test_offline_is_told(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "unset it" in why(GONE("x"), HubId("me/tones", None))


def test_without_the_library_a_mistyped_path_is_told_as_both(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match=r"runs/typo: no such run folder .* pip install .*\[hub\]"):
        drsn_audio.load("runs/typo")


@pytest.mark.slow
def test_what_was_downloaded_works_offline_from_the_real_cache(checkpoints, tmp_path):
    """The library itself, on a cache as it leaves it: blobs, and snapshots that link to them."""
    repo = tmp_path / "hub" / "models--me--tones"
    snapshot = repo / "snapshots" / COMMITS[0]
    for folder in (snapshot, repo / "blobs", repo / "refs"):
        folder.mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMITS[0])
    for path in checkpoints[1].iterdir():
        shutil.copy(path, repo / "blobs" / f"blob-{path.name}")
        (snapshot / path.name).symlink_to(f"../../blobs/blob-{path.name}")
    find = "import sys; from drsn_audio.hub import *; print(download(parse_id(sys.argv[1])))"
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")}

    def found(name):
        return subprocess.run([sys.executable, "-c", find, name], env=env, capture_output=True, text=True)

    path = found("me/tones").stdout.strip()
    assert Path(path) == snapshot / "best.json"
    assert drsn_audio.load(path).info["step"] == 1
    assert "HF_HUB_OFFLINE is set" in found("me/others").stderr
    next(snapshot.glob("*.safetensors")).unlink()
    assert "HF_HUB_OFFLINE" in found("me/tones").stderr
