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
from drsn_audio.evaluation.journal import Journal, answers, digest
from drsn_audio.evaluation.shares import joined, share
from drsn_audio.models.model import AudioModel
from drsn_audio.processes import ALONE, Processes
from drsn_audio.streaming.tail import TAIL_S  # in which noise goes on, here

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
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> list[Transcripts]:
    """One Transcripts for clean, and one for each noise kind and SNR.

    The segment of noise depends on (seed, utterance id, kind, draw) alone, so it is the same at every SNR and for
    every recogniser. `decode`: log-probabilities [T', K] of one utterance -> text; None: greedy. Of several processes,
    which all call this, each hears a share of the utterances, and all get what was written of all. With a `journal`
    they share the batches of one process.
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

    written = ask_transcripts(
        answer,
        cuts if journal else share(by_duration(cuts), processes.rank, processes.count),
        noise,
        store,
        snr_db=snr_db,
        draws=draws,
        seed=seed,
        level=level,
        max_padded_s=max_padded_s,
        progress=progress,
        processes=processes if journal else ALONE,
        journal=journal,
    )
    return written if journal else join_transcripts(processes.gather(written), draws)


def join_transcripts(parts: Sequence[Sequence[Transcripts]], draws: int) -> list[Transcripts]:
    """What was written of shares of `by_duration`, by rank -> of all of it, in order. The first share is not empty."""
    if len(parts) == 1:
        return list(parts[0])
    by_condition = [{(one.noise_kind, one.snr_db): one for one in part} for part in parts]
    whole = []
    for first in parts[0]:
        of_all = [part[key] for part in by_condition if (key := (first.noise_kind, first.snr_db)) in part]
        rounds = 1 if first.snr_db is None else draws
        names = ("ids", "hypotheses", "references", "speakers", "noise_sources")
        lists = {name: joined([getattr(one, name) for one in of_all], rounds) for name in names}
        whole.append(Transcripts(first.noise_kind, first.snr_db, **lists))
    return whole


def by_duration(cuts: Sequence[Cut]) -> list[Cut]:
    """The order in which utterances are heard: those that are put together in a batch are of like length."""
    return sorted(cuts, key=lambda cut: cut.duration)


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
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> list[Transcripts]:
    """The transcripts of `run_transcripts` for any recogniser. Without noise, the utterances as they are: clean.

    Several processes share the batches.
    """
    steps = [(kind, draw) for kind in noise.kinds for draw in range(draws)] if noise else [("clean", 0)]
    groups = list(_groups(cuts, max_padded_s))
    units = [(step, group) for step in steps for group in groups]

    def wanted(step: tuple[str, int]) -> list[tuple[str, float | None]]:
        clean: list[tuple[str, float | None]] = [("clean", None)] if step == steps[0] else []
        return clean + ([(step[0], snr) for snr in dict.fromkeys(snr_db)] if noise else [])

    def hear(numbers: Sequence[int]) -> Iterator[list[list[str]]]:
        """What is written under each condition wanted, then the noise recordings, of each batch."""
        task = progress.add_task("evaluate", total=sum(len(units[n][1]) for n in numbers)) if progress else None
        for (kind, draw), group in (units[number] for number in numbers):
            longest = max(round(cut.duration * store.sample_rate) for cut in group)
            size = longest + round(TAIL_S * store.sample_rate)
            examples = [as_example(cut, noise, store, size, level, seed, kind, draw) for cut in group]
            batch = collate(examples)
            lengths = batch.start + batch.length + round(TAIL_S * store.sample_rate)
            valid = torch.arange(size) < lengths[:, None]
            waves = (batch.mix(math.inf if snr is None else snr) * valid for _, snr in wanted((kind, draw)))
            yield [*(answer(wave, lengths) for wave in waves), list(batch.noise_source)]
            if progress and task is not None:
                progress.advance(task, len(group))

    found: dict[tuple[str, float | None], Transcripts] = {}
    asked = [[kind, draw, digest(cut.id for cut in group)] for (kind, draw), group in units]
    for (step, group), (*texts, sources) in zip(units, answers(asked, hear, processes, journal), strict=True):
        for condition, written in zip(wanted(step), texts, strict=True):
            one = found.setdefault(condition, Transcripts(*condition))
            one.ids.extend(cut.id for cut in group)
            one.hypotheses.extend(written)
            one.references.extend(" ".join(said.text or "" for said in cut.supervisions) for cut in group)
            one.speakers.extend(cut.supervisions[0].speaker or cut.id for cut in group)
            one.noise_sources.extend("" if condition[1] is None else source for source in sources)
    return list(found.values())


def _groups(cuts: Sequence[Cut], max_padded_s: float) -> Iterator[list[Cut]]:
    """Utterances of like length, together at most so many seconds with their padding; at least one."""
    group: list[Cut] = []
    for cut in by_duration(cuts):
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
