"""ESC-50 and ESC-10 (Piczak 2015), environmental sounds of 5 s.

ESC-50 is meta/esc50.csv and audio/*.wav; ESC-10 has class folders, such as "002 - Rain/1-17367-A.ogg".
"""

from __future__ import annotations

import re
from pathlib import Path

from drsn_audio.audio import AudioError
from drsn_audio.corpora.cuts import NoiseFile, Skipped
from drsn_audio.corpora.lists import DUPLICATE, by_key, lost, read_csv, unlisted
from drsn_audio.corpora.prepare import Prepared, audio_files, prepare

LAYOUT = 'audio/*.wav with meta/esc50.csv (ESC-50) or "NNN - Class"/FOLD-CLIP-TAKE.ogg files (ESC-10)'

# Street: weather, traffic and passers-by, as heard outdoors. Machinery: motors, engines, tools.
# All other classes of the fifty are "other".
KINDS = {
    **dict.fromkeys(
        ("rain", "wind", "thunderstorm", "siren", "car_horn", "train", "church_bells", "footsteps"), "street"
    ),
    **dict.fromkeys(
        ("chainsaw", "hand_saw", "engine", "helicopter", "airplane", "vacuum_cleaner", "washing_machine"),
        "machinery",
    ),
}

# ESC-10's folder names -> ESC-50's class names, where they differ in more than case and spaces.
ESC10_NAMES = {
    "dog_bark": "dog",
    "baby_cry": "crying_baby",
    "person_sneeze": "sneezing",
    "fire_crackling": "crackling_fire",
}

_FOLDER = re.compile(r"\d{3} - (.+)")
_CLIP = re.compile(r"(\d)-(\d+)-[A-Z](-\d+)?")


def prepare_esc(source: str | Path, out: str | Path, *, progress: bool = True) -> Prepared:
    """ESC-50 or ESC-10 -> noise: kinds street, machinery, other; five folds; `source` is the Freesound clip.

    Raises:
        AudioError: neither layout.
    """
    is_esc50 = (Path(source) / "meta" / "esc50.csv").is_file()
    noise, faults = _esc50(source) if is_esc50 else _esc10(source)
    return prepare("esc", out, noise=noise, skipped=faults, progress=progress)


def _esc50(source: str | Path) -> tuple[list[NoiseFile], list[Skipped]]:
    paths = by_key(audio_files(source, "audio/*", LAYOUT), lambda path: path.stem)
    table = Path(source) / "meta" / "esc50.csv"
    noise, listed = [], set()
    rows, faults = read_csv(table, ("filename", "fold", "category", "src_file"), whole_numbers=("fold",))
    for row in rows:
        name, stem = row["category"], Path(row["filename"]).stem
        if stem in listed:
            faults.append(Skipped(table, f"names {stem} twice; the first row is kept", DUPLICATE))
            continue
        listed.add(stem)
        if stem not in paths:
            faults.append(lost(table, row["filename"]))
        for path in paths.pop(stem, []):
            kind = KINDS.get(name, "other")
            noise.append(NoiseFile(stem, path, kind, name, source=row["src_file"], fold=int(row["fold"])))
    faults += [unlisted(path, table.name) for found in paths.values() for path in found]
    return noise, faults


def _esc10(source: str | Path) -> tuple[list[NoiseFile], list[Skipped]]:
    noise, faults = [], []
    for path in audio_files(source, "*/*", LAYOUT):
        folder, clip = _FOLDER.fullmatch(path.parent.name), _CLIP.fullmatch(path.stem)
        if not folder or not clip:
            faults.append(Skipped(path, 'is not "NNN - Class"/FOLD-CLIP-TAKE', "misplaced audio"))
            continue
        name = folder[1].lower().replace(" ", "_")
        name = ESC10_NAMES.get(name, name)
        noise.append(NoiseFile(path.stem, path, KINDS.get(name, "other"), name, source=clip[2], fold=int(clip[1])))
    if not noise:
        raise AudioError(f"{source}: no {LAYOUT} in it: check the path")
    return noise, faults
