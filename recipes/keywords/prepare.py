"""Make the manifests that the configs name: of corpora that are here, and of voices and noise made from nothing.

example:
  python recipes/keywords/prepare.py --data /path/to/corpora
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError
from drsn_audio.corpora import CORPORA

# manifest folder -> corpus, names under which people keep it, options
RECORDED: dict[str, tuple[str, tuple[str, ...], dict]] = {
    "speech-commands": (
        "speech-commands",
        ("speech_commands_v0.02", "speech_commands_subset"),
        {"protocol": "35"},
    ),
    "speech-commands-12": (
        "speech-commands",
        ("speech_commands_v0.02", "speech_commands_subset"),
        {"protocol": "12"},
    ),
    "free-spoken-digits": (
        "free-spoken-digits",
        ("free_spoken_digit_dataset", "free-spoken-digit-dataset"),
        {},
    ),
    "running-speech": ("running-speech", ("LibriSpeech/dev-clean",), {}),
    "running-speech-parts": ("running-speech", ("LibriSpeech/dev-clean",), {"dev_share": 0.3}),
    "urbansound8k": ("urbansound8k", ("UrbanSound8K", "urbansound8k_subset"), {}),
    "esc": ("esc", ("ESC-50", "ESC-50-master", "esc10_subset"), {}),
}

# Words that are none of the ten commands, for the class "unknown": the other words of Speech Commands, some that
# sound like a command, and common ones.
OTHER_WORDS = (
    "backward bed bird cat dog eight five follow forward four happy house learn marvin nine one seven sheila six three "
    "tree two visual wow zero "
    "know goat lift nope lap none yet yard not own gun sock light note town ride often step "
    "water people money after little under number sound never again animal point mother world near build self earth "
    "father head stand page country found answer school grow study still plant cover food sun thought city begin door "
    "open gate machine close start engine pump valve"
).split()  # fmt: skip
SYNTHESISED: dict[str, tuple[str, dict]] = {
    "voices-commands": ("voices", {"voices_per_part": (200, 10, 10), "seed": 1}),
    "voices-others": ("voices", {"words": OTHER_WORDS, "voices_per_part": (20, 2, 2), "seed": 2}),
    "synthetic-noise": ("synthetic-noise", {"count": 100, "duration_s": 20.0}),
    "synthetic-noise-2": ("synthetic-noise", {"count": 300, "duration_s": 20.0, "seed": 1}),
    "synthetic-noise-dev": ("synthetic-noise", {"count": 60, "duration_s": 20.0, "seed": 2}),
}


def prepare(data: Path | None, out: Path) -> None:
    for name, (corpus, folders, options) in RECORDED.items():
        found = next((data / folder for folder in folders if data and (data / folder).is_dir()), None)
        if found is None:
            print(f"{name}: no folder {' or '.join(folders)} in {data}: left out", file=sys.stderr)
            continue
        print(CORPORA[corpus](found, out / name, **options))
    for name, (corpus, options) in SYNTHESISED.items():
        print(CORPORA[corpus](None, out / name, **options))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("DRSN_AUDIO_DATA"), help="default: $DRSN_AUDIO_DATA")
    parser.add_argument("--out", default="manifests", help="default: manifests")
    options = parser.parse_args()

    def run() -> None:
        data = Path(options.data) if options.data else None
        if data is not None and not data.is_dir():
            raise ConfigError(f"{data}: no such folder: name the one that holds the corpora")
        prepare(data, Path(options.out))

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
