from collections import Counter

import numpy as np
import pytest
import torch

from drsn_audio.decoding.greedy import greedy_spikes
from drsn_audio.errors import InputError
from drsn_audio.export.onnx import export_onnx
from drsn_audio.streaming.onnx import OnnxStep, OnnxStream
from drsn_audio.streaming.probabilities import probabilities
from drsn_audio.streaming.tail import with_tail

from .conftest import DETECTOR, LABELS, TIMING, causal_model, loud_and_soft


def through_steps(step, waves):
    state, logits = step.begin(len(waves)), []
    for begin in range(0, waves.shape[1], step.block):
        answer, state = step(waves[:, begin : begin + step.block], state)
        logits.append(answer)
    return np.stack(logits, axis=1)


def offline(model, waves):
    with torch.no_grad():
        return model(torch.from_numpy(waves)).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("streams", [1, 2, 64])
def test_any_number_of_streams_gives_the_logits_of_the_model(exported, streams):
    waves = np.stack([loud_and_soft(0.8, seed) for seed in range(streams)])
    logits = offline(exported.model, waves)
    assert np.abs(logits).max() > 3
    assert through_steps(OnnxStep(exported.float), waves) == pytest.approx(logits, abs=1e-4)


@pytest.mark.slow
def test_another_front_end_average_and_shrinkage(tmp_path):
    model = causal_model(
        pool="causal-cumulative", shrinkage="cs", blocks=[1], frontend={"name": "logmel", "norm": "causal"}
    )
    export_onnx(model, tmp_path / "other.onnx", detector=DETECTOR, about={})
    waves = np.stack([loud_and_soft(0.8, seed) for seed in range(3)])
    assert through_steps(OnnxStep(tmp_path / "other.onnx"), waves) == pytest.approx(offline(model, waves), abs=1e-4)


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_model_that_writes_says_so_and_gives_the_logits_of_all_blocks_of_a_step(written):
    step, waves = OnnxStep(written.float), np.stack([loud_and_soft(0.8, seed) for seed in range(3)])
    assert (step.block, step.frames, step.frame_s) == (4 * written.model.block, 4, written.model.block / 16000)
    assert step.about["writer"] == {"units": "words", "timing": TIMING}
    assert "detector" not in step.about
    state, logits = step.begin(3), []
    for begin in range(0, waves.shape[1], step.block):
        answer, state = step(waves[:, begin : begin + step.block], state)
        logits.append(answer)
    assert np.concatenate(logits, axis=1) == pytest.approx(offline(written.model, waves), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [1, 640, 641, 2560, 16000, 17000])
def test_a_stream_of_long_steps_ends_where_the_model_does(written, samples):
    """As many frames and the same words, in chunks or not, whatever is left of the last step."""
    wave = loud_and_soft(2)[-samples:]
    logits = offline(written.model, with_tail(wave, 16000)[None])[0]
    stream, whole = OnnxStream(written.float), OnnxStream(written.float)
    events, heard = [], []
    for begin in range(0, samples, 1000):
        events += stream.feed(wave[begin : begin + 1000])
        heard.append(stream.logits)
    events += stream.flush()
    assert np.concatenate([*heard, stream.logits]) == pytest.approx(logits, abs=1e-4)
    assert whole.feed(wave) + whole.flush() == events
    spikes = greedy_spikes(probabilities(logits, 1.0))
    said = [written.model.config.labels[spike.label] for spike in spikes]
    assert [event.label for event in events if event.kind == "final"] == said
    assert said or samples < 2560


def test_a_keyword_model_needs_thresholds(tmp_path):
    with pytest.raises(InputError, match="give a detector"):
        export_onnx(causal_model(), tmp_path / "x.onnx", about={})


def test_what_depends_on_weights_alone_is_a_constant(exported):
    """Per block: weights of averages (Pow, Where, Range), the transform, paddings of nothing."""
    onnx = pytest.importorskip("onnx")
    kinds = Counter(node.op_type for node in onnx.load(exported.float).graph.node)
    assert not set(kinds) & {"Where", "Range", "Einsum", "DFT", "Sin", "Exp", "GatherND"}
    assert kinds["Pow"] == 2 + 2  # those of PCEN, and a square and the power of ten of the input gain
    assert kinds["Pad"] == 1  # further channels of the shortcut of the second stage
    assert not kinds["Cast"]
    assert sum(kinds.values()) < 250
