"""A step written by hand, without torch's exporter: each sample in turn, and the sum of all samples before."""

import json
import subprocess
import sys

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK
from drsn_audio.streaming.detector import DetectorConfig
from drsn_audio.streaming.onnx import FORMAT, KEY, NEXT, OnnxStep, OnnxStream, decode_array, encode_array

BLOCK = 4
LABELS = ["yes", "no", "silence"]
DETECTOR = DetectorConfig({"yes": 0.5}, smoothing_s=0.0, refractory_s=0.0, window_s=1.0)


def write_step(path, **changes):
    """logits = (total of the stream, total of the block, 0); the state is the total."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    nodes = [
        helper.make_node("ReduceSum", ["samples", "axis"], ["block"], keepdims=1),
        helper.make_node("Add", ["sum", "block"], [f"{NEXT}sum"]),
        helper.make_node("Mul", ["block", "zero"], ["nothing"]),
        helper.make_node("Concat", [f"{NEXT}sum", "block", "nothing"], ["logits"], axis=1),
    ]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "step",
        [value("samples", BLOCK), value("sum", 1)],
        [value("logits", 3), value(f"{NEXT}sum", 1)],
        constants,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    described = {
        "format": FORMAT, "labels": LABELS, "sample_rate": 40, "block": BLOCK, "temperature": 2.0,
        "detector": DETECTOR.to_dict(), "beginning": {"sum": encode_array(np.array([[0.5]]))}, **changes,
    }  # fmt: skip
    proto.metadata_props.add(key=KEY, value=json.dumps(described))
    onnx.save(proto, path)
    return path


@pytest.fixture
def path(tmp_path):
    return write_step(tmp_path / "step.onnx")


def wave(size, seed=0):
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def told(events):
    return [(event.label, round(event.time, 6)) for event in events]


@pytest.mark.parametrize("chunks", [[1] * 22, [22], [3, 0, 5, 14], [4, 4, 4, 4, 4, 2]])
def test_any_chunks_give_the_logits_and_events_of_the_whole(path, chunks):
    sound = wave(22)
    stream, events, logits = OnnxStream(path), [], []
    for part in np.split(sound, np.cumsum(chunks)[:-1]):
        events += stream.feed(part)
        logits.append(stream.logits)
    events += stream.flush()
    logits = np.concatenate([*logits, stream.logits])
    blocks = np.pad(sound, (0, 22)).reshape(-1, BLOCK).sum(1)  # 0.5 s of silence follow, and fill the last block
    assert logits[:, 0] == pytest.approx(0.5 + np.cumsum(blocks), abs=1e-5)
    assert logits[:, 1] == pytest.approx(blocks, abs=1e-5)
    whole = OnnxStream(path)
    assert told(whole.feed(sound) + whole.flush()) == told(events)
    assert told(events)  # there are some


def test_probabilities_are_those_of_logits_over_the_temperature(path):
    stream = OnnxStream(path)
    stream.feed(np.full(BLOCK, 0.25, np.float32))  # logits 1.5, 1, 0
    odds = np.exp([0.75, 0.5, 0.0])
    assert stream.probabilities[0] == pytest.approx(odds / odds.sum(), abs=1e-6)
    assert stream.feed(np.zeros(0, np.float32)) == []
    assert stream.logits.shape == stream.probabilities.shape == (0, 3)


def test_an_event_is_told_when_its_block_is_heard(path):
    stream = OnnxStream(path, DetectorConfig({"no": 0.4}, smoothing_s=0.0, window_s=0.15))
    assert stream.feed(np.zeros(7, np.float32)) == []
    (event,) = stream.feed(np.array([20.0], np.float32))  # the last of the second block: logits 20.5, 20, 0
    assert (event.label, event.time, event.end) == ("no", 0.2, 0.2)
    assert event.start == pytest.approx(0.05)
    assert event.score == pytest.approx(1 / (1 + np.exp(0.25)), abs=1e-4)


def writing_step(folder):
    """The same as a model that writes: "yes" where a block's total is positive, "no" where it is negative."""
    labels = {
        "labels": [BLANK, "yes", "no"],
        "temperature": 1.0,
        "detector": None,
        "beginning": {"sum": encode_array(np.array([[-9.0]]))},
    }
    timing = {"start_s": {"yes": 0.15}, "end_s": {}, "default": [0.1, 0.05]}
    return write_step(folder / "words.onnx", **labels, writer={"units": "words", "timing": timing})


@pytest.mark.parametrize("size", [1, 3, 4, 22])
def test_a_model_that_writes_gives_words_and_seals_the_last_at_the_end(tmp_path, size):
    """Two blocks of 0.1 s are "yes", two "no", two "yes"; timing says when each began and ended."""
    sound = np.array([1] * 8 + [-1] * 8 + [1] * 6, np.float32)
    stream = OnnxStream(writing_step(tmp_path))
    events = [event for begin in range(0, 22, size) for event in stream.feed(sound[begin : begin + size])]
    assert [event.kind for event in events] == ["partial", "final", "partial", "final", "partial"]
    events += stream.flush()
    assert told(events) == [
        ("yes", 0.1),
        ("yes", 0.3),
        ("no", 0.3),
        ("no", 0.5),
        ("yes", 0.5),
        ("yes", 0.55),
    ]  # the end of the sound
    places = [(event.start, event.end) for event in events if event.kind == "final"]
    assert np.array(places) == pytest.approx(np.array([[0, 0.1], [0.2, 0.3], [0.35, 0.45]]))
    with pytest.raises(InputError, match="writes what is said and has no thresholds"):
        OnnxStream(tmp_path / "words.onnx", DETECTOR)


