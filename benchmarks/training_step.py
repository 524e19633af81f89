"""Where the time of a training step goes, on one thread. The time is the thread's own: other work does not enter it.

example:
  python benchmarks/training_step.py --config recipes/keywords/configs/subset.yaml model.preset=100k
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict

import numpy as np
import torch
from lhotse.cut import Cut
from rich.console import Console
from rich.table import Table

from drsn_audio.cli import guarded
from drsn_audio.config import ExperimentConfig, load_config
from drsn_audio.datasets.batch import Batch, collate
from drsn_audio.datasets.draws import plan_batches
from drsn_audio.datasets.keyword import TrainingClips, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.keyword import num_samples
from drsn_audio.models.model import AudioModel, count_parameters
from drsn_audio.training.keyword import masked
from drsn_audio.training.optim import make_average, make_optimizer

Seconds = dict[str, list[float]]  # stage -> thread seconds of each step


class TimedStore(AudioStore):
    """Adds up the time that it takes."""

    seconds = 0.0

    def __call__(self, cut: Cut) -> np.ndarray:
        begin = time.thread_time()
        wave = super().__call__(cut)
        self.seconds += time.thread_time() - begin
        return wave


def measure(config: ExperimentConfig, steps: int) -> tuple[Seconds, float, int, int]:
    """Seconds of steps once all files are in memory, of loading before; clips an epoch; parameters."""
    store = TimedStore(config.model.frontend.sample_rate)
    clips = keyword_clips(read_cuts(config.data.train), config.model.labels, config.data)
    model = AudioModel(config.model).to(memory_format=torch.channels_last)
    noise = NoisePool(config.data.noise_train, store)
    data = TrainingClips(clips, noise, store, num_samples(model), config.augment, config.seed)
    batches = plan_batches(len(clips), config.train.batch_size, config.seed, 0)[:steps]
    step = Step(config, model)
    for indices in batches:  # the draws of the epoch that follows, so that it reads no file
        for index in indices:
            data[0, index]
    first, seconds = store.seconds / len(batches), defaultdict(list)
    for indices in batches:
        store.seconds, begin = 0.0, time.thread_time()
        batch = collate([data[0, index] for index in indices])
        seconds["load"].append(store.seconds)
        seconds["draw: speed, place, noise and its equaliser"].append(time.thread_time() - begin - store.seconds)
        for name, value in step(batch).items():
            seconds[name].append(value)
    return seconds, first, len(clips), count_parameters(model)


class Step:
    """Mix, forward, backward and update, as the training loop does them, each timed."""

    def __init__(self, config: ExperimentConfig, model: AudioModel):
        self.config, self.model = config, model
        self.optimizer, self.average = make_optimizer(model, config.train), make_average(model, config.train.ema_decay)
        self.marks: dict[str, float] = {}
        model.frontend.register_forward_hook(lambda *_: self.mark("front-end"))

    def mark(self, name: str) -> None:
        self.marks[name] = time.thread_time()

    def __call__(self, batch: Batch) -> dict[str, float]:
        config, model = self.config, self.model
        self.marks = {}
        self.mark("begin")
        wave = batch.mix()
        self.mark("mix: SNR, equaliser, gain")
        with torch.autocast("cpu", torch.bfloat16, enabled=config.train.precision == "bf16"):
            logits = model(wave, augment=masked(batch, config, step=0))
            loss = model.head.loss(logits, None, batch.target)["cross_entropy"]
        self.mark("forward")
        loss.backward()
        self.mark("backward")
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.train.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_parameters(model)
        self.mark("optimiser and average")
        names, times = list(self.marks), list(self.marks.values())
        return {name: end - begin for name, begin, end in zip(names[1:], times, times[1:], strict=False)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args()

    def run() -> None:
        torch.set_num_threads(1)
        config = load_config(options.config, options.overrides)
        seconds, first, clips, parameters = measure(config, options.steps)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        step = sum(medians.values())
        table = Table("stage", "ms", "share", title=f"{parameters:,} parameters, {config.train.precision=}")
        for name, value in medians.items():
            table.add_row(name, f"{1000 * value:.1f}", f"{value / step:.1%}")
        table.add_row("step", f"{1000 * step:.1f}", "")
        Console().print(table)
        loading = sum(value for name, value in medians.items() if name.startswith(("load", "draw", "mix")))
        print(f"load, draw and mix: {loading / step:.1%} of a step")
        print(f"in the first epoch, which reads the files, load is {1000 * first:.0f} ms")
        print(f"an epoch of {clips} clips: {step * clips / config.train.batch_size:.1f} s on one thread")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
