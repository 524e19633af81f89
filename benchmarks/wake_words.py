"""What other live recognisers hear, and hear wrongly, on the streams that ours are evaluated on.

pip install -e ".[dev,peers]"
python recipes/keywords/streams.py
python benchmarks/wake_words.py --tune 1 10 --streams streams/dev-words.jsonl.gz streams/dev-free.jsonl.gz
python benchmarks/wake_words.py --streams streams/test-words.jsonl.gz streams/test-free.jsonl.gz --out runs/wake-peers

Pocketsphinx listens for the ten commands, at the thresholds of drsn_audio/evaluation/wake_peers.py, which --tune
chooses. The other two know only wake words of their own: of them the false alarms alone are counted, on the streams
without keywords. OUT/<recogniser>/ holds what `drsn-audio evaluate` writes of our models, counted by the same code.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import rich
from rich.console import Console
from rich.progress import Progress

from drsn_audio.evaluation.stream_events import Answers, TrialStream, hear, read_streams
from drsn_audio.evaluation.stream_facts import WORDS
from drsn_audio.evaluation.streams import describe_streams
from drsn_audio.evaluation.wake_peers import (
    SAMPLE_RATE,
    THRESHOLDS,
    Candidate,
    KeyphraseCandidates,
    Listener,
    MicroWakeWords,
    OpenWakeWords,
    PocketSphinxKeyphrases,
)
from drsn_audio.metrics.thresholds import choose_thresholds
from drsn_audio.reports.streams import streams_terminal, write_streams_report
from drsn_audio.training.tune import count_errors

GRID = np.arange(-10, 100.1)  # of logarithms of likelihood ratios

PEERS: dict[str, tuple[str, Callable[[], Listener]]] = {
    "pocketsphinx-1-per-hour": ("pocketsphinx", lambda: PocketSphinxKeyphrases(THRESHOLDS[1])),
    "pocketsphinx-10-per-hour": ("pocketsphinx", lambda: PocketSphinxKeyphrases(THRESHOLDS[10])),
    "pymicro-wakeword": ("pymicro-wakeword", MicroWakeWords),
    "pyopen-wakeword": ("pyopen-wakeword", OpenWakeWords),
}


def count(
    streams: Sequence[TrialStream], candidates: Sequence[Sequence[Candidate]], keywords: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Misses, and false alarms where no keyword is said, int [K, GRID], with each threshold of the grid."""
    counts = []
    for ratio in GRID:
        events = [[found for found in of_stream if found.log10_ratio >= ratio] for of_stream in candidates]
        counts.append(count_errors(Answers(streams, keywords, {0.0: events})))
    misses, false_alarms = (np.stack(each, axis=1) for each in zip(*counts, strict=True))
    return misses, false_alarms


def tune(manifests: Sequence[str], rates: Sequence[float], console: Console) -> None:
    """Print thresholds that miss the fewest keywords at so many false alarms an hour, chosen as those of ours are."""
    streams, keywords = read_streams(manifests), list(THRESHOLDS[1])
    hours = sum(stream.hours for stream in streams if stream.content != WORDS)
    said = sum(word.word in keywords for stream in streams for word in stream.spoken)
    with Progress(console=console, transient=True) as progress:
        candidates = hear(KeyphraseCandidates(keywords), streams, SAMPLE_RATE, progress)
    counts = count(streams, candidates, keywords)
    for per_hour in rates:
        chosen = choose_thresholds(GRID, *counts, per_hour, hours)
        thresholds = dict(zip(keywords, map(float, chosen.thresholds), strict=True))
        print(
            f"{per_hour:g} an hour: {chosen.misses} of {said} missed, {chosen.false_alarms} false alarms in "
            f"{hours:.2f} h: {json.dumps(thresholds)}"
        )


def evaluate(peer: str, manifests: Sequence[str], console: Console) -> dict[str, Any]:
    """One recogniser on the streams that it can be asked about -> run.json's content."""
    library, build = PEERS[peer]
    listener = build()
    knows = isinstance(listener, PocketSphinxKeyphrases)
    streams = [stream for stream in read_streams(manifests) if knows or stream.content != WORDS]
    with Progress(console=console, transient=True) as progress:
        events = hear(listener, streams, SAMPLE_RATE, progress)
    settings = {"thresholds": listener.thresholds} if isinstance(listener, PocketSphinxKeyphrases) else {}
    about = {"version": version(library), "labels": list(listener.labels), "frame_s": listener.frame_s}
    described = {"name": peer, **about, **settings}
    return describe_streams(Answers(streams, listener.labels, {0.0: events}), described, manifests)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", nargs="+", required=True, metavar="MANIFEST")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--tune", nargs="+", type=float, metavar="RATE", help="false alarms an hour, of pocketsphinx")
    parser.add_argument("--out", type=Path, default=Path("runs/wake-peers"))
    args = parser.parse_args()
    console = Console(stderr=True)
    if args.tune:
        tune(args.streams, args.tune, console)
        return
    for peer in args.peers:
        facts = evaluate(peer, args.streams, console)
        write_streams_report(facts, args.out / peer)
        rich.print(streams_terminal(facts))


if __name__ == "__main__":
    main()