def test_the_state_of_a_model_that_writes_is_saved_within_a_word(tmp_path):
    stream, sound = OnnxStream(writing_step(tmp_path)), np.ones(14, np.float32)
    stream.feed(sound[:6])
    np.savez(tmp_path / "state.npz", **stream.state)
    again = OnnxStream(tmp_path / "words.onnx")
    again.state = np.load(tmp_path / "state.npz")
    events = stream.feed(sound[6:]) + stream.flush()
    assert again.feed(sound[6:]) + again.flush() == events
    assert [event.kind for event in events] == ["final"]


def test_what_is_no_sound_is_refused_and_not_heard(path):
    stream, other = OnnxStream(path), OnnxStream(path)
    for sound in (stream, other):
        sound.feed(wave(6))
    for wrong in (np.array([0.1, np.nan]), np.array([np.inf]), np.zeros((2, 2)), np.array([1, 2])):
        with pytest.raises(InputError):
            stream.feed(wrong)
    stream.feed(wave(6, seed=1))
    other.feed(wave(6, seed=1))
    assert stream.logits.tolist() == other.logits.tolist()
    stream.flush()
    with pytest.raises(InputError, match="reset it"):
        stream.feed(wave(4))
    with pytest.raises(InputError, match="reset it"):
        _ = stream.state
    stream.reset()
    stream.feed(np.zeros(BLOCK, np.float32))
    assert stream.logits[0, 0] == 0.5


def test_a_state_saved_and_restored_is_no_interruption(path, tmp_path):
    stream = OnnxStream(path)
    stream.feed(wave(10))
    np.savez(tmp_path / "state.npz", **stream.state)
    events, logits = stream.feed(wave(30, seed=1)), stream.logits
    again = OnnxStream(path)
    again.feed(wave(5, seed=2))
    again.state = np.load(tmp_path / "state.npz")
    assert told(again.feed(wave(30, seed=1))) == told(events)
    assert again.logits.tolist() == logits.tolist()
    with pytest.raises(InputError, match="another model"):
        again.state = {**stream.state, "layers/sum": np.zeros((1, 2), np.float32)}
    with pytest.raises(InputError, match="another model"):
        again.state = {key: value for key, value in stream.state.items() if key != "waiting"}


def test_a_step_hears_many_streams(path):
    step, waves = OnnxStep(path), np.stack([wave(8, seed) for seed in range(5)])
    state = step.begin(5)
    _, state = step(waves[:, :4], state)
    logits, _ = step(waves[:, 4:], state)
    assert logits[:, 0] == pytest.approx(0.5 + waves.sum(1), abs=1e-5)
    assert step.frame_s == 0.1


@pytest.mark.parametrize("value", [np.zeros((1, 2, 3)), np.arange(6).reshape(1, 2, 3) / 7])
def test_arrays_survive_json(value):
    decoded = decode_array(json.loads(json.dumps(encode_array(value))))
    assert decoded.dtype == np.float32
    assert decoded.flags.writeable
    assert decoded.tolist() == value.astype(np.float32).tolist()


def test_other_files_are_refused_in_one_line(tmp_path):
    torn, foreign = tmp_path / "torn.onnx", tmp_path / "foreign.onnx"
    torn.write_bytes(write_step(tmp_path / "step.onnx").read_bytes()[:100])
    onnx = pytest.importorskip("onnx")
    proto = onnx.load(tmp_path / "step.onnx")
    proto.metadata_props.clear()
    onnx.save(proto, foreign)
    newer = write_step(tmp_path / "newer.onnx", format=FORMAT + 1)
    for place, reason in (
        (tmp_path / "none.onnx", "cannot be read"),
        (torn, "not an ONNX model"),
        (foreign, "not of drsn-audio export"),
        (newer, "exported by another version"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            OnnxStream(place)
        assert str(place) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no label of the model"):
        OnnxStream(tmp_path / "step.onnx", DetectorConfig({"maybe": 0.5}))


def test_neither_torch_nor_what_it_brings_is_imported(path):
    script = (
        "import sys; import numpy as np; from drsn_audio.streaming.onnx import OnnxStream\n"
        f"stream = OnnxStream({str(path)!r}); stream.feed(np.zeros(9, np.float32)); stream.flush()\n"
        "assert len(stream.logits) == 6 and 'onnxruntime' in sys.modules\n"
        "heavy = 'torch lhotse omegaconf scipy soundfile soxr rich safetensors onnx'.split()\n"
        "found = [name for name in heavy if name in sys.modules]; assert not found, found"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
