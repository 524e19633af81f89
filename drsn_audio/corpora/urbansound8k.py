"""UrbanSound8K (Salamon, Jacoby, Bello 2014): slices of Freesound recordings, up to 4 s.

metadata/UrbanSound8K.csv and audio/foldN/FSID-CLASS-OCCURRENCE-SLICE.wav.
"""

from __future__ import annotations

from pathlib import Path

from drsn_audio.corpora.cuts import NoiseFile, Skipped
from drsn_audio.corpora.lists import DUPLICATE, by_key, lost, read_csv, unlisted
from drsn_audio.corpora.prepare import Prepared, audio_files, prepare

LAYOUT = "audio/foldN/*.wav files (UrbanSound8K)"
KINDS = {
    "car_horn": "street",
    "siren": "street",
    "street_music": "street",
    "children_playing": "street",
    "drilling": "machinery",
    "jackhammer": "machinery",
    "engine_idling": "machinery",
    "air_conditioner": "machinery",
    "dog_bark": "other",
    "gun_shot": "other",
}


def prepare_urbansound8k(source: str | Path, out: str | Path, *, progress: bool = True) -> Prepared:
    """UrbanSound8K -> noise: kinds street, machinery, other; its folds; sources are Freesound recordings.

    Files are matched to the csv without their ending, so a copy in another format works.

    Raises:
        AudioError: not this corpus' layout, or a csv without its columns.
    """
    paths = by_key(audio_files(source, "audio/fold*/*", LAYOUT), lambda path: (path.parent.name, path.stem))
    table = Path(source) / "metadata" / "UrbanSound8K.csv"
    noise, listed = [], set()
    rows, faults = read_csv(table, ("slice_file_name", "fsID", "fold", "class"), whole_numbers=("fold",))
    for row in rows:
        stem = Path(row["slice_file_name"]).stem
        if stem in listed:
            faults.append(Skipped(table, f"names {stem} twice; the first row is kept", DUPLICATE))
            continue
        listed.add(stem)
        place = (f"fold{row['fold']}", stem)
        if place not in paths:
            faults.append(lost(table, f"{place[0]}/{row['slice_file_name']}"))
        for path in paths.pop(place, []):
            kind = KINDS.get(row["class"], "other")
            noise.append(NoiseFile(stem, path, kind, row["class"], source=row["fsID"], fold=int(row["fold"])))
    faults += [unlisted(path, table.name) for found in paths.values() for path in found]
    return prepare("urbansound8k", out, noise=noise, skipped=faults, progress=progress)
