"""The work of the recipes' compare.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from drsn_audio.api import load
from drsn_audio.config import ConfigError
from drsn_audio.denoising.denoiser import Denoiser
from drsn_audio.evaluating import evaluation_config
from drsn_audio.evaluation.compare import compare_models
from drsn_audio.evaluation.shared_trials import Candidate
from drsn_audio.progress import ProgressBar
from drsn_audio.reports.compare import compare_tables
from drsn_audio.transcribing.transcriber import Transcriber


def compare_runs(
    runs: Sequence[str], overrides: Sequence[str], out: Path, reference: str = "", device: str = "cpu"
) -> list[Path]:
    """Evaluate each run's best checkpoint; writes and returns compare.json and compare.md in `out`.

    Raises:
        ConfigError: no runs, overrides of what is trained already, or runs that cannot be compared.
        InputError: a run, a manifest or a file that cannot be used.
    """
    if not runs:
        raise ConfigError("no runs: name the run folders to compare")
    candidates = []
    for run in runs:
        config, model = evaluation_config(Path(run) / "config.yaml", overrides), load(run, device)
        if isinstance(model, Denoiser):
            raise ConfigError(f"{run}: takes noise off, and neither names nor writes words: leave it out")
        as_written = model.as_written if isinstance(model, Transcriber) else str
        candidates.append(Candidate(run, config, model.module, model.info, as_written))
    with ProgressBar() as progress:
        facts = compare_models(candidates, reference, progress)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "compare.json", out / "compare.md"]
    paths[0].write_text(json.dumps(facts, indent=1) + "\n")
    paths[1].write_text(compare_tables(facts))
    return paths
