"""Connected words for development and test, of the recordings that training has not heard: MANIFESTS/commands-strings.

test: every recording of the ten commands and the ten digits by the test speakers of Speech Commands and of Free Spoken
Digits. dev: likewise, but a part of the digits, whose one speaker said 400.

example:
  python recipes/commands/strings.py
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from drsn_audio.cli import guarded
from drsn_audio.corpora.free_spoken_digits import DIGITS
from drsn_audio.corpora.speech_commands import COMMANDS
from drsn_audio.text import Vocabulary

if TYPE_CHECKING:
    from lhotse.cut import Cut

SAMPLE_RATE = 16000
# part -> how many recordings of each digit by each speaker of Free Spoken Digits are taken
REPETITIONS: dict[str, int | None] = {"dev": 12, "test": None}


def make_strings(manifests: Path, seed: int) -> Iterator[str]:
    """Write MANIFESTS/commands-strings/{dev,test}.jsonl.gz and their audio; yields a line on each.

    Raises:
        ManifestError, AudioError: a manifest or a file that cannot be used, or a folder that cannot be written.
    """
    from drsn_audio.datasets.connected import plan_strings, write_strings
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.datasets.streams import usual_level_db

    out = manifests / "commands-strings"
    for part, repetitions in REPETITIONS.items():
        words = read_cuts([manifests / "speech-commands" / f"{part}.jsonl.gz"])
        spoken = read_cuts([manifests / "free-spoken-digits" / f"{part}.jsonl.gz"])
        commands = _with(words, COMMANDS)
        digits = _with(words, DIGITS) + first_of_each(spoken, repetitions, seed)
        plans = plan_strings(commands, digits, set_name=part, seed=seed)
        # All at the level that is usual for the commands: they are of many microphones, the digits of two or three.
        cuts = write_strings(plans, usual_level_db(commands), out, part, AudioStore(SAMPLE_RATE))
        told = [word for cut in cuts for word in cut.custom["words"]]
        recordings, speakers = ({word[key] for word in told} for key in ("utterance", "speaker"))
        yield (
            f"{out / part}.jsonl.gz: {len(cuts)} strings, {len(told)} words of {len(recordings)} recordings by "
            f"{len(speakers)} speakers, {sum(cut.duration for cut in cuts) / 60:.1f} min"
        )


def first_of_each(cuts: Sequence[Cut], count: int | None, seed: int) -> list[Cut]:
    """`count` recordings of each word by each speaker, drawn by the seed; all of them where count is None."""
    from drsn_audio.datasets.draws import draw_generator

    order = draw_generator("repetitions", seed).permutation(len(cuts))
    taken: dict[tuple, list[Cut]] = {}
    for cut in (cuts[i] for i in order):
        said = cut.supervisions[0]
        taken.setdefault((said.speaker, said.text), []).append(cut)
    return [cut for own in taken.values() for cut in own[:count]]


def _with(cuts: Sequence[Cut], words: Sequence[str]) -> list[Cut]:
    known = Vocabulary(words)
    return [cut for cut in cuts if known.find(cut.supervisions[0].text or "") is not None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifests", type=Path, default="manifests", help="default: manifests")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    options = parser.parse_args()

    def run() -> None:
        for line in make_strings(options.manifests, options.seed):
            print(line)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
