"""Make the manifests that the configs name: of LibriSpeech, and of noise that is here or made from nothing.

  mini  dev-clean alone, its speakers split into train, dev and test: what mini.yaml needs
  full  every official part that is there, and those of mini-LibriSpeech in a folder of their own

What an earlier call, of this recipe or another, left in the folder of manifests is kept; --again makes all anew.

example:
  python recipes/librispeech/prepare.py mini --data /path/to/corpora
"""

from __future__ import annotations

from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError
from drsn_audio.corpora import sets
from drsn_audio.corpora.librispeech import OFFICIAL_PARTS
from drsn_audio.recipe import prepare_missing, prepare_parser

FOLDER = "LibriSpeech"
MINI_LIBRISPEECH = ("dev-clean-2", "train-clean-5")

NOISE = {name: sets.RECORDED[name] for name in ("urbansound8k", "esc")}
SYNTHESISED = {"synthetic-noise": sets.SYNTHESISED["synthetic-noise"]}


def speech_sets(what: str, data: Path | None) -> sets.Recorded:
    """The manifests of speech, as `prepare_sets` takes them.

    Raises:
        ConfigError: none of LibriSpeech's parts is there.
    """
    if what == "mini":
        return {"librispeech-mini": sets.RECORDED["librispeech-mini"]}
    there = [part for part in OFFICIAL_PARTS if data and (data / FOLDER / part).is_dir()]
    if not there:
        raise ConfigError(f"{data}: no {FOLDER}/dev-clean or other part in it: name the folder that holds {FOLDER}")
    groups = {
        "librispeech": [part for part in there if part not in MINI_LIBRISPEECH],
        "mini-librispeech": [part for part in there if part in MINI_LIBRISPEECH],
    }
    return {name: ("librispeech", (FOLDER,), {"parts": parts}) for name, parts in groups.items() if parts}


def main() -> int:
    parser = prepare_parser(__doc__)
    parser.add_argument("what", choices=("mini", "full"))
    options = parser.parse_args()

    def run() -> None:
        recorded = speech_sets(options.what, options.data) | NOISE
        prepare_missing(recorded, SYNTHESISED, options)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
