"""Train a keyword model: a config, and what differs from it as key=value. Without --config: fine-tune a trained model
on words of your own, from recordings (data=FOLDER of LABEL/*.wav), synthesised voices, or both; see docs/own-words.md.

examples:
  python recipes/keywords/train.py --config recipes/keywords/configs/subset.yaml run=runs/none model.shrinkage=none
  python recipes/keywords/train.py init=commands-12 data=my-words noise=my-noise run=runs/mine
  python recipes/keywords/train.py --synthesise "open gate,close gate"
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, load_config
from drsn_audio.processes import here


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config")
    parser.add_argument("--smoke", action="store_true", help="two steps on synthesised clips, in RUN-smoke")
    parser.add_argument("--synthesise", metavar="WORDS", default="", help='own words to speak: "open gate,close gate"')
    parser.add_argument("--overwrite", action="store_true", help="own words: into a run folder that holds a model")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="keys of the config; without --config also data, noise, speaker_pattern, e.g. '^([a-z]+)_' for anna_1.wav",
    )
    options = parser.parse_intermixed_args()

    def run() -> None:
        from drsn_audio.training.loop import train
        from drsn_audio.training.smoke import smoke_config

        if options.config is None:
            if options.smoke:
                raise ConfigError("--smoke goes with --config: for own words give train.max_steps=2")
            from own_report import print_report
            from own_words import prepare_own_words, read_request

            request = read_request(options.overrides, options.synthesise, options.overwrite)
            print(f"best checkpoint: {train(prepare_own_words(request))}")
            print_report(request.run)
            return
        if options.synthesise or options.overwrite:
            raise ConfigError("--synthesise and --overwrite are for own words: leave --config out")
        config = load_config(options.config, options.overrides)
        if options.smoke:
            config = smoke_config(config, Path(f"{config.run}-smoke"))
        best = train(config)
        if here().is_main:
            print(f"best checkpoint: {best}")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
