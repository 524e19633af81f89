"""Two cuts of one file are two sounds: whoever reads, keeps or names them tells their channels and transforms apart."""

import json

import numpy as np
import pytest
import soundfile as sf
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.cut import PaddingCut
from lhotse.cut.set import mix

from drsn_audio.config import NoiseSource
from drsn_audio.datasets.cut_list import facts_of
from drsn_audio.datasets.cut_parts import is_whole, sound_key
from drsn_audio.datasets.manifests import AudioStore, load_cut, open_cuts, read_cuts
from drsn_audio.datasets.mix_inputs import survey
from drsn_audio.datasets.mixing import mix_files
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.sharding import shard_cuts
from drsn_audio.datasets.streams import whole_utterances
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.denoising.places import find_inputs as find_noisy
from drsn_audio.evaluation.stream_events import hear, read_streams
from drsn_audio.hearing import Hearing
from drsn_audio.live.reference import read_reference
from drsn_audio.transcribing.inputs import find_inputs

RATE = 16000
TONES_HZ = {0: 400.0, 1: 1500.0}  # of each channel
NOISE = {"noise_kind": "street", "noise_class": "car", "fold": 1, "rms_db": -23.0, "source": "call", "direct_sample": 0}


def tone_of(wave: np.ndarray, rate: int = RATE) -> float:
    """Frequency in Hz of the strongest tone of a wave [N]."""
    return float(np.abs(np.fft.rfft(wave)).argmax() * rate / len(wave))


@pytest.fixture
def call(tmp_path) -> Recording:
    """A stereo file of 1 s, each channel a tone."""
    time_s = np.arange(RATE) / RATE
    sf.write(
        tmp_path / "call.wav", np.stack([0.1 * np.sin(2 * np.pi * f * time_s) for f in TONES_HZ.values()], 1), RATE
    )
    return Recording.from_file(tmp_path / "call.wav")


def channel_cut(call: Recording, channel: int, id: str = "", **custom) -> MonoCut:
    id = id or f"call-{channel}"
    said = SupervisionSegment(id, call.id, 0.0, 1.0, channel=channel, text=f"word {channel}", speaker=str(channel))
    levels = {"active_level_db": -23.0, "rms_db": -23.0}
    return MonoCut(id, 0.0, 1.0, channel, [said], recording=call, custom={**levels, **custom})


@pytest.fixture
def manifest(call, tmp_path) -> str:
    """A cut of each channel."""
    path = tmp_path / "calls.jsonl.gz"
    CutSet.from_cuts([channel_cut(call, channel, **NOISE) for channel in TONES_HZ]).to_file(path)
    return str(path)


def variants(call: Recording) -> dict[str, MonoCut]:
    """Cuts with the same file, start and duration, whose sounds differ, and one that lasts no longer."""
    cut = channel_cut(call, 0)
    other = channel_cut(call, 1)
    return {
        "plain": cut,
        "channel": other,
        "volume": cut.perturb_volume(3.0),
        "rate": cut.resample(8000),
        "speed": cut.perturb_speed(1.5).truncate(duration=0.5),
        "short": cut.truncate(duration=0.5),
        "late": cut.truncate(offset=0.5, duration=0.5),
        "both": call.to_cut(),
        "mixed": mix(cut, other, snr=20),
        "mixed softer": mix(cut, other, snr=-20),
        "padded": cut.pad(1.5),
        "silence": PaddingCut("p", 1.0, RATE, 0.0, num_samples=RATE),
    }


def test_a_store_tells_all_sounds_apart(call):
    store, cuts = AudioStore(RATE), variants(call)
    for _ in range(2):  # as they are read, and as they are kept
        for name, cut in cuts.items():
            assert np.array_equal(store(cut), load_cut(cut, RATE)), name
    assert tone_of(store(cuts["plain"])) == TONES_HZ[0]
    assert tone_of(store(cuts["channel"])) == TONES_HZ[1]
    assert tone_of(store(cuts["speed"])) == 1.5 * TONES_HZ[0]
    assert len({sound_key(cut) for cut in cuts.values()}) == len(cuts)


def test_names_words_and_measurements_are_no_part_of_a_sound(call):
    cut = channel_cut(call, 0)
    same = channel_cut(call, 0, id="another", active_level_db=-99.0)
    assert sound_key(cut) == sound_key(same) == sound_key(cut.to_dict())
    moved = json.loads(json.dumps(cut.to_dict()).replace("call.wav", "moved.wav"))
    assert sound_key(moved) != sound_key(cut)
    assert sound_key(moved, places=False) == sound_key(cut, places=False)


def test_facts_of_any_cut(call):
    cuts = variants(call)
    assert all(facts_of(cut).source == call.sources[0].source for name, cut in cuts.items() if name != "silence")
    assert facts_of(cuts["silence"]).text == ""
    assert not any(is_whole(cut.to_dict()) for cut in cuts.values())


