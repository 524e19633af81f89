"""What each shrinkage adds to a residual block, forward and backward: one thread, batch of 64, channels_last.

The blocks are those of the presets, on one-second clips. The time is the thread's own; the shrinkages take turns.

example:
  python benchmarks/shrinkage_block.py
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from rich.console import Console
from rich.table import Table

from drsn_audio.nn.residual import ResidualBlock
from drsn_audio.nn.shrinkage import SHRINKAGES

# preset -> blocks: channels in, channels, bins and frames coming in, stride
BLOCKS = {
    "100k": [(17, 17, 20, 50, 1), (17, 34, 20, 50, 2), (34, 68, 10, 25, 2)],
    "300k": [(21, 21, 20, 50, 1), (21, 42, 20, 50, 2), (42, 84, 10, 25, 2), (84, 84, 5, 13, 1)],
}


def measure(block: tuple[int, int, int, int, int], bf16: bool, rounds: int) -> dict[str, float]:
    """Median milliseconds of thread time, forward and backward, of each shrinkage."""
    channels_in, channels, bins, frames, stride = block
    x = torch.randn(64, channels_in, bins, frames).to(memory_format=torch.channels_last)
    models = {
        name: ResidualBlock(channels_in, channels, (stride, stride), name, "clip").to(memory_format=torch.channels_last)
        for name in SHRINKAGES
    }
    times: dict[str, list[float]] = {name: [] for name in models}
    for round_ in range(rounds + 2):
        for name, model in models.items():
            given = x.clone().requires_grad_()
            begin = time.thread_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                y, _ = model(given, None)
            y.backward(y.detach())
            if round_ >= 2:
                times[name].append(1000 * (time.thread_time() - begin))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for bf16 in (False, True):
        title = f"ms, and times the plain block; {'bf16' if bf16 else 'float32'}"
        table = Table("preset", "block", *SHRINKAGES, title=title)
        for preset, blocks in BLOCKS.items():
            total = dict.fromkeys(SHRINKAGES, 0.0)
            for block in blocks:
                medians = measure(block, bf16, rounds)
                _row(table, preset, "{}->{}, {}x{}, /{}".format(*block), medians)
                total = {name: total[name] + medians[name] for name in total}
            _row(table, preset, "all", total)
        Console(width=150).print(table)


def _row(table: Table, preset: str, block: str, times: dict[str, float]) -> None:
    table.add_row(preset, block, *(f"{value:.1f} {value / times['none']:.2f}" for value in times.values()))


if __name__ == "__main__":
    main()
