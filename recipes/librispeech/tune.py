"""Tune the beam search of a run's best checkpoint on development utterances, and write it into the checkpoint.

Also for models of words, without a language model: then the score of a word and the beam are tuned.

examples:
  python recipes/librispeech/tune.py runs/librispeech-mini --language-model manifests/librispeech-mini/3-gram.arpa
  python recipes/librispeech/tune.py runs/words-20-stream
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, load_config
from drsn_audio.progress import ProgressBar


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("--language-model", default="", metavar="ARPA", help="of language_model.py, or any for KenLM")
    parser.add_argument("--lexicon", default="", metavar="FILE", help="known words, one a line (default: the ARPA's)")
    parser.add_argument("--snr", nargs="+", type=float, metavar="DB", help="beside clean (default: 10 0)")
    parser.add_argument("--utterances", type=int, default=100, help="at most so many (default: 100)")
    parser.add_argument("--beams", nargs="+", type=int, default=(10, 50, 100), help="default: 10 50 100")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="data.* of the run's config")
    options = parser.parse_intermixed_args()

    def run() -> None:
        from drsn_audio.decoding.beam import BeamConfig
        from drsn_audio.evaluation.tune_decoder import SNR_DB, describe_decoder, tune_decoder

        foreign = [word for word in options.overrides if not word.startswith("data.")]
        if foreign:
            raise ConfigError(f"{', '.join(foreign)}: override data.* only")
        config = load_config(options.run / "config.yaml", options.overrides)
        with ProgressBar() as progress:
            found = tune_decoder(
                options.run / "best.json",
                config.data,
                BeamConfig(options.language_model, options.lexicon),
                snr_db=options.snr or SNR_DB,
                utterances=options.utterances,
                beams=options.beams,
                progress=progress,
            )
        print(describe_decoder(found))

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
