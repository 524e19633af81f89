"""Models pushed to the Hugging Face Hub, a stand-in for it that keeps commits in memory. No network."""

import inspect
import json
import logging
import sys
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from huggingface_hub import HfApi, ModelCard

import drsn_audio
from drsn_audio.cli import main
from drsn_audio.config import load_config
from drsn_audio.errors import InputError
from drsn_audio.extras import install_command
from drsn_audio.hub import HubError
from drsn_audio.models.checkpoint import CheckpointError, save_checkpoint
from drsn_audio.models.model import AudioModel

FILES = {"best.json", "model.safetensors", "README.md"}
REAL = {name: inspect.signature(getattr(HfApi, name)) for name in ("create_repo", "model_info", "create_commit")}
INIT, SNAPSHOT = inspect.signature(HfApi), inspect.signature(huggingface_hub.snapshot_download)


class StandIn:
    """An HfApi whose repos are here. What the real one would not be called with, this one is not, either."""

    def __init__(self, *args, **named):
        INIT.bind(*args, **named)

    def _given(self, method, *args, **named):
        bound = REAL[method].bind(self, *args, **named)
        bound.apply_defaults()
        if self.fails == method:
            raise self.error
        return SimpleNamespace(**bound.arguments)

    def create_repo(self, *args, **named):
        given = self._given("create_repo", *args, **named)
        if given.repo_id in self.repos and not given.exist_ok:
            raise ValueError("it is there")
        self.repos.setdefault(given.repo_id, SimpleNamespace(private=bool(given.private), commits=[]))

    def model_info(self, *args, **named):
        return self.repos[self._given("model_info", *args, **named).repo_id]

    def create_commit(self, *args, **named):
        given = self._given("create_commit", *args, **named)
        commits = self.repos[given.repo_id].commits
        files = {one.path_in_repo: one.path_or_fileobj for one in given.operations}
        commits.append(SimpleNamespace(message=given.commit_message, files=files))
        return SimpleNamespace(commit_url=f"https://huggingface.co/{given.repo_id}/commit/{len(commits)}")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The stand-in, and its snapshots: hub.repos is what was pushed."""
    monkeypatch.chdir(tmp_path)

    class Api(StandIn):
        repos, fails, error = {}, None, None

    def snapshot_download(*args, **named):
        given = SNAPSHOT.bind(*args, **named).arguments
        commits = Api.repos[given["repo_id"]].commits
        folder = tmp_path / "cache" / str(len(commits))
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in commits[-1].files.items():
            if name in given["allow_patterns"]:
                (folder / name).write_bytes(data)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    yield Api
    logging.getLogger("drsn_audio").handlers = []


@pytest.fixture
def tones(tmp_path):
    """A run folder of a model that has learnt nothing."""
    config = load_config(None, ["model.preset=10k", "model.clip_s=0.5", "model.labels=[low,high,silence]"]).model
    torch.manual_seed(0)
    info = {"command": "python train.py", "seed": 7, "metrics": {"dev_accuracy": 0.5, "epoch": 3}}
    save_checkpoint(tmp_path / "run", "best", AudioModel(config), step=12, info=info)
    return tmp_path / "run"


def test_what_was_pushed_is_loaded_by_its_name(hub, tones, say):
    url = drsn_audio.push(tones, "me/tones", license="mit", message="the first")
    assert url == "https://huggingface.co/me/tones/commit/1"
    (commit,) = hub.repos["me/tones"].commits
    assert commit.message == "the first"
    assert set(commit.files) == FILES
    assert commit.files["model.safetensors"] == next(tones.glob("*.safetensors")).read_bytes()
    here, there = drsn_audio.load(tones), drsn_audio.load("me/tones")
    assert there.classify(say("low", "eve")) == here.classify(say("low", "eve"))
    assert there.info == here.info | {"weights": "model.safetensors"}


def test_a_model_of_the_hub_is_pushed_on_with_its_card_and_licence(hub, tones):
    drsn_audio.push(tones, "me/tones", license="mit")
    drsn_audio.push("me/tones", "you/tones")
    first, second = hub.repos["me/tones"].commits[0], hub.repos["you/tones"].commits[0]
    assert second.files == first.files


def test_a_shipped_model_takes_its_card_and_knows_its_licence(hub):
    drsn_audio.push("denoise-small", "me/quiet")
    card = ModelCard(hub.repos["me/quiet"].commits[0].files["README.md"].decode())
    assert card.data.license == "mit"
    assert card.data.pipeline_tag == "audio-to-audio"
    assert card.text.startswith("\n# denoise-small\n")


def test_a_dry_run_writes_what_would_be_pushed_and_asks_no_hub(hub, tones, tmp_path, capsys):
    assert main(["push", str(tones), "me/tones", "--license", "mit", "--dry-run", "up"]) == 0
    assert not hub.repos
    assert capsys.readouterr().out == "up\n"
    assert main(["push", str(tones), "me/tones", "--license", "mit"]) == 0
    files = hub.repos["me/tones"].commits[0].files
    assert {path.name: path.read_bytes() for path in (tmp_path / "up").iterdir()} == files
    assert drsn_audio.load("up").info["step"] == 12  # as a clone of the repo does
    drsn_audio.push(tones, "me/tones", license="mit", dry_run="up")  # once more
    (tmp_path / "up" / "other.txt").touch()
    with pytest.raises(InputError, match=r"up: holds other files \(other\.txt\)"):
        drsn_audio.push(tones, "me/tones", license="mit", dry_run="up")


def test_nothing_broken_is_pushed(hub, tones):
    weights = next(tones.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="SHA-256"):
        drsn_audio.push(tones, "me/tones", license="mit")
    assert not hub.repos


def test_private_is_never_public(hub, tones):
    drsn_audio.push(tones, "me/secret", license="mit", private=True)
    assert hub.repos["me/secret"].private
    drsn_audio.push(tones, "me/open", license="mit")
    assert not hub.repos["me/open"].private
    with pytest.raises(HubError, match="me/open: not pushed: it is there and public"):
        drsn_audio.push(tones, "me/open", license="mit", private=True)
    assert len(hub.repos["me/open"].commits) == 1


@pytest.mark.parametrize("fails", ["create_repo", "model_info", "create_commit"])
def test_a_refusal_is_one_line(hub, tones, capsys, fails):
    response = SimpleNamespace(status_code=403, headers={}, request=None, text="")
    hub.fails, hub.error = fails, huggingface_hub.errors.HfHubHTTPError("no\nway", response=response)
    assert main(["push", str(tones), "me/tones", "--license", "mit", "--private"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: me/tones: not pushed: the Hub refuses: log in")
    assert not any(repo.commits for repo in hub.repos.values())


@pytest.mark.parametrize("name", ["tones", "me/tones@v1", "me/to nes", ""])
def test_a_name_that_no_repo_can_have(hub, tones, name):
    with pytest.raises(HubError, match="no name for a model on the Hub: owner/name"):
        drsn_audio.push(tones, name, license="mit")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "card is empty"), (b"\xff\xfe", "no text in UTF-8"), (None, "no such file")],
)
def test_a_card_that_cannot_be_used(hub, tones, tmp_path, capsys, content, message):
    if content is not None:
        (tmp_path / "card.md").write_bytes(content)
    assert main(["push", str(tones), "me/tones", "--license", "mit", "--card", "card.md"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not hub.repos


def test_without_the_library_its_extra_is_told(tones, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main(["push", str(tones), "me/tones", "--license", "mit", "--dry-run", "up"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: huggingface_hub ")
    assert line.endswith(install_command("hub"))
    logging.getLogger("drsn_audio").handlers = []


def test_a_local_model_needs_no_such_library(tones, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert drsn_audio.load(tones).info["step"] == 12


def test_what_is_told_of_a_model_is_json(hub, tones):
    drsn_audio.push(tones, "me/tones", license="mit")
    told = json.loads(hub.repos["me/tones"].commits[0].files["best.json"])
    assert told["metrics"] == {"dev_accuracy": 0.5, "epoch": 3}
