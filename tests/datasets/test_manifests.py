"""Reading manifests and their audio; what is wrong with them."""

import gzip
import hashlib

import numpy as np
import pytest
import soundfile as sf
from lhotse import RecordingSet

from drsn_audio.audio import AudioError
from drsn_audio.datasets.manifests import AudioStore, ManifestError, file_sha256, load_cut, read_cuts


def test_cuts_in_order_with_what_they_carry(task):
    cuts = read_cuts([task.dev, task.test])
    assert [cut.id for cut in cuts[:4]] == ["high/dora", "low/dora", "mid/dora", "high/eve"]
    assert len(cuts) == 9
    assert cuts[1].supervisions[0].text == "low"
    assert set(cuts[1].custom) == {"active_level_db", "rms_db", "activity"}


def test_plain_jsonl_is_read_too(task, tmp_path):
    (tmp_path / "dev.jsonl").write_bytes(gzip.decompress(task.dev.read_bytes()))
    assert [cut.id for cut in read_cuts([tmp_path / "dev.jsonl"])] == [cut.id for cut in read_cuts([task.dev])]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.jsonl.gz", None, "no such manifest"),
        ("folder.jsonl", "folder", "no such manifest"),
        ("text.jsonl", b"hello\nworld\n", "not a readable manifest"),
        ("ending.txt", b"hello", "not a readable manifest"),
        ("torn.jsonl.gz", gzip.compress(b"{}" * 100, mtime=0)[:20], "not a readable manifest"),
        ("bytes.jsonl.gz", b"\x00\xff" * 9, "not a readable manifest"),
        ("empty.jsonl", b"", "holds no cuts|not a readable manifest"),
        ("other.jsonl", b'{"a": 1}\n', "not a readable manifest|holds no cuts"),
    ],
)
def test_a_bad_manifest_is_told_in_one_line(tmp_path, name, content, reason):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestError, match=reason) as error:
        read_cuts([path])
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_recordings_are_not_cuts(task, tmp_path):
    RecordingSet.from_recordings(cut.recording for cut in read_cuts([task.dev])).to_file(tmp_path / "r.jsonl")
    with pytest.raises(ManifestError, match=r"r\.jsonl: "):
        read_cuts([tmp_path / "r.jsonl"])


def test_an_utterance_twice(task):
    with pytest.raises(ManifestError, match=r"id 'high/dora': give each corpus its manifest once"):
        read_cuts([task.dev, task.dev])


def test_no_manifest():
    with pytest.raises(ManifestError, match="no manifest is given"):
        read_cuts([])


def test_the_checksum_is_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_audio_at_the_wanted_rate(task, say):
    cut = read_cuts([task.dev])[1]
    wave = load_cut(cut, 16000)
    assert wave == pytest.approx(say("low", "dora"), abs=2**-15)
    assert wave.dtype == np.float32
    assert len(load_cut(cut, 8000)) == 2400


@pytest.mark.parametrize("lost", [True, False])
def test_audio_that_is_lost_or_spoilt(task, tmp_path, lost):
    cut = read_cuts([task.dev])[0]
    path = tmp_path / "a.wav"
    if not lost:
        path.write_text("not audio")
    cut.recording.sources[0].source = str(path)
    with pytest.raises(AudioError, match="no such file" if lost else "not readable") as error:
        load_cut(cut, 16000)
    assert str(error.value).startswith(f"{path}: named by the manifest")
    assert "\n" not in str(error.value)


def test_stereo_is_averaged(tmp_path):
    from lhotse import Recording

    left, right = np.full(800, 0.5), np.full(800, 0.25)
    sf.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000)
    cut = Recording.from_file(tmp_path / "a.wav").to_cut()
    assert load_cut(cut, 16000) == pytest.approx(np.full(800, 0.375), abs=1e-4)


def test_the_store_reads_once_and_no_more_than_it_may(task, monkeypatch):
    import drsn_audio.datasets.manifests as manifests

    read = []

    def counted(cut, sample_rate):
        read.append(cut.id)
        return np.zeros(1000, np.float32)  # 4000 bytes

    monkeypatch.setattr(manifests, "load_cut", counted)
    store = AudioStore(16000, max_bytes=9000)
    cuts = read_cuts([task.dev])
    for _ in range(2):
        for cut in cuts:
            store(cut)
    assert read == [cut.id for cut in cuts] + [cuts[2].id]


def test_the_store_tells_cuts_of_one_id_apart(task):
    speech, noise = read_cuts([task.dev])[0], read_cuts([task.noise])[0]
    noise.id = speech.id
    store = AudioStore(16000)
    assert len(store(speech)) == 4800
    assert len(store(noise)) == 32000
