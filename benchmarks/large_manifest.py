"""A manifest of very many utterances: seconds until keyword training has its first batch, and the memory until then.

The manifest is made of a real one, whose utterances stand in it again and again under new ids. Each size is opened in
a process of its own, on one core, after its imports, as training opens it: clips with their targets and levels, the
noise, the plan of the first epoch, the first batch. Memory is what the process has for itself; what it reads of files
may stay in the system's cache, which is not counted.

example:
  python benchmarks/large_manifest.py --config recipes/keywords/configs/subset.yaml
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from rich.console import Console
from rich.table import Table

from drsn_audio.cli import guarded
from drsn_audio.config import ExperimentConfig, load_config
from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.draws import plan_batches
from drsn_audio.datasets.keyword import TrainingClips, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool

MB = 2**20


def repeat(manifest: str, count: int, path: Path) -> None:
    """Write `count` utterances to `path`: those of a manifest, again and again, under new ids."""
    with gzip.open(manifest, "rt", encoding="utf-8") as file:
        cuts = [json.loads(line) for line in file]
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        for place in range(count):
            cut = cuts[place % len(cuts)]
            file.write(json.dumps(cut | {"id": f"{cut['id']}-{place:06d}"}) + "\n")


def measure(config: ExperimentConfig) -> dict[str, float]:
    """What one process needs, in seconds and MB."""
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    process = psutil.Process()
    before, begin = process.memory_full_info().uss / MB, time.perf_counter()
    cuts = read_cuts(config.data.train)
    read = time.perf_counter()
    clips = keyword_clips(cuts, config.model.labels, config.data)
    np.bincount([clip.target for clip in clips])  # as training asks for the share of each class
    opened, memory = time.perf_counter(), process.memory_full_info().uss / MB
    store = AudioStore(config.model.frontend.sample_rate)
    noise = NoisePool(config.data.noise_train, store)
    num_samples = round(config.model.clip_s * store.sample_rate)
    data = TrainingClips(clips, noise, store, num_samples, config.augment, config.seed)
    planning = time.perf_counter()
    batches = plan_batches(len(clips), config.train.batch_size, config.seed, 0)
    planned = time.perf_counter()
    collate([data[0, index] for index in batches[0]])
    first = time.perf_counter()
    return {
        "utterances": len(cuts), "read": read - begin, "open": opened - begin, "plan": planned - planning,
        "first": first - begin, "before": before, "after": memory,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="of a keyword recipe; data.train names the real manifest")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args()
    if options.one:
        config = load_config(options.config, [*options.overrides, f"data.train=[{options.one}]"])
        print(json.dumps(measure(config)))
        return 0
    manifest = load_config(options.config, options.overrides).data.train[0]
    table = Table(
        "utterances", "read (s)", "opened (s)", "plan (s)", "first batch (s)", "MB before", "MB opened", "MB +"
    )
    for count in options.counts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.jsonl.gz"
            repeat(manifest, count, path)
            command = [sys.executable, __file__, "--config", options.config, "--one", str(path), *options.overrides]
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr, end="", file=sys.stderr)
            return done.returncode
        found = json.loads(done.stdout)
        seconds = [f"{found[name]:.2f}" for name in ("read", "open", "plan", "first")]
        memory = [f"{value:.1f}" for value in (found["before"], found["after"], found["after"] - found["before"])]
        table.add_row(f"{found['utterances']:,}", *seconds, *memory)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
