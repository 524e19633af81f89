"""Checkpoints: weights as safetensors, all else as readable JSON beside them. Nothing in them is ever executed.

`best.json` holds config, labels, step, data, metrics and commit, and names its weights file with its SHA-256:
`best-<step>-<first digits of it>.safetensors`. The weights are written first, never over older ones, and the JSON is
renamed into place last, so that a checkpoint is whole at every moment.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from drsn_audio.config import ConfigError, config_from_dict, config_to_dict
from drsn_audio.files import write_whole
from drsn_audio.model_sources import CheckpointError, find_checkpoint
from drsn_audio.models.model import AudioModel

__all__ = ["CheckpointError", "find_checkpoint", "load_checkpoint", "save_checkpoint"]

FORMAT = 1


def save_checkpoint(
    folder: Path,
    name: str,
    model: AudioModel,
    *,
    step: int,
    info: dict[str, Any],
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write `<name>.json` and its weights into `folder`, replacing an older one of that name. Returns the JSON's path.

    `info` is what else a reader should find: metrics, commit, seed, data. `dtype` is that of the stored matrices and
    kernels; vectors, BatchNorm's statistics among them, are few and stay float32. Loading gives float32 always.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blob = save({key: _stored(value, dtype) for key, value in model.state_dict().items()})
    digest = hashlib.sha256(blob).hexdigest()
    weights = folder / f"{name}-{step:08d}-{digest[:8]}.safetensors"
    described = {
        "format": FORMAT,
        "weights": weights.name,
        "sha256": digest,
        "step": step,
        "labels": list(model.config.labels),
        "model": config_to_dict(model.config),
        **info,
    }
    path = folder / f"{name}.json"
    text = json.dumps(described, indent=2) + "\n"
    write_whole(weights, blob, sync=True)
    write_whole(path, text.encode(), sync=True)
    for old in folder.glob("*.safetensors"):
        if old != weights and re.fullmatch(rf"{re.escape(name)}-\d+(-[0-9a-f]{{8}})?\.safetensors", old.name):
            old.unlink()
    return path


def load_checkpoint(path: Path) -> tuple[AudioModel, dict[str, Any]]:
    """A checkpoint's JSON -> the model in eval mode on the CPU, and what the JSON says.

    Raises:
        CheckpointError: a file is missing, torn, not a checkpoint, of another format, or the weights do not match.
    """
    try:
        described = json.loads(path.read_text())
        version = described["format"]
        if version != FORMAT:
            raise CheckpointError(
                f"{path}: checkpoint format {version}, this version reads {FORMAT}: update drsn_audio"
            )
        weights = path.parent / Path(described["weights"]).name
        blob = weights.read_bytes()
        if hashlib.sha256(blob).hexdigest() != described["sha256"]:
            raise CheckpointError(f"{weights}: is torn or was changed (its SHA-256 differs): copy the checkpoint again")
        model = AudioModel(config_from_dict({"model": described["model"]}).model)
        model.load_state_dict(load(blob))
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename}: no such file: copy the .json and its .safetensors together") from None
    except OSError as error:
        raise CheckpointError(
            f"{error.filename or path}: cannot be read ({error.strerror}): check its permissions"
        ) from None
    except ConfigError as error:
        raise CheckpointError(f"{path}: its model cannot be built ({error}): update drsn_audio") from None
    except CheckpointError:
        raise
    except Exception as error:  # json, unicode, safetensors and torch each have their own
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: not a whole checkpoint ({reason}): copy it again") from None
    return model.eval(), described


def _stored(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return (value.to(dtype) if value.is_floating_point() and value.ndim > 1 else value).contiguous()
