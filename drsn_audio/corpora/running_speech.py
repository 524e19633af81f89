"""Running speech in which none of the keywords is said: what a keyword model must not answer.

Read from LibriSpeech's layout, as `librispeech_layout` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drsn_audio.corpora.cuts import SpeechFile, write_cuts
from drsn_audio.corpora.librispeech_layout import read_layout
from drsn_audio.corpora.prepare import Prepared, part_by_hash, prepare
from drsn_audio.corpora.speech_commands import COMMANDS
from drsn_audio.errors import InputError
from drsn_audio.labels import UNKNOWN
from drsn_audio.text import Vocabulary


def prepare_running_speech(
    source: str | Path,
    out: str | Path,
    *,
    without: Sequence[str] = COMMANDS,
    window_s: float = 2.0,
    dev_share: float = 0.0,
    test_share: float = 0.3,
    progress: bool = True,
) -> Prepared:
    """LibriSpeech -> train, dev and test of windows of its utterances, all of the word "unknown".

    Windows follow each other; what is left at an utterance's end, if shorter than half of one, is left out. Each
    carries the level of its whole utterance.

    Args:
        source: a part of the corpus, e.g. LibriSpeech/dev-clean.
        out: folder of the manifests.
        without: utterances that hold one of these words are left out.
        window_s: of each cut; a clip model draws its clip from it anew each epoch.
        dev_share: of the speakers, roughly; a speaker's part is the same whoever else there is.
        test_share: the same.
        progress: show a bar on stderr.

    Raises:
        AudioError: not this corpus' layout.
        InputError: a window or a share that is none, or no utterance without the words.
    """
    if not window_s > 0:
        raise InputError(f"window_s {window_s} must be positive")
    if min(dev_share, test_share) < 0 or dev_share + test_share > 1:
        raise InputError(f"dev_share {dev_share} and test_share {test_share} must be shares, together 1 at most")
    screened, speech = Vocabulary(without), []
    utterances, faults, _ = read_layout(source)
    for id, speaker, _, text, path in utterances:
        if all(word is None for _, word in screened.split(text)):
            part = part_by_hash(speaker, dev_share, test_share)
            speech.append(SpeechFile(id, path, part, text=UNKNOWN, speaker=speaker))
    if not speech:
        raise InputError(f"{source}: every utterance holds one of the words, or none has its audio: check `without`")
    made = prepare("running-speech", out, speech, skipped=faults, progress=progress)
    for part, manifest in made.manifests.items():
        made.counts[part] = _window(manifest, window_s)
    return made


def _window(manifest: Path, window_s: float) -> int:
    """Replace a manifest's cuts by their windows; returns how many."""
    from lhotse import CutSet

    windows = []
    for cut in CutSet.from_file(manifest):
        for index in range(max(1, int(cut.duration / window_s + 0.5))):
            start_s = index * window_s
            piece = cut.truncate(offset=start_s, duration=min(window_s, cut.duration - start_s))
            piece.supervisions = [cut.supervisions[0].trim(piece.duration)]
            windows.append(piece.with_id(f"{cut.id}@{index}"))
    write_cuts(windows, manifest)
    return len(windows)
