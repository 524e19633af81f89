"""Log-mel spectrograms here, by librosa and by torchaudio, with the same parameters, one thread, taking turns.

pip install -e ".[dev]"
python benchmarks/logmel.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
import torchaudio
from rich.console import Console
from rich.table import Table
from turns import measure

from drsn_audio.config import FrontendConfig
from drsn_audio.frontends.logmel import LogMel
from drsn_audio.frontends.mel import MELS

CONFIG = FrontendConfig()
RATE, SIZE, HOP = CONFIG.sample_rate, 512, 160
FLOOR = MELS[CONFIG.mel][1]


def ways(wave: torch.Tensor) -> dict[str, Callable[[], object]]:
    """name -> the log-mel spectrograms of wave [B, N]; the tail is padded alike beforehand for all but ours."""
    import librosa

    ours = LogMel(CONFIG)
    mel = {"n_mels": CONFIG.n_mels, "n_fft": SIZE, "hop_length": HOP, "power": 2.0, "center": False}
    bounds = {"f_min": CONFIG.f_min_hz, "f_max": CONFIG.f_max_hz}
    theirs = torchaudio.transforms.MelSpectrogram(RATE, **mel, **bounds)
    frames = -(-wave.shape[1] // HOP)
    padded = torch.nn.functional.pad(wave, (0, (frames - 1) * HOP + SIZE - wave.shape[1]))
    batch = padded.numpy()

    def by_librosa(y: np.ndarray) -> np.ndarray:
        power = librosa.feature.melspectrogram(
            y=y, sr=RATE, fmin=CONFIG.f_min_hz, fmax=CONFIG.f_max_hz, htk=True, norm=None, **mel
        )
        return librosa.power_to_db(power, amin=FLOOR, top_db=None)

    jobs: dict[str, Callable[[], object]] = {
        "drsn_audio": lambda: ours(wave)[0],
        "torchaudio": lambda: (theirs(padded) + FLOOR).log(),
        "librosa, file by file": lambda: [by_librosa(row) for row in batch],
    }
    if len(batch) > 1:
        jobs["librosa, the batch at once"] = lambda: by_librosa(batch)
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    for batch, seconds in ((64, 1), (1, 10)):
        wave = 0.1 * torch.randn(batch, seconds * RATE, generator=generator)
        with torch.no_grad():
            medians = measure(ways(wave), rounds)
        table = Table("by", "ms", "times ours", title=f"{batch} of {seconds} s")
        for name, value in medians.items():
            table.add_row(name, f"{value:.2f}", f"{value / medians['drsn_audio']:.1f}")
        Console().print(table)


if __name__ == "__main__":
    main()
