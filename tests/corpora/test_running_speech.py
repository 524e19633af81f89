"""Running speech: windows of the utterances that hold none of the words."""

from __future__ import annotations

import pytest

from drsn_audio.audio import AudioError
from drsn_audio.corpora.running_speech import prepare_running_speech


@pytest.fixture
def librispeech(tmp_path, write_tone):
    """Twenty speakers of two utterances, 4.9 s and 1 s; the third's first holds the word STOP, the fourth's is lost."""
    root = tmp_path / "LibriSpeech" / "dev-clean"
    for speaker in range(1, 21):
        chapter = root / str(speaker) / "7"
        text = "THEY WOULD STOP HERE" if speaker == 3 else "A NONSTOP JOURNEY"
        for index, duration_s in enumerate((4.9, 1.0)):
            write_tone(chapter / f"{speaker}-7-000{index}.flac", duration_s=duration_s)
        (chapter / f"{speaker}-7.trans.txt").write_text(f"{speaker}-7-0000 {text}\n{speaker}-7-0001 HE SAID\n")
    (root / "4" / "7" / "4-7-0000.flac").unlink()
    return root


def test_running_speech_in_windows_without_the_words(librispeech, tmp_path, load):
    made = prepare_running_speech(librispeech, tmp_path / "out", without=["stop"], progress=False)
    cuts = {part: load(path) for part, path in made.manifests.items()}
    assert made.counts == {part: len(found) for part, found in cuts.items()}
    assert [(fault.kind, fault.path.name) for fault in made.skipped] == [("transcript without audio", "4-7.trans.txt")]
    assert made.skipped[0].reason.startswith("4-7-0000 has no audio")
    speakers = {part: {cut.supervisions[0].speaker for cut in found} for part, found in cuts.items()}
    assert speakers["train"].isdisjoint(speakers["test"])
    assert len(speakers["train"]) + len(speakers["test"]) == 20
    windows = {cut.id: cut for found in cuts.values() for cut in found}
    assert {cut.supervisions[0].text for cut in windows.values()} == {"unknown"}
    assert [id for id in windows if id.startswith("3-")] == ["3-7-0001@0"]  # STOP is a word of its own there
    assert [id for id in windows if id.startswith("4-")] == ["4-7-0001@0"]
    # 4.9 s are two windows of 2 s: a third would be less than half as long. 1 s is one.
    spans = {id: (cut.start, cut.duration, cut.load_audio().shape) for id, cut in windows.items() if id[:2] == "5-"}
    assert spans == {
        "5-7-0000@0": (0.0, 2.0, (1, 32000)),
        "5-7-0000@1": (2.0, 2.0, (1, 32000)),
        "5-7-0001@0": (0.0, 1.0, (1, 16000)),
    }
    assert all(cut.custom["active_level_db"] == pytest.approx(-23, abs=0.5) for cut in windows.values())


def test_running_speech_that_is_none(librispeech, tmp_path):
    with pytest.raises(ValueError, match="window_s 0 must be positive"):
        prepare_running_speech(librispeech, tmp_path / "out", window_s=0, progress=False)
    with pytest.raises(ValueError, match="every utterance holds one of the words"):
        prepare_running_speech(librispeech, tmp_path / "out", without=["a", "here", "said"], progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match=r"no SPEAKER/CHAPTER/\*\.trans\.txt files"):
        prepare_running_speech(tmp_path / "empty", tmp_path / "out2", progress=False)
