"""Running a mixer over a set of any size: in several processes, with a journal, into one manifest."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from drsn_audio.audio import AudioError
from drsn_audio.datasets.mix_header import header_of, write_header
from drsn_audio.datasets.mix_inputs import AudioRef
from drsn_audio.datasets.mix_jobs import in_order
from drsn_audio.datasets.mix_journal import Journal, Record, manifest_lines
from drsn_audio.datasets.mix_sources import Sources
from drsn_audio.datasets.mixer import Outcome
from drsn_audio.errors import InputError


@dataclass
class MixReport:
    """What came of a set: how many mixes, how many of them an earlier run had made, and what could not be used.

    failed: files, with the reason. changed: utterances that an earlier run had mixed, and why they were mixed again.
    manifest: None where nothing was mixed.
    """

    mixes: int = 0
    kept: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    manifest: Path | None = None
    _known: set[tuple[Path, str]] = field(default_factory=set, repr=False)

    @property
    def written(self) -> list[Path]:
        """The mixes, without their stems, as the manifest names them."""
        return list(mix_paths(self.manifest)) if self.manifest else []

    def fail(self, path: str | Path, reason: str) -> None:
        failure = (Path(path), reason.removeprefix(f"{path}: "))
        if failure not in self._known:
            self._known.add(failure)
            self.failed.append(failure)


class Job(NamedTuple):
    """One utterance: its id, what the worker is given, and a reason if it is not to be mixed at all."""

    id: str
    path: Path
    work: Any
    mixes: int
    refused: str | None = None


class Worker(Protocol):
    """Makes the mixes of one job, below `out`, from the inputs of `sources`."""

    @property
    def out(self) -> Path: ...

    @property
    def sources(self) -> Sources: ...

    def __call__(self, work: Any, /) -> Outcome: ...


@dataclass(frozen=True)
class _Checked:
    """A worker that first looks whether an earlier run has left the mixes of a job, whole and of the same inputs."""

    worker: Worker

    def __call__(self, task: tuple[Job, Record | None], /) -> tuple[Outcome, bool, str | None]:
        """-> outcome, whether it is of the earlier run, and if it is not, why."""
        job, record = task
        if job.refused:
            return Outcome([], [(job.path, job.refused)]), False, None
        if record is None or len(record.lines) < job.mixes:  # what failed then is tried again
            return self.worker(job.work), False, None
        changed = self._changed(record)
        if changed:
            return self.worker(job.work), False, changed
        return Outcome(record.lines, [(Path(path), reason) for path, reason in record.failed]), True, None

    def _changed(self, record: Record) -> str | None:
        sources = self.worker.sources
        checked: set[str] = set()
        for line in record.lines:
            cut = json.loads(line)
            for ref, sha256, once in input_files(cut["custom"]):
                if str(ref) in checked:
                    continue
                checked.add(str(ref))
                try:
                    now = sources.sha256(ref) if once else sources.kept_sha256(ref)
                except AudioError as error:
                    return str(error)
                if now != sha256:
                    return f"{sources.path(ref)} has changed"
            for name, sha256 in output_files(cut):
                path = self.worker.out / name
                if not path.is_file():
                    return f"{path} is gone"
                if Sources({"out": self.worker.out}).sha256(AudioRef("out", name)) != sha256:
                    return f"{path} is not as it was written"
        return None


def input_files(custom: dict[str, Any]) -> Iterator[tuple[AudioRef, str, bool]]:
    """Files that a mix was made of, their sha256, and whether no other utterance has them."""
    yield AudioRef("speech", custom["clean"]), custom["clean_sha256"], True
    for part in custom["noises"]:
        if part["file"] is not None:
            yield AudioRef(part["root"], part["file"]), part["sha256"], False
    reverb = custom["reverb"]
    if reverb and reverb["file"] is not None:
        yield AudioRef("rooms", reverb["file"]), reverb["sha256"], False


def output_files(cut: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of a mix and its stems, and their sha256."""
    custom = cut["custom"]
    yield cut["recording"]["sources"][0]["source"], custom["sha256"]
    stems = custom["stems"]
    if stems:
        yield stems["clean"], stems["clean_sha256"]
        yield stems["noise"], stems["noise_sha256"]


def mix_paths(manifest: Path) -> Iterator[Path]:
    for line in manifest_lines(manifest):
        yield manifest.parent / json.loads(line)["recording"]["sources"][0]["source"]


def run_set(
    worker: Worker,
    jobs: Iterable[Job],
    manifest: Path,
    request: dict[str, Any],
    *,
    total: int,
    processes: int,
    progress: bool,
    written: Callable[[Path], object] | None,
    header: Callable[[], dict[str, Any]],
) -> MixReport:
    """Work on all jobs, write the manifest and mix.json beside it.

    request: what decides the mixes; an unfinished or finished set of another one is refused. header: what else
    mix.json is to say. written: is told of each mix.

    Raises:
        InputError: no job can be found, or OUT is no place for this set.
        KeyboardInterrupt: says how to go on.
    """
    report = MixReport()
    with Journal(manifest, request) as journal:
        done = 0
        try:
            for outcome in _outcomes(worker, jobs, journal, report, total, processes, progress):
                done += 1
                report.mixes += len(outcome.lines)
                for line in outcome.lines:
                    if written:
                        written(manifest.parent / json.loads(line)["recording"]["sources"][0]["source"])
        except KeyboardInterrupt:
            rest = f"{done} of {total} utterances are mixed; the same command goes on from there"
            raise KeyboardInterrupt(f"stopped: {rest}") from None
        if journal.finish():
            report.manifest = manifest
            failed = [[str(path), reason] for path, reason in report.failed]
            facts = {**header(), **request, "mixes": report.mixes, "failed": failed}
            write_header(header_of(manifest), facts)
        journal.forget()
    return report


def _outcomes(
    worker: Worker, jobs: Iterable[Job], journal: Journal, report: MixReport, total: int, processes: int, progress: bool
) -> Iterator[Outcome]:
    stopped: list[InputError] = []

    def tasks() -> Iterator[tuple[Job, Record | None]]:
        try:
            for job in jobs:
                pending.append(job)
                yield job, journal.earlier(job.id)
        except AudioError as error:  # a folder within that may not be read; the others are mixed
            stopped.append(error)

    pending: list[Job] = []  # given out, and not yet come back
    results = in_order(_Checked(worker), tasks(), processes)
    for number, (outcome, kept, changed) in enumerate(_with_bar(results, total, progress)):
        job = pending.pop(0)
        for path, reason in outcome.failed:
            report.fail(path, reason)
        report.kept += len(outcome.lines) if kept else 0
        if changed:
            report.changed.append((job.id, changed))
        failed = [(str(path), reason) for path, reason in outcome.failed]
        journal.add(Record(number, job.id, outcome.lines, failed))
        yield outcome
    if stopped:
        if not report.mixes and not report.failed:
            raise stopped[0]
        place, _, reason = str(stopped[0]).partition(": ")
        report.fail(place, reason)


def _with_bar(results: Iterator[Any], total: int, progress: bool) -> Iterator[Any]:
    if not progress or not sys.stderr.isatty():  # a log is no place for a bar
        yield from results
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from drsn_audio.progress import ProgressBar

    rate = TextColumn("{task.fields[rate]:.1f}/s")
    columns = (TextColumn("mixing"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with ProgressBar(*columns) as bar:
        task = bar.add_task("mixing", total=total, rate=0.0)
        for result in results:
            yield result
            bar.update(task, advance=1, rate=bar.tasks[0].speed or 0.0)
