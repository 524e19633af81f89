"""Names that have been met, few or many."""

import pytest

from drsn_audio.datasets import seen


@pytest.mark.parametrize("recent", [4, 1 << 14])
def test_every_name_is_new_once(monkeypatch, recent):
    monkeypatch.setattr(seen, "RECENT", recent)
    names = seen.Seen()
    assert all(names.add(f"a/{i}.wav") for i in range(1000))
    assert not any(names.add(f"a/{i}.wav") for i in range(1000))
    assert "a/7.wav" in names
    assert "b/7.wav" not in names
