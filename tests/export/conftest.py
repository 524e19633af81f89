"""A small causal model that nobody trained, exported once, in float and in 8 bits."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from drsn_audio.config import config_from_dict
from drsn_audio.export.onnx import export_onnx
from drsn_audio.export.quantise import quantise_onnx
from drsn_audio.labels import BLANK
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.detector import DetectorConfig

LABELS = ["low", "high", "unknown", "silence"]
WRITES = {"head": "ctc", "labels": [BLANK, "low", "high", "unknown"], "mixer_width": 8, "mixer": [1, 2]}
TIMING = {"start_s": {"low": 0.4}, "end_s": {"low": 0.1}, "default": [0.3, 0.05]}
DETECTOR = DetectorConfig({"low": 0.3, "high": 0.3}, smoothing_s=0.04)


class Exported(NamedTuple):
    model: AudioModel
    float: Path
    int8: Path


def causal_model(**settings) -> AudioModel:
    """Two stages, 40 ms blocks; averages of BatchNorm that are not those it began with."""
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    described = {"preset": "10k", "width": 4, "blocks": [1, 1], "pool": "causal", "labels": LABELS, **settings}
    model = AudioModel(config_from_dict({"model": described}).model)
    model.train()
    model(0.1 * torch.randn(4, 16000))
    with torch.no_grad():
        model.head.linear.weight.mul_(30)  # logits of the size that trained ones have
    return model.eval()


def loud_and_soft(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = round(16000 * seconds)
    return (rng.standard_normal(size) * np.geomspace(1e-3, 0.3, size)).astype(np.float32)


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> Exported:
    model, folder = causal_model(), tmp_path_factory.mktemp("exported")
    files = Exported(model, folder / "float.onnx", folder / "int8.onnx")
    export_onnx(model, files.float, detector=DETECTOR, temperature=1.5, about={"checkpoint": "abc"})
    quantise_onnx(files.float, files.int8, loud_and_soft(4, seed=1))
    return files


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Exported:
    """A model that writes; a step is four of its blocks."""
    model, folder = causal_model(**WRITES), tmp_path_factory.mktemp("written")
    files = Exported(model, folder / "float.onnx", folder / "int8.onnx")
    export_onnx(model, files.float, timing=TIMING, blocks=4, about={"checkpoint": "abc"})
    quantise_onnx(files.float, files.int8, loud_and_soft(4, seed=1))
    return files
