"""LibriSpeech (Panayotov et al. 2015) and mini-LibriSpeech, as published or as `drsn-audio mix` wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from drsn_audio.corpora.cuts import Skipped, SpeechFile
from drsn_audio.corpora.librispeech_layout import Utterance, read_layout
from drsn_audio.corpora.lists import MALFORMED, lost, unlisted
from drsn_audio.corpora.prepare import PARTS, Prepared, empty_parts, part_by_hash, prepare
from drsn_audio.errors import InputError
from drsn_audio.text import to_letters

SPEAKERS = "SPEAKERS.TXT"
OFFICIAL_PARTS = (
    *("dev-clean", "dev-other", "test-clean", "test-other"),
    *("train-clean-100", "train-clean-360", "train-other-500"),
    *("dev-clean-2", "train-clean-5"),  # mini-LibriSpeech
)


def prepare_librispeech(
    source: str | Path,
    out: str | Path,
    *,
    parts: Sequence[str] | None = None,
    split: str = "official",
    dev_share: float = 0.1,
    test_share: float = 0.2,
    seed: int = 0,
    progress: bool = True,
) -> Prepared:
    """LibriSpeech -> one manifest a part, named after it; the text is the corpus', and other folders' as it would be
    there (see `drsn_audio.text`).

    Audio may be in any format. An id is prepared once: that of two files, or of two parts, the first of which is
    kept as `prepare` says; so mini-LibriSpeech, whose parts are taken from the large ones, is prepared by itself
    (`parts`). The gender of the speakers is F or M where SPEAKERS.TXT is there, in SOURCE or above it.

    Args:
        source: the corpus' folder, or any in its layout: a part, or one of those that `drsn-audio mix` wrote.
        out: folder of the manifests.
        parts: names of those to prepare, e.g. [dev-clean, test-clean]; by default all that are there.
        split: "official" keeps the parts. "speaker" spreads the speakers of all parts over train, dev and test.
        dev_share: of the speakers, roughly, for split "speaker".
        test_share: of the speakers, roughly, for split "speaker".
        seed: of that split, in which a speaker's part depends on its number alone.
        progress: show a bar on stderr.

    Raises:
        AudioError: not this corpus' layout, or no file of it can be used.
        InputError: unknown split or part, or shares that leave nothing to train on.
    """
    if split not in ("official", "speaker"):
        raise InputError(f"split {split!r} is unknown: use official or speaker")
    if min(dev_share, test_share) < 0 or dev_share + test_share >= 1:
        raise InputError(f"dev_share {dev_share} and test_share {test_share} must not be negative, nor sum to 1")
    utterances, faults, folders = read_layout(source, parts)
    genders: dict[str, str] = {}
    table = _speaker_table(source)
    if table is not None:
        genders, found = _read_speakers(table, utterances, {folder.name for folder in folders})
        faults += found
    speech = []
    for id, speaker, part, text, path in utterances:
        words = to_letters(text)
        if not words:
            faults.append(Skipped(path, f"its transcript {text[:40]!r} holds no words", "empty transcript"))
            continue
        part = part_by_hash(speaker, dev_share, test_share, seed) if split == "speaker" else part
        speech.append(SpeechFile(id, path, part, words, speaker, gender=genders.get(speaker)))
    notes = empty_parts(speech, dev_share, test_share) if split == "speaker" else []
    names = sorted({*PARTS, *OFFICIAL_PARTS, *(file.part for file in speech)})
    return prepare("librispeech", out, speech, notes=notes, skipped=faults, parts=names, progress=progress)


def _speaker_table(source: str | Path) -> Path | None:
    folder = Path(source).absolute()
    places = (place / SPEAKERS for place in (folder, *folder.parents[:3]))  # a chapter lies three below the corpus
    return next((place for place in places if place.is_file()), None)


def _read_speakers(
    table: Path, utterances: Iterable[Utterance], parts: set[str]
) -> tuple[dict[str, str], list[Skipped]]:
    """Speaker -> F or M, and where the table and the folders of `parts` disagree.

    Lines are "84 | F | dev-clean | 8.02 | Name"; comments begin with a semicolon.
    """
    heard = {utterance.speaker: utterance.path.parent.parent for utterance in utterances}
    genders: dict[str, str] = {}
    faults = []
    for number, line in enumerate(table.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith(";"):
            continue
        speaker, gender, part = [*(field.strip() for field in line.split("|")), "", ""][:3]
        if not speaker.isdecimal() or gender not in ("F", "M") or not part:
            faults.append(Skipped(table, f"line {number} is not SPEAKER | SEX | PART | ...: {line[:60]!r}", MALFORMED))
            continue
        genders[speaker] = gender
        if part in parts and speaker not in heard:
            faults.append(lost(table, f"speaker {speaker} of {part}"))
    faults += [unlisted(folder, SPEAKERS) for speaker, folder in heard.items() if speaker not in genders]
    return genders, faults
