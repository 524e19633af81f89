"""The manifests that the configs of several recipes name: of corpora that are here, or made from nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from drsn_audio.config import ConfigError
from drsn_audio.corpora import CORPORA
from drsn_audio.corpora.free_spoken_digits import DIGITS

# manifest folder -> corpus, names under which people keep it, options
Recorded = dict[str, tuple[str, tuple[str, ...], dict]]
RECORDED: Recorded = {
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
    # By these shares and this seed, 9 speakers of the 13 of a copy with as many train, and dev and test have two each.
    "librispeech-mini": (
        "librispeech",
        ("LibriSpeech/dev-clean",),
        {"split": "speaker", "dev_share": 0.1, "test_share": 0.15, "seed": 2},
    ),
    # Four test speakers of 13: intervals over two would say little.
    "librispeech-denoise": (
        "librispeech",
        ("LibriSpeech/dev-clean",),
        {"split": "speaker", "dev_share": 0.1, "test_share": 0.3, "seed": 19},
    ),
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
# manifest folder -> what makes it, options
Synthesised = dict[str, tuple[str, dict]]
SYNTHESISED: Synthesised = {
    "voices-commands": ("voices", {"voices_per_part": (200, 10, 10), "seed": 1}),
    "voices-digits": ("voices", {"words": DIGITS, "voices_per_part": (200, 10, 10), "seed": 3}),
    "voices-others": ("voices", {"words": OTHER_WORDS, "voices_per_part": (20, 2, 2), "seed": 2}),
    "synthetic-noise": ("synthetic-noise", {"count": 100, "duration_s": 20.0}),
    "synthetic-noise-2": ("synthetic-noise", {"count": 300, "duration_s": 20.0, "seed": 1}),
    "synthetic-noise-dev": ("synthetic-noise", {"count": 60, "duration_s": 20.0, "seed": 2}),
}


def prepare_sets(
    recorded: Recorded, synthesised: Synthesised, data: Path | None, out: Path, *, keep: Iterable[str] = ()
) -> None:
    """Make OUT/<name> of each, but those in `keep`; says of each what it holds, and on stderr what is not in `data`.

    Raises:
        ConfigError: `data` is no folder. And what the corpora raise.
    """
    if data is not None and not data.is_dir():
        raise ConfigError(f"{data}: no such folder: name the one that holds the corpora")
    kept = set(keep)
    for name, (corpus, folders, options) in recorded.items():
        if name in kept:
            continue
        found = next((data / folder for folder in folders if data and (data / folder).is_dir()), None)
        if found is None:
            print(f"{name}: no folder {' or '.join(folders)} in {data}: left out", file=sys.stderr)
            continue
        print(CORPORA[corpus](found, out / name, **options))
    for name, (corpus, options) in synthesised.items():
        if name not in kept:
            print(CORPORA[corpus](None, out / name, **options))
