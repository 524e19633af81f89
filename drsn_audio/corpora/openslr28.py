"""OpenSLR 28, RIRS_NOISES (Ko et al. 2017): recorded and computed room responses, and noises to go with them.

pointsource_noises/*.wav, real_rirs_isotropic_noises/*.wav (those with "noise" in their name are noises, the others
responses) and simulated_rirs/{small,medium,large}room/RoomNNN/RoomNNN-NNNNN.wav.

Why not by Lhotse's recipe: it stops at the first file that cannot be read and at a folder that is not there, and of
the recorded responses it takes those with "rir" in their name alone, which leaves out the Aachen ones, air_type1_*.
Otherwise it lists what this does, which a test holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from drsn_audio.corpora.cuts import NoiseFile, Skipped
from drsn_audio.corpora.lists import MALFORMED, lost, unlisted
from drsn_audio.corpora.prepare import Prepared, audio_files, fold_by_hash, prepare, write_faults
from drsn_audio.corpora.responses import ResponseFile, prepare_responses
from drsn_audio.errors import InputError

LAYOUT = "pointsource_noises, real_rirs_isotropic_noises and simulated_rirs folders of .wav files (RIRS_NOISES)"
FOLDERS = {
    "pointsource_noises": "point-noise",
    "real_rirs_isotropic_noises": "real",
    "simulated_rirs": "simulated",
}
PARTS = ("point-noise", "isotropic-noise", "real-responses", "simulated-responses")
NOISE_LIST = "noise_list"

_ROOM = re.compile(r"(small|medium|large)room")


def prepare_openslr28(
    source: str | Path,
    out: str | Path,
    *,
    parts: Sequence[str] = ("point-noise", "isotropic-noise", "real-responses"),
    folds: int = 5,
    progress: bool = True,
) -> Prepared:
    """RIRS_NOISES -> room responses (responses.jsonl.gz) and noise: kinds other (point sources) and background.

    The first channel of each file is taken: the microphones of an array hear at different times. The corpus has no
    folds: a noise's follows from a hash of its recording, channels and takes of one room together.

    Args:
        source: the folder RIRS_NOISES.
        out: folder of the manifests.
        parts: of point-noise, isotropic-noise, real-responses and simulated-responses (60,000 files).
        folds: how many to spread the noises over.
        progress: show a bar on stderr.

    Raises:
        AudioError: not this corpus' layout, or no file of a part can be used.
        InputError: an unknown part, or no folds.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown or folds < 1 or not parts:
        raise InputError(f"parts {list(parts)}, folds {folds}: parts are {', '.join(PARTS)}, folds 1 or more")
    noise: list[NoiseFile] = []
    responses: list[ResponseFile] = []
    types, faults = _noise_types(Path(source)) if "point-noise" in parts else ({}, [])
    for path in audio_files(source, "*/**/*", LAYOUT):
        part = _part(path.relative_to(Path(source).absolute()))
        if part is None:
            faults.append(Skipped(path, "is neither noise nor response by its name and folder", "misplaced audio"))
        elif part not in parts:
            continue
        elif part.endswith("responses"):
            responses.append(_response(path, part))
        elif part == "isotropic-noise":
            room = re.sub(r"_\d+$", "", path.stem)
            fold = fold_by_hash(room, folds)
            noise.append(NoiseFile(f"isotropic/{path.stem}", path, "background", "isotropic", room, fold, channel=0))
        else:
            if types and path.name not in types:
                faults.append(unlisted(path, f"{NOISE_LIST}: it is prepared, as point-source"))
            name, fold = types.get(path.name, "point-source"), fold_by_hash(path.stem, folds)
            noise.append(NoiseFile(f"pointsource/{path.stem}", path, "other", name, path.stem, fold, channel=0))
    return _prepare_both(out, noise, responses, faults, progress)


def _prepare_both(
    out: str | Path,
    noise: Sequence[NoiseFile],
    responses: Sequence[ResponseFile],
    faults: Sequence[Skipped],
    progress: bool,
) -> Prepared:
    manifests: dict[str, Path] = {}
    counts: dict[str, int] = {}
    skipped = list(faults)
    made = []
    if noise:
        made.append(prepare("openslr-28", out, noise=noise, progress=progress))
    if responses or not noise:
        made.append(prepare_responses("openslr-28", out, responses, progress=progress))
    for part in made:
        manifests |= part.manifests
        counts |= part.counts
        skipped += part.skipped
    write_faults(skipped, Path(out))
    for name in {"noise", "responses"} - set(manifests):  # one that an earlier call left would be taken for this call's
        (Path(out) / f"{name}.jsonl.gz").unlink(missing_ok=True)
    return Prepared("openslr-28", manifests, counts, skipped)


def _part(relative: Path) -> str | None:
    """Which of PARTS a file belongs to."""
    folder = FOLDERS.get(relative.parts[0])
    if folder == "real":
        return "isotropic-noise" if "noise" in relative.stem else "real-responses"
    if folder == "simulated":
        return "simulated-responses" if _ROOM.fullmatch(relative.parts[1]) else None
    return folder


def _response(path: Path, part: str) -> ResponseFile:
    """Room and id: the corpus numbers its rooms anew in small, medium and large."""
    if part == "real-responses":
        return ResponseFile(f"real/{path.stem}", path, room=re.sub(r"_\d+$", "", path.stem))
    size = next(match[1] for folder in path.parts if (match := _ROOM.fullmatch(folder)))
    return ResponseFile(f"{size}/{path.stem}", path, room=f"{size}/{path.parent.name}")


def _noise_types(source: Path) -> tuple[dict[str, str], list[Skipped]]:
    """pointsource_noises/noise_list, lines "... --bg-fg-type foreground PATH": file -> background or foreground."""
    table = source / "pointsource_noises" / NOISE_LIST
    if not table.is_file():
        return {}, []
    types, faults = {}, []
    for number, line in enumerate(table.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        match = re.fullmatch(r".*--bg-fg-type (background|foreground)\b.* (\S+)", line.strip())
        if match is None:
            faults.append(Skipped(table, f"line {number} names no type and file: {line[:60]!r}", MALFORMED))
        elif not (table.parent / Path(match[2]).name).is_file():
            faults.append(lost(table, match[2]))
        else:
            types[Path(match[2]).name] = match[1]
    return types, faults
