"""Speech in shards: the same cuts and samples, in an order that a window bounds, read once an epoch."""

import dataclasses
import http.server
import json
import math
import os
import tarfile
import threading
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet
from torch.utils.data import DataLoader

from drsn_audio.audio import AudioError
from drsn_audio.config import AugmentConfig, ConfigError, DataConfig, NoiseSource, RowsConfig
from drsn_audio.corpora.cuts import SpeechFile
from drsn_audio.corpora.prepare import prepare
from drsn_audio.datasets import shard_reader
from drsn_audio.datasets.draws import plan_batches, plan_by_seconds
from drsn_audio.datasets.keyword import TrainingClips, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, ManifestError, file_sha256, load_cut, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.shard_audio import bits_of
from drsn_audio.datasets.shard_order import ShardOrder, shard_order
from drsn_audio.datasets.shard_reader import ShardReader
from drsn_audio.datasets.sharding import shard_cuts
from drsn_audio.datasets.speech_rows import TrainingRows
from drsn_audio.datasets.utterances import utterances
from drsn_audio.decoding.units import Units

from ..calls import calls_of

RATE = 16000
LABELS = ["low", "mid", "high", "silence"]
SUBTYPES = {"16.wav": "PCM_16", "24.wav": "PCM_24", "8.wav": "PCM_U8", "law.wav": "ULAW", "16.flac": "PCM_16",
            "24.flac": "PCM_24", "lossy.mp3": None, "lossy.ogg": None}  # fmt: skip
FLOATS = {"float.wav": "FLOAT", "32.wav": "PCM_32"}


@pytest.fixture(scope="module")
def shards(task, tmp_path_factory):
    """Nine utterances in shards of two."""
    out = tmp_path_factory.mktemp("shards") / "train"
    shard_cuts([str(task.train)], out, shard_size=2)
    return out


@pytest.fixture(scope="module")
def corpus(say, tmp_path_factory):
    """A file of each kind of samples; two channels where it is named so."""
    folder = tmp_path_factory.mktemp("kinds")
    files = []
    for place, (name, subtype) in enumerate((SUBTYPES | FLOATS | {"two.wav": "PCM_16"}).items()):
        wave = say("low", name, 0.3)
        wave = np.stack([wave, 0.5 * wave[::-1]], 1) if name == "two.wav" else wave
        sf.write(folder / name, wave, RATE if place % 2 else 8000, subtype=subtype)
        files.append(SpeechFile(name.replace(".", "-"), folder / name, "train", "low", name))
    return prepare("kinds", folder, files, progress=False).manifests["train"]


def reading(monkeypatch):
    """Shards that are opened, one after the other."""
    opened = []

    def counted(place, mode):
        opened.append(os.path.basename(place))
        return open(place, mode)

    monkeypatch.setattr(shard_reader, "open_best", counted)
    return opened


def index_of(shards):
    return json.loads((shards / "shards.json").read_text())


def moved(shards, tmp_path, /, **changes):
    """Shards elsewhere, with another shards.json."""
    (tmp_path / "shards.json").write_text(json.dumps(index_of(shards) | changes))
    (tmp_path / "shar").symlink_to(shards / "shar")
    return tmp_path


def test_shards_are_a_manifest_with_all_that_it_carries(task, shards):
    loose, stored = ({cut.id: cut for cut in read_cuts([place])} for place in (task.train, shards))
    assert len(stored) == 9
    store = AudioStore(RATE)
    for name, cut in loose.items():
        assert np.array_equal(store(stored[name]), store(cut))
        assert np.array_equal(load_cut(stored[name], 8000), load_cut(cut, 8000))
        assert (stored[name].supervisions, stored[name].custom) == (cut.supervisions, cut.custom)
        assert stored[name].duration == cut.duration
    assert list(stored) != list(loose)  # shuffled
    facts = index_of(shards)
    assert [one["utterances"] for one in facts["shards"]] == [2, 2, 2, 2, 1]
    assert facts["utterances"] == facts["sample_rates"]["16000"] == 9
    assert facts["duration_s"] == pytest.approx(9 * 0.3)
    assert facts["sources"] == [{"manifest": str(task.train), "sha256": file_sha256(task.train)}]
    assert file_sha256(shards) == file_sha256(shards / "shards.json")


