"""Models to the Hugging Face Hub: a checkpoint and its card, in one commit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from drsn_audio._version import __version__
from drsn_audio.api import load
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole
from drsn_audio.hub import CARD, DESCRIBED, HubError, HubId, parse_id, why
from drsn_audio.models.checkpoint import CheckpointError, find_checkpoint
from drsn_audio.reports.hub_card import hub_card

WEIGHTS = "model.safetensors"  # the name that the Hub counts parameters by; a new push replaces it


def push(
    source: str | Path,
    repo: str,
    *,
    private: bool = False,
    card: str | Path | None = None,
    message: str | None = None,
    license: str | None = None,
    dry_run: str | Path | None = None,
) -> str:
    """Publish a model on the Hugging Face Hub as `repo`, "owner/name", which is made where it is not there.

    `source` is whatever `load` takes; of a run folder the best checkpoint goes. It is loaded first. Three files go in
    one commit: `best.json`, what the checkpoint says of the model, with the command and the paths of its training;
    `model.safetensors`; and README.md, the model's card: `card`, else the one beside the checkpoint (README.md, or that
    of a shipped model), else a short one of what the checkpoint says. `license` is the Hub's id of one, needed where
    neither checkpoint nor card tell it. `dry_run` is a folder that gets the three files, and the Hub nothing.

    Returns the address of the commit, or the folder of a dry run.

    Raises:
        CheckpointError: a model that cannot be loaded.
        InputError: no name for a repo, no licence, a card or folder that cannot be used.
        HubError: the Hub is not reached, or refuses; a repo that is public where it should be private.
        ModuleNotFoundError: no huggingface_hub: pip install 'drsn-audio[hub]'.
    """
    wanted = parse_id(repo)
    if wanted is None or wanted.revision is not None:
        raise HubError(f"{repo}: no name for a model on the Hub: owner/name, of letters, digits, '-', '_' and '.'")
    files = repo_files(source, wanted.repo, card, license)
    if dry_run is not None:
        return str(_write(Path(dry_run), files))
    return _commit(wanted, files, private, message or f"Model of drsn_audio {__version__}")


def repo_files(
    source: str | Path, repo: str, card: str | Path | None = None, license: str | None = None
) -> dict[str, bytes]:
    """What `push` publishes, by name. Raises as it does; the Hub is not asked, unless `source` is of it."""
    path = find_checkpoint(source)
    described = load(path).info
    weights = path.parent / Path(described["weights"]).name
    blob = weights.read_bytes()
    if hashlib.sha256(blob).hexdigest() != described["sha256"]:
        raise CheckpointError(f"{weights}: was changed while it was read: push it again")
    text = hub_card(repo, described, _card(path, card), license)
    told = json.dumps({**described, "weights": WEIGHTS}, indent=2) + "\n"
    return {WEIGHTS: blob, DESCRIBED: told.encode(), CARD: text.encode()}


def _card(checkpoint: Path, card: str | Path | None) -> str | None:
    """The text of the card that is given, or lies beside a checkpoint; None where there is none."""
    beside = (checkpoint.with_suffix(".md"), checkpoint.parent / CARD)
    path = Path(card) if card is not None else next((one for one in beside if one.is_file()), None)
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: the model card is no text in UTF-8: save it as that") from None


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    if folder.is_dir():
        others = sorted(one.name for one in folder.iterdir() if one.name not in files)
        if others:
            raise InputError(f"{folder}: holds other files ({', '.join(others[:3])}): name a new folder")
    for name, data in files.items():
        write_whole(folder / name, data)
    return folder


def _commit(wanted: HubId, files: dict[str, bytes], private: bool, message: str) -> str:
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(library_name="drsn_audio", library_version=__version__)
    try:
        api.create_repo(wanted.repo, private=private or None, exist_ok=True)
        # A repo that was there stays as public as it was.
        seen = private and not api.model_info(wanted.repo).private
        if not seen:
            added = [CommitOperationAdd(name, data) for name, data in files.items()]
            return str(api.create_commit(wanted.repo, added, commit_message=message).commit_url)
    except Exception as error:  # of httpx, of huggingface_hub, of its Rust library
        raise HubError(f"{wanted.repo}: not pushed: {why(error, wanted)}") from error
    raise HubError(
        f"{wanted.repo}: not pushed: it is there and public: make it private in its settings, or leave out --private"
    )