def test_lists_of_mixed_cuts_are_read_and_moved_with_their_folder(call, tmp_path, monkeypatch):
    cuts = [mix(channel_cut(call, 0), channel_cut(call, 1), snr=20).with_id("mixed"), channel_cut(call, 1)]
    text = "".join(f"{json.dumps(cut.to_dict())}\n" for cut in cuts)
    (tmp_path / "m.jsonl").write_text(text.replace(f"{tmp_path}/", ""))
    monkeypatch.chdir("/")
    store = AudioStore(RATE)
    for cuts in (read_cuts([tmp_path / "m.jsonl"]), open_cuts([str(tmp_path / "m.jsonl")])):
        assert [tone_of(store(cut)) for cut in cuts] == list(TONES_HZ.values())


def test_noise_pools_and_rooms(manifest):
    store = AudioStore(RATE)
    pool = NoisePool([NoiseSource(manifest)], store)
    drawn = [pool.draw(RATE, np.random.default_rng(seed)) for seed in range(20)]
    assert {tone_of(one.wave) for one in drawn} == set(TONES_HZ.values())
    rooms = RoomPool([manifest], store)
    assert {tone_of(store(cut)) for cut in rooms.cuts} == set(TONES_HZ.values())


def test_shards(manifest, tmp_path):
    shard_cuts([manifest], tmp_path / "shards")
    store = AudioStore(RATE)
    found = {cut.supervisions[0].text: tone_of(store(cut)) for cut in read_cuts([tmp_path / "shards"])}
    assert found == {f"word {channel}": tone for channel, tone in TONES_HZ.items()}


def test_mixes_of_two_channels(manifest, tmp_path):
    """Speech and noise are both channels of one file; each mix is of its own."""
    for out in (tmp_path / "mixes", tmp_path / "again"):
        report = mix_files(manifest, manifest, [60.0], out, progress=False, stems=True)
        assert not report.failed
    cuts = read_cuts([tmp_path / "mixes/mix.jsonl.gz"])
    assert len({cut.recording.sources[0].source for cut in cuts}) == len(TONES_HZ)
    for cut in cuts:
        channel = cut.custom["clean_cut"]["channel"]
        assert tone_of(load_cut(cut, RATE)) == TONES_HZ[channel]
        noise = sf.read(tmp_path / "mixes" / cut.custom["stems"]["noise"])[0]
        assert tone_of(noise) == TONES_HZ[cut.custom["noises"][0]["cut"]["channel"]]


def test_a_set_of_mixes_goes_by_the_sounds(call, tmp_path):
    """The same ids, but another channel: not the same set, whose mixes a second run would keep."""
    places = [tmp_path / f"{channel}.jsonl.gz" for channel in TONES_HZ]
    for channel, place in zip(TONES_HZ, places, strict=True):
        CutSet.from_cuts([channel_cut(call, channel, id="same")]).to_file(place)
    assert survey(places[0]).names != survey(places[1]).names


def test_stamps_of_what_is_done_already(call, tmp_path):
    """transcribe, classify, explain and denoise --resume: the same id and part of a file, and another sound."""
    cut, stamps = channel_cut(call, 0, id="same"), []
    for sound in (cut, channel_cut(call, 1, id="same"), cut.perturb_volume(3.0)):
        path = tmp_path / "m.jsonl"
        path.write_text(json.dumps(sound.to_dict()) + "\n")
        (given,), (noisy,) = find_inputs(str(path), Hearing(RATE)), find_noisy(str(path), tmp_path / "out")
        stamps.append((json.dumps(given.stamp()), json.dumps(noisy.stamp())))
    assert all(len(set(of_command)) == 3 for of_command in zip(*stamps, strict=True))


def test_blocks_of_the_commands(manifest, tmp_path):
    heard = [np.concatenate(list(given.blocks())) for given in find_inputs(manifest, Hearing(RATE))]
    assert [tone_of(wave) for wave in heard] == list(TONES_HZ.values())


def test_streams_of_two_channels(call, tmp_path):
    custom = {"stream": True, "content": "words", "noise_kind": "clean", "snr_db": None}
    path = tmp_path / "streams.jsonl"
    cuts = [channel_cut(call, 0, **custom), channel_cut(call, 1, **custom).truncate(offset=0.25, preserve_id=True)]
    CutSet.from_cuts(cuts).to_file(path)
    waves = hear(lambda blocks: np.concatenate(list(blocks)), read_streams([path]), RATE)
    assert [tone_of(wave) for wave in waves] == list(TONES_HZ.values())
    spoken = read_reference(str(path), call.sources[0].source)  # of which all is heard
    assert [word.word for word in spoken] == ["word 0", "word 1"]


def test_whole_utterances_of_a_channel(call):
    windows = [channel_cut(call, channel).truncate(offset=0.5, duration=0.25) for channel in TONES_HZ]
    assert [tone_of(load_cut(cut, RATE)) for cut in whole_utterances(windows)] == list(TONES_HZ.values())
