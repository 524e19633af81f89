"""The sound of a long test stream: utterances at known times in noise that does not stop, or noise alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from lhotse.cut import Cut

from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.noise.mix import noise_at_level
from drsn_audio.noise.segment import cut_segment
from drsn_audio.noise.span import word_span

FADE_S = 0.2  # in which one noise recording gives way to the next
PIECE_S = 8.0  # under a longer utterance several recordings follow each other
LEAST_SPAN_S = 0.02  # of an utterance over a piece of noise, for its level to be that under the utterance
SHORTEST_S = 1.0  # a shorter recording is looped to this length


@dataclass(frozen=True)
class StreamPlan:
    """What a stream is made of. Its draws depend on `drawn_by` alone: plans that share it share times and noise."""

    name: str  # the stream's id, and its file's name
    content: str  # words | noise | speech | speech in noise
    drawn_by: tuple[object, ...]  # the seed and names
    said: Sequence[Cut] = ()  # utterances, in order; custom.active_level_db of each
    gap_s: tuple[float, float] = (1.0, 4.0)  # between one's end and the next one's beginning
    level_db: float = -26.0  # active level (ITU-T P.56) that every utterance is brought to, dB re full scale
    noise_kind: str = "clean"
    snr_db: float | None = None  # None: clean, or noise alone
    recordings: Sequence[Cut] = ()  # noise alone: what follows each other
    noise_level_db: float | None = None  # noise alone: RMS of each recording


class Said(NamedTuple):
    """An utterance in a stream; samples from the stream's beginning."""

    cut: Cut
    start: int  # of its clip
    stop: int
    word_start: int  # of the word in it, see `word_span`
    word_stop: int
    noise_source: str | None  # the recording, or recordings, under it


class StreamSound(NamedTuple):
    """The stream is the sum of both parts, float32 [N] each."""

    speech: np.ndarray
    noise: np.ndarray
    said: list[Said]


def render(plan: StreamPlan, pool: NoisePool, store: AudioStore) -> StreamSound:
    """The parts of a stream, at the store's sample rate; equal plans give equal samples.

    Every utterance is scaled to plan.level_db, by the level that its manifest gives it, and the noise under it such
    that the SNR is plan.snr_db: active level of the utterance over the RMS of the noise under its clip, as everywhere.
    Since all utterances are of one level, so is noise of one kind, but for its own ups and downs. It goes on between
    the utterances; in the middle of each gap one recording, drawn by the pool, fades into the next. (Measured anew
    after a gain, the active level of a short clip may differ by a dB or two: see `active_levels`.)

    Raises:
        AudioError: a file that cannot be used.
        ValueError: gaps in which nothing can fade.
    """
    rate = store.sample_rate
    if plan.content == "noise":
        noise = _follow([_recording(cut, store, plan.noise_level_db) for cut in plan.recordings], rate)
        return StreamSound(np.zeros_like(noise), noise, [])
    if not FADE_S <= plan.gap_s[0] <= plan.gap_s[1]:
        raise ValueError(f"gaps of {plan.gap_s} s: give the shortest, at least {FADE_S}, and the longest")
    rng = draw_generator("stream", *plan.drawn_by)
    gaps = np.rint(rng.uniform(*plan.gap_s, len(plan.said) + 1) * rate).astype(int)
    waves = [store(cut) * np.float32(10 ** ((plan.level_db - _level_db(cut)) / 20)) for cut in plan.said]
    starts = np.cumsum(gaps[:-1] + np.array([0, *map(len, waves[:-1])]))
    speech = np.zeros(starts[-1] + len(waves[-1]) + gaps[-1], np.float32)
    for start, wave in zip(starts, waves, strict=True):
        speech[start : start + len(wave)] = wave
    stops = [start + len(wave) for start, wave in zip(starts, waves, strict=True)]
    noise, sources = np.zeros_like(speech), [None] * len(waves)
    if plan.snr_db is not None:
        noise, sources = _noise_under(list(zip(starts, stops, strict=True)), len(speech), plan, pool, rng)
    said = []
    for cut, start, wave, source in zip(plan.said, starts, waves, sources, strict=True):
        word = [int(start + bound) for bound in word_span(torch.from_numpy(wave)[None])]
        said.append(Said(cut, int(start), int(start + len(wave)), word[0], word[1], source))
    return StreamSound(speech, noise, said)


