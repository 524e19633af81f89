"""Words in minutes of noise: hits, misses, false alarms and errors of time, for windows that move by 1/4 and 1/8.

Utterances of a speech manifest are placed at known times in noise recordings at a chosen SNR, a third of the pieces
holds noise alone. A detection is a hit where its label was said and its middle lies within 0.5 s of the word's.

example:
  python benchmarks/detection.py --model runs/commands-12 --manifest manifests/speech-commands/dev.jsonl.gz \
    --noise manifests/urbansound8k/noise.jsonl.gz --folds 1
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from drsn_audio.api import Classification, Recognizer, load_recognizer
from drsn_audio.cli import guarded
from drsn_audio.config import NoiseSource
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.noise.mix import mix_at_snr, noise_at_level
from drsn_audio.noise.span import word_span

PIECE_S = (2.0, 4.0)
NOISE_SHARE = 1 / 3
TOLERANCE_S = 0.5


class Said(NamedTuple):
    word: str
    start_s: float
    end_s: float


def make_track(
    manifest: str, noise: Sequence[NoiseSource], sample_rate: int, duration_s: float, snr_db: float, seed: int
) -> tuple[np.ndarray, list[Said]]:
    """Wave [N] of about duration_s, and what is said in it. Draws depend on the seed alone."""
    store, cuts = AudioStore(sample_rate), read_cuts([manifest])
    pool = NoisePool(noise, store)
    rng = draw_generator("detection", seed)
    order = iter(rng.permutation(len(cuts)).tolist() * (1 + int(duration_s) // len(cuts)))
    usual_db = float(np.median([cut.custom["active_level_db"] for cut in cuts]))
    pieces: list[np.ndarray] = []
    said: list[Said] = []
    at = 0
    while at < duration_s * sample_rate:
        size = int(rng.uniform(*PIECE_S) * sample_rate)
        kind = pool.kinds[int(rng.integers(len(pool.kinds)))]
        if rng.random() < NOISE_SHARE:
            segment = torch.from_numpy(pool.draw(size, rng, kind).wave)[None]
            pieces.append(noise_at_level(segment, torch.tensor([usual_db - snr_db]))[0].numpy())
        else:
            cut = cuts[next(order)]
            wave = store(cut)[:size]
            start = int(rng.integers(size - len(wave) + 1))
            segment = torch.from_numpy(pool.draw(size, rng, kind, slice(start, start + len(wave))).wave)[None]
            mix, _ = mix_at_snr(
                torch.from_numpy(np.pad(wave, (start, size - start - len(wave))))[None],
                segment,
                torch.tensor([snr_db]),
                speech_level_db=torch.tensor([cut.custom["active_level_db"]]),
                start=torch.tensor([start]),
                lengths=torch.tensor([len(wave)]),
            )
            pieces.append(mix[0].numpy())
            span = [(at + start + int(bound)) / sample_rate for bound in word_span(torch.from_numpy(wave)[None])]
            said.append(Said(cut.supervisions[0].text, *span))
        at += size
    return np.concatenate(pieces), said


class Counts(NamedTuple):
    keywords: int
    hits: int
    false_alarms: int  # detections that are no hit
    start_errors_s: list[float]
    end_errors_s: list[float]


def compare(found: Sequence[Classification], said: Sequence[Said], labels: Sequence[str]) -> Counts:
    """Each word said is hit once at most; words that are no label of the model are none to be detected."""
    wanted = [one for one in said if one.word in labels]
    keywords, start_errors_s, end_errors_s, false_alarms = len(wanted), [], [], 0
    for one in found:
        middle = (one.start + one.end) / 2
        hit = next(
            (w for w in wanted if w.word == one.label and abs((w.start_s + w.end_s) / 2 - middle) <= TOLERANCE_S), None
        )
        if hit is None:
            false_alarms += one.label not in (SILENCE, UNKNOWN)
            continue
        wanted.remove(hit)
        start_errors_s.append(one.start - hit.start_s)
        end_errors_s.append(one.end - hit.end_s)
    return Counts(keywords, len(start_errors_s), false_alarms, start_errors_s, end_errors_s)


def measure(
    model: Recognizer, tracks: Sequence[tuple[np.ndarray, list[Said]]], thresholds: Sequence[float | None]
) -> Table:
    hours = sum(len(wave) for wave, _ in tracks) / model.sample_rate / 3600
    table = Table(
        "hop", "reject below", "words", "hits", "misses", "false alarms an hour", "start off by", "end off by",
        title=f"{60 * hours:.1f} min; times: median of the error and of its size, s",
    )  # fmt: skip
    for windows_a_clip in (4, 8):
        for threshold in thresholds:
            counts = [
                compare(
                    model.detect(wave, reject_below=threshold, windows_a_clip=windows_a_clip), said, model.labels
                )
                for wave, said in tracks
            ]  # fmt: skip
            keywords, hits, alarms = (sum(getattr(c, key) for c in counts) for key in Counts._fields[:3])
            errors = [np.concatenate([getattr(c, key) for c in counts]) for key in Counts._fields[3:]]
            table.add_row(
                f"1/{windows_a_clip}", "default" if threshold is None else f"{threshold:g}", str(keywords),
                f"{hits} ({hits / keywords:.1%})", str(keywords - hits), f"{alarms / hours:.0f}",
                *(f"{np.median(error):+.3f}, {np.median(np.abs(error)):.3f}" for error in errors),
            )  # fmt: skip
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="commands-12", help="a shipped model, a run folder or a checkpoint's .json")
    parser.add_argument("--manifest", required=True, help="of speech")
    parser.add_argument("--noise", nargs="+", required=True, help="manifests of noise")
    parser.add_argument("--folds", type=int, nargs="+", default=[], help="only these folds of the noise")
    parser.add_argument("--snr", type=float, default=10.0, metavar="DB")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each track (default: 10)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one track each (default: 0)")
    parser.add_argument("--reject-below", type=float, nargs="+", default=[], metavar="P")
    options = parser.parse_args()

    def work() -> None:
        model = load_recognizer(options.model)
        noise = [NoiseSource(manifest, [], options.folds) for manifest in options.noise]
        tracks = [
            make_track(options.manifest, noise, model.sample_rate, 60 * options.minutes, options.snr, seed)
            for seed in options.seeds
        ]
        Console().print(measure(model, tracks, options.reject_below or [None]))

    return guarded(work)


if __name__ == "__main__":
    raise SystemExit(main())
