"""Speech out of shards against speech in files of its own: how many utterances a second training gets to hear.

An epoch is loaded as training does it, with its draws, noise and batches, but without a model: from loose files in the
order that training takes, and from shards that are made of them here, in theirs. Both decode every utterance (what a
store would keep in memory of small corpora is not kept), they take turns, and the clock starts with the second batch,
when the loader's processes are there. The first line is reading and decoding alone, without draws and batches, by the
time of the processor, which other work on the machine does not enter.

All is in the system's cache. With --cold it is put out of that before each round, as far as the system follows such
advice (posix_fadvise; to force it takes root), and the first line counts the time of the disk, too.

example:
  python benchmarks/shards.py --config recipes/keywords/configs/subset.yaml
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, ExperimentConfig, load_config
from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.cut_list import cut_facts
from drsn_audio.datasets.draws import draw_generator, plan_batches, plan_by_seconds
from drsn_audio.datasets.keyword import TrainingClips, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, open_cuts, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.shard_order import shard_order
from drsn_audio.datasets.sharding import shard_cuts
from drsn_audio.datasets.utterances import TrainingUtterances, row_samples, utterances
from drsn_audio.decoding.units import CHARACTERS, Units

BLOCK = 640  # samples, where the batches are of utterances: of a model that writes every 40 ms


def epoch_of(config: ExperimentConfig, train: list[str], epoch: int) -> tuple[Dataset, list[list[tuple[int, ...]]]]:
    """The dataset and the keys of its batches."""
    rate, seed = config.model.frontend.sample_rate, config.seed
    store, noise = AudioStore(rate, max_bytes=0), NoisePool(config.data.noise_train, AudioStore(rate))
    if config.model.head == "ctc":
        kept, _ = utterances(
            read_cuts(train), Units("characters", CHARACTERS, ""), config.data.max_duration_s, BLOCK, rate,
            level=config.data.level, fastest=config.augment.speed[1],
        )  # fmt: skip
        order = shard_order(kept, store, config.data.shard_window, seed)
        samples = [row_samples(each, config.augment.speed[0], rate, BLOCK) for each in kept.durations_s]
        seconds, blocks = [count / rate for count in samples], order.blocks(epoch) if order else None
        plan = plan_by_seconds(seconds, config.train.max_padded_s, seed, epoch, blocks)
        keys = [[(epoch, index, max(samples[other] for other in batch)) for index in batch] for batch in plan]
        return TrainingUtterances(kept, noise, store, config.augment, seed), keys
    clips = keyword_clips(read_cuts(train), config.model.labels, config.data)
    order = shard_order(clips, store, config.data.shard_window, seed)
    drawn = order.order(epoch) if order else None
    plan = plan_batches(len(clips), config.train.batch_size, seed, epoch, drawn)
    data = TrainingClips(clips, noise, store, round(config.model.clip_s * rate), config.augment, seed)
    return data, [[(epoch, index) for index in batch] for batch in plan]


def rate_of(data: Dataset, batches: list[list[tuple[int, ...]]], workers: int) -> float:
    """Utterances a second, from the second batch on."""
    loader = DataLoader(data, batch_sampler=batches, collate_fn=collate, num_workers=workers)  # type: ignore[arg-type]
    begin, count = 0.0, 0
    for number, batch in enumerate(loader):
        if number == 0:
            begin = time.perf_counter()
        else:
            count += len(batch.ids)
    return count / (time.perf_counter() - begin)


def reading_rate_of(data: Any, batches: list[list[tuple[int, ...]]], clock: Callable[[], float]) -> float:
    """Utterances a second by a clock, of the store alone."""
    items: Any = data.clips if isinstance(data, TrainingClips) else data.utterances
    begin, count = clock(), 0
    for _, index, *_ in chain.from_iterable(batches):
        if (cut := items[index].cut) is not None:
            data.draws.store(cut)
            count += 1
    return count / (clock() - begin)


def sample(train: list[str], count: int, path: Path) -> list[str]:
    """A manifest of so many utterances of others, in a drawn order; theirs where they are no more."""
    cuts = open_cuts(train)
    if len(cuts) <= count:
        return train
    rows = draw_generator("benchmark").permutation(len(cuts))[:count]
    path.write_text("".join(json.dumps(cut.to_dict()) + "\n" for cut in cuts.at(rows)), encoding="utf-8")
    return [str(path)]


def put_out_of_cache(paths: Iterable[Path]) -> None:
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def files_of(train: list[str]) -> Iterator[Path]:
    for place in train:
        if Path(place).is_dir():
            yield from (Path(place) / "shar").iterdir()
        else:
            yield from (Path(facts.source) for facts in cut_facts(read_cuts([place])))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="of a recipe for keywords, or for transcription of utterances")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--utterances", type=int, default=2000, help="of those of data.train, at most")
    parser.add_argument("--shard-size", type=int, default=1000)
    parser.add_argument("--cold", action="store_true", help="put the files out of the system's cache first")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args()
    config = load_config(options.config, options.overrides)
    if config.model.head not in ("keyword", "ctc") or config.data.strings.rows:
        raise ConfigError(f"{options.config}: name a recipe whose batches are of clips or utterances")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = sample(list(config.data.train), options.utterances, Path(folder) / "files.jsonl")
        begin = time.perf_counter()
        made = shard_cuts(files, Path(folder) / "shards", shard_size=options.shard_size)
        seconds = time.perf_counter() - begin
        kinds = {"files": files, "shards": [str(Path(folder) / "shards")]}
        size = f"{made.utterances:,} utterances, {made.bytes / 1e6:.0f} MB"
        title = f"{size} in {made.shards} shards, made in {seconds:.0f} s"
        table = Table("workers", "files (1/s)", "shards (1/s)", "shards / files", title=title)
        for workers in (None, *options.workers):
            rates: dict[str, list[float]] = {kind: [] for kind in kinds}
            for epoch in range(options.rounds):
                for kind, train in kinds.items():
                    data, batches = epoch_of(config, train, epoch)
                    if options.cold:
                        put_out_of_cache(files_of(train))
                    if workers is None:
                        clock = time.perf_counter if options.cold else time.thread_time
                        rates[kind].append(reading_rate_of(data, batches, clock))
                    else:
                        rates[kind].append(rate_of(data, batches, workers))
            ratios = [b / a for a, b in zip(rates["files"], rates["shards"], strict=True)]
            found = (f"{statistics.median(each):,.0f} ({min(each):,.0f}-{max(each):,.0f})" for each in rates.values())
            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            table.add_row("reading alone" if workers is None else str(workers), *found, ratio)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
