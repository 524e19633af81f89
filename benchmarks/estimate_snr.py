"""Error of `drsn-audio estimate-snr` against the true SNR (P.56 level of the speech over the RMS of the noise).

Speech of LibriSpeech and of Speech Commands is mixed with noise of UrbanSound8K, of ESC and of our synthesis. Folders
that are not there are left out.

example:
  python benchmarks/estimate_snr.py --data /path/to/corpora
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from drsn_audio.audio import find_audio, read_audio
from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError
from drsn_audio.corpora import CORPORA
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.datasets.mix_inputs import NoiseItem
from drsn_audio.datasets.mix_noise import RecordedNoise
from drsn_audio.datasets.mix_sources import Sources
from drsn_audio.noise.estimate import MAX_RATE, MIN_DURATION_S, estimate_snr
from drsn_audio.noise.level import speech_level_db
from drsn_audio.noise.mix import mix_at_snr
from drsn_audio.noise.synth import SYNTHETIC_NOISES

SNR_DB = (20.0, 10.0, 5.0, 0.0, -5.0)
NOISES = {"urbansound8k": ("UrbanSound8K", "urbansound8k_subset"), "esc": ("ESC-50", "ESC-50-master", "esc10_subset")}
SPEECH = {
    "LibriSpeech": ("LibriSpeech",),
    "Speech Commands": ("speech_commands_v0.02", "speech_commands_subset"),
}
STATIONARY = "white air_conditioner engine_idling drilling jackhammer rain street factory".split()

Noise = Callable[[int, np.random.Generator], np.ndarray]


def found(data: Path, names: tuple[str, ...]) -> Path | None:
    return next((data / name for name in names if (data / name).is_dir()), None)


def noises(data: Path, scratch: Path) -> dict[str, Noise]:
    """Name -> draw(num_samples, rng) -> noise [N] at 16 kHz."""
    draws: dict[str, Noise] = {"white": lambda n, rng: rng.standard_normal(n)}
    for name in ("street", "factory"):
        draws[name] = lambda n, rng, make=SYNTHETIC_NOISES[name]: make(n, MAX_RATE, int(rng.integers(2**31)))
    for corpus, names in NOISES.items():
        source = found(data, names)
        if source is None:
            continue
        classes: dict[str, list[NoiseItem]] = {}
        for cut in read_cuts([CORPORA[corpus](source, scratch / corpus, progress=False).manifests["noise"]]):
            noise_class = cut.custom["noise_class"]
            path = Path(cut.recording.sources[0].source)
            classes.setdefault(noise_class, []).append(NoiseItem(cut.id, path, noise_class, cut.id, None))
        for name, items in sorted(classes.items()):
            recorded, sources = RecordedNoise(items, "noise", source.absolute()), Sources({"noise": source.absolute()})
            draws[name] = lambda n, rng, draw=recorded.draw, sources=sources: (
                draw(sources, n, slice(None), MAX_RATE, rng)[0].wave
            )
    return draws


def errors(utterances: list[Path], draws: dict[str, Noise], pause: bool = False) -> dict[str, np.ndarray]:
    """Noise -> estimate - truth in dB, [utterances, SNRs]; with `pause`, each is followed by as much noise alone."""
    result: dict[str, list[list[float]]] = {name: [] for name in draws}
    for path in utterances:
        wave, _ = read_audio(path, MAX_RATE)
        if len(wave) < MIN_DURATION_S * MAX_RATE:
            continue
        level_db = torch.tensor([speech_level_db(wave, MAX_RATE)])
        wave = np.pad(wave, (0, len(wave) if pause else 0))
        speech = torch.from_numpy(wave)[None]
        for name, draw in draws.items():
            segment = draw(len(wave), draw_generator("estimate-snr", 0, path.name, name)).astype(np.float32)
            noise = torch.from_numpy(segment)[None]
            row = []
            for snr_db in SNR_DB:
                noisy, _ = mix_at_snr(speech, noise, torch.tensor([snr_db]), speech_level_db=level_db)
                row.append(estimate_snr(noisy[0].numpy(), MAX_RATE).snr_db - snr_db)
            result[name].append(row)
    return {name: np.array(rows) for name, rows in result.items()}


def table(title: str, found: dict[str, np.ndarray]) -> Table:
    shown = Table("noise", *(f"{snr_db:g} dB" for snr_db in SNR_DB), title=title)
    groups = {
        "all stationary": [name for name in found if name in STATIONARY],
        "all others": [name for name in found if name not in STATIONARY],
    }
    rows = {name: found[name] for names in groups.values() for name in names}
    rows |= {group: np.concatenate([found[name] for name in names]) for group, names in groups.items() if names}
    last = list(rows)[len(found) - 1]
    for name, values in rows.items():
        cells = zip(np.median(np.abs(values), axis=0), np.median(values, axis=0), strict=True)
        shown.add_row(name, *(f"{error:.1f} ({bias:+.1f})" for error, bias in cells), end_section=name == last)
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("DRSN_AUDIO_DATA"), help="default: $DRSN_AUDIO_DATA")
    parser.add_argument("--utterances", type=int, default=100, help="of each corpus (default: 100)")
    options = parser.parse_args()

    def run() -> None:
        if options.data is None:
            raise ConfigError("no data: name the folder of the corpora by --data or DRSN_AUDIO_DATA")
        data = Path(options.data)
        corpora = {name: found(data, folders) for name, folders in SPEECH.items()}
        if not any(corpora.values()):
            raise ConfigError(f"{data}: holds neither {' nor '.join(SPEECH)}: name the folder that holds one")
        with tempfile.TemporaryDirectory() as scratch:
            draws = noises(data, Path(scratch))
            for name, folder in corpora.items():
                if folder is None:
                    continue
                paths = list(find_audio(folder))
                chosen = paths[:: max(1, len(paths) // options.utterances)][: options.utterances]
                title = f"{name}: median |error| (median error) in dB, {len(chosen)} utterances"
                Console(width=110).print(table(title, errors(chosen, draws)))
                if name == "LibriSpeech":
                    Console(width=110).print(table(f"{title}, half of it pause", errors(chosen, draws, pause=True)))

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
