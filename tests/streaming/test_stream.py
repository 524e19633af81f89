"""Streaming equals offline, whatever the model, the chunks, the length; states, many streams at once, bad samples."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import nn

from drsn_audio.config import PRESETS, config_from_dict
from drsn_audio.decoding.greedy import greedy_spikes
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.frontends import FRONTENDS
from drsn_audio.labels import BLANK
from drsn_audio.models.model import AudioModel
from drsn_audio.nn.causal import POOLS
from drsn_audio.nn.shrinkage import SHRINKAGES
from drsn_audio.streaming.batch import StreamBatch
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.probabilities import probabilities
from drsn_audio.streaming.state import StreamState
from drsn_audio.streaming.stream import Stream
from drsn_audio.streaming.tail import TAIL_S, with_tail
from drsn_audio.streaming.writer import Writer

TOLERANCE = 1e-4
LABELS = ["go", "stop", "left", "unknown", "silence"]
UNITS = [BLANK, *LABELS[:4]]


@functools.cache
def causal_model(
    preset="10k", shrinkage="cw-frequency", pool="causal", frontend="pcen", norm="none", head="keyword"
) -> AudioModel:
    torch.manual_seed(0)
    names = {"preset": preset, "shrinkage": shrinkage, "pool": pool, "pool_ms": 300.0, "head": head}
    described = {**names, "frontend": {"name": frontend, "norm": norm}, "labels": UNITS if head == "ctc" else LABELS}
    model = AudioModel(config_from_dict({"model": described}).model).train()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0
    wave = torch.from_numpy(sound(192_000).reshape(4, 48_000))
    with torch.no_grad():
        model(wave)
        model.eval().head.linear.weight *= 20 / model(wave).abs().max()  # logits as large as trained ones
    return model


def sound(samples: int, seed: int = 0) -> np.ndarray:
    """Hiss whose level goes up and down by 40 dB, with digital silence in between: float32 [N]."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(samples) / 16000
    level = 10 ** (-1 - np.cos(5 * time_s + seed)) * (np.sin(11 * time_s) > -0.9)
    return np.clip(level * rng.standard_normal(samples), -1, 1).astype(np.float32)


@pytest.fixture
def model() -> AudioModel:
    return causal_model()


LOGARITHMIC = [name for name in FRONTENDS if name != "spectrogram"]
models = st.builds(
    causal_model,
    preset=st.sampled_from([name for name in PRESETS if not name.startswith(("bc-resnet", "ctc"))]),
    shrinkage=st.sampled_from([*SHRINKAGES]),
    pool=st.sampled_from(POOLS[1:]),
    frontend=st.sampled_from([*FRONTENDS]),
) | st.builds(
    causal_model, frontend=st.sampled_from(LOGARITHMIC), norm=st.sampled_from(["causal-mean", "causal"])
)  # fmt: skip
writers = st.builds(
    causal_model,
    preset=st.sampled_from(["10k", "ctc-500k"]),  # without a mixer and with one
    shrinkage=st.sampled_from([*SHRINKAGES]),
    pool=st.sampled_from(POOLS[1:]),
    frontend=st.sampled_from(["pcen", "logmel"]),
    head=st.just("ctc"),
)


def stream_of(model) -> Stream:
    if model.config.head == "ctc":
        return Stream(model, Writer(Units("words", UNITS), model.block / 16000))
    keywords = dict.fromkeys(LABELS[:3], 0.4)
    return Stream(model, Detector(LABELS, model.block / 16000, DetectorConfig(thresholds=keywords)))


def offline(model, wave: np.ndarray) -> np.ndarray:
    """The logits of a sound and its tail."""
    with torch.no_grad():
        return model(torch.from_numpy(with_tail(wave, 16000))[None])[0].numpy()


