"""What was said in sounds, to be compared with what was heard."""

from __future__ import annotations

import csv
import io
import math
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from drsn_audio.audio import is_audio_name, is_manifest
from drsn_audio.decoding.subtitles import parse_cues
from drsn_audio.errors import InputError
from drsn_audio.text import Transcribed, count_outside, parse_transcripts, read_text
from drsn_audio.transcribing.inputs import Input

LISTS = (".trans.txt", ".csv", ".tsv")  # a line for each utterance: its id, its text
ID_COLUMNS = ("id", "utterance", "path", "file", "filename", "wav_filename", "audio")
TEXT_COLUMNS = ("text", "transcript", "transcription", "sentence", "words")


class References:
    """Texts by the id of an utterance, by the path of a text without its ending, below its folder and in full, and by
    the file that cuts are of. `files` are those that the texts stand in.
    """

    def __init__(self) -> None:
        self.files: set[Path] = set()
        self.only: str | None = None  # of the one sound
        self._by_id: dict[str, str] = {}
        self._by_place: dict[str, str] = {}
        self._by_stem: dict[str, str | None] = {}  # None: of several files
        self._parts: dict[str, list[tuple[float, str]]] = {}  # of a file: start and text of each cut of it

    def add(self, id: str, text: str, place: str) -> None:
        """Raises InputError where another text has this id."""
        if self._by_id.setdefault(_key(id), text) != text:
            raise InputError(f"{place}: the id {id!r} has another text, too: keep one, or name the folder of one")

    def add_file(self, name: str, folder: Path, text: str) -> None:
        """Add the text of a file in this folder: by its path, and by its name if no other file has the same."""
        self.add_place(folder / name, folder, text)
        stem = _key(Path(name).stem)
        if self._by_stem.setdefault(stem, text) != text:
            self._by_stem[stem] = None

    def add_place(self, path: Path, folder: Path, text: str) -> None:
        self._by_place[_key(path.resolve().with_suffix(""))] = text
        if path.is_relative_to(folder):
            self._by_place[_key(path.relative_to(folder).with_suffix(""))] = text

    def add_part(self, path: str, start_s: float, text: str) -> None:
        self._parts.setdefault(os.path.realpath(path), []).append((start_s, text))

    def of(self, given: Input) -> str | None:
        """The text of a sound; None: there is none."""
        if self.only is not None:
            return self.only
        if given.cut:
            return self._by_id.get(_key(given.id))
        for place in (given.path.resolve(), given.relative):
            if (text := self._by_place.get(_key(place.with_suffix("")))) is not None:
                return text
        if parts := self._parts.get(os.path.realpath(given.path)):
            return " ".join(text for _, text in sorted(parts))
        stem = _key(given.path.stem)
        return self._by_id.get(stem, self._by_stem.get(stem))


def _key(name: str | Path) -> str:
    """Return the key of an id or a path, in NFC: some file systems store accents decomposed."""
    return unicodedata.normalize("NFC", name.as_posix() if isinstance(name, Path) else name)


def read_references(place: str, sounds: Sequence[str]) -> References:
    """A manifest (.jsonl, .jsonl.gz); a folder, searched in depth for .trans.txt and for a .txt named as each sound; a
    list of ids and texts, see `is_list`; or the text or subtitles (.srt, .vtt) of the one file that `sounds`, the
    places to be transcribed, are.

    Raises:
        InputError: nothing there, or no text in it; a file that is not UTF-8; one text for several sounds.
    """
    found = References()
    if is_manifest(place):
        _read_manifest(place, found)
    elif os.path.isdir(place):
        for path in _texts(Path(place)):
            _read_file(path, Path(place), found)
        if not found.files:
            raise InputError(f"{place}: holds no .trans.txt and no .txt: name the folder of the texts")
    elif is_list(place):
        _read_file(Path(place), Path(place).parent, found)
    else:
        from drsn_audio.audio import is_one_file

        if len(sounds) > 1 or not is_one_file(sounds[0]):
            raise InputError(f"{place}: one text of several sounds: name a folder of texts, or a manifest")
        found.only = _text(Path(place))
        found.files.add(Path(place).resolve())
    return found


def _read_manifest(place: str, found: References) -> None:
    from drsn_audio.datasets.manifests import scan_cuts

    for cut in scan_cuts(place):
        said = sorted(cut.get("supervisions") or [], key=lambda part: part["start"])
        text = " ".join(part["text"] for part in said if part.get("text"))
        found.add(str(cut["id"]), text, place)
        for source in cut.get("recording", {}).get("sources", []):
            found.add_part(str(source["source"]), cut["start"], text)


