"""Connected words, one thread, taking turns: real-time factor of ours and of pocketsphinx with the same words.

pip install -e ".[dev,peers]"
drsn-audio export words-20-stream --onnx words.onnx
python benchmarks/transcription.py words.onnx words-20-stream --manifest manifests/commands-strings/test.jsonl.gz \
    --noise manifests/urbansound8k/noise.jsonl.gz --kinds street machinery

Every string is heard clean and in noise, under each condition by all recognisers in turn: files of `drsn-audio export`
(ONNX Runtime) and what `drsn_audio.load` takes (PyTorch), live, in chunks of 100 ms, and at once; pocketsphinx, whose
grammar is any number of the words, at once. Times are CPU time of all threads, so what else the
machine does lengthens them little; the figures compare within one run. The text of each is compared, too.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from streaming import machine, versions
from torch import Tensor

from drsn_audio.cli import guarded
from drsn_audio.config import NoiseSource
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.errors import InputError
from drsn_audio.evaluation.grammar_peer import GrammarPeer
from drsn_audio.evaluation.transcripts import ask_transcripts
from drsn_audio.metrics.wer import word_errors
from drsn_audio.reports.run import describe

RATE, CHUNK = 16000, 1600
PEER, AIM = "pocketsphinx, grammar", 1 / 3  # of its real-time factor
WARM_UP = 5  # strings that do not count
SNR_DB = (20.0, 5.0, -5.0)

Hear = Callable[[np.ndarray], str]  # samples [N] -> text


class Heard(NamedTuple):
    """One string under one condition: its seconds, and of each recogniser CPU seconds and text."""

    duration_s: float
    cpu_s: dict[str, float]
    texts: dict[str, str]


def fed(stream: Any, chunk: int | None = None) -> Hear:
    """A stream of ours, fed in chunks of so many samples, or with all of them at once."""

    def hear(wave: np.ndarray) -> str:
        stream.reset()
        size = chunk or len(wave)
        events = [event for begin in range(0, len(wave), size) for event in stream.feed(wave[begin : begin + size])]
        return " ".join(event.label for event in [*events, *stream.flush()] if event.kind == "final")

    return hear


def recognisers(sources: list[str]) -> tuple[dict[str, Hear], dict[str, str]]:
    """All that are timed, by name, and the weights of ours (SHA-256).

    Raises:
        InputError: what is no model of words.
    """
    from drsn_audio.api import load_transcriber
    from drsn_audio.streaming.onnx import OnnxStream

    found: dict[str, Hear] = {}
    weights: dict[str, str] = {}
    words: list[str] = []
    for source in sources:
        if source.endswith(".onnx"):
            stream = OnnxStream(source)
            if "writer" not in stream.about:
                raise InputError(f"{source}: names keywords and cannot write: export a model of words")
            found[f"{Path(source).name}, live"] = fed(stream, CHUNK)
            found[f"{Path(source).name}, at once"] = fed(stream)
            weights[source], words = stream.about["checkpoint"], stream.labels
        else:
            model = load_transcriber(source)
            found[f"{Path(source).name}, live"] = fed(model.stream(), CHUNK)
            found[f"{Path(source).name}, at once"] = lambda wave, model=model: model.transcribe(wave, RATE).text
            weights[source], words = model.info["sha256"], model.labels
    return found | {PEER: GrammarPeer(words).hear}, weights


def measure(
    hearers: dict[str, Hear], manifest: str, source: NoiseSource, count: int, progress: Progress
) -> tuple[dict[tuple[str, float | None], list[Heard]], list[str]]:
    """What each recogniser took, string by string, under each condition; the texts of the references in that order."""
    store = AudioStore(RATE)
    cuts = sorted(read_cuts([manifest]), key=lambda cut: cut.duration)
    cuts = cuts[:: max(1, len(cuts) // count)][:count] if count else cuts
    pool, heard = NoisePool([source], store), []

    def answer(waves: Tensor, lengths: Tensor) -> list[str]:
        (wave,) = (wave[:length].numpy().copy() for wave, length in zip(waves, lengths, strict=True))
        cpu_s, texts = {}, {}
        for name, hear in hearers.items():
            begin = time.process_time()
            texts[name] = hear(wave)
            cpu_s[name] = time.process_time() - begin
        heard.append(Heard(len(wave) / RATE, cpu_s, texts))
        return [next(iter(texts.values()))]

    settings: dict[str, Any] = {"draws": 1, "seed": 0, "max_padded_s": 0.0}  # 0: one by one
    ask_transcripts(answer, cuts[-WARM_UP:], None, store, snr_db=[], **settings)
    heard.clear()
    told = ask_transcripts(answer, cuts, pool, store, snr_db=SNR_DB, progress=progress, **settings)
    # In the order in which they were asked: of each kind of noise, each string, each SNR; clean with the first kind.
    order = [
        condition
        for kind in pool.kinds
        for _ in cuts
        for condition in [*([("clean", None)] if kind == pool.kinds[0] else []), *((kind, snr_db) for snr_db in SNR_DB)]
    ]
    found: dict[tuple[str, float | None], list[Heard]] = {}
    for condition, one in zip(order, heard, strict=True):
        found.setdefault(condition, []).append(one)
    return found, told[0].references


def summary(found: dict[tuple[str, float | None], list[Heard]], references: list[str]) -> list[dict[str, Any]]:
    """Of each condition and recogniser: real-time factor and its ratio to the peer's; medians, and of all sound."""
    rows = []
    for (kind, snr_db), heard in found.items():
        duration_s = np.array([one.duration_s for one in heard])
        peer_s = np.array([one.cpu_s[PEER] for one in heard])
        for name in heard[0].cpu_s:
            cpu_s = np.array([one.cpu_s[name] for one in heard])
            texts = [one.texts[name] for one in heard]
            rows.append(
                {
                    "noise_kind": kind,
                    "snr_db": snr_db,
                    "recogniser": name,
                    "strings": len(heard),
                    "rtf": float(np.median(cpu_s / duration_s)),
                    "rtf_all": float(cpu_s.sum() / duration_s.sum()),
                    "of_peer": float(np.median(cpu_s / peer_s)),
                    "of_peer_all": float(cpu_s.sum() / peer_s.sum()),
                    "wer": word_errors(references, texts).rate,
                }
            )
    return rows