def chunks_of(wave: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """The wave in chunks of these sizes, over and over."""
    chunks, begin, turn = [], 0, 0
    while begin < len(wave):
        chunks.append(wave[begin : begin + sizes[turn % len(sizes)]])
        begin, turn = begin + len(chunks[-1]), turn + 1
    return chunks


def heard(stream: Stream, chunks: list[np.ndarray]) -> tuple[np.ndarray, list]:
    """All logits and events of chunks, and of the end."""
    logits, events = [], []
    for chunk in chunks:
        events += stream.feed(chunk)
        logits.append(stream.logits)
    events += stream.flush()
    return np.concatenate([*logits, stream.logits]), events


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    model=models | writers,
    samples=st.integers(1, 30 * 16000) | st.integers(1, 5000),
    sizes=st.lists(st.integers(1, 100) | st.integers(100, 100_000), min_size=1, max_size=4),
    seed=st.integers(0, 9),
)
@example(model=causal_model(), samples=1, sizes=[1], seed=0)
@example(model=causal_model(), samples=3000, sizes=[1], seed=0)
@example(model=causal_model(preset="1m"), samples=480_000, sizes=[480_000], seed=0)
@example(model=causal_model(pool="causal-cumulative", frontend="logmel"), samples=480_000, sizes=[1600], seed=1)
def test_streaming_equals_offline(model, samples, sizes, seed):
    sizes = [max(size, samples // 300) for size in sizes]  # of long sounds only: 30 s, sample by sample, take minutes
    wave = sound(samples, seed)
    logits, _ = heard(stream_of(model), chunks_of(wave, sizes))
    expected = offline(model, wave)
    assert logits.shape == expected.shape == (-(-(samples + round(TAIL_S * 16000)) // model.block), len(LABELS))
    assert np.abs(logits - expected).max() <= TOLERANCE


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    model=writers,
    samples=st.integers(1, 10 * 16000),
    sizes=st.lists(st.integers(500, 20_000), min_size=1, max_size=4),
    seed=st.integers(0, 9),
)
@example(model=causal_model(preset="ctc-500k", head="ctc"), samples=160_000, sizes=[1600], seed=0)
def test_streamed_text_is_the_greedy_text_of_the_whole(model, samples, sizes, seed):
    """But where two labels are equally probable to within what logits may differ, which no frame here is."""
    wave = sound(samples, seed)
    _, events = heard(stream_of(model), chunks_of(wave, sizes))
    logits = offline(model, wave)
    best_two = np.sort(logits, axis=1)[:, -2:]
    assume((best_two[:, 1] - best_two[:, 0]).min() > 2 * TOLERANCE)
    spikes = greedy_spikes(probabilities(logits, 1.0))
    assert [event.label for event in events if event.kind == "final"] == [UNITS[spike.label] for spike in spikes]


@pytest.mark.parametrize(
    "short",
    ["stem.input", "stages.1.0.conv1.input", "head.window.input", "frontend.wave", "mixer.blocks.1.conv2.input"],
)
def test_a_cache_one_frame_short_would_be_seen(monkeypatch, short):
    """The test above can fail: with the oldest frame of one layer's past lost, it does."""
    model = causal_model(preset="ctc-500k", head="ctc") if short.startswith("mixer") else causal_model()
    from drsn_audio.memory import Memory

    def forgetful(self, name, x, count):
        if not count:
            return x
        past = self.past(name, x.new_zeros(*x.shape[:-1], count))
        if name.endswith(short):
            past = torch.cat([torch.zeros_like(past[..., :1]), past[..., 1:]], dim=-1)
        x = torch.cat([past, x], dim=-1)
        self.keep(name, x[..., -count:])
        return x

    wave = sound(32000)
    expected = offline(model, wave)
    monkeypatch.setattr(Memory, "extend", forgetful)
    logits, _ = heard(stream_of(model), [wave[:25_000], wave[25_000:]])
    difference = np.abs(logits - expected).max()
    assert difference > (TOLERANCE if short != "frontend.wave" else 0)


def test_streams_in_a_batch_are_as_alone(model):
    """Five streams that begin and end when they like, in chunks of their own."""
    rng = np.random.default_rng(0)
    waves = {key: sound(int(rng.integers(1, 60_000)), key) for key in range(5)}
    begins = {key: int(rng.integers(0, 40)) for key in waves}
    batch, at = StreamBatch(model), dict.fromkeys(waves, 0)
    got: dict[int, list[np.ndarray]] = {key: [] for key in waves}
    turn = 0
    while at:
        fed = {}
        for key in [key for key in at if begins[key] <= turn]:
            size = int(rng.integers(0, 6000))
            fed[key] = waves[key][at[key] : at[key] + size]
            at[key] += size
        for key, logits in batch.feed(fed).items():
            got[key].append(logits)
        for key in [key for key in at if at[key] >= len(waves[key])]:
            got[key].append(batch.flush(key))
            del at[key]
        turn += 1
    assert not batch.states
    for key, wave in waves.items():
        np.testing.assert_allclose(np.concatenate(got[key]), offline(model, wave), rtol=0, atol=TOLERANCE)


@settings(max_examples=24, deadline=None, derandomize=True)
@given(
    head=st.sampled_from(["keyword", "ctc"]),
    samples=st.integers(1, 50_000),
    cut=st.integers(0, 50_000),
    seed=st.integers(0, 9),
)
def test_saved_and_restored_is_as_never_stopped(tmp_path_factory, head, samples, cut, seed):
    """The same logits, bit for bit, and the same events, from a file, in another stream object."""
    model, wave, path = (
        causal_model(head=head),
        sound(samples, seed),
        tmp_path_factory.mktemp("state") / "stream.safetensors",
    )
    cut = min(cut, samples)
    whole = heard(stream_of(model), [wave[:cut], wave[cut:]])
    first = stream_of(model)
    events = first.feed(wave[:cut])
    logits = first.logits
    first.state.save(path)
    second = stream_of(model)
    second.feed(sound(5000, 5))  # what it heard before does not matter
    second.state = StreamState.load(path)
    rest, more = heard(second, [wave[cut:]])
    assert np.array_equal(np.concatenate([logits, rest]), whole[0])
    assert events + more == whole[1]


def test_a_state_is_a_copy(model):
    stream, wave = stream_of(model), sound(20_000)
    stream.feed(wave[:7000])
    state = stream.state
    stream.feed(wave[7000:])
    once = stream.logits
    stream.state = state
    stream.feed(wave[7000:])
    assert np.array_equal(stream.logits, once)


def test_the_state_of_another_model_is_refused(tmp_path, model):
    state = stream_of(causal_model(preset="30k")).state
    with pytest.raises(InputError, match="state is that of a stream of another model"):
        stream_of(model).state = state
    for content in (b"", b"not a state"):
        (tmp_path / "state").write_bytes(content)
        with pytest.raises(InputError, match="state: not the state of a stream"):
            StreamState.load(tmp_path / "state")
    with pytest.raises(InputError, match="no such file"):
        StreamState.load(tmp_path / "none")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_bad_samples_are_refused_and_spoil_nothing(model, bad):
    """The chunk is not heard, not even its good part; with the next one all goes on as if it had not been."""
    stream, wave = stream_of(model), sound(20_000)
    stream.feed(wave[:9000])
    spoilt = wave[9000:12_000].copy()
    spoilt[2000] = bad
    with pytest.raises(InputError, match=r"sample 2000 is .*: feed finite values"):
        stream.feed(spoilt)
    stream.feed(wave[9000:])
    unspoilt = stream_of(model)
    unspoilt.feed(wave[:9000])
    unspoilt.feed(wave[9000:])
    assert np.array_equal(stream.logits, unspoilt.logits)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 100), np.float32), r"shape \[2, 100\]: feed one channel"),
        (np.zeros(100, np.int16), "samples are int16: divide them by full scale"),
        (np.float32(0), r"shape \[\]"),
    ],
)
def test_what_is_no_sound_is_refused(model, samples, message):
    with pytest.raises(InputError, match=message):
        stream_of(model).feed(samples)


