"""Make the long streams that a causal model is tuned and tested on, from the manifests of prepare.py.

test-words: every word of the Speech Commands test part once under each condition, clean and in the two kinds of noise
of UrbanSound8K. test-free: hours without a keyword: that noise alone, the test speakers of running speech, and both.
dev-words, dev-free: likewise of the development part, of other noise, and of speakers who are in neither training
nor test. Each utterance is said in many noises: a set holds far less different speech than it has hours.

example:
  python recipes/keywords/streams.py dev-words dev-free
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.progress import Progress

from drsn_audio.cli import guarded
from drsn_audio.config import NoiseSource
from drsn_audio.progress import ProgressBar

if TYPE_CHECKING:
    from lhotse.cut import Cut

    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.datasets.stream_sound import StreamPlan

SAMPLE_RATE = 16000
STORE_BYTES = 1 << 30  # of recordings that are kept decoded
NOISE_ALONE_SNR_DB = (5.0, -5.0)  # noise alone is as loud as it would be under speech at these


class StreamSet(NamedTuple):
    speech: str  # manifest of what is said, below --manifests as those of noise
    noise: tuple[NoiseSource, ...]
    snr_db: tuple[float, ...]
    keywords: bool  # whether it is words, keywords among them, or running speech without


TEST_NOISE = (NoiseSource("urbansound8k/noise.jsonl.gz", ["street", "machinery"]),)
DEV_NOISE = (NoiseSource("synthetic-noise-dev/noise.jsonl.gz"), NoiseSource("esc/noise.jsonl.gz", [], [4, 5]))
SETS = {
    "dev-words": StreamSet("speech-commands/dev.jsonl.gz", DEV_NOISE, (10, 0), True),
    "dev-free": StreamSet("running-speech-parts/dev.jsonl.gz", DEV_NOISE, (20, 10, 5, 0, -5), False),
    "test-words": StreamSet("speech-commands/test.jsonl.gz", TEST_NOISE, (20, 10, 5, 0, -5), True),
    "test-free": StreamSet("running-speech-parts/test.jsonl.gz", TEST_NOISE, (20, 15, 10, 5, 0, -5), False),
}


def plan(name: str, cuts: list[Cut], pool: NoisePool, seed: int) -> list[StreamPlan]:
    """The streams of a set, of the cuts of its speech manifest."""
    from drsn_audio.datasets.streams import plan_noise, plan_speech, plan_words, usual_level_db, whole_utterances

    wanted = SETS[name]
    conditions = [("clean", None), *product(pool.kinds, wanted.snr_db)]
    if wanted.keywords:
        return list(plan_words(cuts, conditions, set_name=name, seed=seed))
    speech = whole_utterances(cuts)
    return [
        *plan_noise(pool, NOISE_ALONE_SNR_DB, usual_level_db(speech), set_name=name, seed=seed),
        *plan_speech(speech, conditions, set_name=name, seed=seed),
    ]


def make(names: list[str], manifests: Path, out: Path, seed: int, progress: Progress) -> Iterator[str]:
    """Write the sets; yields a line on each: its manifest, and what it holds.

    Raises:
        ManifestError, AudioError: a manifest or a file that cannot be used, or a folder that cannot be written.
    """
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.datasets.streams import write_streams

    for name in names:
        store = AudioStore(SAMPLE_RATE, STORE_BYTES)
        noise = [replace(source, manifest=str(manifests / source.manifest)) for source in SETS[name].noise]
        pool, speech = NoisePool(noise, store), manifests / SETS[name].speech
        plans = plan(name, list(read_cuts([speech])), pool, seed)
        named = [{"manifest": each.manifest, "kinds": each.kinds, "folds": each.folds} for each in noise]
        made_of = {"speech": str(speech), "noise": named}  # for who asks whose recordings a model was tuned on
        hours: dict[str, float] = {}
        for cut in progress.track(write_streams(plans, out, name, pool, store, made_of), len(plans), description=name):
            hours[cut.custom["content"]] = hours.get(cut.custom["content"], 0) + cut.duration / 3600
        held = ", ".join(f"{content} {each:.2f} h" for content, each in hours.items())
        yield f"{out / name}.jsonl.gz: {len(plans)} streams; {held}"


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
            for line in make(options.sets or list(SETS), options.manifests, options.out, options.seed, progress):
                print(line)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
