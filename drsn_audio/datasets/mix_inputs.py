"""What is mixed: utterances and noises of a file, a folder, a glob pattern or a manifest of cuts.

Speech is never held as a whole: it is surveyed once, then found again one by one, in an order of its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from drsn_audio.audio import AudioError, find_audio, is_manifest, is_one_file, search_root
from drsn_audio.datasets.cut_parts import sound_key
from drsn_audio.datasets.manifests import ManifestError, scan_cuts
from drsn_audio.datasets.seen import Seen
from drsn_audio.noise.synth import SYNTHETIC_NOISES


class AudioRef(NamedTuple):
    """An input as a manifest of mixes names it: below a root that may lie elsewhere on another machine.

    root: speech | noise | background | rooms; cut: the Lhotse cut, as a dict, where it came from a manifest; its
    recording's source is then `file`, too.
    """

    root: str
    file: str
    cut: dict[str, Any] | None = None


class Utterance(NamedTuple):
    """id: the cut's, or the path below the folder; relative: where the mix goes; cut: as found, if of a manifest."""

    id: str
    path: Path
    relative: Path
    cut: dict[str, Any] | None


class NoiseItem(NamedTuple):
    """A noise recording; source and noise_class are its own names where it is of no manifest."""

    id: str
    path: Path
    noise_class: str
    source: str
    cut: dict[str, Any] | None


def name_of(item: Utterance | NoiseItem) -> str:
    """Return what a set of mixes goes by, wherever its inputs lie: the id, and of a cut the identity of its sound."""
    return item.id if item.cut is None else f"{item.id} {sound_key(item.cut, places=False)}"


@dataclass(frozen=True)
class Survey:
    """All that is known of the speech before it is read. names: sha256 of what `name_of` gives, in order."""

    place: str | Path
    root: Path
    count: int
    names: str

    def __iter__(self) -> Iterator[Utterance]:
        return find_speech(self.place)


def survey(place: str | Path) -> Survey:
    """Count the speech, and see whether all of a manifest can be read; opens no audio.

    Raises:
        AudioError: nothing there.
        ManifestError: a manifest that cannot be used, or that names an utterance twice.
    """
    names, count, folders, seen = hashlib.sha256(), 0, _CommonFolder(), Seen()
    try:
        for utterance in find_speech(place):
            if utterance.cut is not None and not seen.add(utterance.id):
                raise ManifestError(f"two utterances have the id {utterance.id!r}: give each corpus its manifest once")
            names.update(f"{name_of(utterance)}\n".encode("utf-8", "surrogateescape"))
            folders.add(utterance.path.parent)
            count += 1
    except AudioError:
        if not count:
            raise  # else a folder within that may not be read; it is told when the others have been mixed
    root = folders.path if is_manifest(place) else search_root(place).absolute()
    return Survey(place, root, count, names.hexdigest())


def find_speech(place: str | Path) -> Iterator[Utterance]:
    """Utterances, one by one, in the order of the manifest or of the paths.

    Raises:
        AudioError: nothing there.
        ManifestError: a manifest that cannot be used.
    """
    if is_manifest(place):
        for cut in scan_cuts(place):
            path = _cut_path(cut, place)
            parts = [part for part in PurePosixPath(cut["id"]).parts if part not in ("/", "..")]
            name = Path(*parts)
            yield Utterance(cut["id"], path, name if name.suffix == path.suffix else Path(f"{name}{path.suffix}"), cut)
        return
    root = search_root(place)
    for path in find_audio(place):
        relative = path.relative_to(root)
        yield Utterance(relative.as_posix(), path.absolute(), relative, None)


def find_noises(place: str | Path) -> dict[str, list[NoiseItem]]:
    """Noise recordings by kind, sorted by id; the kind is a cut's, or the name of the folder or the one file.

    Raises:
        AudioError: nothing there.
        ManifestError: a manifest that cannot be used.
    """
    kinds: dict[str, list[NoiseItem]] = {}
    if is_manifest(place):
        for cut in sorted(scan_cuts(place), key=lambda cut: cut["id"]):
            custom = cut.get("custom") or {}
            noise_class = custom.get("noise_class", "unknown")
            source = str(custom.get("source", cut["id"]))
            item = NoiseItem(cut["id"], _cut_path(cut, place), noise_class, source, cut)
            kinds.setdefault(custom.get("noise_kind", "other"), []).append(item)
        return kinds
    if is_one_file(place) and not Path(place).exists():
        raise AudioError(
            f"{place}: no such noise: name a file, a folder, a manifest, or {' | '.join(SYNTHETIC_NOISES)}"
        )
    root = search_root(place)
    kind = Path(place).stem if is_one_file(place) else root.resolve().name
    for path in find_audio(place):
        name = path.relative_to(root).as_posix()
        kinds.setdefault(kind, []).append(NoiseItem(name, path.absolute(), kind, name, None))
    return kinds


def noise_root(items: Iterable[NoiseItem]) -> Path:
    """The deepest folder that holds all recordings."""
    folders = _CommonFolder()
    for item in items:
        folders.add(item.path.parent)
    return folders.path


def reference(root: str, folder: Path, path: Path, cut: dict[str, Any] | None) -> AudioRef:
    """How a manifest of mixes names an input below the folder that `root` stands for."""
    file = path.relative_to(folder).as_posix()
    if cut is None:
        return AudioRef(root, file)
    # What makes its sound; words and levels of the input are no part of it.
    bare = {key: value for key, value in cut.items() if key not in ("supervisions", "custom", "features")}
    source = {**cut["recording"]["sources"][0], "source": file}
    bare["recording"] = {**cut["recording"], "sources": [source]}
    return AudioRef(root, file, {**bare, "supervisions": []})


class _CommonFolder:
    """The deepest folder that holds all that were added."""

    def __init__(self) -> None:
        self.path = Path("/")
        self._last: Path | None = None

    def add(self, folder: Path) -> None:
        if self._last is None:
            self.path = folder
        elif folder != self._last:
            self.path = Path(os.path.commonpath([self.path, folder]))
        self._last = folder


def _cut_path(cut: dict[str, Any], manifest: str | Path) -> Path:
    sources = cut.get("recording", {}).get("sources", [])
    if len(sources) != 1 or sources[0].get("type") != "file":
        raise ManifestError(f"{manifest}: {cut['id']} is not of one audio file: save its audio first (Cut.save_audio)")
    return Path(sources[0]["source"]).absolute()
