"""Models of the Hugging Face Hub: what is an id there, a download into the cache of huggingface_hub, and what fails.

A repo holds a checkpoint as a folder does: `best.json`, the safetensors that it names, README.md. Nothing in it is
executed, and of other files none is fetched.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path
from typing import NamedTuple, cast

from drsn_audio.errors import InputError
from drsn_audio.extras import install_command

DESCRIBED = "best.json"  # what a run folder calls its best checkpoint, so that a clone of a repo loads as a folder
CARD = "README.md"
LOG_IN = "log in (`hf auth login`, or HF_TOKEN)"
# Named, not imported: they are of httpx or of its successor, by the version of huggingface_hub.
NO_NETWORK = {"TransportError", "ConnectionError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "TimeoutError"}
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_ID = re.compile(rf"({_PART}/{_PART})(?:@(\S+))?")

log = logging.getLogger("drsn_audio")


class HubError(InputError):
    """The Hub has it not, or cannot be asked. The message is one line."""


class HubId(NamedTuple):
    """`repo` is "owner/name"; `revision` a branch, tag or commit, None for the newest of its main branch."""

    repo: str
    revision: str | None


def parse_id(text: str) -> HubId | None:
    """ "owner/name" or "owner/name@revision" -> its parts; None where it is not of that form.

    The form is the Hub's: one slash, letters, digits, "_", and inside a name "-" and ".", neither "--" nor "..", at
    most 96 characters, no ".git" at the end. Nothing is asked.
    """
    found = _ID.fullmatch(text)
    if found is None:
        return None
    repo, revision = found.groups()
    if len(repo) > 96 or "--" in repo or ".." in repo or repo.endswith(".git"):
        return None
    return HubId(repo, revision)


def download(wanted: HubId) -> Path:
    """A model of the Hub -> the path of its JSON, beside its weights, in huggingface_hub's cache.

    What is there already is not fetched again; without network, or with HF_HUB_OFFLINE=1, what was fetched before is
    taken. Weights and JSON are of one commit.

    Raises:
        HubError: no such repo, revision or file, no right to it, no network, no room, no huggingface_hub.
    """
    folder = _fetch(wanted, wanted.revision, [DESCRIBED, CARD])
    path = folder / DESCRIBED
    if not path.is_file():
        raise HubError(
            f"{wanted.repo}: the model has no {DESCRIBED} on the Hub, it is none of drsn_audio (drsn-audio push)"
        )
    weights = _weights(path)
    if weights is None:
        raise HubError(f"{wanted.repo}: its {DESCRIBED} names no weights (.safetensors): its owner must push it again")
    if not (folder / weights).is_file():
        # The folder's name is the commit: weights that were pushed in between would not belong to this JSON.
        folder = _fetch(wanted, folder.name, [weights])
    if not (folder / weights).is_file():
        raise HubError(
            f"{wanted.repo}: {weights}, which its {DESCRIBED} names, is not there: its owner must push it again, or, "
            "with HF_HUB_OFFLINE set, unset it"
        )
    return path


def _fetch(wanted: HubId, revision: str | None, files: list[str]) -> Path:
    try:
        import huggingface_hub
        from huggingface_hub.utils import disable_progress_bars
    except ModuleNotFoundError as error:
        raise HubError(
            f"to ask the Hugging Face Hub for it, {error.name} is missing: {install_command('hub')}"
        ) from None
    if log.level > logging.INFO or not sys.stderr.isatty():  # --quiet
        disable_progress_bars()
    try:
        found = huggingface_hub.snapshot_download(wanted.repo, revision=revision, allow_patterns=files)
    except Exception as error:  # of httpx, of huggingface_hub, of the disk, of its Rust library
        raise HubError(why(error, wanted)) from error
    return Path(str(found))


def _weights(path: Path) -> str | None:
    """The file that a repo's JSON names: one beside it, and no pattern, which could fetch all of a large repo."""
    try:
        name = json.loads(path.read_text())["weights"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) and re.fullmatch(r"\w[\w.-]*\.safetensors", name) else None


def why(error: Exception, about: HubId) -> str:
    """What to tell a user of an error of huggingface_hub: one line, with the remedy."""
    if "LocalEntryNotFoundError" in _kinds(error) and hasattr(error.__cause__, "response"):
        error = cast(Exception, error.__cause__)  # the Hub answered, and the cache was only looked at after that
    kinds = _kinds(error)
    status = getattr(getattr(error, "response", None), "status_code", None)
    page = f"https://huggingface.co/{about.repo}"
    if kinds & NO_NETWORK:
        from huggingface_hub import constants

        return (
            "HF_HUB_OFFLINE is set, and what is asked for is not in the cache: unset it"
            if constants.HF_HUB_OFFLINE
            else "the Hugging Face Hub cannot be reached: check the network and HF_ENDPOINT"
        )
    if "GatedRepoError" in kinds:
        return f"the model is for those who agreed to its terms: agree at {page} and {LOG_IN}"
    if "RevisionNotFoundError" in kinds:
        return f"the model on the Hub has no revision {about.revision!r}: {page}/commits/main lists them"
    if "RepositoryNotFoundError" in kinds or status == 404:
        return f"the Hub has no such model, or a private one: check the name, and if it is private {LOG_IN}"
    if "LocalTokenNotFoundError" in kinds or status == 401:
        return f"the Hub does not know who asks: {LOG_IN}"
    if status == 403:
        return f"the Hub refuses: {LOG_IN} as one who may do this, with a token that allows it"
    if status == 429:
        return f"the Hub was asked too often: wait a few minutes, or {LOG_IN}"
    if status is not None and status >= 500:
        return f"the Hub is out of order (HTTP {status}): try again later"
    if isinstance(error, ValueError):  # what it says of a README.md, or of a name
        return f"the Hub refuses it: {' '.join(str(error).split())[:300]}"
    if isinstance(error, OSError) and error.strerror:
        place = error.filename or "the cache (HF_HOME)"
        return f"{place}: {error.strerror}: check its permissions and the room on the disk"
    return f"the Hub or the disk failed ({type(error).__name__}: {' '.join(str(error).split())[:200]}): try again"


def _kinds(error: Exception) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
