"""Manifests -> a folder of shards, which a run that was cut short at whatever moment goes on with."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from drsn_audio._version import __version__
from drsn_audio.config import ConfigError
from drsn_audio.datasets.cut_list import CutList
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import file_sha256, open_cuts
from drsn_audio.datasets.mix_header import differences
from drsn_audio.datasets.mix_jobs import in_order
from drsn_audio.datasets.shard_audio import FORMATS
from drsn_audio.datasets.shard_index import INDEX, SCHEMA, SHAR, UNFINISHED
from drsn_audio.datasets.shard_writing import ShardRecord, read_record, record_path, write_shard
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole

LOCK = ".lock"
WAIT_S = 5.0  # for the processes of a run that was killed, which still hold the lock


class ShardReport(NamedTuple):
    """What has become of a conversion; kept: shards that were there from an earlier run; failed: id and reason."""

    shards: int
    kept: int
    utterances: int
    duration_s: float
    bytes: int
    failed: list[tuple[str, str]]


def shard_cuts(
    manifests: Sequence[str],
    out: str | Path,
    *,
    shard_size: int = 1000,
    format: str = "flac",
    shuffle: int | None = 0,
    jobs: int = 1,
    progress: bool = False,
) -> ShardReport:
    """Write the cuts of manifests as shards into the folder `out`, in an order drawn by the seed `shuffle` (None: as
    they are). Shards of an earlier run of the same settings are kept, but for those with utterances that failed.

    Raises:
        ConfigError: settings that make no sense.
        ManifestError: as read_cuts.
        InputError: `out` holds shards of other speech or settings, is being written to, or cannot be.
    """
    out = Path(out)
    if shard_size < 1 or jobs < 1:
        raise ConfigError(f"--shard-size {shard_size} --jobs {jobs}: give 1 or more of each")
    if format not in FORMATS:
        raise ConfigError(f"--format {format}: use one of {', '.join(FORMATS)}")
    cuts = open_cuts(list(manifests))
    sources = [{"manifest": os.path.abspath(path), "sha256": file_sha256(path)} for path in manifests]
    settings = {"shard_size": shard_size, "format": format, "shuffle": shuffle}
    with _at_work(out):
        known = _begin(out, settings, sources)
        done = {number: record for number, record in known.items() if record.is_whole(out) and not record.failed}
        rows = np.arange(len(cuts)) if shuffle is None else draw_generator("shard", shuffle).permutation(len(cuts))
        pieces = [rows[begin : begin + shard_size] for begin in range(0, len(rows), shard_size)]
        wanted = [number for number in range(len(pieces)) if number not in done]
        if wanted or not (out / INDEX).exists():
            make = partial(_make, cuts=cuts, pieces=pieces, out=out, format=format)
            with ExitStack() as stack:
                tell = stack.enter_context(_bar(len(cuts), progress))
                tell(sum(len(pieces[number]) for number in done))
                for record in in_order(make, wanted, jobs):
                    done[record.number] = record
                    tell(len(pieces[record.number]))
            _finish(out, settings, sources, [done[number] for number in range(len(pieces))])
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)
        records = list(done.values())
    return ShardReport(
        sum(record.utterances > 0 for record in records),
        len(records) - len(wanted),
        sum(record.utterances for record in records),
        sum(record.duration_s for record in records),
        sum(record.bytes for record in records),
        [fault for record in records for fault in record.failed],
    )


def _make(number: int, *, cuts: CutList, pieces: Sequence[np.ndarray], out: Path, format: str) -> ShardRecord:
    return write_shard(cuts.at(pieces[number]), number, out, format)


def _begin(out: Path, settings: dict[str, Any], sources: list[dict[str, str]]) -> dict[int, ShardRecord]:
    """Records of what is there. Raises InputError where that is of something else."""
    request = out / UNFINISHED / "request.json"
    records: dict[int, ShardRecord] = {}
    for path in (out / INDEX, request):
        if path.exists():
            facts = _read(path)
            _refuse_other(out, facts, {"settings": settings, "sources": sources})
            found = (read_record(json.dumps(one)) for one in facts.get("shards", []))
            records |= {record.number: record for record in found if record is not None}
    if not (out / INDEX).exists() and not request.exists() and (out / SHAR).exists():
        raise InputError(f"{out}: holds {SHAR}/ and no {INDEX}: choose another -o, or delete that folder")
    if not request.exists():
        write_whole(request, json.dumps({"settings": settings, "sources": sources}).encode())
    (out / SHAR).mkdir(exist_ok=True)
    for path in (out / UNFINISHED).glob("[0-9]*.json"):
        record = read_record(path.read_text(encoding="utf-8"))
        if record is not None and path == record_path(out, record.number):
            records[record.number] = record
    return records


def _refuse_other(out: Path, was: dict[str, Any], now: dict[str, Any]) -> None:
    changed = differences(was.get("settings", {}), now["settings"])
    if [one["sha256"] for one in was.get("sources", [])] != [one["sha256"] for one in now["sources"]]:
        changed.append("the manifests are others")
    if changed:
        raise InputError(
            f"{out}: holds shards made otherwise ({'; '.join(changed)}): choose another -o, or delete that folder"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found["settings"], dict) or any("sha256" not in one for one in found["sources"]):
            raise ValueError("lacks how they were made")
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not readable ({error}): restore it, or delete its folder") from None


def _finish(out: Path, settings: dict[str, Any], sources: list[dict[str, str]], records: list[ShardRecord]) -> None:
    if not any(record.utterances for record in records):
        first = ": ".join(records[0].failed[0])
        raise InputError(f"{out}: none of the utterances can be used, first {first}")
    rates: dict[str, int] = {}
    for record in records:
        for rate, count in record.sample_rates.items():
            rates[rate] = rates.get(rate, 0) + count
    facts = {
        "schema": SCHEMA,
        "version": __version__,
        "settings": settings,
        "sources": sources,
        "utterances": sum(record.utterances for record in records),
        "duration_s": round(sum(record.duration_s for record in records), 3),
        "sample_rates": rates,
        "failed": sum(len(record.failed) for record in records),
        "shards": [record.for_json() for record in records],
    }
    write_whole(out / INDEX, (json.dumps(facts, indent=1) + "\n").encode(), sync=True)


@contextmanager
def _bar(total: int, progress: bool) -> Iterator[Callable[[int], None]]:
    if not progress:
        yield lambda count: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from drsn_audio.progress import ProgressBar

    columns = TextColumn("utterances"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with ProgressBar(*columns) as bar:
        task = bar.add_task("shard", total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def _at_work(out: Path) -> Iterator[None]:
    """The folder is this run's, until it ends: the system opens the lock when all of its processes have died."""
    out.mkdir(parents=True, exist_ok=True)
    with open(out / LOCK, "ab") as file:
        try:
            import fcntl
        except ImportError:  # Windows: two runs in one folder are the user's to avoid
            yield
            return
        until = time.monotonic() + WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise InputError(
                        f"{out}: another drsn-audio shard is at work there: wait for it, or stop it"
                    ) from None
                time.sleep(0.1)
        yield
