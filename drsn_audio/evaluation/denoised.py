"""A denoiser in front of recognisers: what each makes of the same trials noisy, denoised and blended.

{"schema": 1, "kind": "denoised recognition", "command", "commit", "date", "versions", "machine", "seed", "draws",
 "level", "denoiser": {"name", "sha256"}, "data": {"keywords" | "words": {"manifest", "sha256", "trials"}, "noise"},
 "rows": [{"recogniser", "measure": "accuracy" | "wer", "heard": "noisy" | "denoised" | "blend 0.5" | ...,
           "conditions": those of a keyword or transcription run.json,
           "against_noisy": {"difference", "low", "high"}: paired, over all kinds and SNRs, all of the same weight}]}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from drsn_audio.evaluation.keyword import Trials
from drsn_audio.evaluation.transcripts import Transcripts
from drsn_audio.metrics.bootstrap import bootstrap_difference
from drsn_audio.metrics.wer import word_errors
from drsn_audio.models.model import AudioModel
from drsn_audio.overlap import delay
from drsn_audio.streaming.blending import Blend
from drsn_audio.streaming.synthesis import Synthesis

Front = Callable[[Tensor], Tensor]  # waves [B, N] -> [B, N]
NOISY = "noisy"


def fronts(model: AudioModel, blends: Sequence[float]) -> dict[str, Front]:
    """What may stand before a recogniser, by what the tables call it: nothing, the denoiser, and it blended."""
    return {
        NOISY: lambda waves: waves,
        "denoised": lambda waves: denoise_batch(model, waves, 0.0),
        **{f"blend {blend:g}": lambda waves, blend=blend: denoise_batch(model, waves, blend) for blend in blends},  # type: ignore[misc]
    }


@torch.inference_mode()
def denoise_batch(model: AudioModel, waves: Tensor, blend: float) -> Tensor:
    """Waves [B, N] at the model's rate -> [B, N], as a stream gives them that begins with each."""
    late = delay(model.outputs, model.block)
    heard = torch.nn.functional.pad(waves, (0, late + -(waves.shape[1] + late) % model.block))
    if not blend:
        return model.denoise(waves)
    gains = model(heard).numpy()
    frame_s = model.block / model.config.frontend.sample_rate
    given = []
    for samples, of_frames in zip(heard.numpy(), gains, strict=True):
        synthesis = Synthesis(model.outputs, model.block, Blend(blend, frame_s))
        given.append(synthesis(samples, of_frames)[late : late + waves.shape[1]])
    return torch.from_numpy(np.stack(given))


def accuracy_difference(ours: Sequence[Trials], noisy: Sequence[Trials], seed: int, replicates: int) -> dict[str, Any]:
    """Accuracy of `ours` less that of the noisy trials, the mean over all kinds and SNRs, with its interval."""
    pairs = [(a, b) for a, b in zip(ours, noisy, strict=True) if a.snr_db is not None]
    values = [(a.correct, b.correct, np.ones(len(a.targets))) for a, b in pairs]
    return _difference([a for a, _ in pairs], values, seed, replicates)


def wer_difference(
    ours: Sequence[Transcripts], noisy: Sequence[Transcripts], seed: int, replicates: int
) -> dict[str, Any]:
    """Word error rate of `ours` less that of the noisy trials, the mean over all kinds and SNRs, with its interval."""
    pairs = [(a, b) for a, b in zip(ours, noisy, strict=True) if a.snr_db is not None]
    values = []
    for a, b in pairs:
        counts = [word_errors(one.references, one.hypotheses) for one in (a, b)]
        values.append((counts[0].errors, counts[1].errors, counts[0].lengths))
    return _difference([a for a, _ in pairs], values, seed, replicates)


def _difference(
    asked: Sequence[Trials] | Sequence[Transcripts],
    values: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    seed: int,
    replicates: int,
) -> dict[str, Any]:
    """Of each condition two sums a trial and what they are divided by; conditions weigh all the same."""
    a, b, sizes = (np.concatenate(column) for column in zip(*values, strict=True))
    found = bootstrap_difference(
        a.astype(float),
        b.astype(float),
        np.concatenate([np.asarray(one.speakers) for one in asked]),
        np.concatenate([np.asarray(one.noise_sources) for one in asked]),
        groups=np.repeat(np.arange(len(asked)), [len(one.speakers) for one in asked]),
        weights=sizes,
        seed=seed,
        replicates=replicates,
    )
    return dict(zip(("difference", "low", "high"), map(float, found), strict=True))
