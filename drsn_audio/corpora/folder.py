"""Recordings of your own: LABEL/*.wav as speech, any tree of audio as noise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from drsn_audio.audio import find_audio
from drsn_audio.corpora.cuts import NoiseFile, Skipped, SpeechFile
from drsn_audio.corpora.prepare import Prepared, audio_files, empty_parts, part_by_hash, prepare
from drsn_audio.errors import InputError

LAYOUT = "LABEL/*.wav files, one folder a word"


def prepare_folder(
    source: str | Path,
    out: str | Path,
    *,
    speaker_pattern: str | None = None,
    dev_share: float = 0.1,
    test_share: float = 0.2,
    language: str = "en",
    seed: int = 0,
    progress: bool = True,
) -> Prepared:
    """Folders LABEL/*.wav -> train, dev, test; the text is the folder's name, _folders are left out.

    The part follows from a hash of the speaker, so more recordings never move one from training to test.
    With few speakers a part may stay empty, which is noted: then choose another seed.

    Args:
        source: folder that holds the LABEL folders.
        out: folder of the manifests.
        speaker_pattern: regular expression with one group, the speaker, searched in the file's name: e.g.
            "^([a-z]+)_" for anna_01.wav. A file in which it finds nothing is skipped and reported. Without a
            pattern every file is a speaker of its own, and the same voice may stand in training and in test.
        dev_share: of the speakers, roughly.
        test_share: of the speakers, roughly.
        language: of all utterances.
        seed: of the hash.
        progress: show a bar on stderr.

    Raises:
        AudioError: no such layout, or no file of it can be used.
        InputError: shares that leave nothing to train on, a pattern that is not a regular expression with one
            group, or two files of one name.
    """
    if min(dev_share, test_share) < 0 or dev_share + test_share >= 1:
        raise InputError(f"dev_share {dev_share} and test_share {test_share} must not be negative, nor sum to 1")
    speech: list[SpeechFile] = []
    skipped: list[Skipped] = []
    for path in audio_files(source, "[!_.]*/*", LAYOUT):
        label = path.parent.name
        id = f"{Path(source).absolute().name}/{label}/{path.stem}"
        speaker = id if speaker_pattern is None else _speaker(path.stem, speaker_pattern)
        if speaker is None:
            reason = f"speaker_pattern {speaker_pattern!r} finds no speaker in its name"
            skipped.append(Skipped(path, reason, "audio without speaker"))
            continue
        part = part_by_hash(speaker, dev_share, test_share, seed)
        speech.append(SpeechFile(id, path, part, text=label, speaker=speaker, language=language))

    notes = empty_parts(speech, dev_share, test_share)
    if speaker_pattern is None:
        notes.append("split by file, not by speaker: the same voice may stand in training and in test")
    _check_ids(speech)
    return prepare("folder", out, speech, notes=notes, skipped=skipped, progress=progress)


def prepare_noise_folder(
    source: str | Path, out: str | Path, *, kind: str | None = None, fold: int = 0, progress: bool = True
) -> Prepared:
    """Any tree of audio files -> noise. The class is the file's folder; each file is a recording of its own.

    Args:
        source: folder, searched in depth, or a single file.
        out: folder of the manifest.
        kind: noise_kind of all files, e.g. "street"; by default the name of the first folder below SOURCE, or
            that of SOURCE for files directly in it.
        fold: of all files.
        progress: show a bar on stderr.

    Raises:
        AudioError: no audio in SOURCE.
        InputError: two files of one name.
    """
    root = Path(source).absolute()
    noise = []
    for path in find_audio(root):
        relative = path.relative_to(root if root.is_dir() else root.parent)
        id = f"{root.name}/{relative.with_suffix('').as_posix()}" if root.is_dir() else path.stem
        top = relative.parts[0] if len(relative.parts) > 1 else path.parent.name
        noise.append(NoiseFile(id, path, kind or top, noise_class=path.parent.name, source=id, fold=fold))
    _check_ids(noise)
    return prepare("noise-folder", out, noise=noise, progress=progress)


def _check_ids(files: Sequence[SpeechFile | NoiseFile]) -> None:
    """In a folder of one's own two files of one name may be two recordings: which to keep is for its owner to say."""
    double = [id for id, count in Counter(file.id for file in files).items() if count > 1]
    if double:
        both = " and ".join(str(file.path) for file in files if file.id == double[0])
        raise InputError(f"{len(double)} ids are not unique, first {double[0]!r} ({both}): keep one file of each")


def _speaker(name: str, pattern: str) -> str | None:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"speaker_pattern {pattern!r} is not a regular expression ({error}): correct it") from None
    if compiled.groups != 1:
        raise InputError(f"speaker_pattern {pattern!r} has {compiled.groups} groups: put ( ) around the speaker")
    match = compiled.search(name)
    return match[1] if match else None
