"""What each model of a sweep costs: processor time of a training step, of one clip, and of clips in batches of 64.

The time is the thread's own, on one thread, so that other work on the machine matters less. Every round measures all
models, one after the other, each time beginning with another: slow drifts of the machine meet all alike. Ratios are
medians over rounds of the time to the reference's in the same round. Training steps are those of training_step.py,
mixing included, reading and drawing not; the sound is noise, for its content does not matter. Inference is that of a
model as drsn_audio.load gives it, front-end included.

{"schema", "command", "commit", "sweep", "reference", "rounds", "channels_last", "batch_size", "torch", "processor",
 "models": {label: {"parameters", "multiply_adds", "training", "inference", "inference_64":
                    {"ms": a clip, the median, "low_ms", "high_ms": quartiles, "ratio"}}}}

example:
  python benchmarks/model_costs.py recipes/keywords/sweeps/evidence.yaml
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from training_step import Step

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, ExperimentConfig, load_config
from drsn_audio.datasets.batch import EQUALISER_POINTS, Batch, Example, collate
from drsn_audio.evaluation.keyword import num_samples
from drsn_audio.evaluation.provenance import command_line, commit
from drsn_audio.files import write_whole
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters
from drsn_audio.sweeping.cells import cells_of
from drsn_audio.sweeping.config import Sweep, read_sweep
from drsn_audio.sweeping.evidence_command import COSTS_SCHEMA, MEASURED
from drsn_audio.sweeping.gather import COSTS

BATCH = 64
SINGLES = 8  # clips of batch 1 a round: one alone is short

Milliseconds = dict[str, dict[str, list[float]]]  # label -> what is measured -> ms a clip of each round


class Measured:
    """A model in training, and as it is used."""

    def __init__(self, config: ExperimentConfig, channels_last: bool = False, seed: int = 0):
        torch.manual_seed(seed)
        self.trained = AudioModel(config.model).to(memory_format=torch.channels_last)
        self.used = AudioModel(config.model).eval()
        if channels_last:
            self.used = self.used.to(memory_format=torch.channels_last)
        self.sizes = {"parameters": count_parameters(self.used), "multiply_adds": count_multiply_adds(self.used)}
        self.step, self.rows = Step(config, self.trained), config.train.batch_size
        samples, rate = num_samples(self.used), config.model.frontend.sample_rate
        self.batch = noise_batch(self.rows, samples, rate, len(config.model.labels), seed)
        self.wave = self.batch.mix()[:1].repeat(BATCH, 1)

    def training(self) -> float:
        return 1000 * sum(self.step(self.batch).values()) / self.rows

    def inference(self) -> float:
        return self._ms(lambda: [self.used(self.wave[:1]) for _ in range(SINGLES)]) / SINGLES

    def inference_64(self) -> float:
        return self._ms(lambda: self.used(self.wave)) / BATCH

    @staticmethod
    def _ms(work: Callable[[], Any]) -> float:
        with torch.inference_mode():
            begin = time.thread_time()
            work()
            return 1000 * (time.thread_time() - begin)


def noise_batch(rows: int, samples: int, sample_rate: int, labels: int, seed: int) -> Batch:
    """Noise in place of speech, in noise at 5 dB, with the equalisers that training has; [rows, samples]."""
    rng = np.random.default_rng(seed)

    def noise() -> np.ndarray:
        return (0.05 * rng.standard_normal(samples)).astype(np.float32)

    def gains_db() -> np.ndarray:
        return rng.normal(0, 3, EQUALISER_POINTS).astype(np.float32)

    return collate(
        [
            Example(
                speech=noise(),
                noise=noise(),
                start=0,
                length=samples,
                speech_level_db=-26.0,
                snr_db=5.0,
                gain_db=0.0,
                target=row % labels,
                silence=False,
                noise_gains_db=gains_db(),
                mix_gains_db=gains_db(),
                noise_source="noise",
                sample_rate=sample_rate,
                id=f"clip-{row}",
            )
            for row in range(rows)
        ]
    )


def configs_of(sweep: Sweep) -> dict[str, ExperimentConfig]:
    """Label of the compared axis -> the config of its first cell."""
    configs: dict[str, ExperimentConfig] = {}
    for cell in cells_of(sweep):
        label = cell.labels[sweep.compare]
        if label not in configs:
            configs[label] = load_config(sweep.config, cell.overrides)
            if configs[label].model.head != "keyword" or configs[label].train.stretch_s:
                raise ConfigError(f"{label}: this measures keyword models that are trained on clips")
    return configs


def measure(models: Mapping[str, Any], rounds: int, warm_up: int = 1) -> Milliseconds:
    """All models in turn, `rounds` times after those for warming up."""
    found: Milliseconds = {label: {what: [] for what in MEASURED} for label in models}
    labels = list(models)
    for number in track(range(warm_up + rounds), console=Console(stderr=True), transient=True):
        first = number % len(labels)
        for what in MEASURED:
            for label in labels[first:] + labels[:first]:
                milliseconds = getattr(models[label], what)()
                if number >= warm_up:
                    found[label][what].append(milliseconds)
    return found


def summarise(found: Milliseconds, reference: str) -> dict[str, dict[str, dict[str, float]]]:
    """Medians and quartiles of each, and the median of its ratio to the reference's in the same round."""

    def of(values: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        ratio = np.median(np.array(values) / np.array(theirs))
        return {name: round(float(value), 4) for name, value in
                {"ms": median, "low_ms": low, "high_ms": high, "ratio": ratio}.items()}  # fmt: skip

    return {
        label: {what: of(values, found[reference][what]) for what, values in of_label.items()}
        for label, of_label in found.items()
    }


def costs(
    path: str, words: Sequence[str], rounds: int, reference: str = "", channels_last: bool = False
) -> tuple[Sweep, dict[str, Any]]:
    """The sweep, and the content of costs.json.

    Raises:
        ConfigError: a sweep that cannot be read or is of other models, an unknown reference, no rounds.
    """
    if rounds < 1:
        raise ConfigError(f"--rounds {rounds}: give 1 or more")
    sweep = read_sweep(path, words)
    configs, reference = configs_of(sweep), reference or sweep.reference
    if reference not in configs:
        raise ConfigError(f"--reference {reference}: no model of the sweep: one of {', '.join(configs)}")
    models = {label: Measured(config, channels_last) for label, config in configs.items()}
    times = summarise(measure(models, rounds), reference)
    return sweep, {
        "schema": COSTS_SCHEMA,
        "command": command_line(),
        "commit": commit(),
        "sweep": path,
        "reference": reference,
        "rounds": rounds,
        "channels_last": channels_last,
        "batch_size": next(iter(models.values())).rows,
        "torch": torch.__version__,
        "processor": processor(),
        "models": {label: {**models[label].sizes, **times[label]} for label in models},
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", metavar="SWEEP.yaml")
    parser.add_argument("-o", "--out", type=Path, help="default: costs.json beside the results of the sweep")
    parser.add_argument("--rounds", type=int, default=40, help="measurements of each model (default: %(default)s)")
    parser.add_argument("--reference", default="", metavar="MODEL", help="default: that of the sweep")
    parser.add_argument("--channels-last", action="store_true", help="inference in the memory format of training, too")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args()

    def run() -> None:
        torch.set_num_threads(1)
        sweep, facts = costs(options.sweep, options.overrides, options.rounds, options.reference, options.channels_last)
        out = options.out or Path(sweep.results) / f"{COSTS}.json"
        write_whole(out, (json.dumps(facts, indent=1) + "\n").encode())
        table = Table("model", *(f"{what}, ms a clip" for what in MEASURED), title=f"x: to {facts['reference']}")
        for label, cost in facts["models"].items():
            table.add_row(label, *(f"{cost[what]['ms']:.3f} (x {cost[what]['ratio']:.2f})" for what in MEASURED))
        Console().print(table)
        print(out)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
