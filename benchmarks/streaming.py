"""Live recognisers, one core, taking turns: real-time factor, latency of a chunk, memory, streams on one core.

pip install -e ".[dev,peers]"
python benchmarks/streaming.py streams/test-words/test-words-street-5dB-00.flac --ours commands-12-stream a.onnx b.onnx

Ours are what `drsn_audio.load` takes (PyTorch) and files that `drsn-audio export` wrote (ONNX Runtime). Pocketsphinx
listens for the ten commands, the other two for one wake word each, the only kind they know. Each runs in a process of
its own. All times are CPU time of all its threads, so what else the machine does lengthens them little; the figures
compare within one run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
from listeners import PEERS, WARM_UP_S, Worker

RATE = 16000
CHUNKS_MS = (10, 30, 100)
AIM_CHUNK_MS = 100  # at which real-time factors are aimed at
AIMS = {"rtf": 0.01, "rtf of a tiny one": 0.004, "times faster than pyopen-wakeword": 5, "block_ms": 100, "streams": 64}
BATCHES = (1, 8, 64)
LIBRARIES = ("numpy", "torch", "onnxruntime", "pocketsphinx", "pymicro-wakeword", "pyopen-wakeword")


def start(sources: list[str], core: int) -> tuple[dict[str, Worker], dict[str, str]]:
    """Workers by source, and what is wrong with the sources that cannot be had."""
    context = multiprocessing.get_context("spawn")
    workers, lacking = {}, {}
    for source in sources:
        try:
            workers[source] = Worker(context, source, core)
        except RuntimeError as error:
            lacking[source] = str(error)
    return workers, lacking


def measure(workers: dict[str, Worker], wave: np.ndarray, turn_s: float) -> dict[str, dict[str, Any]]:
    """The sound [N], after its first seconds, in turns of turn_s, at each size of chunk -> what is said of each."""
    memory = {}
    for source, worker in workers.items():
        worker.time(wave[: WARM_UP_S * RATE], RATE // 10)
        memory[source] = worker.memory_mb()
    size = round(turn_s * RATE)
    turns = [wave[begin : begin + size] for begin in range(WARM_UP_S * RATE, len(wave) - size + 1, size)]
    times: dict[tuple[str, int], list[Any]] = {(source, ms): [] for source in workers for ms in CHUNKS_MS}
    for turn in turns:
        for ms in CHUNKS_MS:
            for source, worker in workers.items():
                times[source, ms].append(worker.time(turn, RATE * ms // 1000))
    return {
        source: {
            **worker.about,
            "memory_mb": memory[source],
            "own_thread": min(one.own for ms in CHUNKS_MS for one in times[source, ms]),
            "chunks": {ms: summary(times[source, ms], ms) for ms in CHUNKS_MS},
        }
        for source, worker in workers.items()
    }


def summary(turns: list[Any], chunk_ms: int) -> dict[str, float]:
    """Real-time factor: the median turn's; latency of a chunk, ms: over all of them."""
    chunks_ms = 1000 * np.concatenate([turn.chunks for turn in turns])
    return {
        "rtf": float(np.median([turn.chunks.mean() for turn in turns])) * 1000 / chunk_ms,
        "median_ms": float(np.median(chunks_ms)),
        "p99_ms": float(np.percentile(chunks_ms, 99)),
        "chunks": len(chunks_ms),
    }


def measure_batches(workers: dict[str, Worker], wave: np.ndarray, turns: int) -> dict[str, dict[int, float]]:
    """Of each .onnx file, by how many streams it hears at once: seconds of sound per second of CPU time."""
    seconds: dict[tuple[str, int], list[float]] = {}
    for _ in range(turns):
        for streams in BATCHES:
            for source, worker in workers.items():
                if source.endswith(".onnx"):
                    taken = worker.time_batch(wave, streams)
                    seconds.setdefault((source, streams), []).append(len(wave) / RATE * streams / taken)
    found: dict[str, dict[int, float]] = {}
    for (source, streams), values in seconds.items():
        found.setdefault(source, {})[streams] = float(np.median(values))
    return found