def test_one_bad_stream_of_a_batch_stops_all_before_any_has_heard(model):
    batch = StreamBatch(model)
    with pytest.raises(InputError):
        batch.feed({"a": sound(5000), "b": np.full(5000, np.nan, np.float32)})
    assert not batch.states


def test_the_end_is_the_end_until_a_reset(model):
    stream, wave = stream_of(model), sound(10_000)
    first = heard(stream, [wave])
    for late in (lambda: stream.feed(wave), stream.flush, lambda: stream.state):
        with pytest.raises(InputError, match="reset"):
            late()
    stream.reset()
    again = heard(stream, [wave])
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]


def test_nothing_is_nothing(model):
    stream = stream_of(model)
    assert stream.feed(np.zeros(0, np.float32)) == []
    assert stream.flush() == []
    assert stream.logits.shape == stream.probabilities.shape == (0, len(LABELS))


def test_probabilities_are_the_softmax_at_a_temperature(model):
    detector = Detector(LABELS, 0.08, DetectorConfig(thresholds={}))
    stream = Stream(model, detector, temperature=2.0)
    stream.feed(sound(16000))
    expected = torch.from_numpy(stream.logits / 2).softmax(-1).numpy()
    np.testing.assert_allclose(stream.probabilities, expected, atol=1e-6)


def test_a_model_of_whole_clips_cannot_stream():
    with pytest.raises(InputError, match="a model of whole clips cannot stream: use a causal one"):
        StreamBatch(causal_model(pool="clip"))
