"""Deal speakers and noise recordings into folds, of which each is the test once: OUT/1/train.jsonl.gz, dev, test, ...,
and OUT/noise.jsonl.gz, whose recordings carry the number of their fold.

No speaker and no recording is in two folds. Development speakers are an eighth of those that are not of the test.

example:
  python recipes/keywords/folds.py
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lhotse.cut import Cut

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError
from drsn_audio.corpora.cuts import write_cuts
from drsn_audio.corpora.prepare import unit_hash
from drsn_audio.datasets.manifests import ManifestError, read_cuts
from drsn_audio.datasets.noise_names import class_of
from drsn_audio.datasets.noise_pool import noise_source

SPEECH = [f"manifests/speech-commands/{part}.jsonl.gz" for part in ("train", "dev", "test")]
DEV_SHARES = 8


def deal(sizes: Mapping[str, int], folds: int) -> dict[str, int]:
    """Names and how much there is of each -> the fold of each, 1 to `folds`: the largest first, always to the fold
    that has least. Equal ones come in an order that depends on their names alone.
    """
    filled = [0] * folds
    found = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], unit_hash(name))):
        found[name] = filled.index(min(filled)) + 1
        filled[found[name] - 1] += sizes[name]
    return found


def speech_folds(cuts: Sequence[Cut], folds: int) -> dict[int, dict[str, list[Cut]]]:
    """Cuts -> of each fold its train, dev and test."""
    sizes = Counter(cut.supervisions[0].speaker for cut in cuts)
    if len(sizes) < 2 * folds:
        raise ConfigError(f"{len(sizes)} speakers for {folds} folds: give at most half as many folds")
    fold_of, parts = deal(sizes, folds), {}
    for fold in range(1, folds + 1):
        others = {speaker: size for speaker, size in sizes.items() if fold_of[speaker] != fold}
        share_of = deal(others, DEV_SHARES)
        part_of = {speaker: "dev" if share_of[speaker] == 1 else "train" for speaker in others}
        parts[fold] = {
            part: [cut for cut in cuts if part_of.get(cut.supervisions[0].speaker, "test") == part]
            for part in ("train", "dev", "test")
        }
    return parts


def noise_folds(cuts: Sequence[Cut], folds: int) -> list[Cut]:
    """Cuts with the number of their fold; the recordings of each class are dealt by themselves."""
    lacking = next((cut.id for cut in cuts if "noise_class" not in (cut.custom or {})), None)
    if lacking is not None:
        raise ManifestError(f"{lacking}: carries no noise_class: name a noise manifest with --noise")
    sources = Counter(map(noise_source, cuts))
    fold_of: dict[str, int] = {}
    for of_class in sorted(set(map(class_of, sources))):
        sizes = {source: count for source, count in sources.items() if class_of(source) == of_class}
        if len(sizes) < folds:
            raise ConfigError(f"{of_class}: {len(sizes)} recordings for {folds} folds: give fewer folds")
        fold_of |= deal(sizes, folds)
    for cut in cuts:
        cut.custom["fold"] = fold_of[noise_source(cut)]
    return list(cuts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", nargs="+", default=SPEECH, help="manifests (default: all of Speech Commands)")
    parser.add_argument(
        "--noise", default="manifests/urbansound8k/noise.jsonl.gz", help="manifest (default: %(default)s)"
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("manifests/folds"), help="default: %(default)s")
    options = parser.parse_args()

    def run() -> None:
        if options.folds < 2:
            raise ConfigError(f"--folds {options.folds}: give at least 2: one is the test, the others train")
        parts = speech_folds(list(read_cuts(options.speech)), options.folds)
        noise = noise_folds(list(read_cuts([options.noise])), options.folds)
        for fold, of_fold in parts.items():
            for part, cuts in of_fold.items():
                write_cuts(cuts, options.out / str(fold) / f"{part}.jsonl.gz")
            told = ", ".join(f"{part} {len(cuts)} of {_speakers(cuts)} speakers" for part, cuts in of_fold.items())
            heard = [cut for cut in noise if cut.custom["fold"] == fold]
            print(f"fold {fold}: {told}; noise {len(heard)} of {len(set(map(noise_source, heard)))} recordings")
        write_cuts(noise, options.out / "noise.jsonl.gz")

    return guarded(run)


def _speakers(cuts: Sequence[Cut]) -> int:
    return len({cut.supervisions[0].speaker for cut in cuts})


if __name__ == "__main__":
    raise SystemExit(main())
