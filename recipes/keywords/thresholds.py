"""What the thresholds of trained runs do in noise: do they rise with it, and in its bands?

Writes thresholds.json, thresholds.md, thresholds.png (against the SNR) and bands.png (by frequency). Each run hears
clips of its own config's test speakers in its own test noise; runs of one model that differ by fold or seed are pooled.

example:
  python recipes/keywords/thresholds.py runs/cw-fold1-seed0 runs/cw-fold2-seed0 --clips 200 -o runs/thresholds
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, config_to_dict
from drsn_audio.progress import ProgressBar

if TYPE_CHECKING:
    from drsn_audio.api import Recognizer
    from drsn_audio.config import ExperimentConfig
    from drsn_audio.evaluation.thresholds import ThresholdTrials

SNR_DB = (20.0, 10.0, 5.0, 0.0, -5.0, -10.0)
CLIPS = 200


def threshold_runs(
    runs: Sequence[str],
    overrides: Sequence[str],
    out: Path,
    *,
    snr_db: Sequence[float] = SNR_DB,
    clips: int = CLIPS,
    device: str = "cpu",
) -> list[Path]:
    """Measure each run's best checkpoint; writes and returns the tables, numbers and pictures in `out`.

    Raises:
        ConfigError: no runs, runs of several models, overrides of what is trained already, or no noise to mix in.
        InputError: a run, a manifest or a file that cannot be used; a network without thresholds or gates.
    """
    from drsn_audio.api import load_recognizer
    from drsn_audio.evaluating import evaluation_config
    from drsn_audio.evaluation.run import check_settings
    from drsn_audio.evaluation.threshold_facts import threshold_facts
    from drsn_audio.evaluation.thresholds import check_thresholds, pool_runs
    from drsn_audio.reports.threshold_maps import write_thresholds

    if not runs:
        raise ConfigError("no runs: name the run folders to measure")
    if len({Path(run).resolve() for run in runs}) < len(runs):
        raise ConfigError("a run is named twice: name each once")
    loaded = [(evaluation_config(Path(run) / "config.yaml", overrides), load_recognizer(run, device)) for run in runs]
    first = loaded[0][0]
    check_settings(first.evaluate)
    for run, (config, recognizer) in zip(runs, loaded, strict=True):
        if config_to_dict(config.model) != config_to_dict(first.model):
            raise ConfigError(f"{run}: its model is not that of {runs[0]}: pool runs that differ by fold or seed alone")
        if not config.data.noise_test:
            raise ConfigError(f"{run}: data.noise_test is empty: name the noise to measure in")
        check_thresholds(recognizer.module)
    measured, described = [], []
    with ProgressBar() as progress:
        for run, (config, recognizer) in zip(runs, loaded, strict=True):
            trials = _measure(recognizer, config, snr_db, clips, first.evaluate.seed, progress)
            measured.append(trials)
            described.append(_describe(run, recognizer, config, trials))
    facts = threshold_facts(
        loaded[0][1].module,
        pool_runs(measured),
        described,
        level=first.data.level,
        seed=first.evaluate.seed,
        replicates=first.evaluate.replicates,
    )
    return write_thresholds(facts, out)


def _measure(
    recognizer: Recognizer,
    config: ExperimentConfig,
    snr_db: Sequence[float],
    clips: int,
    seed: int,
    progress: Progress,
) -> list[ThresholdTrials]:
    from drsn_audio.datasets.keyword import keyword_clips
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.evaluation.thresholds import choose_clips, measure_thresholds

    data = replace(config.data, silence_share=0.0)  # without speech there is nothing to compare the noise with
    store = AudioStore(recognizer.sample_rate)
    chosen = choose_clips(keyword_clips(read_cuts(data.test), recognizer.labels, data), clips, seed)
    pool = NoisePool(data.noise_test, store)
    return measure_thresholds(recognizer.module, chosen, pool, store, snr_db=snr_db, seed=seed, progress=progress)


def _describe(
    run: str, recognizer: Recognizer, config: ExperimentConfig, trials: Sequence[ThresholdTrials]
) -> dict[str, Any]:
    from drsn_audio.datasets.manifests import file_sha256
    from drsn_audio.evaluation.run import describe_noise

    return {
        "run": run,
        "checkpoint": {key: recognizer.info.get(key) for key in ("sha256", "step", "seed", "commit", "command")},
        "manifest": ", ".join(config.data.test),
        "sha256": "+".join(file_sha256(path) for path in config.data.test),
        "clips": len(trials[0].speakers),
        "speakers": len(set(trials[0].speakers)),
        "noise": [describe_noise(source) for source in config.data.noise_test],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="run | key=value", help="run folders of train.py, and overrides")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for what is written")
    parser.add_argument("--clips", type=int, default=CLIPS, help=f"test clips a run, over all speakers ({CLIPS})")
    parser.add_argument("--snr", type=float, nargs="+", default=list(SNR_DB), metavar="DB", help="default: 20 ... -10")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    options = parser.parse_intermixed_args()
    overrides = [word for word in options.words if "=" in word]
    runs = [word for word in options.words if "=" not in word]

    def run() -> None:
        settings = {"snr_db": options.snr, "clips": options.clips, "device": options.device}
        for path in threshold_runs(runs, overrides, options.out, **settings):
            print(path)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
