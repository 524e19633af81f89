"""Put a trained run to its config's test; RUN/answers.json keeps which trials it got right, for a sweep to compare.

example:
  python recipes/keywords/answers.py runs/demo evaluate.draws=8
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError
from drsn_audio.progress import ProgressBar


def answer_run(run: Path, overrides: list[str], device: str = "cpu") -> Path:
    """Writes and returns answers.json of the run's best checkpoint.

    Raises:
        ConfigError: overrides of what is trained already, or no noise to mix in.
        InputError: a run, a manifest or a file that cannot be used.
    """
    import torch

    from drsn_audio.api import load
    from drsn_audio.datasets.keyword import keyword_clips
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.evaluating import evaluation_config
    from drsn_audio.evaluation.answers import SCHEMA, describe_answers
    from drsn_audio.evaluation.keyword import run_trials
    from drsn_audio.evaluation.run import check_settings
    from drsn_audio.files import write_whole

    config = evaluation_config(run / "config.yaml", overrides)
    data, evaluate = config.data, config.evaluate
    check_settings(evaluate)
    if not data.noise_test:
        raise ConfigError(f"{run}: data.noise_test is empty: name the noise to test in")
    model = load(run, device).module.to(memory_format=torch.channels_last)  # a CPU takes half the time
    store = AudioStore(model.config.frontend.sample_rate)
    clips, pool = keyword_clips(read_cuts(data.test), model.config.labels, data), NoisePool(data.noise_test, store)
    with ProgressBar() as progress:
        trials = run_trials(
            model,
            clips,
            pool,
            store,
            snr_db=evaluate.snr_db,
            draws=evaluate.draws,
            seed=evaluate.seed,
            batch_size=evaluate.batch_size,
            progress=progress,
        )
    facts = {"schema": SCHEMA, "level": data.level, "draws": evaluate.draws, "seed": evaluate.seed}
    facts |= describe_answers(trials, model.config.labels)
    write_whole(run / "answers.json", (json.dumps(facts) + "\n").encode())
    return run / "answers.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="evaluate.* and data.* of its config")
    options = parser.parse_intermixed_args()
    return guarded(lambda: print(answer_run(options.run, options.overrides, options.device)))


if __name__ == "__main__":
    raise SystemExit(main())
