"""Put another recogniser, pocketsphinx with the same words as a grammar, to the trials of a model, in the same run.

Both hear the same strings in the same noise, and the differences are paired. Results go to
recipes/commands/results/pocketsphinx/run.json, results/MODEL/run.json and results/MODEL/peers.png.

example:
  pip install 'drsn-audio[peers,score]'
  python recipes/commands/peers.py --model words-20-stream --draws 1
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, ExperimentConfig, load_config
from drsn_audio.progress import ProgressBar

RECIPE = Path(__file__).parent
CONFIG = RECIPE / "configs" / "words-20-stream.yaml"
RESULTS = RECIPE / "results"


def evaluate_peers(config: ExperimentConfig, source: str, results: Path = RESULTS) -> list[Path]:
    """Both on a config's test manifests and noise; prints the comparison, writes and returns the files."""
    from drsn_audio.api import load_transcriber
    from drsn_audio.evaluating import model_name, transcription_facts
    from drsn_audio.evaluation.grammar_peer import GrammarPeer, evaluate_grammar_peer
    from drsn_audio.reports.transcription import comparison, differences
    from drsn_audio.reports.transcription_plot import plot_word_errors

    model, data = load_transcriber(source), config.data
    if model.units.kind != "words":
        raise ConfigError(f"{source}: writes {model.units.kind}, and a grammar is of words: name a model of words")
    peer = GrammarPeer(model.labels)
    settings: dict[str, Any] = {"data": data, "evaluate": config.evaluate}
    with ProgressBar() as progress:
        theirs, written = evaluate_grammar_peer(peer, data.test, data.noise_test, progress=progress, **settings)
        name = model_name(source)
        ours = transcription_facts(
            model, data.test, data.noise_test, name=name, beside=written, progress=progress, **settings
        )
    print(comparison([ours, theirs]))
    print(f"{name} less pocketsphinx, word error rate in % [95 % interval]:\n\n{differences(ours)}\n")
    paths = []
    for facts in (theirs, ours):
        paths.append(results / facts["model"]["name"] / "run.json")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        paths[-1].write_text(json.dumps(facts, indent=1) + "\n")
    if data.noise_test:
        paths.append(results / name / "peers.png")
        plot_word_errors([ours, theirs], paths[-1])
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="words-20-stream", metavar="M", help="default: words-20-stream")
    parser.add_argument("--config", default=CONFIG, help="whose test manifests and noise (default: the recipe's)")
    parser.add_argument("--draws", type=int, default=1, help="noise draws a string (default: 1; it is slow)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="evaluate.* and data.* of the config")
    options = parser.parse_intermixed_args()

    def run() -> None:
        config = load_config(options.config, [*options.overrides, f"evaluate.draws={options.draws}"])
        for manifest in (*config.data.test, *(noise.manifest for noise in config.data.noise_test)):
            if not Path(manifest).is_file():
                raise ConfigError(f"{manifest}: no such manifest: get its corpus (data/README.md), then run prepare.py")
        for path in evaluate_peers(config, options.model):
            print(path)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
