"""MUSAN (Snyder, Chen, Povey 2015, arXiv:1510.08484): {music,noise,speech}/COLLECTION/*.wav, 16 kHz.

Why not by Lhotse's recipe: it stops at the first file that cannot be read, at a folder that is not there, and at a line
of ANNOTATIONS without its file. Of a corpus without faults it lists what this does, which a test holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drsn_audio.corpora.cuts import NoiseFile, Skipped
from drsn_audio.corpora.lists import MALFORMED, lost, unlisted
from drsn_audio.corpora.prepare import Prepared, audio_files, fold_by_hash, prepare
from drsn_audio.errors import InputError

LAYOUT = "noise/*/*.wav, music/*/*.wav or speech/*/*.wav files (MUSAN)"
# Its noises bear no classes: their kind is "other". One voice of "speech" is no babble, which is a sum of several.
KINDS = {"noise": "other", "music": "music", "speech": "speech"}
ANNOTATIONS = "ANNOTATIONS"


def prepare_musan(
    source: str | Path,
    out: str | Path,
    *,
    parts: Sequence[str] = ("noise", "music", "speech"),
    folds: int = 5,
    progress: bool = True,
) -> Prepared:
    """MUSAN -> noise: kinds other, music and speech; the class is the collection, of music the first genre.

    The corpus has no folds: a recording's follows from a hash of its name, a piece of music's from its artist, so
    that recordings lie in one fold whole and no artist in two. Choose by `kinds` what is mixed in as noise: in
    "speech" there are voices, which may say the words that a model is to find.

    Args:
        source: the corpus' folder.
        out: folder of the manifest.
        parts: of noise, music and speech; one that is not there is left out.
        folds: how many to spread the recordings over.
        progress: show a bar on stderr.

    Raises:
        AudioError: not this corpus' layout, or no file of it can be used.
        InputError: an unknown part, or no folds.
    """
    unknown = [part for part in parts if part not in KINDS]
    if unknown or folds < 1:
        raise InputError(f"parts {list(parts)}, folds {folds}: parts are {', '.join(KINDS)}, folds 1 or more")
    noise: list[NoiseFile] = []
    faults: list[Skipped] = []
    artists: dict[str, tuple[str, str]] = {}
    if "music" in parts:
        artists, faults = _annotations(Path(source))
    for path in audio_files(source, "*/*/*", LAYOUT):
        part, collection = path.parent.parent.name, path.parent.name
        if part not in KINDS:
            faults.append(Skipped(path, "is not {music,noise,speech}/COLLECTION/*.wav", "misplaced audio"))
        elif part in parts:
            name, origin = artists.get(path.stem, (collection, path.stem))
            noise.append(NoiseFile(path.stem, path, KINDS[part], name, origin, fold_by_hash(origin, folds)))
            if part == "music" and path.stem not in artists:
                faults.append(unlisted(path, f"{ANNOTATIONS}: it is prepared, without its artist"))
    return prepare("musan", out, noise=noise, skipped=faults, progress=progress)


def _annotations(source: Path) -> tuple[dict[str, tuple[str, str]], list[Skipped]]:
    """music/*/ANNOTATIONS, lines "music-fma-0000 rock,pop Y The_Artist": id -> (first genre, artist)."""
    artists = {}
    faults = []
    for table in sorted((source / "music").glob(f"*/{ANNOTATIONS}")):
        here = {path.stem for path in table.parent.iterdir()}
        for number, line in enumerate(table.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
            id, genres, vocals, artist = [*line.split(maxsplit=3), "", "", "", ""][:4]
            if not line.strip():
                continue
            if vocals not in ("Y", "N") or not artist:
                faults.append(Skipped(table, f"line {number} is not ID GENRES Y|N ARTIST: {line[:60]!r}", MALFORMED))
            elif id not in here:
                faults.append(lost(table, id))
            else:
                artists[id] = (genres.split(",")[0], artist)
    return artists, faults
