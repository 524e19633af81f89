"""A denoiser's step written by hand, without torch's exporter: gains by the sum of all samples before."""

import json
import subprocess
import sys

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.streaming.onnx import FORMAT, KEY, NEXT, OnnxStep, OnnxStream, encode_array
from drsn_audio.streaming.onnx_denoising import OnnxDenoiseStream
from drsn_audio.streaming.synthesis import Synthesis

BINS, HOP = 5, 4


def write_step(path, frames=1, **changes):
    """Gains of all bins and frames of a step: the sigmoid of the total of the stream; the state is the total."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    shape = [frames, BINS] if frames > 1 else [BINS]
    nodes = [
        helper.make_node("ReduceSum", ["samples", "axis"], ["block"], keepdims=1),
        helper.make_node("Add", ["sum", "block"], [f"{NEXT}sum"]),
        helper.make_node("Sigmoid", [f"{NEXT}sum"], ["gain"]),
        *([helper.make_node("Unsqueeze", ["gain", "axis"], ["one"])] if frames > 1 else []),
        helper.make_node("Mul", ["one" if frames > 1 else "gain", "ones"], ["logits"]),
    ]
    ones = np.ones([1, *shape], np.float32)
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("ones", TensorProto.FLOAT, ones.shape, ones.ravel()),
    ]
    graph = helper.make_graph(
        nodes,
        "step",
        [value("samples", frames * HOP), value("sum", 1)],
        [value("logits", *shape), value(f"{NEXT}sum", 1)],
        constants,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    described = {
        "format": FORMAT, "labels": [], "sample_rate": 16000, "block": frames * HOP, "frames": frames,
        "temperature": 1.0, "denoiser": {"bins": BINS, "hop": HOP},
        "beginning": {"sum": encode_array(np.array([[0.5]]))}, **changes,
    }  # fmt: skip
    proto.metadata_props.add(key=KEY, value=json.dumps({k: v for k, v in described.items() if v is not None}))
    onnx.save(proto, path)
    return path


def wave(size, seed=0):
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def expected(sound, frames=1):
    """By the windows alone, on the sound and the silence that its end waits for."""
    block = frames * HOP
    heard = np.pad(sound, (0, HOP + -(len(sound) + HOP) % block))
    totals = 0.5 + np.cumsum(heard.reshape(-1, block).sum(1))
    gains = np.repeat(1 / (1 + np.exp(-totals)), frames)[:, None] * np.ones(BINS)
    return Synthesis(BINS, HOP)(heard, gains.astype(np.float32))[HOP : HOP + len(sound)], gains


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("chunks", [[1] * 22, [22], [3, 0, 5, 14]])
def test_any_chunks_give_the_sound_of_the_whole(tmp_path, chunks, frames):
    sound = wave(22)
    stream, parts, gains = OnnxDenoiseStream(write_step(tmp_path / "d.onnx", frames)), [], []
    for part in np.split(sound, np.cumsum(chunks)[:-1]):
        parts.append(stream.feed(part))
        gains.append(stream.gains)
    parts.append(stream.flush())
    gains.append(stream.gains)
    made, of_frames = expected(sound, frames)
    assert np.concatenate(parts) == pytest.approx(made, abs=1e-5)
    assert np.concatenate(gains) == pytest.approx(of_frames[:7], abs=1e-5)  # 26 samples are in 7 frames


def test_a_state_that_was_saved_goes_on(tmp_path):
    path, sound = write_step(tmp_path / "d.onnx"), wave(30)
    stream = OnnxDenoiseStream(path, 0.5)
    begun = stream.feed(sound[:13])
    np.savez(tmp_path / "state.npz", **stream.state)
    rest = np.concatenate([stream.feed(sound[13:]), stream.flush()])
    again = OnnxDenoiseStream(path, 0.5)
    again.state = np.load(tmp_path / "state.npz")
    assert np.array_equal(np.concatenate([again.feed(sound[13:]), again.flush()]), rest)
    assert len(begun) + len(rest) == 30
    stream.reset()
    assert np.array_equal(stream.feed(sound[:13]), begun)
    for wrong in ({}, {**stream.state, "layers/sum": np.zeros((1, 2))}, {**stream.state, "more": np.zeros(1)}):
        with pytest.raises(InputError, match="of another model"):
            stream.state = wrong


def test_what_is_no_sound_is_refused_and_not_heard(tmp_path):
    stream, sound = OnnxDenoiseStream(write_step(tmp_path / "d.onnx")), wave(12)
    parts = [stream.feed(sound[:6])]
    for wrong in (np.array([0.1, np.nan]), np.zeros((2, 2)), np.array([1, 2])):
        with pytest.raises(InputError):
            stream.feed(wrong)
    parts += [stream.feed(sound[6:]), stream.flush()]
    assert np.concatenate(parts) == pytest.approx(expected(sound)[0], abs=1e-5)
    with pytest.raises(InputError, match="reset it"):
        stream.feed(sound)


def test_streams_of_words_and_of_sound_are_not_mixed_up(tmp_path):
    path = write_step(tmp_path / "d.onnx")
    step = OnnxStep(path)
    assert (step.outputs, step.denoiser) == (BINS, {"bins": BINS, "hop": HOP})
    with pytest.raises(InputError, match="stream --denoise gives its sound"):
        OnnxStream(path)
    other = write_step(tmp_path / "k.onnx", labels=["a", "b", "c", "d", "e"], denoiser=None)
    with pytest.raises(InputError, match=r"k\.onnx: takes no noise away"):
        OnnxDenoiseStream(other)


def test_it_needs_numpy_and_onnxruntime_alone(tmp_path):
    path = write_step(tmp_path / "d.onnx")
    check = (
        "import sys\n"
        "for name in ('torch', 'soundfile', 'soxr', 'scipy', 'omegaconf', 'lhotse', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        "import numpy as np\n"
        "from drsn_audio.streaming.onnx_denoising import OnnxDenoiseStream\n"
        f"stream = OnnxDenoiseStream({str(path)!r}, 0.5)\n"
        "assert len(stream.feed(np.ones(9, np.float32))) + len(stream.flush()) == 9\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