def verdicts(source: str, found: dict[str, Any], result: dict[str, Any]) -> list[tuple[str, float, str, float]]:
    """What is aimed at, of an .onnx file: name, value, at least or at most, aim."""
    rtf = found["chunks"][AIM_CHUNK_MS]["rtf"]
    aims = [
        (f"real-time factor at {AIM_CHUNK_MS} ms", rtf, "<=", AIMS["rtf of a tiny one" if "tiny" in source else "rtf"]),
        ("algorithmic latency, ms", found["block_ms"], "<=", AIMS["block_ms"]),
        ("streams on one core", max(result["streams_per_core"][source].values()), ">=", AIMS["streams"]),
    ]
    if other := result["listeners"].get("pyopen-wakeword"):
        name = "times faster than pyopen-wakeword"
        aims.append((name, other["chunks"][AIM_CHUNK_MS]["rtf"] / rtf, ">=", AIMS[name]))
    return aims


def show(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("listener", "words", "takes blocks of", "memory", "chunks", "real-time factor", "median", "p99")
    for source, found in result["listeners"].items():
        about = [source, str(found["words"]), f"{found['block_ms']:.0f} ms", f"{found['memory_mb']:.0f} MB"]
        for ms, one in found["chunks"].items():
            latency = (f"{one['median_ms']:.3f} ms", f"{one['p99_ms']:.3f} ms")
            table.add_row(*about, f"{ms} ms", f"{one['rtf']:.5f}", *latency, end_section=ms == CHUNKS_MS[-1])
            about = [""] * len(about)
    console.print(result["machine"])
    console.print(table)
    for source, reason in result["lacking"].items():
        console.print(f"{source}: left out: {reason}", markup=False)
    for source, found in result["listeners"].items():
        if found["own_thread"] < 0.99:
            console.print(f"{source}: {1 - found['own_thread']:.0%} of its CPU time was on further threads")
    if not result["streams_per_core"]:
        return
    table = Table("model", *(f"{streams} at once" for streams in BATCHES), title="live streams on one core")
    for source, by_batch in result["streams_per_core"].items():
        table.add_row(source, *(f"{by_batch[streams]:.0f}" for streams in BATCHES))
    console.print(table)
    table = Table("model", "aim", "", "measured", "holds")
    for source in result["streams_per_core"]:
        for name, value, relation, aim in verdicts(source, result["listeners"][source], result):
            holds = value <= aim if relation == "<=" else value >= aim
            table.add_row(source, name, f"{relation} {aim:g}", f"{value:.4g}", "yes" if holds else "NO")
    console.print(table)


def versions() -> dict[str, str | None]:
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = None
    return found


def machine() -> str:
    from torch import backends

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{(names or [platform.processor()])[0]}, {backends.cpu.get_cpu_capability()}, one of {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sound", help="an audio file of a few minutes of noisy speech")
    parser.add_argument("--ours", nargs="*", default=[], metavar="MODEL", help="run folders, checkpoints, .onnx files")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--turn-s", type=float, default=15, help="seconds of sound of one turn")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="on which all listeners run")
    parser.add_argument("--json", type=Path, help="write everything here")
    args = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"  # of the processes that start now
    from drsn_audio.audio import read_audio

    wave = read_audio(args.sound, RATE)[0][: round((60 * args.minutes + WARM_UP_S) * RATE)]
    workers, lacking = start([*args.ours, *PEERS], args.core)
    result = {
        "machine": machine(),
        "versions": versions(),
        "sound": {"file": Path(args.sound).name, "seconds": len(wave) / RATE, "turn_s": args.turn_s},
        "aims": AIMS,
        "lacking": lacking,
        "listeners": measure(workers, wave, args.turn_s),
        "streams_per_core": measure_batches(workers, wave[: round(args.turn_s * RATE)], turns=5),
    }
    for worker in workers.values():
        worker.close()
    show(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
