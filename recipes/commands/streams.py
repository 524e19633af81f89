"""Make long streams of the test strings, with what is said in them and when: for live words, and for an hour-long file.

commands-live: streams of about ten minutes, every string once under each condition, clean and in the two kinds of
noise of UrbanSound8K. commands-long: one file of two hours without noise, in which the strings come several times in
drawn orders. Between two strings there are pauses of 1 to 4 s.

example:
  python recipes/commands/streams.py commands-long
"""

from __future__ import annotations

import argparse
import math
from itertools import product
from pathlib import Path

from rich.progress import Progress

from drsn_audio.cli import guarded
from drsn_audio.config import NoiseSource
from drsn_audio.progress import ProgressBar

SAMPLE_RATE = 16000
SPEECH = "commands-strings/test.jsonl.gz"
NOISE = ("urbansound8k/noise.jsonl.gz", ["street", "machinery"])
SNR_DB = (20.0, 5.0, -5.0)
LIVE_S, LONG_S = 600.0, 7200.0
SETS = ("commands-live", "commands-long")


def make(name: str, manifests: Path, out: Path, seed: int, progress: Progress | None = None) -> str:
    """Write OUT/NAME.jsonl.gz and its streams; a line that says what they are.

    Raises:
        ManifestError, AudioError: a manifest or a file that cannot be used, or a folder that cannot be written.
    """
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.datasets.streams import WORD_GAPS_S, plan_words, write_streams

    cuts, store = read_cuts([manifests / SPEECH]), AudioStore(SAMPLE_RATE)
    source = NoiseSource(str(manifests / NOISE[0]), NOISE[1])
    pool = NoisePool([source], store)
    conditions: list[tuple[str, float | None]] = [("clean", None)]
    stream_s, noise = LIVE_S, []
    if name == "commands-long":
        each_s = sum(cut.duration + sum(WORD_GAPS_S) / 2 for cut in cuts) / len(cuts)
        wanted = math.ceil(1.01 * LONG_S / each_s)  # a little more, since the pauses are drawn
        cuts, stream_s = (cuts * math.ceil(wanted / len(cuts)))[:wanted], math.inf
    else:
        conditions += product(pool.kinds, SNR_DB)
        noise = [{"manifest": source.manifest, "kinds": source.kinds, "folds": source.folds}]
    plans = list(plan_words(cuts, conditions, set_name=name, seed=seed, stream_s=stream_s))
    told = {"speech": str(manifests / SPEECH), "noise": noise}
    written = write_streams(plans, out, name, pool, store, told)
    streams = list(progress.track(written, len(plans), description=name) if progress else written)
    words = sum(len(cut.supervisions) for cut in streams)
    hours = sum(cut.duration for cut in streams) / 3600
    return f"{out / name}.jsonl.gz: {len(streams)} streams, {words} words, {hours:.2f} h"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"{', '.join(SETS)} (default: all)")
    parser.add_argument("--manifests", type=Path, default="manifests", help="default: manifests")
    parser.add_argument("--out", type=Path, default="streams", help="default: streams")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    options = parser.parse_args()

    def run() -> None:
        from drsn_audio.config import ConfigError, nearest

        for name in options.sets:
            if name not in SETS:
                raise ConfigError(f"{name}: no such set; {nearest(name, list(SETS))}")
        with ProgressBar() as progress:
            for name in options.sets or SETS:
                print(make(name, options.manifests, options.out, options.seed, progress))

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