def _noise_under(
    spans: Sequence[tuple[int, int]], size: int, plan: StreamPlan, pool: NoisePool, rng: np.random.Generator
) -> tuple[np.ndarray, list]:
    """Noise [size] at the plan's SNR over each span, and what it is of."""
    fade = round(FADE_S * pool.store.sample_rate)
    middles = [(stop + start) // 2 for (_, stop), (start, _) in itertools.pairwise(spans)]
    firsts = [0, *(middle - fade // 2 for middle in middles)]
    stops = [*(first + fade for first in firsts[1:]), size]
    noise, sources = np.zeros(size, np.float32), []
    assert plan.snr_db is not None
    level = torch.tensor([plan.level_db - plan.snr_db])
    for first, stop, (start, end) in zip(firsts, stops, spans, strict=True):
        bed, source = _bed(pool, plan.noise_kind, stop - first, slice(start - first, end - first), rng)
        bed = _at_level(bed, level, start - first, end - start)
        _add(noise, bed, first, fade)
        sources.append(source)
    return noise, sources


def _bed(pool: NoisePool, kind: str, size: int, span: slice, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Noise [size] to lie under one utterance, which is at `span`; recordings of equal RMS if one will not do."""
    rate = pool.store.sample_rate
    count, fade = max(1, round(size / (PIECE_S * rate))), round(FADE_S * rate)
    bounds = np.linspace(0, size - fade, count + 1).astype(int)
    noise, sources = np.zeros(size, np.float32), []
    for first, stop in zip(bounds[:-1], bounds[1:] + fade, strict=True):
        start, end = max(0, span.start - first), min(stop, span.stop) - first
        heard = slice(start, end) if end - start > rate * LEAST_SPAN_S else slice(0, stop - first)
        segment = pool.draw(stop - first, rng, kind, heard)
        wave = segment.wave
        if count > 1:
            wave = _at_level(wave, torch.zeros(1), heard.start, heard.stop - heard.start)
        _add(noise, wave, first, fade)
        sources.append(segment.source)
    return noise, " + ".join(dict.fromkeys(sources))


def _recording(cut: Cut, store: AudioStore, level_db: float | None) -> np.ndarray:
    wave = store(cut)
    wave = cut_segment(wave, max(len(wave), round(SHORTEST_S * store.sample_rate)), 0, store.sample_rate)
    assert level_db is not None
    return _at_level(wave, torch.tensor([level_db]), 0, len(wave))


def _follow(waves: Sequence[np.ndarray], sample_rate: int) -> np.ndarray:
    """Waves one after the other, each fading into the next."""
    fade = round(FADE_S * sample_rate)
    firsts = np.cumsum([0, *(len(wave) - fade for wave in waves)])
    out = np.zeros(firsts[-1] + fade, np.float32)
    for first, wave in zip(firsts[:-1], waves, strict=True):
        _add(out, wave, int(first), fade)
    return out


def _add(out: np.ndarray, wave: np.ndarray, first: int, fade: int) -> None:
    """Add a wave to `out` from `first` on; it fades in and out, with equal power, but at the ends of `out`."""
    rise = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / fade).astype(np.float32)
    wave = wave.copy()
    if first > 0:
        wave[:fade] *= rise
    if first + len(wave) < len(out):
        wave[-fade:] *= rise[::-1]
    out[first : first + len(wave)] += wave


def _at_level(wave: np.ndarray, level_db: torch.Tensor, start: int, size: int) -> np.ndarray:
    batch = torch.from_numpy(np.ascontiguousarray(wave))[None]
    return noise_at_level(batch, level_db, start=torch.tensor([start]), lengths=torch.tensor([size]))[0].numpy()


def _level_db(cut: Cut) -> float:
    return float(cut.custom["active_level_db"])
