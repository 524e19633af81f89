"""Free Spoken Digit Dataset (Jackson et al.): recordings/DIGIT_SPEAKER_N.wav, 8 kHz."""

from __future__ import annotations

import re
from pathlib import Path

from drsn_audio.audio import AudioError
from drsn_audio.corpora.cuts import Skipped, SpeechFile
from drsn_audio.corpora.prepare import Prepared, audio_files, prepare
from drsn_audio.errors import InputError

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LAYOUT = "recordings/DIGIT_SPEAKER_N.wav files (Free Spoken Digit Dataset)"
PUBLISHED_TEST_REPETITIONS = 5

_NAME = re.compile(r"(\d)_(.+)_(\d+)")


def prepare_free_spoken_digits(
    source: str | Path, out: str | Path, *, split: str = "speaker", progress: bool = True
) -> Prepared:
    """Free Spoken Digits -> train, dev, test; the text is the word, "zero" to "nine".

    Args:
        source: the corpus' folder, which holds recordings.
        out: folder of the manifests.
        split: "speaker" sorts the speakers by name and takes the last third to test, the one before them to
            dev (of the six: theo and yweweler, and nicolas). "published" takes repetitions 0 to 4 of every
            speaker to test and has no dev: its test speakers are known from training.
        progress: show a bar on stderr.

    Raises:
        AudioError: not this corpus' layout.
        InputError: unknown split, or too few speakers to split by.
    """
    if split not in ("speaker", "published"):
        raise InputError(f"split {split!r} is unknown: use speaker or published")
    named = [(path, _NAME.fullmatch(path.stem)) for path in audio_files(source, "recordings/*", LAYOUT)]
    found = [(path, match.groups()) for path, match in named if match]
    if not found:
        raise AudioError(f"{source}: no {LAYOUT} in it: check the path")
    parts = _parts_by_speaker(sorted({speaker for _, (_, speaker, _) in found})) if split == "speaker" else {}
    speech = []
    for path, (digit, speaker, repetition) in found:
        published = "test" if int(repetition) < PUBLISHED_TEST_REPETITIONS else "train"
        part = parts.get(speaker, published)
        speech.append(SpeechFile(path.stem, path, part, text=DIGITS[int(digit)], speaker=speaker))
    faults = [Skipped(path, "is not DIGIT_SPEAKER_N", "misplaced audio") for path, match in named if not match]
    return prepare("free-spoken-digits", out, speech, skipped=faults, progress=progress)


def _parts_by_speaker(speakers: list[str]) -> dict[str, str]:
    if len(speakers) < 3:
        raise InputError(f"only {len(speakers)} speakers ({', '.join(speakers)}): use split=published")
    num_test = len(speakers) // 3
    num_train = len(speakers) - num_test - 1
    parts = ["train"] * num_train + ["dev"] + ["test"] * num_test
    return dict(zip(speakers, parts, strict=True))
