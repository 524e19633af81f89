import numpy as np
import pytest

from drsn_audio.streaming.onnx import OnnxStep, OnnxStream

from .conftest import loud_and_soft


def test_kernels_are_in_8_bits_and_the_front_end_is_not(exported):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(exported.int8).graph
    kinds = {value.name: value.data_type for value in graph.initializer}
    maker = {output: node for node in graph.node for output in node.output}
    kernels = [maker.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    eight_bit = [node for node in kernels if node is not None and kinds[node.input[0]] == onnx.TensorProto.INT8]
    assert len(kernels) == 7  # stem, two a block, and the head's two
    assert len(eight_bit) == 4  # those of blocks
    scales = {value.name: list(value.dims) for value in graph.initializer}
    assert sorted(scales[node.input[1]] for node in eight_bit) == [[4], [4], [8], [8]]  # one a channel
    products = [name for node in graph.node if node.op_type == "MatMul" for name in node.input]
    assert products
    assert not [name for name in products if name in maker and maker[name].op_type == "DequantizeLinear"]


def test_decisions_are_mostly_the_same_and_logits_are_near(exported):
    wave = loud_and_soft(4, seed=2)
    streams = [OnnxStream(path) for path in (exported.float, exported.int8)]
    for stream in streams:
        stream.feed(wave)
    exact, rounded = (stream.logits for stream in streams)
    difference = np.abs(exact - rounded)
    assert 0 < difference.mean() < 0.05 * np.ptp(exact)
    assert (exact.argmax(1) == rounded.argmax(1)).mean() > 0.9
    assert OnnxStep(exported.int8).about == OnnxStep(exported.float).about
