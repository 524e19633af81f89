"""Keyword accuracy, clean and per noise kind and SNR."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
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
from drsn_audio.datasets.noise_names import mixed_noise
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.journal import Journal, answers, digest, packed, unpacked
from drsn_audio.evaluation.shares import joined, share
from drsn_audio.metrics.keyword import accuracy
from drsn_audio.models.model import AudioModel
from drsn_audio.processes import ALONE, Processes
from drsn_audio.text import normalise_text


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
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> list[Trials]:
    """One Trials for each noise kind and SNR, and one for clean.

    The segment of noise depends on (seed, utterance id, kind, draw) alone, so it is the same at every SNR and for
    every model: differences between them are paired. `model` stays on its device, in eval mode. Of several processes,
    which all call this, each puts a share of the clips to it, and all get the answers to all. With a `journal` they
    share the batches of one process: a clip's neighbours in its batch change the last digits of its logits.
    """
    model.eval()
    trials = ask(
        lambda wave: model.head.last(model(wave), None),
        clips if journal else share(clips, processes.rank, processes.count),
        noise,
        store,
        clip_samples=num_samples(model),
        snr_db=snr_db,
        draws=draws,
        seed=seed,
        batch_size=batch_size,
        device=next(model.parameters()).device,
        progress=progress,
        processes=processes if journal else ALONE,
        journal=journal,
    )
    return trials if journal else join_trials(processes.gather(trials), draws)


def join_trials(parts: Sequence[Sequence[Trials]], draws: int = 1) -> list[Trials]:
    """Trials of shares of the clips, by rank -> those of all clips, in order. The first share is not empty."""
    if len(parts) == 1:
        return list(parts[0])
    by_condition = [{(one.noise_kind, one.snr_db): one for one in part} for part in parts]
    whole = []
    for first in parts[0]:
        of_all = [part[key] for part in by_condition if (key := (first.noise_kind, first.snr_db)) in part]
        rounds = 1 if first.snr_db is None else draws
        fields = ("logits", "targets", "speakers", "noise_sources", "words")
        arrays = {name: np.array(joined([getattr(one, name) for one in of_all], rounds)) for name in fields}
        whole.append(Trials(first.noise_kind, first.snr_db, **arrays))
    return whole


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
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> list[Trials]:
    """The trials of `run_trials` for any recogniser: `answer` takes waves [B, clip_samples] to logits [B, K].

    Several processes share the batches.
    """
    steps = [(kind, draw) for kind in noise.kinds for draw in range(draws)]
    batches = [range(len(clips))[begin : begin + batch_size] for begin in range(0, len(clips), batch_size)]
    units = [(step, rows) for step in steps for rows in batches]
    names = [digest(clips[row].id for row in rows) for rows in batches]
    asked = [[kind, draw, name] for kind, draw in steps for name in names]

    def wanted(step: tuple[str, int]) -> list[tuple[str, float | None]]:
        clean: list[tuple[str, float | None]] = [("clean", None)] if step == steps[0] else []
        return [(step[0], snr) for snr in dict.fromkeys(snr_db)] + clean

    def hear(numbers: Sequence[int]) -> Iterator[list[Any]]:
        """Packed logits of each condition wanted, and the noise recordings, of each batch."""
        task = progress.add_task("evaluate", total=sum(len(units[n][1]) for n in numbers)) if progress else None
        for step, of_step in itertools.groupby((units[number] for number in numbers), lambda unit: unit[0]):
            dataset = EvaluationClips(clips, noise, store, clip_samples, seed, *step)
            sampler = [list(rows) for _, rows in of_step]
            for batch in DataLoader(dataset, batch_sampler=sampler, collate_fn=collate):
                batch = batch.to(device)
                waves = (batch.mix(math.inf if snr is None else snr) for _, snr in wanted(step))
                yield [[packed(answer(wave).float().cpu().numpy()) for wave in waves], list(batch.noise_source)]
                if progress and task is not None:
                    progress.advance(task, len(batch.noise_source))

    heard = answers(asked, hear, processes, journal)
    conditions: dict[tuple[str, float | None], list[tuple[np.ndarray, list[str]]]] = {}
    for (step, _), (logits, sources) in zip(units, heard, strict=True):
        for condition, of_batch in zip(wanted(step), logits, strict=True):
            conditions.setdefault(condition, []).append((unpacked(of_batch), sources))
    return [_trials(*condition, parts, clips) for condition, parts in conditions.items()]


def _trials(
    noise_kind: str, snr_db: float | None, parts: Sequence[tuple[np.ndarray, list[str]]], clips: Sequence[Clip]
) -> Trials:
    """Logits and noise recordings of the batches, in which all clips went round once or more."""
    logits = np.concatenate([of_batch for of_batch, _ in parts])
    sources = np.array([source for _, of_batch in parts for source in of_batch])
    rounds = len(logits) // len(clips)
    targets = np.tile([clip.target for clip in clips], rounds)
    speakers, words = (np.tile(names, rounds) for names in ([clip.speaker for clip in clips], list(map(said, clips))))
    return Trials(noise_kind, snr_db, logits, targets, speakers, sources, words)


@torch.inference_mode()
def run_mixed_trials(
    model: AudioModel,
    clips: Sequence[Clip],
    *,
    batch_size: int = 128,
    progress: Progress | None = None,
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> list[Trials]:
    """Trials of clips as they are, grouped by the `noise_kind` and `snr_db` of their cuts; without them, clean.

    Several processes share the batches.

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
    rate, size = model.config.frontend.sample_rate, num_samples(model)
    batches = [
        group[begin : begin + batch_size] for group in groups.values() for begin in range(0, len(group), batch_size)
    ]

    def hear(numbers: Sequence[int]) -> Iterator[list[Any]]:
        task = progress.add_task("evaluate", total=sum(len(batches[n]) for n in numbers)) if progress else None
        for number in numbers:
            loaded = [load_cut(clip.cut, rate)[:size] for clip in batches[number]]
            waves = torch.from_numpy(np.stack([fit_clip(wave, size) for wave in loaded])).to(device)
            lengths = torch.tensor([len(wave) for wave in loaded], device=device)
            logits = model.head.last(model(waves, lengths), model.output_lengths(lengths))
            yield packed(logits.float().cpu().numpy())
            if progress and task is not None:
                progress.advance(task, len(waves))

    asked = [digest(clip.id for clip in batch) for batch in batches]
    heard = np.concatenate([unpacked(of_batch) for of_batch in answers(asked, hear, processes, journal)])
    of_groups = np.split(heard, np.cumsum([len(group) for group in groups.values()])[:-1])
    return [
        Trials(
            kind,
            snr,
            logits,
            np.array([clip.target for clip in group]),
            np.array([clip.speaker for clip in group]),
            np.array([mixed_noise(_custom(clip)) for clip in group]),
            np.array([said(clip) for clip in group]),
        )
        for ((kind, snr), group), logits in zip(groups.items(), of_groups, strict=True)
    ]


def said(clip: Clip) -> str:
    """Return the word of a clip as it is compared; "" where nobody speaks."""
    return normalise_text(clip.cut.supervisions[0].text) if clip.cut else ""


def _custom(clip: Clip) -> dict[str, Any]:
    return (clip.cut.custom if clip.cut else None) or {}


def num_samples(model: AudioModel) -> int:
    """Length of the clips that a clip model hears."""
    return round(model.config.clip_s * model.config.frontend.sample_rate)
