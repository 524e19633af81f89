from collections import Counter

import numpy as np
import pytest
import torch

from drsn_audio.export.onnx import export_onnx
from drsn_audio.streaming.onnx import OnnxStep

from .conftest import DETECTOR, LABELS, causal_model, loud_and_soft


def through_steps(step, waves):
    state, logits = step.begin(len(waves)), []
    for begin in range(0, waves.shape[1], step.block):
        answer, state = step(waves[:, begin : begin + step.block], state)
        logits.append(answer)
    return np.stack(logits, axis=1)


def offline(model, waves):
    with torch.no_grad():
        return model(torch.from_numpy(waves)).numpy()


@pytest.mark.parametrize("streams", [1, 2, 64])
def test_any_number_of_streams_gives_the_logits_of_the_model(exported, streams):
    waves = np.stack([loud_and_soft(0.8, seed) for seed in range(streams)])
    logits = offline(exported.model, waves)
    assert np.abs(logits).max() > 3
    assert through_steps(OnnxStep(exported.float), waves) == pytest.approx(logits, abs=1e-4)


def test_another_front_end_average_and_shrinkage(tmp_path):
    model = causal_model(
        pool="causal-cumulative", shrinkage="cs", blocks=[1], frontend={"name": "logmel", "norm": "causal"}
    )
    export_onnx(model, tmp_path / "other.onnx", detector=DETECTOR, about={})
    waves = np.stack([loud_and_soft(0.8, seed) for seed in range(3)])
    assert through_steps(OnnxStep(tmp_path / "other.onnx"), waves) == pytest.approx(offline(model, waves), abs=1e-4)


def test_a_state_that_forgets_its_oldest_frame_is_heard(exported):
    step, wave = OnnxStep(exported.float), loud_and_soft(2)[None]
    state, blocks = step.begin(), np.split(wave, wave.shape[1] // step.block, axis=1)
    for block in blocks[:-1]:
        _, state = step(block, state)
    whole, _ = step(blocks[-1], state)
    caches = [name for name in state if name.endswith((".input", ".wave"))]
    assert len(caches) == 7  # samples, five kernels of the encoder, the window of the head
    for name in caches:
        short = state[name].copy()
        short[..., : 160 if name.endswith("wave") else 1] = 0
        assert np.abs(step(blocks[-1], {**state, name: short})[0] - whole).max() > 1e-4, name


def test_the_file_says_what_a_stream_needs(exported):
    step = OnnxStep(exported.float)
    assert step.labels == LABELS
    assert (step.sample_rate, step.block, step.temperature) == (16000, exported.model.block, 1.5)
    assert step.about["detector"] == DETECTOR.to_dict()
    assert step.about["checkpoint"] == "abc"
    assert set(step.about["versions"]) == {"drsn-audio", "torch", "onnx", "onnxscript", "onnxruntime"}


def test_what_depends_on_weights_alone_is_a_constant(exported):
    """Per block: weights of averages (Pow, Where, Range), the transform, paddings of nothing."""
    onnx = pytest.importorskip("onnx")
    kinds = Counter(node.op_type for node in onnx.load(exported.float).graph.node)
    assert not set(kinds) & {"Where", "Range", "Einsum", "DFT", "Cast", "Sin", "Exp", "GatherND"}
    assert kinds["Pow"] == 2  # those of PCEN
    assert kinds["Pad"] == 1  # further channels of the shortcut of the second stage
    assert sum(kinds.values()) < 130
