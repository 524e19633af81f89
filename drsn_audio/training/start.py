"""The weights that training starts from."""

from __future__ import annotations

from drsn_audio.config import ConfigError
from drsn_audio.models.checkpoint import find_checkpoint, load_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.text import Vocabulary

LABEL_ROWS = ("head.linear.weight", "head.linear.bias", "head.log_prior")  # one row a label
WITHOUT_WEIGHTS = {"preset", "labels", "units", "clip_s", "dropout", "intermediate_ctc", "gain_floor"}


def start_from(model: AudioModel, init: str) -> list[str]:
    """Load the weights of a run folder or whatever else `drsn_audio.load` takes into a model of the same layers.

    Where the labels differ, those that both know (as `Vocabulary` compares words) keep what is known of them, and the
    others stay as `model` has them.
    Returns the labels that both know.

    Raises:
        CheckpointError: no such place or name, or a checkpoint that cannot be used.
        ConfigError: other layers.
    """
    trained, _ = load_checkpoint(find_checkpoint(init))
    given, wanted = trained.state_dict(), model.state_dict()
    old, new = list(trained.config.labels), list(model.config.labels)
    known = Vocabulary(old if trained.config.units == model.config.units == "words" else ())
    twins = {label: label if label in old else known.find(label) for label in new}
    shared = {label: old.index(twin) for label, twin in twins.items() if twin is not None}
    for name in (row for row in LABEL_ROWS if row in wanted and row in given):
        rows = wanted[name].clone()
        if rows.shape[1:] == given[name].shape[1:]:  # else another model, refused below
            rows[[new.index(label) for label in shared]] = given[name][list(shared.values())]
            given[name] = rows
    try:
        model.load_state_dict(given)
    except RuntimeError:
        layers = vars(trained.config).keys() - WITHOUT_WEIGHTS
        differing = sorted(key for key in layers if getattr(trained.config, key) != getattr(model.config, key))
        raise ConfigError(f"init={init}: another model ({', '.join(differing)} differ): use its config") from None
    return list(shared)
