"""What was said in sounds, to be compared with what was heard."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from drsn_audio.errors import InputError
from drsn_audio.transcribing.inputs import Input

LISTS = ".trans.txt"  # a line for each utterance: its id, its text


class References:
    """Texts by the id of an utterance, by the path of a text without its ending, below its folder and in full, and by
    the file that cuts are of. `files` are those that the texts stand in.
    """

    def __init__(self) -> None:
        self.files: set[Path] = set()
        self.only: str | None = None  # of the one sound
        self._by_id: dict[str, str] = {}
        self._by_place: dict[str, str] = {}
        self._parts: dict[str, list[tuple[float, str]]] = {}  # of a file: start and text of each cut of it

    def add(self, id: str, text: str, place: str) -> None:
        """Raises InputError where another text has this id."""
        if self._by_id.setdefault(id, text) != text:
            raise InputError(f"{place}: the id {id!r} has two texts: name the folder, or the manifest, of one of them")

    def add_place(self, path: Path, folder: Path, text: str) -> None:
        for place in (path.relative_to(folder), path.resolve()):
            self._by_place[place.with_suffix("").as_posix()] = text

    def add_part(self, path: str, start_s: float, text: str) -> None:
        self._parts.setdefault(os.path.realpath(path), []).append((start_s, text))

    def of(self, given: Input) -> str | None:
        """The text of a sound; None: there is none."""
        if self.only is not None:
            return self.only
        if given.cut:
            return self._by_id.get(given.id)
        for place in (given.path.resolve(), given.relative):
            if (text := self._by_place.get(place.with_suffix("").as_posix())) is not None:
                return text
        parts = self._parts.get(os.path.realpath(given.path))
        return " ".join(text for _, text in sorted(parts)) if parts else self._by_id.get(given.path.stem)


def read_references(place: str, sounds: Sequence[str]) -> References:
    """A manifest (.jsonl, .jsonl.gz); a folder, searched in depth for .trans.txt and for a .txt named as each sound; a
    .trans.txt; or the text of the one file that `sounds`, the places to be transcribed, are.

    Raises:
        InputError: nothing there, or no text in it; a file that is not UTF-8; one text for several sounds.
    """
    found = References()
    if place.endswith((".jsonl", ".jsonl.gz")):
        _read_manifest(place, found)
    elif os.path.isdir(place):
        for path in _texts(Path(place)):
            _read_file(path, Path(place), found)
        if not found.files:
            raise InputError(f"{place}: holds no .trans.txt and no .txt: name the folder of the texts")
    elif place.endswith(LISTS):
        _read_file(Path(place), Path(place).parent, found)
    else:
        from drsn_audio.audio import is_one_file

        if len(sounds) > 1 or not is_one_file(sounds[0]):
            raise InputError(f"{place}: one text of several sounds: name a folder of texts, or a manifest")
        found.only = _read(Path(place))
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
        yield from (Path(parent, name) for name in sorted(names) if name.endswith(".txt"))


def _read_file(path: Path, folder: Path, found: References) -> None:
    found.files.add(path.resolve())
    text = _read(path)
    if not path.name.endswith(LISTS):
        found.add_place(path, folder, text)
        return
    for line in text.splitlines():
        id, _, said = line.partition(" ")
        if id:
            found.add(id, said.strip(), str(path))


def _read(path: Path) -> str:
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait for its writer
        raise InputError(f"{path}: is a pipe or a device: write the text to a file first")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text: convert it, e.g. iconv -f latin1 -t utf-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): check the path and its permissions") from None


class Score:
    """References and what was heard, gathered, and their error rates.

    `as_written` gives a reference as the model can write it at best.
    """

    def __init__(self, references: References, as_written: Callable[[str], str]):
        import jiwer  # noqa: F401  # lacking, it is told before all is heard

        self._references, self._as_written = references, as_written
        self._said: list[str] = []
        self._heard: list[str] = []
        self.without = 0  # sounds of which no text is known

    def add(self, given: Input, heard: str) -> bool:
        """Whether there is a text of this sound."""
        said = self._references.of(given)
        if said is None:
            self.without += 1
            return False
        self._said.append(self._as_written(said))
        self._heard.append(heard)
        return True

    def figures(self) -> dict[str, Any]:
        """For JSON. Raises InputError where no sound has a text."""
        from drsn_audio.metrics.wer import character_errors, word_errors

        if not self._said:
            raise InputError(f"the reference has no text of any of {self.without} sounds: is it that of others?")
        figures: dict[str, Any] = {"files": len(self._said), "without_reference": self.without}
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
