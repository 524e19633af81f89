"""Room responses, recorded or computed -> Lhotse cuts -> one manifest that training and mixing draw from.

A response cut has custom rt60_s and distance_m (null where they are not known), direct_sample and room. Of a file
with several channels it is the first: the microphones of an array hear the direct sound at different times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drsn_audio.audio import AudioError, AudioReader
from drsn_audio.corpora.cuts import Skipped, is_unicode, write_cuts
from drsn_audio.corpora.prepare import Prepared, map_parallel, write_faults

if TYPE_CHECKING:
    from lhotse.cut import Cut


@dataclass(frozen=True)
class ResponseFile:
    """One room response.

    direct_sample: at which the direct sound arrives; found in the response (`direct_delay`) where it is None.
    """

    id: str
    path: Path
    room: str  # id of the room, which several responses may share
    rt60_s: float | None = None
    distance_m: float | None = None  # from source to microphone
    direct_sample: int | None = None


def prepare_responses(
    corpus: str,
    out: str | Path,
    files: Sequence[ResponseFile],
    notes: Iterable[str] = (),
    skipped: Iterable[Skipped] = (),
    progress: bool = True,
) -> Prepared:
    """Read the responses and write OUT/responses.jsonl.gz; the same files give the same bytes.

    Unreadable and silent ones are skipped. `skipped` are files that the corpus itself has left out.

    Raises:
        AudioError: no file can be used, or OUT cannot be written to.
    """
    made = map_parallel(make_response_cut, files, f"reading {corpus}", progress)
    left_out = [*skipped, *(cut for cut in made if isinstance(cut, Skipped))]
    cuts = [cut for cut in made if not isinstance(cut, Skipped)]
    if not cuts:
        first = f", first {left_out[0].path}: {left_out[0].reason}" if left_out else ""
        raise AudioError(f"{corpus}: none of {len(left_out)} responses can be used{first}")
    path = Path(out).absolute() / "responses.jsonl.gz"
    write_cuts(cuts, path)
    write_faults(left_out, path.parent)
    return Prepared(corpus, {"responses": path}, {"responses": len(cuts)}, left_out, list(notes))


def make_response_cut(file: ResponseFile) -> Cut | Skipped:
    """The first channel of a response file as a cut, or why it cannot be used."""
    from lhotse import Recording
    from lhotse.audio import AudioSource

    from drsn_audio.noise.reverb import direct_delay

    if not is_unicode(file.path):
        return Skipped(file.path, "its name is not UTF-8, which no manifest can hold: rename it")
    try:
        channels, sample_rate = _read_channels(file.path)
    except AudioError as error:
        return Skipped(file.path, str(error).removeprefix(f"{file.path}: "), "undecodable audio")
    response = channels[:, 0]
    if not np.isfinite(response).all():
        return Skipped(file.path, "holds NaN or infinite samples")
    if not response.any():
        return Skipped(file.path, "is digitally silent", "silent audio")
    direct = direct_delay(response) if file.direct_sample is None else file.direct_sample
    if not 0 <= direct < len(response) or response[direct] == 0:
        return Skipped(file.path, f"has no direct sound at sample {direct}")
    recording = Recording(
        id=file.id,
        sources=[AudioSource(type="file", channels=list(range(channels.shape[1])), source=str(file.path))],
        sampling_rate=sample_rate,
        num_samples=len(response),
        duration=len(response) / sample_rate,
    )
    cut = recording.to_cut()
    cut = cut if channels.shape[1] == 1 else cut.to_mono()[0]
    cut.id = file.id
    cut.custom = {
        "rt60_s": file.rt60_s,
        "distance_m": file.distance_m,
        "direct_sample": int(direct),
        "room": file.room,
    }
    return cut


def _read_channels(path: Path) -> tuple[np.ndarray, int]:
    """float32 [N, channels], and the sample rate in Hz."""
    with AudioReader(path) as reader:
        return np.concatenate(list(reader.frames())), reader.sample_rate
