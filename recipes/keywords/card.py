"""Write the card of a shipped model, every number of it anew: evaluate the model, compare, fill the template.

The run.json of each evaluation goes to recipes/keywords/results. Pocketsphinx is slow: its run.json is kept, and made
again with --peers. A streaming model is put to the test streams of streams.py, exported and timed; what
benchmarks/streaming.py --json found goes into its card with --speed.

examples:
  python recipes/keywords/card.py commands-12
  python recipes/keywords/card.py commands-12-stream
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from drsn_audio import pretrained
from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, ExperimentConfig, nearest
from drsn_audio.progress import ProgressBar

FOLD = 3  # the noise that the other results of this recipe were tested on


def write_card(name: str, config: ExperimentConfig, results: Path, peers: list[dict[str, Any]]) -> Path:
    """Evaluate the shipped model `name` on a config's test manifests, write its card. Returns the card's path.

    Raises:
        ConfigError: no model of that name, or peers that were put to other trials.
        CheckpointError, ManifestError, AudioError: files that cannot be used.
    """
    from drsn_audio.evaluation.run import evaluate_keywords
    from drsn_audio.models.checkpoint import load_checkpoint
    from drsn_audio.reports.card import model_card
    from drsn_audio.reports.folder import write_report

    path = shipped(name)
    model, described = load_checkpoint(path)
    noise = config.data.noise_test
    of_fold = [dataclasses.replace(source, folds=[FOLD]) for source in noise]
    found = {}
    with ProgressBar() as progress:
        for title, sources in ((name, noise), (f"{name}-fold-{FOLD}", of_fold)):
            found[title] = evaluate_keywords(
                model,
                config.data.test,
                sources,
                name=name,
                data=config.data,
                evaluate=config.evaluate,
                checkpoint=described,
                progress=progress,
            )
    _check_trials(found[name], peers)
    for title, facts in found.items():  # after all, so that each names the commit without what another has written
        write_report(facts, results / title)
    size = sum(file.stat().st_size for file in (path, path.parent / described["weights"]))
    whole, part = found.values()
    card = path.with_suffix(".md")
    card.write_text(model_card(name, described, size, whole, peers, {f"Fold {FOLD} of the noise alone": part}))
    return card


def shipped(name: str) -> Path:
    """The JSON of a shipped model.

    Raises:
        ConfigError: there is none of that name.
    """
    path = pretrained.find(name)
    if path is None:
        names = pretrained.names()
        raise ConfigError(f"{name}: no shipped model; {nearest(name, names) if names else 'put it there by ship.py'}")
    return path


def _check_trials(facts: dict[str, Any], peers: list[dict[str, Any]]) -> None:
    """Refuse peers whose run.json is of other speech, noise, seed or SNRs: one table is of the same trials."""

    def trials(run: dict[str, Any]) -> Any:  # by counts, for a manifest's hash tells where its audio lies, too
        noise = [(source["recordings"], source["folds"], source["kinds"]) for source in run["data"]["noise"]]
        snrs_db = {one["snr_db"] for one in run["conditions"]}
        return run["data"]["utterances"], run["data"]["speakers"], noise, run["seed"], run["level"], snrs_db

    for peer in peers:
        if trials(peer) != trials(facts):
            raise ConfigError(f"{peer['model']['name']}: its run.json is of other trials: make it again with --peers")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a shipped model, such as commands-12")
    parser.add_argument("--peers", action="store_true", help="put pocketsphinx to the test again, too")
    parser.add_argument("--streams", nargs="+", metavar="MANIFEST", help="test streams (default: those of streams.py)")
    parser.add_argument("--speed", type=Path, metavar="JSON", help="what benchmarks/streaming.py said of this model")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of evaluate.*, e.g. evaluate.draws=1")
    options = parser.parse_intermixed_args()

    def run() -> None:
        from peers import RESULT, evaluate_peers, tested
        from stream_card import STREAMS, write_stream_card

        from drsn_audio.models.checkpoint import load_checkpoint

        results, path = RESULT.parent.parent, shipped(options.name)
        if load_checkpoint(path)[0].causal:
            print(write_stream_card(path, results / options.name, options.streams or STREAMS, options.speed))
            return
        config = tested(options.overrides)
        if options.peers:
            evaluate_peers(config)
        if not RESULT.is_file():
            raise ConfigError(f"{RESULT}: not there: make it with python recipes/keywords/peers.py")
        print(write_card(options.name, config, results, [json.loads(RESULT.read_text())]))

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
