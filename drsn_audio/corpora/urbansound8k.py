"""UrbanSound8K (Salamon, Jacoby, Bello 2014): slices of Freesound recordings, up to 4 s.

metadata/UrbanSound8K.csv and audio/foldN/FSID-CLASS-OCCURRENCE-SLICE.wav.
"""

from __future__ import annotations

from pathlib import Path

from drsn_audio.corpora.cuts import NoiseFile
from drsn_audio.corpora.prepare import Prepared, audio_files, missing_note, prepare, read_csv

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
    paths = {(path.parent.name, path.stem): path for path in audio_files(source, "audio/fold*/*", LAYOUT)}
    noise, missing = [], []
    for row in read_csv(Path(source) / "metadata" / "UrbanSound8K.csv", ("slice_file_name", "fsID", "fold", "class")):
        stem = Path(row["slice_file_name"]).stem
        path = paths.pop((f"fold{row['fold']}", stem), None)
        if path is None:
            missing.append(row["slice_file_name"])
            continue
        kind = KINDS.get(row["class"], "other")
        noise.append(NoiseFile(stem, path, kind, row["class"], source=row["fsID"], fold=int(row["fold"])))
    notes = missing_note("UrbanSound8K.csv", missing)
    if paths:
        notes.append(f"{len(paths)} files are not in UrbanSound8K.csv, first {sorted(paths.values())[0]}")
    return prepare("urbansound8k", out, noise=noise, notes=notes, progress=progress)
