"""The same experiment on a few synthesised clips for two steps: shows that a config runs, anywhere, in seconds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from drsn_audio.config import ExperimentConfig, NoiseSource
from drsn_audio.corpora import CORPORA
from drsn_audio.datasets.keyword import SILENCE, UNKNOWN

STEPS = 2


def smoke_config(config: ExperimentConfig, folder: Path) -> ExperimentConfig:
    """`config` with `folder` as its run folder, and voices and noise synthesised into it in place of its manifests."""
    words = [label for label in config.model.labels if label not in (SILENCE, UNKNOWN)]
    if UNKNOWN in config.model.labels:
        words.append("hello")
    voices = CORPORA["voices"](None, folder / "data" / "voices", words=words, voices_per_part=(1, 1, 1), progress=False)
    noise = CORPORA["synthetic-noise"](
        None, folder / "data" / "noise", count=1, duration_s=3.0, folds=1, progress=False
    )
    sources = [NoiseSource(str(noise.manifests["noise"]))]
    data = dataclasses.replace(
        config.data,
        train=[str(voices.manifests["train"])],
        dev=[str(voices.manifests["dev"])],
        test=[str(voices.manifests["test"])],
        noise_train=sources,
        noise_dev=sources,
        noise_test=sources,
    )
    return dataclasses.replace(
        config,
        run=str(folder),
        init="",
        data=data,
        train=dataclasses.replace(config.train, max_steps=STEPS, batch_size=4, device="cpu", workers=0),
    )
