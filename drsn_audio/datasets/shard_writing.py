"""One shard after the other, each whole or not there."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lhotse.cut import Cut, MonoCut, MultiCut
from lhotse.shar.utils import to_shar_placeholder
from lhotse.shar.writers.cut import JsonlShardWriter
from lhotse.shar.writers.tar import TarWriter
from lhotse.utils import fastcopy

from drsn_audio.audio import AudioError
from drsn_audio.datasets.manifests import load_channels
from drsn_audio.datasets.shard_audio import store_cut
from drsn_audio.datasets.shard_index import SHAR, UNFINISHED
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole


@dataclass
class ShardRecord:
    """What was made of one shard: a line of shards.json. Of sample_rates, Hz -> utterances. failed: id and reason.

    bytes: of the tar.
    """

    number: int
    utterances: int = 0
    duration_s: float = 0.0
    bytes: int = 0
    sample_rates: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def cuts(self) -> str:
        return f"{SHAR}/cuts.{self.number:06d}.jsonl.gz"

    @property
    def recording(self) -> str:
        return f"{SHAR}/recording.{self.number:06d}.tar"

    def for_json(self) -> dict[str, Any]:
        return {"cuts": self.cuts, "recording": self.recording, **asdict(self)}

    def is_whole(self, out: Path) -> bool:
        """Whether its files are there."""
        if not self.utterances:
            return True
        audio = out / self.recording
        return (out / self.cuts).is_file() and audio.is_file() and audio.stat().st_size == self.bytes


def record_path(out: Path, number: int) -> Path:
    return out / UNFINISHED / f"{number:06d}.json"


def read_record(data: str) -> ShardRecord | None:
    """What for_json wrote; None where it is damaged."""
    try:
        facts = json.loads(data)
        failed = [(str(id), str(reason)) for id, reason in facts["failed"]]
        number, count, size = (int(facts[name]) for name in ("number", "utterances", "bytes"))
        return ShardRecord(number, count, float(facts["duration_s"]), size, dict(facts["sample_rates"]), failed)
    except (ValueError, KeyError, TypeError):
        return None


def write_shard(cuts: Iterable[Cut], number: int, out: Path, format: str) -> ShardRecord:
    """Cuts -> the number-th shard in `out`, and its record, which is written last: it says that the shard is whole.

    A cut whose audio cannot be used is left out, and told in the record.

    Raises:
        InputError: `out` cannot be written to.
    """
    record = ShardRecord(number)
    spare = out / UNFINISHED
    names = {name: spare / Path(name).name for name in (record.recording, record.cuts)}
    with _out_errors(out):
        audio, lines = (writer(str(path), None) for writer, path in zip(_WRITERS, names.values(), strict=True))
        with audio, lines:
            for cut in cuts:
                try:
                    _write(cut, audio, lines, format)
                except AudioError as error:
                    record.failed.append((cut.id, str(error)))
                else:
                    _count(cut, record)
        if record.utterances:
            for name, path in names.items():
                _sync(path)
                os.replace(path, out / name)
            record.bytes = (out / record.recording).stat().st_size
        data = json.dumps(record.for_json()).encode()
        write_whole(record_path(out, number), data, sync=True)
    return record


_WRITERS: tuple[Callable[..., Any], Callable[..., Any]] = TarWriter, JsonlShardWriter


def _write(cut: Cut, audio: TarWriter, lines: JsonlShardWriter, format: str) -> None:
    if not isinstance(cut, MonoCut | MultiCut) or not cut.has_recording:
        raise AudioError(f"is a {type(cut).__name__}, not one with a recording of its own: save it as audio first")
    channels = load_channels(cut)
    stored = store_cut(cut, channels, format)
    recording = to_shar_placeholder(cut.recording, cut)
    there = list(range(len(channels)))
    recording.sources[0].channels = recording.channel_ids = there
    audio.write(f"{cut.id}.{stored.ending}", io.BytesIO(stored.data))
    audio.write(f"{cut.id}.json", io.BytesIO(json.dumps(recording.to_dict()).encode()), count=False)
    lines.write(fastcopy(cut, start=0.0, channel=0 if isinstance(cut, MonoCut) else there, recording=recording))


def _count(cut: Cut, record: ShardRecord) -> None:
    rate = str(cut.sampling_rate)
    record.utterances += 1
    record.duration_s += cut.duration
    record.sample_rates[rate] = record.sample_rates.get(rate, 0) + 1


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _out_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise InputError(
            f"{out}: cannot be written ({reason}): make room, or choose another -o; the same command goes on from here"
        ) from None