def test_lhotse_reads_them_too(task, shards):
    loose = {cut.id: cut for cut in read_cuts([task.train])}
    found = list(CutSet.from_shar(in_dir=shards / "shar"))
    assert {cut.id for cut in found} == set(loose)
    assert all(np.array_equal(cut.load_audio(), loose[cut.id].load_audio()) for cut in found)


def test_in_order(task, tmp_path):
    shard_cuts([str(task.dev), str(task.test)], tmp_path, shard_size=4, shuffle=None)
    assert [cut.id for cut in read_cuts([tmp_path])] == [cut.id for cut in read_cuts([task.dev, task.test])]


@pytest.mark.parametrize("format", ["flac", "wav"])
def test_samples_come_back_bit_by_bit(corpus, tmp_path, format):
    report = shard_cuts([str(corpus)], tmp_path / "out", format=format)
    lost = {name.replace(".", "-") for name in (FLOATS if format == "flac" else {})}
    assert {name for name, _ in report.failed} == lost
    assert all("floats, which FLAC does not hold: convert with --format wav" in reason for _, reason in report.failed)
    stored = {cut.id: cut for cut in read_cuts([tmp_path / "out"])}
    store = AudioStore(RATE)
    loose = [cut for cut in read_cuts([corpus]) if cut.id not in lost]
    assert len(loose) == len(stored) == report.utterances == 11 - len(lost)
    for cut in loose:
        own = stored[cut.id]
        assert np.array_equal(store.shards(own), cut.load_audio()), cut.id
        assert (own.sampling_rate, own.num_samples) == (cut.sampling_rate, cut.num_samples)
        assert np.array_equal(store(own), store(cut)), cut.id
    with tarfile.open(tmp_path / "out" / "shar" / "recording.000000.tar") as tar:
        names = {name.rpartition(".")[0]: name for name in tar.getnames() if not name.endswith(".json")}
        if format == "flac":  # what is lossy is not made larger
            source = next(cut for cut in loose if cut.id == "lossy-mp3").recording.sources[0].source
            assert tar.extractfile(names["lossy-mp3"]).read() == Path(source).read_bytes()
        assert names["16-wav"].endswith(format)
        assert sf.info(tar.extractfile(names["24-wav"])).subtype == "PCM_24"


@pytest.mark.parametrize("format", ["flac", "wav"])
def test_a_part_of_a_recording(corpus, tmp_path, format):
    lines, whole = [], {cut.id: cut for cut in read_cuts([corpus])}
    for name in ("16-wav", "24-flac", "two-wav"):
        cut = whole[name].truncate(offset=0.1, duration=0.15, preserve_id=True)
        lines.append(json.dumps(cut.to_dict()) + "\n")
    path = tmp_path / "parts.jsonl"
    path.write_text("".join(lines))
    shard_cuts([str(path)], tmp_path / "out", format=format)
    stored = {cut.id: cut for cut in read_cuts([tmp_path / "out"])}
    for cut in read_cuts([path]):
        assert np.array_equal(AudioStore(RATE).shards(stored[cut.id]), cut.load_audio())
        assert stored[cut.id].start == 0
        assert stored[cut.id].recording.num_samples == cut.num_samples


def test_bits_that_hold_samples():
    steps = np.arange(-4, 4, dtype=np.float32)
    assert bits_of(steps / 2**15) == 16
    assert bits_of(steps / 2**16) == bits_of(steps / 2**23) == 24
    assert bits_of(steps / 2**24) == bits_of(np.array([0, 1], np.float32)) == 0  # +1 is no integer's
    assert bits_of(np.array([-1, 0.5], np.float32)) == 16


sizes = st.lists(st.integers(1, 12), min_size=1, max_size=8)


