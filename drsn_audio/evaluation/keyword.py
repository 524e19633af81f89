"""Keyword accuracy, clean and per noise kind and SNR."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor
from torch.utils.data import DataLoader

from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.keyword import Clip, EvaluationClips, fit_clip
from drsn_audio.datasets.manifests import AudioStore, ManifestError, load_cut
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.metrics.keyword import accuracy
from drsn_audio.models.model import AudioModel


@dataclass(frozen=True)
class Trials:
    """What a model answered to every clip and draw under one condition; arrays [n], logits [n, K]."""

    noise_kind: str  # "clean" where snr_db is None
    snr_db: float | None
    logits: np.ndarray
    targets: np.ndarray
    speakers: np.ndarray
    noise_sources: np.ndarray
    words: np.ndarray  # what was said, "" where nobody speaks

    @property
    def predictions(self) -> np.ndarray:
        return self.logits.argmax(-1)

    @property
    def correct(self) -> np.ndarray:
        return self.predictions == self.targets

    @property
    def accuracy(self) -> float:
        return accuracy(self.targets, self.predictions)


@torch.inference_mode()
def run_trials(
    model: AudioModel,
    clips: Sequence[Clip],
    noise: NoisePool,
    store: AudioStore,
    *,
    snr_db: Sequence[float],
    draws: int,
    seed: int,
    batch_size: int = 128,
    progress: Progress | None = None,
) -> list[Trials]:
    """One Trials for each noise kind and SNR, and one for clean.

    The segment of noise depends on (seed, utterance id, kind, draw) alone, so it is the same at every SNR and for
    every model: differences between them are paired. `model` stays on its device, in eval mode.
    """
    model.eval()
    return ask(
        lambda wave: model.head.last(model(wave), None),
        clips,
        noise,
        store,
        clip_samples=num_samples(model),
        snr_db=snr_db,
        draws=draws,
        seed=seed,
        batch_size=batch_size,
        device=next(model.parameters()).device,
        progress=progress,
    )


def ask(
    answer: Callable[[Tensor], Tensor],
    clips: Sequence[Clip],
    noise: NoisePool,
    store: AudioStore,
    *,
    clip_samples: int,
    snr_db: Sequence[float],
    draws: int,
    seed: int,
    batch_size: int = 128,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> list[Trials]:
    """The trials of `run_trials` for any recogniser: `answer` takes waves [B, clip_samples] to logits [B, K]."""
    speakers = np.array([clip.speaker for clip in clips])
    targets = np.array([clip.target for clip in clips])
    words = np.array([said(clip) for clip in clips])
    conditions: dict[tuple[str, float | None], list[np.ndarray]] = {}
    sources: dict[tuple[str, float | None], list[str]] = {}
    steps = [(kind, draw) for kind in noise.kinds for draw in range(draws)]
    task = progress.add_task("evaluate", total=len(steps) * len(clips)) if progress else None
    for kind, draw in steps:
        wanted: list[tuple[str, float | None]] = [(kind, snr) for snr in dict.fromkeys(snr_db)]
        if (kind, draw) == steps[0]:
            wanted.append(("clean", None))
        dataset = EvaluationClips(clips, noise, store, clip_samples, seed, kind, draw)
        for batch in DataLoader(dataset, batch_size, collate_fn=collate):
            batch = batch.to(device)
            for condition in wanted:
                wave = batch.mix(math.inf if condition[1] is None else condition[1])
                conditions.setdefault(condition, []).append(answer(wave).float().cpu().numpy())
                sources.setdefault(condition, []).extend(batch.noise_source)
            if progress and task is not None:
                progress.advance(task, len(batch.noise_source))
    trials = []
    for (kind, snr), answers in conditions.items():
        times = draws if snr is not None else 1
        asked, said_by, spoken = (np.tile(of_clip, times) for of_clip in (targets, speakers, words))
        heard = np.array(sources[kind, snr])
        trials.append(Trials(kind, snr, np.concatenate(answers), asked, said_by, heard, spoken))
    return trials


@torch.inference_mode()
def run_mixed_trials(
    model: AudioModel, clips: Sequence[Clip], *, batch_size: int = 128, progress: Progress | None = None
) -> list[Trials]:
    """Trials of clips as they are, grouped by the `noise_kind` and `snr_db` of their cuts; without them, clean.

    Raises:
        AudioError: a file that cannot be used.
        ManifestError: a cut has an SNR but no kind of noise.
    """
    model.eval()
    device = next(model.parameters()).device
    groups: dict[tuple[str, float | None], list[Clip]] = {}
    for clip in clips:
        mixed = _custom(clip)
        snr = mixed.get("snr_db")
        if snr is not None and "noise_kind" not in mixed:
            raise ManifestError(f"{clip.id}: carries snr_db but no noise_kind: make such mixes with drsn-audio mix")
        groups.setdefault(("clean" if snr is None else mixed["noise_kind"], snr), []).append(clip)
    rate = model.config.frontend.sample_rate
    task = progress.add_task("evaluate", total=len(clips)) if progress else None
    trials = []
    for (kind, snr), group in groups.items():
        answers = []
        for begin in range(0, len(group), batch_size):
            loaded = [load_cut(clip.cut, rate)[: num_samples(model)] for clip in group[begin : begin + batch_size]]
            waves = torch.from_numpy(np.stack([fit_clip(wave, num_samples(model)) for wave in loaded])).to(device)
            lengths = torch.tensor([len(wave) for wave in loaded], device=device)
            logits = model.head.last(model(waves, lengths), model.output_lengths(lengths))
            answers.append(logits.float().cpu().numpy())
            if progress and task is not None:
                progress.advance(task, len(waves))
        trials.append(
            Trials(
                kind,
                snr,
                np.concatenate(answers),
                np.array([clip.target for clip in group]),
                np.array([clip.speaker for clip in group]),
                np.array([_custom(clip).get("noise_source") or "" for clip in group]),
                np.array([said(clip) for clip in group]),
            )
        )
    return trials


def said(clip: Clip) -> str:
    """The word of a clip; "" where nobody speaks."""
    return clip.cut.supervisions[0].text if clip.cut else ""


def _custom(clip: Clip) -> dict[str, Any]:
    return (clip.cut.custom if clip.cut else None) or {}


def num_samples(model: AudioModel) -> int:
    """Length of the clips that a clip model hears."""
    return round(model.config.clip_s * model.config.frontend.sample_rate)
