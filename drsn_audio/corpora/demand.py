"""DEMAND (Thiemann, Ito, Vincent 2013): 18 places, 5 minutes each by an array of 16: SCENE/ch01.wav to ch16.wav."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from drsn_audio.audio import AudioError
from drsn_audio.corpora.cuts import NoiseFile, Skipped
from drsn_audio.corpora.lists import lost
from drsn_audio.corpora.prepare import Prepared, audio_files, prepare

LAYOUT = "SCENE/chNN.wav files (DEMAND)"

# Its six categories -> (kind, scene of fold 1, of fold 2, of fold 3). Vehicles are heard from inside.
CATEGORIES = {
    "domestic": ("background", "DKITCHEN", "DLIVING", "DWASHING"),
    "nature": ("other", "NFIELD", "NPARK", "NRIVER"),
    "office": ("background", "OHALLWAY", "OMEETING", "OOFFICE"),
    "public": ("background", "PCAFETER", "PRESTO", "PSTATION"),
    "street": ("street", "SCAFE", "SPSQUARE", "STRAFFIC"),
    "transportation": ("machinery", "TBUS", "TCAR", "TMETRO"),
}
SCENES = {
    scene: (kind, fold) for kind, *scenes in CATEGORIES.values() for fold, scene in enumerate(scenes, 1)
}  # scene -> (kind, fold)

_CHANNEL = re.compile(r"ch(\d\d)")


def prepare_demand(
    source: str | Path, out: str | Path, *, channels: Sequence[int] = (1,), progress: bool = True
) -> Prepared:
    """DEMAND -> noise: kinds street, machinery, background and other; the class is the scene.

    Every category has a scene in each of three folds, and a scene lies in its fold with all its channels.

    Args:
        source: folder of the unpacked zips, SCENE or SCENE_16k folders somewhere in it.
        out: folder of the manifest.
        channels: of the array, 1 to 16, each a recording of its own. They hear the same sound: more of them make
            more audio, not more noises.
        progress: show a bar on stderr.

    Raises:
        AudioError: not this corpus' layout, or no file of it can be used.
    """
    noise, faults = [], []
    heard: dict[Path, set[int]] = {}
    for path in audio_files(source, "**/ch*", LAYOUT):
        scene, match = _scene(path.parent), _CHANNEL.fullmatch(path.stem)
        if scene is None or not match:
            faults.append(Skipped(path, "is in the folder of none of the 18 scenes", "misplaced audio"))
            continue
        channel = int(match[1])
        heard.setdefault(path.parent, set()).add(channel)
        if channel in channels:
            kind, fold = SCENES[scene]
            noise.append(NoiseFile(f"{scene}/{path.stem}", path, kind, scene, source=scene, fold=fold))
    for folder, found in heard.items():
        faults += [lost(folder, f"ch{channel:02d}.wav") for channel in channels if channel not in found]
    if not noise:
        raise AudioError(f"{source}: no channel {', '.join(map(str, channels))} of a {LAYOUT} scene: check the path")
    return prepare("demand", out, noise=noise, skipped=faults, progress=progress)


def _scene(folder: Path) -> str | None:
    """STRAFFIC, STRAFFIC_16k or STRAFFIC_16k/STRAFFIC -> STRAFFIC."""
    name = folder.name.split("_")[0]
    return name if name in SCENES else None