@given(sizes, st.integers(0, 9), st.integers(1, 25), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_order_of_an_epoch(counts, loose, window, seed, epoch):
    shards = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.full(loose, -1)])
    order = ShardOrder(shards, window, seed)
    heard, read = order.order(epoch), order.read(epoch)
    assert sorted(heard) == list(range(len(shards)))
    assert np.array_equal(heard, ShardOrder(shards, window, seed).order(epoch))
    # Nothing is heard further from where it is read than within its window.
    at = np.argsort(read)
    assert (np.abs(at[heard] - np.arange(len(heard))) < window).all()
    # Shards are read one after the other, each from its beginning to its end.
    stored = read[shards[read] >= 0]
    turns = shards[stored]
    assert (np.flatnonzero(np.diff(turns)).size + 1) == len(counts)
    assert all((np.diff(stored[turns == one]) > 0).all() for one in range(len(counts)))
    blocks = order.blocks(epoch)
    assert np.array_equal(np.concatenate(blocks), heard)
    assert all(len(set(shards[block]) - {-1}) <= order.at_once for block in blocks)
    # And batches are made of them, whatever the number of those who hear them.
    assert list(chain(*plan_batches(len(shards), 4, seed, epoch, heard))) == heard.tolist()
    plan = plan_by_seconds(np.linspace(1, 3, len(shards)), 9, seed, epoch, blocks)
    assert sorted(chain(*plan)) == list(range(len(shards)))
    place = {index: number for number, block in enumerate(blocks) for index in block.tolist()}
    of_batch = [{place[index] for index in batch} for batch in plan]
    assert all(len(of) == 1 for of in of_batch)
    assert [min(of) for of in of_batch] == sorted(min(of) for of in of_batch)


def test_orders_differ_and_silence_is_spread():
    shards = np.concatenate([np.repeat(np.arange(10), 100), np.full(200, -1)])
    order = ShardOrder(shards, 150, 0)
    heard = [ShardOrder(shards, 150, seed).order(epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(each) for each in heard}) == 4
    within = [block - block.min() for epoch in (0, 1) for block in ShardOrder(np.zeros(60, int), 20, 0).blocks(epoch)]
    assert len({tuple(block) for block in within}) == 6
    silent = np.flatnonzero(shards[order.order(0)] < 0)
    assert np.histogram(silent, 4, (0, 1200))[0] == pytest.approx([50] * 4, abs=20)
    with pytest.raises(ConfigError, match=r"data\.shard_window=0"):
        ShardOrder(shards, 0, 0)


def test_the_work_of_a_plan_grows_with_its_length_alone():
    """Of 100,000: numpy plans batches of equal numbers; those of so many seconds take three calls an utterance."""
    shards = np.repeat(np.arange(100), 1000)
    order, seconds = ShardOrder(shards, 2000, 0), np.random.default_rng(0).uniform(1, 16, 100_000)
    assert calls_of(lambda: plan_batches(100_000, 64, 0, 1, order.order(1))) < 5_000
    assert calls_of(lambda: plan_by_seconds(seconds, 300, 0, 1, order.blocks(1))) < 600_000


