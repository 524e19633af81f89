"""Room responses made by `drsn_audio.noise.reverb`: as many rooms as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from drsn_audio.audio import write_audio
from drsn_audio.corpora.prepare import Prepared, map_parallel, unit_hash
from drsn_audio.corpora.responses import ResponseFile, prepare_responses
from drsn_audio.errors import InputError


class _Recipe(NamedTuple):
    id: str
    path: Path
    kind: str
    seed: int


def prepare_rooms(
    source: None,
    out: str | Path,
    *,
    kinds: Sequence[str] = ("office", "workshop", "hall", "street"),
    count: int = 200,
    sample_rate: int = 16000,
    seed: int = 0,
    progress: bool = True,
) -> Prepared:
    """Write OUT/audio/room-SEED-N.wav (float) and their manifest of responses. Every response is a room of its own.

    The kinds take turns; room N is the same whatever `count` is. rt60_s in the manifest is that of the response.

    Args:
        source: None; nothing is read.
        out: folder of the responses and the manifest.
        kinds: lines of ROOM_KINDS.
        count: responses of all kinds together.
        sample_rate: in Hz.
        seed: of the whole set; two seeds have no room in common.
        progress: show a bar on stderr.

    Raises:
        InputError: a source, an unknown kind, a count that is not positive, or a rate under 8 kHz.
        ModuleNotFoundError: pyroomacoustics is not installed.
    """
    from drsn_audio.noise.reverb import ROOM_KINDS

    if source is not None:
        raise InputError(f"rooms reads nothing, but the source is {str(source)!r}: leave it out")
    unknown = [kind for kind in kinds if kind not in ROOM_KINDS]
    if unknown or not kinds:
        raise InputError(f"no kind of room {', '.join(unknown)!r}: choose among {', '.join(ROOM_KINDS)}")
    if count < 1 or sample_rate < 8000:
        raise InputError(f"count {count} must be positive, and sample_rate {sample_rate} 8000 Hz or more")

    folder, recipes = Path(out).absolute() / "audio", []
    for index in range(count):
        id = f"room-{seed}-{index:04d}"
        kind = kinds[index % len(kinds)]
        recipes.append(_Recipe(id, folder / f"{id}.wav", kind, int(unit_hash(f"room/{index}", seed) * 2**32)))
    files = map_parallel(partial(_write, sample_rate=sample_rate), recipes, "computing rooms", progress)
    return prepare_responses("rooms", out, files, progress=progress)


def _write(recipe: _Recipe, sample_rate: int) -> ResponseFile:
    import numpy as np

    from drsn_audio.noise.reverb import draw_room

    room = draw_room(np.random.default_rng(recipe.seed), sample_rate, recipe.kind)
    write_audio(recipe.path, room.response, sample_rate, "FLOAT")
    rt60_s, distance_m = round(room.measured_rt60_s, 3), round(room.distance_m, 3)
    return ResponseFile(recipe.id, recipe.path, recipe.id, rt60_s, distance_m, room.direct_sample)
