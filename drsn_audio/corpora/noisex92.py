"""NOISEX-92 (Varga, Steeneken 1993): 15 recordings of 235 s, as NAME.wav or as the NAME.mat files of the Signal
Processing Information Base, which say no sample rate: they are of 19.98 kHz.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drsn_audio.audio import AudioError, write_audio
from drsn_audio.audio.search import AudioChoice
from drsn_audio.corpora.cuts import NoiseFile, Skipped
from drsn_audio.corpora.lists import unlisted
from drsn_audio.corpora.prepare import Prepared, prepare

LAYOUT = "NAME.wav or NAME.mat files (NOISEX-92)"
MAT_RATE = 19980  # Hz
FULL_SCALE = 32768.0  # the .mat files hold 16-bit samples

# Name -> (kind, fold). Two folds, each with noises of every kind; those of one make of machine lie in one fold.
NOISES = {
    "factory1": ("factory", 1),
    "factory2": ("factory", 2),
    "buccaneer1": ("machinery", 1),
    "buccaneer2": ("machinery", 1),
    "destroyerengine": ("machinery", 1),
    "leopard": ("machinery", 1),
    "f16": ("machinery", 2),
    "m109": ("machinery", 2),
    "volvo": ("machinery", 2),
    "babble": ("background", 1),
    "destroyerops": ("background", 2),
    "hfchannel": ("other", 1),
    "white": ("other", 1),
    "machinegun": ("other", 2),
    "pink": ("other", 2),
}


def prepare_noisex92(source: str | Path, out: str | Path, *, progress: bool = True) -> Prepared:
    """NOISEX-92 -> noise: kinds factory, machinery, background, other; two folds of whole recordings.

    .mat files are written to OUT/audio as wav; of a noise that is there in both forms the wav is taken.

    Raises:
        AudioError: none of the noises is there, or none can be used.
    """
    folder = Path(source).absolute()
    choice = AudioChoice(folder)
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() == ".mat" or choice.takes(path.name))
    choice.report()
    if not any(_name(path) in NOISES for path in files):
        raise AudioError(f"{source}: no {LAYOUT} in it: check the path")
    noise, faults = [], []
    waves = {_name(path) for path in files if path.suffix.lower() != ".mat"}
    for path in files:
        name, sound = _name(path), path
        if name not in NOISES:
            faults.append(unlisted(path, "the 15 noises"))
            continue
        if path.suffix.lower() == ".mat":
            if name in waves:
                continue
            sound = Path(out).absolute() / "audio" / f"{name}.wav"
            try:
                write_audio(sound, _read_mat(path), MAT_RATE, "PCM_16")
            except AudioError as error:
                faults.append(Skipped(path, str(error).removeprefix(f"{path}: "), "undecodable audio"))
                continue
        kind, fold = NOISES[name]
        noise.append(NoiseFile(f"noisex-92/{name}", sound, kind, name, source=name, fold=fold))
    missing = sorted(set(NOISES) - {_name(path) for path in files})
    notes = [f"{len(missing)} of the {len(NOISES)} noises are not here: {', '.join(missing)}"] if missing else []
    return prepare("noisex-92", out, noise=noise, notes=notes, skipped=faults, progress=progress)


def _name(path: Path) -> str:
    return path.stem.lower()


def _read_mat(path: Path) -> np.ndarray:
    """The one vector of a MATLAB file -> float32 [N] in [-1, 1].

    Raises:
        AudioError: it holds no vector, or cannot be read.
    """
    from scipy.io import loadmat

    try:
        arrays = [value for key, value in loadmat(path).items() if not key.startswith("__")]
    except Exception as error:  # a torn file makes scipy raise errors of many kinds
        raise AudioError(f"{path}: no MATLAB file that scipy reads ({error}): get it again") from None
    vectors = [array for array in arrays if isinstance(array, np.ndarray) and array.size == max(array.shape, default=0)]
    if len(vectors) != 1 or not np.issubdtype(vectors[0].dtype, np.number):
        raise AudioError(f"{path}: holds {len(vectors)} vectors of numbers, not one: get it again")
    wave = vectors[0].ravel().astype(np.float64)
    return (wave / (FULL_SCALE if np.abs(wave).max(initial=0) > 1 else 1)).astype(np.float32)
