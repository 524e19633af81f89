"""Where a model is, by what a user calls it, and what its checkpoint says that it does. Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drsn_audio import hub, pretrained
from drsn_audio.errors import InputError, nearest

INSTEAD = {  # what a model does, by its head, and the command for it
    "keyword": "names keywords: use drsn-audio classify",
    "ctc": "writes what is said: use drsn-audio transcribe",
    "denoise": "takes noise away: use drsn-audio denoise",
    "joint": "is an experiment with two heads: use drsn-audio classify",
}
HEADS = {"classify": ("keyword", "joint"), "transcribe": ("ctc",), "denoise": ("denoise",)}  # of each task
STREAMING = {  # in place of a model of whole clips, by its head
    "keyword": "commands-12-stream, or use drsn-audio classify",
    "ctc": "words-20-stream, or use drsn-audio transcribe",
}


class CheckpointError(InputError):
    """A checkpoint that cannot be used. The message is one line."""


def find_checkpoint(source: str | Path) -> Path:
    """The .json of a run folder, of a checkpoint, of a shipped model's name or of a model of the Hugging Face Hub.

    What is here goes first: a folder, a path that ends with .json, a shipped name. Only a text "owner/name", or
    "owner/name@revision", that is none of them and no path here is asked of the Hub; a `Path` never is.

    Raises:
        CheckpointError: there is none of that name; whether a path is there is seen when it is loaded.
    """
    path = Path(source)
    if path.is_dir():
        return path / "best.json"
    if path.suffix == ".json":
        return path
    shipped = pretrained.find(str(source))
    if shipped is not None:
        return shipped
    if path.exists():
        raise CheckpointError(f"{source}: no checkpoint: name a run folder, or the .json beside the weights")
    wanted = hub.parse_id(source) if isinstance(source, str) else None
    if wanted is None:
        names = pretrained.names()
        hint = nearest(str(source), names) if names else "this version ships none, name a run folder of train.py"
        raise CheckpointError(
            f"{source}: no such run folder, checkpoint (.json) or shipped model, and no Hub id (owner/name); {hint}"
        )
    try:
        return hub.download(wanted)
    except hub.HubError as error:
        raise CheckpointError(
            f"{source}: no such run folder or checkpoint here; taken for the id of a model on the Hugging Face Hub: "
            f"{error}"
        ) from error


def read_described(path: Path) -> dict[str, Any]:
    """A checkpoint's JSON.

    Raises:
        CheckpointError: it is not there, cannot be read, or is no JSON of a checkpoint.
    """
    try:
        described = json.loads(path.read_text())
        if not isinstance(described["weights"], str) or not isinstance(described["model"], dict):
            raise TypeError("names no weights and no model")
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file: copy the .json and its .safetensors together") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}): check its permissions") from None
    except Exception as error:  # json, unicode, another kind of JSON
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: not a whole checkpoint ({reason}): copy it again") from None
    weights = path.parent / Path(described["weights"]).name
    if not weights.exists():
        raise CheckpointError(f"{weights}: no such file: copy the .json and its .safetensors together")
    return described


def check_head(source: str | Path, head: str, task: str) -> None:
    """Raise InputError where a model of this head does not do `task`, a key of HEADS."""
    if head not in HEADS[task]:
        what, more = {
            "classify": ("names no keywords", ""),
            "transcribe": ("cannot write", ", or a model.head=ctc"),
            "denoise": ("takes no noise away", ", or a denoiser"),
        }[task]
        raise InputError(f"{source}: {what}, it {INSTEAD[head]}{more}")


def check_streams(source: str | Path, head: str, causal: bool, denoise: bool) -> None:
    """Raise InputError where a model cannot be used by `drsn-audio stream`, with or without --denoise."""
    if denoise:
        check_head(source, head, "denoise")
    elif head == "denoise":
        raise InputError(f"{source} takes noise away and names nothing: give --denoise, and its sound goes to stdout")
    elif not causal:
        streaming = STREAMING.get(head, STREAMING["keyword"])
        raise InputError(
            f"{source} answers to whole clips and cannot stream: give --model a streaming one, e.g. {streaming} FILE"
        )


def check_exports(source: str | Path, causal: bool) -> None:
    """Raise InputError where `drsn-audio export` has no stream to write."""
    if not causal:
        raise InputError(f"{source}: hears whole clips and has no stream to export: name a streaming model")