@pytest.fixture
def training(task):
    """(place, window) -> training clips of it, and the batches of an epoch."""

    def make(place, window=4):
        clips = keyword_clips(read_cuts([place]), LABELS, DataConfig(silence_share=0.25))
        store = AudioStore(RATE)
        order = shard_order(clips, store, window, seed=3)
        noise = NoisePool([NoiseSource(str(task.noise))], AudioStore(RATE))
        data = TrainingClips(clips, noise, store, RATE // 2, AugmentConfig(), 3)
        return data, lambda epoch: plan_batches(len(clips), 4, 3, epoch, order and order.order(epoch))

    return make


def test_every_shard_is_read_once_an_epoch(training, shards, monkeypatch):
    data, plan = training(shards)
    opened = reading(monkeypatch)
    store = data.draws.store
    assert store.shards.at_once == 3
    most = 0
    for epoch in range(3):
        for batch in plan(epoch):
            for index in batch:
                data[epoch, index]
                most = max(most, len(store.shards._held))
    assert most == 3
    assert len(opened) <= 15  # 5 shards in 3 epochs; one may still be there from the epoch before
    assert set(opened) == {f"recording.{i:06d}.tar" for i in range(5)}


def test_a_wide_window_keeps_as_many_shards_as_it_needs(training, shards, monkeypatch):
    data, plan = training(shards, window=12)
    assert data.draws.store.shards.at_once == 5
    opened = reading(monkeypatch)
    for batch in plan(0):
        for index in batch:
            data[0, index]
    assert sorted(opened) == [f"recording.{i:06d}.tar" for i in range(5)]


def test_the_shard_that_was_not_asked_for_longest_is_forgotten(shards, monkeypatch):
    reader, cuts = ShardReader(at_once=2), read_cuts([shards])
    opened = reading(monkeypatch)
    for index in (0, 2, 1, 4, 0, 2):
        reader(cuts[index])
    assert [int(name[10:16]) for name in opened] == [0, 1, 2, 1]


def test_going_on_in_the_middle_opens_what_is_near_alone(training, shards, monkeypatch):
    data, plan = training(shards, window=2)
    last = plan(1)[-1]
    near = {f"recording.{data.clips.cuts.shards[row]:06d}.tar" for row in data.clips.rows[last] if row >= 0}
    opened = reading(monkeypatch)
    for index in last:
        data[1, index]
    assert set(opened) == near
    assert len(opened) == len(near) < 4


def test_batches_are_those_of_loose_files_whatever_the_workers(training, shards, task):
    def heard(place, workers):
        data, plan = training(place)
        keys = [[(0, index) for index in batch] for batch in plan(0)]
        loader = DataLoader(data, batch_sampler=keys, num_workers=workers, collate_fn=list)
        return {example.id: example for batch in loader for example in batch}

    loose, stored, by_two = heard(task.train, 0), heard(shards, 0), heard(shards, 2)
    assert len(loose) == 12
    assert list(stored) == list(by_two) != list(loose)
    for id, example in loose.items():
        for other in (stored[id], by_two[id]):
            assert np.array_equal(example.speech, other.speech)
            assert np.array_equal(example.noise, other.noise)
            assert (example.target, example.snr_db, example.start) == (other.target, other.snr_db, other.start)


def test_loose_speech_beside_shards(shards, task):
    cuts = read_cuts([shards, task.dev])
    kept, left_out = utterances(cuts, Units("words", ["<blank>", "low", "mid", "high"], ""), 30.0, 640, RATE)
    assert left_out == []
    store = AudioStore(RATE)
    order = shard_order(kept, store, 5, 0)
    assert order.shards.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, -1, -1, -1]
    assert all(len(store(kept[index].cut)) == 4800 for index in order.order(0))
    loose = keyword_clips(read_cuts([task.dev]), LABELS, DataConfig())
    assert shard_order(loose, store, 5, 0) is None


def test_rows_are_drawn_freely_from_shards(task, shards, monkeypatch):
    """A denoiser's rows draw any recording of a speaker: no shard is read whole for one of them."""
    opened = reading(monkeypatch)

    def rows(place):
        store = AudioStore(RATE)
        noise = NoisePool([NoiseSource(str(task.noise))], store)
        data = TrainingRows([read_cuts([place])], noise, store, RATE, RowsConfig(count=4), AugmentConfig(), 0)
        return [data[1, index] for index in range(4)]

    for loose, stored in zip(rows(task.train), rows(shards), strict=True):
        assert loose.id == stored.id
        assert np.array_equal(loose.speech, stored.speech)
    assert opened == []


def test_far_shards_are_not_drawn_from_freely(task, shards, tmp_path):
    far = moved(shards, tmp_path, at="pipe:cat /nowhere/")
    store = AudioStore(RATE)
    with pytest.raises(ConfigError, match=r"pipe:cat /nowhere/.*takes shards on this machine"):
        TrainingRows(
            [read_cuts([far])], NoisePool([NoiseSource(str(task.noise))], store), store, RATE, RowsConfig(),
            AugmentConfig(), 0,
        )  # fmt: skip


@pytest.mark.parametrize("way", ["pipe", "braces", "absolute", "http"])
def test_audio_that_lies_elsewhere(shards, tmp_path, way):
    with _served(shards) as address:
        at = {"pipe": f"pipe:cat {shards}/", "braces": f"pipe:cat {shards}/{{}} | cat", "http": f"{address}/"}
        if way == "absolute":
            names = [one | {"recording": str(shards / one["recording"])} for one in index_of(shards)["shards"]]
            far = moved(shards, tmp_path, shards=names)
        else:
            far = moved(shards, tmp_path, at=at[way])
        store = AudioStore(RATE)
        for near, cut in zip(read_cuts([shards]), read_cuts([far]), strict=True):
            assert np.array_equal(store(near), store(cut))


