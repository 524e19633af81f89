"""What a recogniser writes of utterances, clean and per noise kind and SNR."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from lhotse.cut import Cut
from rich.progress import Progress
from torch import Tensor

from drsn_audio.datasets.batch import EQUALISER_POINTS, Example, collate
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.keyword import fit_clip
from drsn_audio.datasets.manifests import AudioStore, speech_level_db
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.decoding.greedy import greedy_spikes
from drsn_audio.decoding.units import Units
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.writer import TAIL_S  # in which noise goes on, here

Answer = Callable[[Tensor, Tensor], list[str]]  # waves [B, N], zeros beyond their lengths [B] in samples -> texts
MAX_PADDED_S = 400.0


@dataclass(frozen=True)
class Transcripts:
    """What was written of every utterance and draw under one condition."""

    noise_kind: str  # "clean" where snr_db is None
    snr_db: float | None
    ids: list[str] = field(default_factory=list)
    hypotheses: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)
    noise_sources: list[str] = field(default_factory=list)


def run_transcripts(
    model: AudioModel,
    cuts: Sequence[Cut],
    noise: NoisePool | None,
    store: AudioStore,
    *,
    units: Units,
    snr_db: Sequence[float],
    draws: int,
    seed: int,
    level: str = "p56",
    max_padded_s: float = MAX_PADDED_S,
    decode: Callable[[np.ndarray], str] | None = None,
    progress: Progress | None = None,
) -> list[Transcripts]:
    """One Transcripts for clean, and one for each noise kind and SNR.

    The segment of noise depends on (seed, utterance id, kind, draw) alone, so it is the same at every SNR and for
    every recogniser. `decode`: log-probabilities [T', K] of one utterance -> text; None: greedy.
    """
    model.eval()
    device = next(model.parameters()).device
    decode = decode or (lambda log_probabilities: greedy_text(log_probabilities, units))

    @torch.inference_mode()
    def answer(waves: Tensor, lengths: Tensor) -> list[str]:
        logits = model(waves.to(device), lengths.to(device))
        frames = model.output_lengths(lengths)
        assert frames is not None
        log_probabilities = logits.float().log_softmax(-1).cpu().numpy()
        return [decode(row[:count]) for row, count in zip(log_probabilities, frames.tolist(), strict=True)]

    return ask_transcripts(
        answer,
        cuts,
        noise,
        store,
        snr_db=snr_db,
        draws=draws,
        seed=seed,
        level=level,
        max_padded_s=max_padded_s,
        progress=progress,
    )


def greedy_text(log_probabilities: np.ndarray, units: Units) -> str:
    return units.text([spike.label for spike in greedy_spikes(log_probabilities)])


def ask_transcripts(
    answer: Answer,
    cuts: Sequence[Cut],
    noise: NoisePool | None,
    store: AudioStore,
    *,
    snr_db: Sequence[float],
    draws: int,
    seed: int,
    level: str = "p56",
    max_padded_s: float = MAX_PADDED_S,
    progress: Progress | None = None,
) -> list[Transcripts]:
    """The transcripts of `run_transcripts` for any recogniser. Without noise, the utterances as they are: clean."""
    found: dict[tuple[str, float | None], Transcripts] = {}
    kinds = [(kind, draw) for kind in noise.kinds for draw in range(draws)] if noise else []
    task = progress.add_task("evaluate", total=(len(kinds) or 1) * len(cuts)) if progress else None
    for number, (kind, draw) in enumerate(kinds or [("clean", 0)]):
        wanted: list[tuple[str, float | None]] = [("clean", None)] if number == 0 else []
        wanted += [(kind, snr) for snr in dict.fromkeys(snr_db)] if noise else []
        for group in _groups(cuts, max_padded_s):
            longest = max(round(cut.duration * store.sample_rate) for cut in group)
            size = longest + round(TAIL_S * store.sample_rate)
            examples = [as_example(cut, noise, store, size, level, seed, kind, draw) for cut in group]
            batch = collate(examples)
            lengths = batch.start + batch.length + round(TAIL_S * store.sample_rate)
            valid = torch.arange(size) < lengths[:, None]
            for condition in wanted:
                waves = batch.mix(math.inf if condition[1] is None else condition[1]) * valid
                one = found.setdefault(condition, Transcripts(*condition))
                one.ids.extend(cut.id for cut in group)
                one.hypotheses.extend(answer(waves, lengths))
                one.references.extend(" ".join(said.text or "" for said in cut.supervisions) for cut in group)
                one.speakers.extend(cut.supervisions[0].speaker or cut.id for cut in group)
                one.noise_sources.extend("" if condition[1] is None else source for source in batch.noise_source)
            if progress and task is not None:
                progress.advance(task, len(group))
    return list(found.values())


def _groups(cuts: Sequence[Cut], max_padded_s: float) -> Iterator[list[Cut]]:
    """Utterances of like length, together at most so many seconds with their padding; at least one."""
    group: list[Cut] = []
    for cut in sorted(cuts, key=lambda cut: cut.duration):
        if group and (len(group) + 1) * (cut.duration + TAIL_S) > max_padded_s:
            yield group
            group = []
        group.append(cut)
    if group:
        yield group


def as_example(
    cut: Cut, noise: NoisePool | None, store: AudioStore, size: int, level: str, seed: int, kind: str, draw: int
) -> Example:
    wave = store(cut)
    length = min(len(wave), size)
    flat = np.zeros(EQUALISER_POINTS, np.float32)
    segment, source = np.zeros(size, np.float32), ""
    if noise is not None:
        own = length + round(TAIL_S * store.sample_rate)  # as long for every recogniser, however they are put together
        drawn = noise.draw(own, draw_generator("evaluate", seed, cut.id, kind, draw), kind, slice(length))
        segment, source = fit_clip(drawn.wave, size), drawn.source
    return Example(
        fit_clip(wave, size),
        segment,
        0,
        length,
        speech_level_db(cut, level, required=noise is not None),
        math.inf,
        0.0,
        (),
        False,
        flat,
        flat,
        source,
        store.sample_rate,
        id=cut.id,
    )
