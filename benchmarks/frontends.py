"""Front-ends here, by librosa and by torchaudio, with the same parameters, one thread, taking turns.

pip install -e ".[dev]"
python benchmarks/frontends.py
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
from drsn_audio.frontends import FRONTENDS
from drsn_audio.frontends.mel import MELS

CONFIG = FrontendConfig()
RATE, SIZE, HOP = CONFIG.sample_rate, 512, 160
FLOOR = MELS[CONFIG.mel][1]
BOUNDS = {"fmin": CONFIG.f_min_hz, "fmax": CONFIG.f_max_hz}
FRAMING = {"n_fft": SIZE, "hop_length": HOP, "center": False}

Jobs = dict[str, Callable[[], object]]


def by_librosa(kind: str, wave: np.ndarray) -> np.ndarray:
    """What a user of librosa writes for one wave [N] or a batch [B, N]."""
    import librosa

    if kind == "log-spectrogram":
        return np.log(np.abs(librosa.stft(wave, **FRAMING)) ** 2 + FLOOR)
    power = librosa.feature.melspectrogram(
        y=wave, sr=RATE, n_mels=CONFIG.n_mels, htk=True, norm=None, power=2.0, **BOUNDS, **FRAMING
    )
    if kind == "pcen":
        return librosa.pcen(power, sr=RATE, hop_length=HOP, eps=FLOOR)
    log_mel = librosa.power_to_db(power, amin=FLOOR, top_db=None)
    return librosa.feature.mfcc(S=log_mel, n_mfcc=CONFIG.n_mfcc) if kind == "mfcc" else log_mel


def by_torchaudio(kind: str) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """torchaudio has no PCEN."""
    mel = {"n_mels": CONFIG.n_mels, "f_min": CONFIG.f_min_hz, "f_max": CONFIG.f_max_hz, **FRAMING}
    if kind == "logmel":
        power = torchaudio.transforms.MelSpectrogram(RATE, power=2.0, **mel)
        return lambda wave: (power(wave) + FLOOR).log()
    if kind == "mfcc":
        return torchaudio.transforms.MFCC(RATE, CONFIG.n_mfcc, log_mels=True, melkwargs=mel)
    if kind == "log-spectrogram":
        linear = torchaudio.transforms.Spectrogram(power=2.0, **FRAMING)
        return lambda wave: (linear(wave) + FLOOR).log()
    return None


def ways(kind: str, wave: torch.Tensor) -> Jobs:
    """name -> the spectrograms of wave [B, N]; the tail is padded alike beforehand for all but ours."""
    ours, theirs = FRONTENDS[kind](CONFIG), by_torchaudio(kind)
    frames = -(-wave.shape[1] // HOP)
    padded = torch.nn.functional.pad(wave, (0, (frames - 1) * HOP + SIZE - wave.shape[1]))
    batch = padded.numpy()
    jobs: Jobs = {"drsn_audio": lambda: ours(wave)[0]}
    if theirs is not None:
        jobs["torchaudio"] = lambda: theirs(padded)
    jobs["librosa, file by file"] = lambda: [by_librosa(kind, row) for row in batch]
    if len(batch) > 1:
        jobs["librosa, the batch at once"] = lambda: by_librosa(kind, batch)
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    table = Table("front-end", "of", "by", "ms", "times ours")
    for kind in ("logmel", "pcen", "mfcc", "log-spectrogram"):
        for batch, seconds in ((64, 1), (1, 10)):
            wave = 0.1 * torch.randn(batch, seconds * RATE, generator=generator)
            with torch.no_grad():
                medians = measure(ways(kind, wave), rounds)
            for name, value in medians.items():
                ratio = value / medians["drsn_audio"]
                table.add_row(kind, f"{batch} of {seconds} s", name, f"{value:.2f}", f"{ratio:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
