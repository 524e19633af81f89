"""Put another recogniser, pocketsphinx, to the trials that the shipped model's card reports.

Its grammar holds the model's words, and for "unknown" the other words of the training speech: it is told what it may
hear, as the model was. Results go to recipes/keywords/results/pocketsphinx/run.json.

example:
  pip install 'drsn-audio[peers]'
  python recipes/keywords/peers.py --draws 4
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, ExperimentConfig, load_config
from drsn_audio.progress import ProgressBar
from drsn_audio.text import normalise_text

RECIPE = Path(__file__).parent
CONFIG = RECIPE / "configs" / "commands-12.yaml"
RESULT = RECIPE / "results" / "pocketsphinx" / "run.json"


def tested(overrides: list[str]) -> ExperimentConfig:
    """The config whose test manifests the card reports on. Raises ConfigError where one of them is not there."""
    config = load_config(CONFIG, overrides)
    for manifest in (*config.data.test, *(source.manifest for source in config.data.noise_test)):
        if not Path(manifest).is_file():
            raise ConfigError(f"{manifest}: no such manifest: get its corpus (data/README.md), then run prepare.py")
    return config


def evaluate_peers(config: ExperimentConfig, result: Path = RESULT) -> Path:
    """Evaluate pocketsphinx on a config's test manifests and noise; writes and returns `result`."""
    from drsn_audio.datasets.manifests import read_cuts
    from drsn_audio.evaluation.peers import evaluate_pocketsphinx
    from drsn_audio.reports.table import terminal_table

    learnt = {normalise_text(cut.supervisions[0].text) for cut in read_cuts(config.data.train[:1])}
    with ProgressBar() as progress:
        facts = evaluate_pocketsphinx(
            config.model.labels,
            sorted(learnt - set(map(normalise_text, config.model.labels))),
            config.data.test,
            config.data.noise_test,
            clip_s=config.model.clip_s,
            data=config.data,
            evaluate=config.evaluate,
            progress=progress,
        )
    Console().print(terminal_table(facts))
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(facts, indent=1) + "\n")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1, help="noise draws a clip (default: 1; it is slow)")
    options = parser.parse_args()
    return guarded(lambda: print(evaluate_peers(tested([f"evaluate.draws={options.draws}"]))))


if __name__ == "__main__":
    raise SystemExit(main())
