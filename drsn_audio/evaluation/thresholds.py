"""What the thresholds of a network do in noise of a known level: every block and band, clip by clip."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor
from torch.utils.data import DataLoader

from drsn_audio.datasets.batch import collate
from drsn_audio.datasets.keyword import Clip, EvaluationClips
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.errors import InputError
from drsn_audio.evaluation.alphas import Shrunk, alpha_name, block_shrinkage
from drsn_audio.evaluation.keyword import num_samples
from drsn_audio.evaluation.threshold_bands import bin_edges_hz, mean_power
from drsn_audio.models.model import AudioModel

CLEAN_DB = math.inf


@dataclass(frozen=True)
class ThresholdTrials:
    """What the blocks did with n clips, each with one draw of a kind of noise at S conditions, of which clean is last.

    blocks: by block and measure [n, S, bands], see `block_measures`; bands is 1 where thresholds are not by frequency.
    each_alpha: by block [R, S, C, bands]: alpha of every single threshold, averaged over the clips of each of R runs.
    speech_power, noise_power [n, F]: mean power in each row of the spectrogram, the noise's at an SNR of 0 dB; F is 0
    where rows are no frequencies.
    """

    noise_kind: str
    snr_db: tuple[float, ...]  # S; inf is clean
    runs: np.ndarray  # [n] int: which network heard it
    speakers: np.ndarray
    noise_sources: np.ndarray
    blocks: dict[str, dict[str, np.ndarray]]
    each_alpha: dict[str, np.ndarray]
    speech_power: np.ndarray
    noise_power: np.ndarray


def choose_clips(clips: Sequence[Clip], count: int, seed: int) -> list[Clip]:
    """`count` clips in which somebody speaks, of all speakers as evenly as can be; all of them where there are fewer.

    Raises:
        InputError: nobody speaks, or a count below 1.
    """
    if count < 1:
        raise InputError(f"{count} clips: hear 1 or more")
    turns: dict[str, int] = defaultdict(int)
    drawn = []
    for place in np.random.default_rng(seed).permutation(len(clips)):
        clip = clips[int(place)]
        if clip.cut is not None:
            drawn.append((turns[clip.speaker], int(place)))
            turns[clip.speaker] += 1
    if not drawn:
        raise InputError("nobody speaks in the test clips: name others with data.test")
    # The stable sort leaves each turn in the drawn order, so that the last, which is cut off, has speakers at random.
    chosen = sorted(drawn, key=lambda of_clip: of_clip[0])[:count]
    return [clips[place] for _, place in chosen]


def measure_thresholds(
    model: AudioModel,
    clips: Sequence[Clip],
    noise: NoisePool,
    store: AudioStore,
    *,
    snr_db: Sequence[float],
    seed: int,
    batch_size: int = 50,
    progress: Progress | None = None,
) -> list[ThresholdTrials]:
    """One ThresholdTrials for each kind of noise. The noise is that of `evaluation.keyword.run_trials`, its first draw:
    the same at every SNR and for every network.

    Raises:
        InputError: a network that has neither thresholds nor gates, SNRs that are not two or more finite numbers.
        AudioError: a file that cannot be used.
    """
    check_thresholds(model)
    snrs = tuple(dict.fromkeys(float(snr) for snr in snr_db))
    if len(snrs) < 2 or not np.isfinite(snrs).all():
        raise InputError(f"SNRs {', '.join(f'{snr:g}' for snr in snrs)}: give two or more, in dB; clean is heard, too")
    conditions = (*sorted(snrs, reverse=True), CLEAN_DB)
    device = next(model.parameters()).device
    task = progress.add_task("thresholds", total=len(clips) * len(noise.kinds)) if progress else None
    found = []
    for kind in noise.kinds:
        dataset = EvaluationClips(clips, noise, store, num_samples(model), seed, kind, 0)
        parts, sources = [], []
        for batch in DataLoader(dataset, batch_size, collate_fn=collate):
            batch = batch.to(device)
            waves = torch.stack([batch.mix(snr) for snr in (*conditions, 0.0)])
            parts.append(hear_thresholds(model, waves[:-1], waves[-2], waves[-1] - waves[-2]))
            sources += batch.noise_source
            if progress and task is not None:
                progress.advance(task, len(batch.noise_source))
        speakers = np.array([clip.speaker for clip in clips])
        found.append(_joined(kind, conditions, speakers, np.array(sources), parts))
    return found


@dataclass(frozen=True)
class HeardThresholds:
    """`ThresholdTrials` of one batch; each_alpha is by block [S, C, bands], summed over the clips."""

    blocks: dict[str, dict[str, np.ndarray]]
    each_alpha: dict[str, np.ndarray]
    speech_power: np.ndarray
    noise_power: np.ndarray


def hear_thresholds(model: AudioModel, waves: Tensor, speech: Tensor, noise: Tensor) -> HeardThresholds:
    """Waves [S, B, N], B clips under S conditions, and the parts [B, N] they are mixed of -> what the blocks did."""
    measured: dict[str, dict[str, list[np.ndarray]]] = {}
    sums: dict[str, list[np.ndarray]] = {}
    for wave in waves:
        for block, shrunk in block_shrinkage(model, wave).items():
            sums.setdefault(block, []).append(shrunk.alpha.mean(3).sum(0).cpu().numpy())
            for name, values in block_measures(shrunk).items():
                measured.setdefault(block, {}).setdefault(name, []).append(values.cpu().numpy())
    blocks = {
        block: {name: np.stack(of_waves, 1) for name, of_waves in measures.items()}
        for block, measures in measured.items()
    }
    if bin_edges_hz(model) is None:
        powers = [np.zeros((len(speech), 0))] * 2
    else:
        powers = [mean_power(model.frontend, part).cpu().numpy() for part in (speech, noise)]
    return HeardThresholds(blocks, {block: np.stack(of_block) for block, of_block in sums.items()}, *powers)


def block_measures(shrunk: Shrunk) -> dict[str, Tensor]:
    """What a block did, [B, bands] each, averaged over channels and frames.

    alpha: what mean |x| is multiplied by, or, of a gate, x. tau: the thresholds. magnitude: mean |x|. zeroed: the share
    of values that were set to zero. before, after: mean x^2 and mean y^2. A gate has no tau, and sets nothing to zero.
    """
    by_band = shrunk.alpha.shape[2] > 1

    def mean(values: Tensor) -> Tensor:
        return values.mean((1, 3)) if by_band else values.mean((1, 2, 3))[:, None]

    found = {"alpha": mean(shrunk.alpha)}
    if shrunk.tau is not None:
        found |= {"tau": mean(shrunk.tau), "zeroed": mean((shrunk.y == 0).float())}
    x, y = shrunk.x, shrunk.y
    return found | {"magnitude": mean(x.abs()), "before": mean(x.square()), "after": mean(y.square())}


def check_thresholds(model: AudioModel) -> None:
    """Raises InputError where there is neither a threshold nor a gate."""
    if not alpha_name(model):
        raise InputError(
            f"the network (encoder={model.config.encoder}, shrinkage={model.config.shrinkage or 'none'}) has neither "
            "thresholds nor gates: give runs of model.shrinkage=cw, cs, cw-frequency, se or se-frequency"
        )


def pool_runs(runs: Sequence[Sequence[ThresholdTrials]]) -> list[ThresholdTrials]:
    """Trials of several networks of one make -> those of all, by kind of noise.

    Raises:
        InputError: other kinds of noise, SNRs, blocks or bands.
    """
    first = [_make(one) for one in runs[0]]
    if any([_make(one) for one in run] != first for run in runs):
        raise InputError("the runs differ in noise kinds, SNRs, blocks or bands: measure those that agree together")
    return [_pooled(parts) for parts in zip(*runs, strict=True)]


def _make(one: ThresholdTrials) -> list[object]:
    shapes = [(block, alpha.shape[1:]) for block, alpha in one.each_alpha.items()]
    return [one.noise_kind, one.snr_db, shapes, one.speech_power.shape[1:]]


def _pooled(parts: Sequence[ThresholdTrials]) -> ThresholdTrials:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    return ThresholdTrials(
        parts[0].noise_kind,
        parts[0].snr_db,
        np.concatenate([np.full(len(part.speakers), number) for number, part in enumerate(parts)]),
        joined("speakers"),
        joined("noise_sources"),
        _blocks([part.blocks for part in parts]),
        {block: np.concatenate([part.each_alpha[block] for part in parts]) for block in parts[0].each_alpha},
        joined("speech_power"),
        joined("noise_power"),
    )


def _joined(
    kind: str,
    conditions: tuple[float, ...],
    speakers: np.ndarray,
    sources: np.ndarray,
    parts: Sequence[HeardThresholds],
) -> ThresholdTrials:
    """The batches of one network and one kind of noise."""
    each = {
        block: np.sum([part.each_alpha[block] for part in parts], axis=0)[None] / len(speakers)
        for block in parts[0].each_alpha
    }
    speech, noise = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("speech_power", "noise_power")
    )
    zeros = np.zeros(len(speakers), dtype=int)
    blocks = _blocks([part.blocks for part in parts])
    return ThresholdTrials(kind, conditions, zeros, speakers, sources, blocks, each, speech, noise)


def _blocks(parts: Sequence[dict[str, dict[str, np.ndarray]]]) -> dict[str, dict[str, np.ndarray]]:
    return {
        block: {name: np.concatenate([part[block][name] for part in parts]) for name in measures}
        for block, measures in parts[0].items()
    }
