"""Training of models that write: seconds of speech per second, and memory per padded second, of each preset.

python benchmarks/ctc_training.py --presets ctc-500k ctc-1m ctc-3m --pool clip causal
python benchmarks/ctc_training.py --device cuda --precision bf16 --padded-s 200

A step is forward, CTC loss, backward and update, without loading and mixing, on rows of noise with characters drawn
for them, about 14 a second as in read speech. Each preset has a process of its own, which trains on batches of half the
padded seconds first, then on whole ones. What memory grows by is divided by what the batch grows by; what does not
grow (weights, gradients, the optimiser, the library) is told apart. On the CPU seconds are CPU time of one thread, and
memory is the largest resident one; on a GPU they are time and memory of the device.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from streaming import machine, versions

from drsn_audio.cli import guarded
from drsn_audio.config import PRESETS, config_from_dict
from drsn_audio.decoding.units import CHARACTERS
from drsn_audio.errors import InputError
from drsn_audio.models.model import AudioModel, count_parameters
from drsn_audio.training.optim import make_optimizer

CHARACTERS_A_SECOND = 14
WARM_UP = 2  # steps that do not count


def steps(model: AudioModel, config: Any, device: str, precision: str) -> Callable[[int, float], float]:
    """A function that takes a step on so many rows of so many seconds, and gives the seconds that it took."""
    optimizer = make_optimizer(model, config.train)
    generator = torch.Generator().manual_seed(0)
    rate = model.config.frontend.sample_rate

    def step(rows: int, row_s: float) -> float:
        wave = (0.1 * torch.randn(rows, round(row_s * rate), generator=generator)).to(device)
        size = (rows, round(CHARACTERS_A_SECOND * row_s))
        target = torch.randint(1, len(CHARACTERS), size, generator=generator).to(device)
        lengths = torch.full((rows,), wave.shape[1], device=device)
        begin = now(device)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            logits = model(wave, lengths)
        losses = model.head.loss(logits, model.output_lengths(lengths), target)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.train.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        return now(device) - begin

    return step


def now(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def peak_mb(device: str) -> float:
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return torch.cuda.max_memory_allocated() / 1e6


def measure(preset: str, pool: str, args: argparse.Namespace) -> dict[str, Any]:
    """To be called in a process of its own, whose largest memory is that of this model alone."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    described = {"preset": preset, "head": "ctc", "units": "characters", "labels": CHARACTERS, "pool": pool}
    config = config_from_dict({"model": described})
    model = AudioModel(config.model).to(args.device).train()
    step = steps(model, config, args.device, args.precision)
    rows = max(2, 2 * round(args.padded_s / args.row_s / 2))
    peaks_mb, seconds = [], []
    for count in (rows // 2, rows):
        seconds = [step(count, args.row_s) for _ in range(args.steps + WARM_UP)][WARM_UP:]
        peaks_mb.append(peak_mb(args.device))
    padded_s = rows * args.row_s
    mb_a_second = (peaks_mb[1] - peaks_mb[0]) / (padded_s / 2)
    return {
        "preset": preset,
        "pool": pool,
        "parameters": count_parameters(model),
        "batch_s": padded_s,
        "step_s": statistics.median(seconds),
        "speech_s_per_s": padded_s / statistics.median(seconds),
        "peak_mb": peaks_mb[1],
        "mb_per_padded_s": mb_a_second,
        "fixed_mb": peaks_mb[1] - mb_a_second * padded_s,
    }


def show(result: dict[str, Any]) -> None:
    console = Console()
    console.print(result["machine"], highlight=False)
    columns = ("preset", "pool", "parameters", "batch", "speech per second", "memory per padded second", "beside it")
    table = Table(*columns, title=f"{result['device']}, {result['precision']}")
    for row in result["rows"]:
        table.add_row(
            row["preset"],
            row["pool"],
            f"{row['parameters']:,}",
            f"{row['batch_s']:g} s",
            f"{row['speech_s_per_s']:.1f} s",
            f"{row['mb_per_padded_s']:.1f} MB",
            f"{row['fixed_mb']:.0f} MB",
        )
    console.print(table)


def main() -> int:
    known = [preset for preset in PRESETS if preset.startswith("ctc")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=known, help=f"default: {' '.join(known)}")
    parser.add_argument("--pool", nargs="+", default=["clip", "causal"], help="default: clip causal")
    parser.add_argument("--padded-s", type=float, default=96.0, help="seconds of a batch (default: 96)")
    parser.add_argument("--row-s", type=float, default=12.0, help="of each of its rows (default: 12)")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["no", "bf16"], default="no")
    parser.add_argument("--json", type=Path, help="write everything here")
    args = parser.parse_args()

    def run() -> None:
        if unknown := [preset for preset in args.presets if preset not in PRESETS]:
            raise InputError(f"{unknown[0]}: no such preset: use some of {', '.join(known)}")
        if args.device == "cuda" and not torch.cuda.is_available():
            raise InputError("--device cuda: torch finds no GPU here: leave it out")
        context = multiprocessing.get_context("spawn")
        rows = []
        for preset in args.presets:
            for pool in args.pool:
                with context.Pool(1) as one:
                    rows.append(one.apply(measure, (preset, pool, args)))
                told = f"{preset}, {pool}: {rows[-1]['speech_s_per_s']:.1f} s of speech a second"
                print(told, file=sys.stderr)  # large ones take minutes
        where = machine() if args.device == "cpu" else torch.cuda.get_device_name()
        result = {
            "machine": where,
            "device": args.device,
            "precision": args.precision,
            "versions": versions(),
            "rows": rows,
        }
        show(result)
        if args.json:
            args.json.write_text(json.dumps(result, indent=1) + "\n")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
