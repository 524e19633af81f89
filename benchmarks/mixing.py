"""Mixing one-second clips with noise at drawn SNRs: a batch of 64, speech levels known, one thread.

Every way gets the same waves in memory and the same SNRs, and its time is the thread's own; they take turns. What
differs: the others measure the speech by its RMS each time, where here its active level stands in the manifest.
The noise of audiomentations and torch-audiomentations is a file for each draw; here it is handed to them from memory
(their reading is replaced by a look-up), so that mixing is compared and not files; one row shows what files add.

    pip install -e ".[bench]"
    python benchmarks/mixing.py
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from rich.console import Console
from rich.table import Table
from turns import measure

from drsn_audio.noise.level import active_level, rms_db
from drsn_audio.noise.mix import mix_at_snr

RATE, BATCH = 16000, 64
LOW_DB, HIGH_DB = -5.0, 20.0


def waves(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Speech-like bursts and noise, float32 [B, N] each. Their values do not change what mixing costs."""
    rng = np.random.default_rng(seed)
    speech = 0.05 * rng.standard_normal((BATCH, RATE)).astype(np.float32)
    speech *= np.sin(np.pi * np.arange(RATE, dtype=np.float32) / RATE) ** 2
    return speech, 0.1 * rng.standard_normal((BATCH, RATE)).astype(np.float32)


def ways(speech: np.ndarray, noise: np.ndarray, folder: Path) -> dict[str, Callable[[], object]]:
    """name -> a mix of the whole batch."""
    from torchaudio.functional import add_noise

    path = folder / "noise.wav"
    sf.write(path, noise[0], RATE, subtype="FLOAT")
    rows, tensor, noise_tensor = list(speech), torch.from_numpy(speech), torch.from_numpy(noise)
    level_db = torch.tensor([active_level(row, RATE).active_db for row in speech])
    rng = np.random.default_rng(0)
    start, lengths = torch.full((BATCH,), 500), torch.full((BATCH,), RATE - 1000)

    def snr_db() -> torch.Tensor:
        return torch.from_numpy(rng.uniform(LOW_DB, HIGH_DB, BATCH).astype(np.float32))

    per_clip, batched = _audiomentations(path, noise), _torch_audiomentations(path, noise_tensor)
    return {
        "drsn_audio": lambda: mix_at_snr(tensor, noise_tensor, snr_db(), speech_level_db=level_db)[0],
        "drsn_audio, over the span of each word": lambda: mix_at_snr(
            tensor, noise_tensor, snr_db(), speech_level_db=level_db, start=start, lengths=lengths
        )[0],
        "audiomentations": lambda: [per_clip(row, False) for row in rows],
        "audiomentations, reading its wav file": lambda: [per_clip(row, True) for row in rows],
        "torch-audiomentations": lambda: batched(samples=tensor[:, None], sample_rate=RATE),
        "torchaudio add_noise": lambda: add_noise(tensor, noise_tensor, snr_db()),
    }


def _audiomentations(path: Path, noise: np.ndarray) -> Callable[..., object]:
    from audiomentations import AddBackgroundNoise

    transform = AddBackgroundNoise(str(path), LOW_DB, HIGH_DB, p=1.0)
    module = sys.modules[AddBackgroundNoise.__module__]
    read = module.load_sound_file

    def mix(row: np.ndarray, from_file: bool) -> np.ndarray:
        module.load_sound_file = read if from_file else lambda *_, **__: (noise[random.randrange(BATCH)], RATE)
        return transform(samples=row, sample_rate=RATE)

    return mix


def _torch_audiomentations(path: Path, noise: torch.Tensor) -> Callable[..., object]:
    from torch_audiomentations import AddBackgroundNoise

    transform = AddBackgroundNoise(str(path), LOW_DB, HIGH_DB, p=1.0, output_type="dict")
    # What its reader returns: one recording [1, N] at an RMS of 1.
    unit = noise / noise.square().mean(1, keepdim=True).sqrt()
    transform.random_background = lambda *_: unit[random.randrange(BATCH)][None]
    return transform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    speech, noise = waves(0)
    with tempfile.TemporaryDirectory() as folder:
        medians = measure(ways(speech, noise, Path(folder)), rounds)
    table = Table("way", "ms a batch", "times ours", title=f"{BATCH} clips of 1 s, {torch.__version__=}")
    for name, value in medians.items():
        table.add_row(name, f"{value:.2f}", f"{value / medians['drsn_audio']:.1f}")
    Console().print(table)
    level = active_level(speech[0], RATE).active_db
    _, part = mix_at_snr(
        torch.from_numpy(speech[:1]),
        torch.from_numpy(noise[:1]),
        torch.tensor([5.0]),
        speech_level_db=torch.tensor([level]),
    )
    print(f"asked for 5 dB, measured {level - rms_db(part[0].numpy()):.4f} dB")


if __name__ == "__main__":
    main()