def show(result: dict[str, Any]) -> None:
    console = Console()
    console.print(result["machine"], highlight=False)
    table = Table("noise", "recogniser", "real-time factor", "in all", "of the peer's", "in all", "WER")
    before = None
    for row in result["rows"]:
        condition = describe(row["noise_kind"], row["snr_db"])
        if before not in (None, condition):
            table.add_section()
        table.add_row(
            condition if condition != before else "",
            row["recogniser"],
            *(f"{row[key]:.4f}" for key in ("rtf", "rtf_all")),
            *(f"{row[key]:.3f}" for key in ("of_peer", "of_peer_all")),
            f"{row['wer']:.1%}",
        )
        before = condition
    console.print(table)
    for name in dict.fromkeys(row["recogniser"] for row in result["rows"] if ".onnx" in row["recogniser"]):
        worst = max(row["of_peer"] for row in result["rows"] if row["recogniser"] == name)
        holds = "holds" if worst <= AIM else "does NOT hold"
        print(f"{name}: at most {worst:.3f} of the peer's real-time factor under any condition; aim {AIM:.3f} {holds}")
    for one, other, count, of in result["texts_that_differ"]:
        print(f"{one} and {other}: {count} of {of} texts differ")


def differing(found: dict[tuple[str, float | None], list[Heard]]) -> list[tuple[str, str, int, int]]:
    """How often the first of ours and each other one wrote another text."""
    heard = [one for of in found.values() for one in of]
    first, *others = (name for name in heard[0].texts if name != PEER)
    return [(first, name, sum(one.texts[first] != one.texts[name] for one in heard), len(heard)) for name in others]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours", nargs="+", metavar="MODEL", help="run folders, checkpoints, names, .onnx files")
    parser.add_argument("--manifest", required=True, help="of strings of words")
    parser.add_argument("--noise", required=True, metavar="MANIFEST")
    parser.add_argument("--kinds", nargs="*", default=[], help="of noise (default: all)")
    parser.add_argument("--strings", type=int, default=60, help="how many are heard, 0: all (default: 60)")
    parser.add_argument("--json", type=Path, help="write everything here")
    args = parser.parse_args()

    def run() -> None:
        torch.set_num_threads(1)
        hearers, weights = recognisers(args.ours)
        noise = NoiseSource(args.noise, args.kinds)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            found, references = measure(hearers, args.manifest, noise, args.strings, progress)
        result = {
            "machine": machine(),
            "versions": versions(),
            "weights": weights,
            "manifest": args.manifest,
            "rows": summary(found, references),
            "texts_that_differ": differing(found),
        }
        show(result)
        if args.json:
            args.json.write_text(json.dumps(result, indent=1) + "\n")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