def _texts(folder: Path) -> Iterator[Path]:
    def closed(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be searched ({error.strerror}): check the permissions") from None

    for parent, folders, names in os.walk(folder, onerror=closed):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names) if name.lower().endswith(".txt"))


def _read_file(path: Path, folder: Path, found: References) -> None:
    found.files.add(path.resolve())
    if is_list(path):
        for number, id, text in _lines(path):
            if not id:
                raise InputError(f"{path}, line {number}: has no id: name the utterance, or remove the line")
            found.add(id, text, f"{path}, line {number}")
            if is_audio_name(id):
                found.add_file(id, folder, text)
    else:
        found.add_place(path, folder, _text(path))


def is_list(path: str | Path) -> bool:
    """Whether a file is a list of ids and texts: .trans.txt, .csv, .tsv, or Kaldi's, which is called "text"."""
    return Path(path).name == "text" or str(path).lower().endswith(LISTS)


def _lines(path: Path) -> Iterator[Transcribed]:
    """Yield the lines of a list. Raises InputError for a .csv without columns of both, or with quotes left open."""
    text, ending = read_text(path), path.suffix.lower()
    if ending in (".csv", ".tsv"):
        lines = io.StringIO(text)
        if ending == ".csv":
            table = csv.DictReader(lines, strict=True)
        else:
            table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        names = {(name or "").strip().lower(): name for name in table.fieldnames or ()}
        id, said = (next((names[one] for one in of if one in names), None) for of in (ID_COLUMNS, TEXT_COLUMNS))
        if id is not None and said is not None:
            try:
                yield from (Transcribed(table.line_num, (row[id] or "").strip(), row[said] or "") for row in table)
            except csv.Error as error:
                raise InputError(f"{path}, line {table.line_num}: {error}: check its quotation marks") from None
            return
        if ending == ".csv":
            wanted = f"{' | '.join(ID_COLUMNS)} and {' | '.join(TEXT_COLUMNS)}"
            raise InputError(f"{path}: no columns of ids and of texts: name them in its first line ({wanted})")
    yield from parse_transcripts(text)


def _text(path: Path) -> str:
    """Return the text of one sound, of subtitles without their times."""
    text = read_text(path)
    return " ".join(cue.text for cue in parse_cues(text)) if path.suffix.lower() in (".srt", ".vtt") else text


class Score:
    """References and what was heard, gathered, and their error rates.

    `as_written` gives a reference as the model can output it at best, `outside` its words that the model cannot.
    """

    def __init__(
        self,
        references: References,
        as_written: Callable[[str], str],
        outside: Callable[[str], list[str]] = lambda text: [],
    ):
        import jiwer  # noqa: F401  # lacking, it is told before all is heard

        self._references, self._as_written, self._count = references, as_written, outside
        self._said: list[str] = []
        self._heard: list[str] = []
        self._outside: list[list[str]] = []
        self.without = 0  # sounds of which no text is known

    def add(self, given: Input, heard: str) -> bool:
        """Whether there is a text of this sound."""
        said = self._references.of(given)
        if said is None:
            self.without += 1
            return False
        self._said.append(self._as_written(said))
        self._outside.append(self._count(said))
        self._heard.append(heard)
        return True

    def figures(self) -> dict[str, Any]:
        """For JSON. Raises InputError where no sound has a text."""
        from drsn_audio.metrics.wer import character_errors, word_errors

        if not self._said:
            raise InputError(f"the reference has no text of any of {self.without} sounds: is it that of others?")
        figures: dict[str, Any] = {"files": len(self._said), "without_reference": self.without}
        figures["outside_vocabulary"] = count_outside(self._outside)
        for kind, counts in (
            ("words", word_errors(self._said, self._heard)),
            ("characters", character_errors(self._said, self._heard)),
        ):
            figures[kind] = {
                "error_rate": round(counts.rate, 6) if math.isfinite(counts.rate) else None,
                "count": counts.length,
                "insertions": counts.insertions,
                "deletions": counts.deletions,
                "substitutions": counts.substitutions,
            }
        return figures


def score_lines(figures: dict[str, Any]) -> list[str]:
    """Figures of `Score`, to be read."""
    lines = []
    for name, kind in (("WER", "words"), ("CER", "characters")):
        counts = figures[kind]
        rate = "none" if counts["error_rate"] is None else f"{100 * counts['error_rate']:.2f} %"
        edits = ", ".join(f"{counts[edit]} {edit}" for edit in ("insertions", "deletions", "substitutions"))
        lines.append(f"{name}\t{rate}: {edits} in {counts['count']} {kind}")
    return lines
