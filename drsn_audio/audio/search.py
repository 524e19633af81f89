"""Finding audio files: one that is named, those of a folder, those of a glob pattern."""

from __future__ import annotations

import glob
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from drsn_audio.audio.error import AudioError
from drsn_audio.audio.ffmpeg import HOW, find_ffmpeg
from drsn_audio.audio.names import EXTENSIONS, FOREIGN

log = logging.getLogger("drsn_audio")

STEMS = (".clean", ".noise")  # in the names of the parts of a mix, before their endings
_reported: set[str] = set()  # folders and patterns whose files were reported as passed over


def is_manifest(place: str | Path) -> bool:
    """Whether a place is, by its name, a manifest of cuts."""
    return str(place).lower().endswith((".jsonl", ".jsonl.gz"))


def is_pattern(place: str | Path) -> bool:
    """Whether a place is a glob pattern: what is there under that very name is none."""
    return glob.has_magic(str(place)) and not os.path.exists(place)


def is_one_file(place: str | Path) -> bool:
    """Whether a place is one sound, named outright, be it there or not."""
    return not (is_manifest(place) or os.path.isdir(place) or is_pattern(place))


def search_root(place: str | Path) -> Path:
    """Where a search starts: a folder itself, the parent of a file, a pattern up to its first wildcard."""
    if os.path.isdir(place):
        return Path(place)
    return next(parent for parent in Path(place).parents if not is_pattern(parent))


def find_audio(place: str | Path) -> Iterator[Path]:
    """A file, a folder (searched in depth, sorted) or a glob pattern -> audio files, one by one.

    Of a folder, no more names are held than those beside the file, and beside the folders above it. Its audio is what
    `EXTENSIONS` name, and, where there is an ffmpeg, what it decodes; else such files are counted and reported. The
    stems of a mix, NAME.clean.wav and NAME.noise.wav beside NAME.flac, are left out.

    A file named outright is passed on whatever its ending, and so is what a pattern matches.

    Raises:
        AudioError: nothing there, a folder without audio, or, once all else was found, a folder that may not be read.
    """
    place = Path(place)
    if os.path.isdir(place):  # Path.is_dir and Path.exists raise where a name is too long
        closed: list[OSError] = []
        choice = AudioChoice(place)
        nothing = True
        for path in _walk(place, closed, choice):
            nothing = False
            yield path
        choice.report()
        if nothing and not closed:
            raise AudioError(f"{place}: a folder without audio files ({', '.join(EXTENSIONS)}): check the path")
        if closed:
            more = f" and {len(closed) - 1} other folders" if len(closed) > 1 else ""
            reason = closed[0].strerror
            raise AudioError(f"{closed[0].filename}{more}: cannot be searched ({reason}): check the permissions")
    elif not is_pattern(place):
        yield place
    else:
        root = search_root(place)  # its own name may have brackets
        matches = sorted(glob.glob(str(place.relative_to(root)), root_dir=root, recursive=True))
        if not matches:
            raise AudioError(f"{place}: no file matches this pattern: check it, and quote it for the shell")
        yield from (root / match for match in matches)


class AudioChoice:
    """Which files of a folder are taken, and how many could be if there were an ffmpeg."""

    def __init__(self, place: str | Path):
        self._place = str(place)
        self._decodes = find_ffmpeg() is not None
        self._passed_over: Counter[str] = Counter()

    def takes(self, name: str) -> bool:
        """Whether a file of this name is audio that can be read; others are counted."""
        ending = Path(name).suffix.lower()
        if name.startswith("."):
            return False
        if ending in FOREIGN and not self._decodes:
            self._passed_over[ending] += 1
        return ending in EXTENSIONS or (ending in FOREIGN and self._decodes)

    def report(self) -> None:
        """A warning, once for each place, of what was passed over."""
        if self._passed_over and self._place not in _reported:
            _reported.add(self._place)
            kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(self._passed_over.items()))
            count = self._passed_over.total()
            files = "1 file is" if count == 1 else f"{count} files are"
            log.warning("%s: %s passed over (%s): %s", self._place, files, kinds, HOW.format("FILE"))


def without_stems(names: Iterable[str]) -> list[str]:
    """Names of audio files of one folder, but for NAME.clean.EXT and NAME.noise.EXT where NAME.EXT is among them."""
    names = list(names)
    mixes = {Path(name).stem for name in names}
    return [name for name in names if not _is_stem(Path(name).stem, mixes)]


def _is_stem(stem: str, mixes: set[str]) -> bool:
    return any(stem.endswith(part) and stem.removesuffix(part) in mixes for part in STEMS)


def _walk(folder: Path, closed: list[OSError], choice: AudioChoice, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """Audio files in depth, in the order of their paths; folders that may not be read are added to `closed`.

    Links are followed, but for one that leads back to a folder that it lies in, which are `above`.
    """
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: os.path.isdir(entry) for entry in entries}
    except OSError as error:
        closed.append(error)
        return
    folders = [name for name, is_folder in found.items() if is_folder]
    files = without_stems(name for name, is_folder in found.items() if not is_folder and choice.takes(name))
    for name in sorted([*folders, *files]):
        if found[name]:
            yield from _walk(folder / name, closed, choice, (*above, here))
        else:
            yield folder / name
