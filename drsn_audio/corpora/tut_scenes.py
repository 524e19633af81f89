"""TUT Acoustic Scenes 2016 and 2017 (Mesaros, Heittola, Virtanen 2016): pieces of 10 or 30 s of 15 scenes.

meta.txt, lines "audio/b020_90_100.wav<TAB>beach<TAB>b020", and audio/*.wav; the last column, the place, is in the
names of the files, too. evaluation_setup/foldN_evaluate.txt says what is tested in which of four folds.
"""

from __future__ import annotations

from pathlib import Path

from drsn_audio.audio import AudioError
from drsn_audio.corpora.cuts import NoiseFile, Skipped
from drsn_audio.corpora.lists import DUPLICATE, MALFORMED, by_key, lost, unlisted
from drsn_audio.corpora.prepare import Prepared, audio_files, fold_by_hash, prepare
from drsn_audio.errors import InputError
from drsn_audio.text import read_text

LAYOUT = "audio/*.wav files beside meta.txt (TUT Acoustic Scenes)"
FOLDS = 4
KINDS = {
    **dict.fromkeys(("city_center", "residential_area"), "street"),
    **dict.fromkeys(("bus", "car", "train", "tram"), "machinery"),  # heard from inside
    **dict.fromkeys(("cafe/restaurant", "grocery_store", "home", "library", "metro_station", "office"), "background"),
    **dict.fromkeys(("beach", "forest_path", "park"), "other"),
}


def prepare_tut_scenes(source: str | Path, out: str | Path, *, progress: bool = True) -> Prepared:
    """TUT Acoustic Scenes, a development set -> noise: kinds street, machinery, background, other; its four folds.

    All pieces of a place lie in one fold. Without evaluation_setup the fold follows from a hash of the place.

    Raises:
        AudioError: not this corpus' layout, or no file of it can be used.
    """
    root = Path(source).absolute()
    paths = by_key(audio_files(source, "audio/*", LAYOUT), lambda path: path.stem)
    table = root / "meta.txt"
    folds = _folds(root)
    noise: list[NoiseFile] = []
    faults: list[Skipped] = []
    listed = set()
    for number, line in enumerate(_lines(table), 1):
        name, scene, *_ = [*line.split("\t"), ""]
        stem = Path(name).stem
        place = stem.split("_")[0]
        if not scene or not name.startswith("audio/"):
            faults.append(Skipped(table, f"line {number} is not audio/FILE<TAB>SCENE: {line[:60]!r}", MALFORMED))
        elif stem in listed:
            faults.append(Skipped(table, f"line {number} names {stem} again; the first is kept", DUPLICATE))
        elif stem not in paths:
            faults.append(lost(table, name))
        listed.add(stem)
        fold = folds.get(stem, fold_by_hash(place, FOLDS))
        for path in paths.pop(stem, []) if scene else []:
            noise.append(NoiseFile(stem, path, KINDS.get(scene, "other"), scene, source=place, fold=fold))
    faults += [unlisted(path, table.name) for found in paths.values() for path in found]
    return prepare("tut-scenes", out, noise=noise, skipped=faults, progress=progress)


def _folds(root: Path) -> dict[str, int]:
    """File, without its ending -> the fold in which it is tested."""
    return {
        Path(line.split("\t")[0]).stem: fold
        for fold in range(1, FOLDS + 1)
        for path in [root / "evaluation_setup" / f"fold{fold}_evaluate.txt"]
        if path.is_file()
        for line in _lines(path)
    }


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in read_text(path).split("\n") if line.strip()]
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise AudioError(f"{path}: cannot be read ({reason}): it comes with the corpus, restore it") from None
