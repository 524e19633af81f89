"""Files that are whole or not there."""

import os

import pytest

from drsn_audio.files import same_file, write_whole


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_whole(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new", sync=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_one_file_by_several_names(tmp_path):
    path = tmp_path / "a.wav"
    path.touch()
    os.link(path, tmp_path / "linked.wav")
    (tmp_path / "b.wav").touch()
    for name in ("a.wav", "new/../a.wav", "linked.wav", "new/deeper/../../linked.wav"):
        assert same_file(tmp_path / name, path)
    for name in ("b.wav", "new/../b.wav", "missing.wav", "new/a.wav"):
        assert not same_file(tmp_path / name, path)
