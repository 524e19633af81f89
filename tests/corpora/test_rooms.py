"""Room responses: computed ones are repeatable, recorded ones are taken as they are, unusable ones are told."""

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.audio import AudioError
from drsn_audio.corpora import CORPORA, WITHOUT_SOURCE
from drsn_audio.corpora.responses import ResponseFile, prepare_responses
from drsn_audio.corpora.rooms import prepare_rooms
from drsn_audio.errors import InputError

RATE = 16000
KEYS = {"rt60_s", "distance_m", "direct_sample", "room"}


def click(at: int, num_samples: int = 800) -> np.ndarray:
    return np.eye(1, num_samples, at)[0]


def response_file(folder, name, channels):
    sf.write(folder / f"{name}.wav", np.stack(channels, 1), RATE, subtype="FLOAT")
    return ResponseFile(name, folder / f"{name}.wav", "kitchen")


@pytest.mark.slow
def test_computed_rooms(tmp_path, load):
    pytest.importorskip("pyroomacoustics")
    made = prepare_rooms(None, tmp_path / "a", kinds=["street", "hall"], count=3, progress=False)
    assert made.counts == {"responses": 3}
    cuts = load(made.manifests["responses"])
    assert [cut.id for cut in cuts] == ["room-0-0000", "room-0-0001", "room-0-0002"]
    for cut in cuts:
        assert set(cut.custom) == KEYS
        assert cut.custom["room"] == cut.id
        response = cut.load_audio()[0]
        assert abs(response[cut.custom["direct_sample"]]) * cut.custom["distance_m"] == pytest.approx(1, abs=0.05)
    # The same whatever else is made.
    other = prepare_rooms(None, tmp_path / "b", kinds=["street", "hall"], count=1, progress=False)
    (first,) = load(other.manifests["responses"])
    assert np.array_equal(first.load_audio(), cuts[0].load_audio())
    assert first.custom == cuts[0].custom


def test_rooms_are_a_corpus_without_a_source(tmp_path):
    assert CORPORA["rooms"] is prepare_rooms
    assert "rooms" in WITHOUT_SOURCE


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("folder", {}, "reads nothing"),
        (None, {"count": 0}, "must be positive"),
        (None, {"sample_rate": 4000}, "8000 Hz or more"),
        (None, {"kinds": ["cave"]}, "'cave': choose among"),
    ],
)
def test_rooms_that_cannot_be(tmp_path, source, options, message):
    with pytest.raises(InputError, match=message):
        prepare_rooms(source, tmp_path, progress=False, **options)


def test_recorded_responses_are_the_first_channel(tmp_path, load):
    files = [response_file(tmp_path, "array", [click(100), click(90), click(106)])]
    (cut,) = load(prepare_responses("some", tmp_path, files, progress=False).manifests["responses"])
    assert cut.custom == {"rt60_s": None, "distance_m": None, "direct_sample": 100, "room": "kitchen"}
    assert np.array_equal(cut.load_audio(), click(100)[None].astype(np.float32))


def test_unusable_responses_are_told(tmp_path):
    torn = tmp_path / "torn.wav"
    torn.write_bytes(b"RIFF")
    files = [
        response_file(tmp_path, "good", [click(5)]),
        response_file(tmp_path, "silent", [np.zeros(100)]),
        response_file(tmp_path, "nan", [np.full(100, np.nan)]),
        ResponseFile("torn", torn, "kitchen"),
        ResponseFile("late", tmp_path / "good.wav", "kitchen", direct_sample=900),
    ]
    made = prepare_responses("some", tmp_path, files, progress=False)
    assert made.counts == {"responses": 1}
    reasons = {skipped.path.stem: skipped.reason for skipped in made.skipped if skipped.path.stem != "good"}
    assert "silent" in reasons["silent"]
    assert "NaN" in reasons["nan"]
    assert "not audio" in reasons["torn"]
    assert any("no direct sound at sample 900" in skipped.reason for skipped in made.skipped)
    with pytest.raises(AudioError, match="none of 1 responses"):
        prepare_responses("some", tmp_path, files[1:2], progress=False)
