"""What an epoch of keyword training costs, and where the time goes, on one thread.

example:
  python benchmarks/training_step.py --config recipes/keywords/configs/subset.yaml model.preset=100k
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict

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
from drsn_audio.evaluation.keyword import num_samples
from drsn_audio.models.model import AudioModel, count_parameters
from drsn_audio.training.optim import make_average, make_optimizer


def measure(config: ExperimentConfig, steps: int) -> tuple[dict[str, list[float]], int, int]:
    """Seconds of each stage, step by step; clips an epoch; parameters."""
    store = AudioStore(config.model.frontend.sample_rate)
    clips = keyword_clips(read_cuts(config.data.train), config.model.labels, config.data)
    model = AudioModel(config.model).to(memory_format=torch.channels_last)
    data = TrainingClips(
        clips, NoisePool(config.data.noise_train, store), store, num_samples(model), config.augment, config.seed
    )
    optimizer, average = make_optimizer(model, config.train), make_average(model, config.train.ema_decay)
    bf16 = config.train.precision == "bf16"
    seconds: dict[str, list[float]] = defaultdict(list)
    batches = plan_batches(len(clips), config.train.batch_size, config.seed, 0)[:steps]
    for round_ in range(2):  # the first reads the files
        for indices in batches:
            marks = [time.perf_counter()]

            def mark(marks: list[float] = marks) -> None:
                marks.append(time.perf_counter())

            batch = collate([data[round_, index] for index in indices])
            mark()
            wave = batch.mix()
            mark()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = model(wave)
                loss = model.head.loss(logits, None, batch.target)["cross_entropy"]
            mark()
            loss.backward()
            mark()
            optimizer.step()
            optimizer.zero_grad()
            average.update_parameters(model)
            mark()
            if round_ == 1:
                names = ("load and draw", "mix", "front-end and forward", "backward", "optimiser and average")
                for name, begin, end in zip(names, marks, marks[1:], strict=False):
                    seconds[name].append(end - begin)
    return seconds, len(clips), count_parameters(model)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args()

    def run() -> None:
        torch.set_num_threads(1)
        config = load_config(options.config, options.overrides)
        seconds, clips, parameters = measure(config, options.steps)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        step = sum(medians.values())
        table = Table("stage", "ms a step", "share", title=f"{parameters:,} parameters, {config.train.precision=}")
        for name, value in medians.items():
            table.add_row(name, f"{1000 * value:.1f}", f"{value / step:.0%}")
        table.add_row("step", f"{1000 * step:.1f}", "")
        Console().print(table)
        print(f"an epoch of {clips} clips: {step * clips / config.train.batch_size:.1f} s on one thread")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