class _served:
    """A folder by HTTP."""

    def __init__(self, folder):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(folder))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def copy(task, tmp_path):
    """Shards that may be spoilt."""
    shard_cuts([str(task.train)], tmp_path / "copy", shard_size=5)
    return tmp_path / "copy"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda out: (out / "shar/recording.000001.tar").unlink(), r"recording\.000001\.tar: shards\.json names it"),
        (lambda out: os.truncate(out / "shar/recording.000001.tar", 9999), r"has 9999 bytes, not \d+ as shards\.json"),
        (lambda out: (out / "shar/cuts.000000.jsonl.gz").unlink(), r"cuts\.000000\.jsonl\.gz: no such file, though"),
        (
            lambda out: os.truncate(out / "shar/cuts.000000.jsonl.gz", 99),
            r"cuts\.000000\.jsonl\.gz: not a readable man",
        ),
        (lambda out: (out / "shards.json").write_text("{}"), r"shards\.json: not readable \(lacks 'schema'\)"),
        (lambda out: (out / "shards.json").write_text("["), r"shards\.json: not readable"),
        (lambda out: _edit(out, schema=2), r"shards\.json: is of schema 2, not 1"),
        (lambda out: _edit(out, shards=[]), r"shards\.json: names no shards"),
        (lambda out: _edit_shard(out, utterances=6), r"holds 5 utterances, not 6 as shards\.json says"),
        (lambda out: _edit_shard(out, bytes="many"), r"shards\.json: not readable"),
    ],
)
def test_shards_that_are_not_whole_are_told_when_they_are_opened(copy, spoil, message):
    spoil(copy)
    with pytest.raises(ManifestError, match=message) as error:
        read_cuts([copy])
    assert "\n" not in str(error.value)


def _edit(out, **changes):
    (out / "shards.json").write_text(json.dumps(index_of(out) | changes))


def _edit_shard(out, **changes):
    first, *others = index_of(out)["shards"]
    _edit(out, shards=[first | changes, *others])


def test_a_shard_that_is_spoilt_later(copy):
    """After it was opened, or where nobody could ask for its size."""
    cuts, tar = read_cuts([copy]), copy / "shar" / "recording.000000.tar"
    data = tar.read_bytes()
    for content in (data[: len(data) // 2], data[:100], b"", b"no tar" * 300):
        tar.write_bytes(content)
        with pytest.raises(AudioError, match=r"recording\.000000\.tar: the shard cannot be read") as error:
            AudioStore(RATE)(cuts[4])
        assert "\n" not in str(error.value)
    tar.write_bytes((copy / "shar" / "recording.000001.tar").read_bytes())
    with pytest.raises(AudioError, match=rf"recording\.000000\.tar: does not hold {cuts[0].id}: make the shards again"):
        AudioStore(RATE)(cuts[0])
    tar.write_bytes(data.replace(b"fLaC", b"cALf"))
    with pytest.raises(AudioError, match=r"is not audio"):
        AudioStore(RATE)(cuts[0])
    tar.unlink()
    with pytest.raises(AudioError, match=r"the shard is not there: restore it"):
        AudioStore(RATE)(cuts[0])


def test_a_command_that_fails(shards, tmp_path):
    cuts = read_cuts([moved(shards, tmp_path, at="pipe:false ")])
    with pytest.raises(AudioError, match=r"pipe:false .*: the shard cannot be read"):
        AudioStore(RATE)(cuts[0])


def test_the_plan_is_the_same_for_nothing_in_shards(task):
    """What training heard before there were shards, it hears in the same order."""
    seconds = [1.0 + 0.1 * (7 * i % 13) for i in range(40)]
    assert plan_by_seconds(seconds, 12, 0, 2)[:2] == plan_by_seconds(np.array(seconds), 12.0, 0, 2)[:2]
    assert math.isclose(sum(map(len, plan_by_seconds(seconds, 12, 0, 2))), 40)
    clip = keyword_clips(read_cuts([task.dev]), LABELS, DataConfig())[0]
    assert dataclasses.is_dataclass(clip)
