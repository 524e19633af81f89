"""Sets of long test streams: FLAC files and a manifest that says what is spoken in them, and when.

A stream is a cut: a supervision for every utterance, or for every word of connected ones (text, speaker, start and
duration of the word by its energy, custom.noise_source, the recording under it) and custom
{"stream": true, "content": "words" | "noise" | "speech" | "speech in noise", "noise_kind", "snr_db", "seed",
"speech_level_db": active level that every utterance was scaled to, "noise_level_db": RMS of noise alone,
"gain_db": what the whole, speech and noise, was then lowered by so that nothing clips,
"made_of": {"speech": manifest, "noise": [{"manifest", "kinds", "folds"}]}, where that was told}.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from lhotse import Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.cut import Cut, MonoCut
from lhotse.utils import fastcopy

from drsn_audio.audio import write_audio
from drsn_audio.corpora.cuts import write_cuts
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.stream_sound import Said, StreamPlan, render

PEAK = 0.99
WORD_GAPS_S = (1.0, 4.0)
SENTENCE_GAPS_S = (0.3, 1.0)
Condition = tuple[str, float | None]  # noise kind and SNR; ("clean", None)
T = TypeVar("T")


def plan_words(
    cuts: Sequence[Cut], conditions: Iterable[Condition], *, set_name: str, seed: int, stream_s: float = 600.0
) -> Iterator[StreamPlan]:
    """Streams in which every cut is said once under each condition, in an order drawn anew for each noise kind.

    At each SNR of a kind, order, times and recordings of noise are the same, so differences between SNRs are paired.
    """
    level_db = usual_level_db(cuts)
    for kind, snr_db in conditions:
        order = draw_generator("stream order", seed, set_name, kind).permutation(len(cuts))
        plan = StreamPlan("", "words", (), (), WORD_GAPS_S, level_db, kind, snr_db)
        yield from _streams(
            [cuts[i] for i in order], plan, f"{set_name}-{_named(kind, snr_db)}", (seed, set_name, kind), stream_s
        )


def plan_speech(
    cuts: Sequence[Cut], conditions: Iterable[Condition], *, set_name: str, seed: int, stream_s: float = 600.0
) -> Iterator[StreamPlan]:
    """Streams of whole utterances in their own order, all of them under each condition, each time in other noise."""
    level_db = usual_level_db(cuts)
    for kind, snr_db in conditions:
        content = "speech" if snr_db is None else "speech in noise"
        plan = StreamPlan("", content, (), (), SENTENCE_GAPS_S, level_db, kind, snr_db)
        name = f"{set_name}-speech-{_named(kind, snr_db)}"
        yield from _streams(cuts, plan, name, (seed, set_name, kind, snr_db), stream_s)


def plan_noise(
    pool: NoisePool,
    snrs_db: Iterable[float],
    level_db: float,
    *,
    set_name: str,
    seed: int,
    stream_s: float = 600.0,
) -> Iterator[StreamPlan]:
    """Streams of noise alone, in which every recording of the pool is heard once for each of snrs_db.

    It is as loud, by its RMS, as under speech of that level (dB re full scale) and SNR.
    """
    for kind, snr_db in product(pool.kinds, snrs_db):
        name = f"{set_name}-noise-{_named(kind, snr_db)}"
        order = draw_generator("stream order", seed, name).permutation(len(pool.cuts[kind]))
        cuts = [pool.cuts[kind][i] for i in order]
        for number, group in enumerate(_spread(cuts, math.ceil(sum(cut.duration for cut in cuts) / stream_s))):
            yield StreamPlan(
                f"{name}-{number:02d}",
                "noise",
                (seed, name, number),
                noise_kind=kind,
                recordings=group,
                noise_level_db=level_db - snr_db,
            )


def whole_utterances(windows: Iterable[Cut]) -> list[Cut]:
    """Windows of utterances -> the utterances, in the order of their ids."""
    found: dict[str, Cut] = {}
    for cut in windows:
        recording, channels = cut.recording, cut.recording.num_channels
        name = recording.id if channels == 1 else f"{recording.id}-{cut.channel}"
        whole = fastcopy(cut, id=name, start=0.0, duration=recording.duration)
        whole.custom = dict(cut.custom)
        whole.supervisions = [replace(cut.supervisions[0], start=0.0, duration=whole.duration)]
        found.setdefault(whole.id, whole)
    return [found[id] for id in sorted(found)]


def usual_level_db(cuts: Iterable[Cut]) -> float:
    """Median active level of utterances: what each is scaled to, dB re full scale."""
    return round(float(np.median([cut.custom["active_level_db"] for cut in cuts])), 2)


def write_streams(
    plans: Iterable[StreamPlan],
    folder: Path,
    set_name: str,
    pool: NoisePool,
    store: AudioStore,
    made_of: Mapping[str, Any] | None = None,
) -> Iterator[Cut]:
    """Write FOLDER/SET_NAME/*.flac, and last of all FOLDER/SET_NAME.jsonl.gz; yields the cut of each stream written.

    Equal plans and recordings give equal bytes. One stream is in memory at a time, beside what the store keeps. The
    manifest names the files relative to itself, so both can be moved together. `made_of`: see above.

    Raises:
        AudioError: a file that cannot be read or written.
    """
    cuts = []
    for plan in plans:
        cut = _write_stream(plan, folder, set_name, pool, store)
        if made_of:
            cut.custom["made_of"] = dict(made_of)
        cuts.append(cut)
        yield cut
    write_cuts(cuts, folder / f"{set_name}.jsonl.gz")


def write_recording(folder: Path, set_name: str, name: str, wave: np.ndarray, sample_rate: int) -> MonoCut:
    """Write FOLDER/SET_NAME/NAME.flac; returns its cut, which names the file relative to FOLDER.

    Raises:
        AudioError: the file cannot be written.
    """
    path = Path(set_name) / f"{name}.flac"
    write_audio(folder / path, wave, sample_rate, "PCM_16")
    recording = Recording(
        id=name,
        sources=[AudioSource(type="file", channels=[0], source=str(path))],
        sampling_rate=sample_rate,
        num_samples=len(wave),
        duration=len(wave) / sample_rate,
    )
    cut: MonoCut = recording.to_cut()
    cut.id = name
    return cut


def _write_stream(plan: StreamPlan, folder: Path, set_name: str, pool: NoisePool, store: AudioStore) -> Cut:
    sound = render(plan, pool, store)
    wave = sound.speech + sound.noise
    gain = min(1.0, PEAK / float(np.abs(wave).max()))
    rate = store.sample_rate
    cut = write_recording(folder, set_name, plan.name, wave * np.float32(gain), rate)
    words = [word for said in sound.said for word in _words(said, rate)]
    cut.supervisions = [_supervision(plan.name, number, word) for number, word in enumerate(words)]
    cut.custom = {
        "stream": True,
        "content": plan.content,
        "noise_kind": plan.noise_kind,
        "snr_db": plan.snr_db,
        "seed": plan.drawn_by[0],
        "speech_level_db": plan.level_db if plan.said else None,
        "noise_level_db": plan.noise_level_db,
        "gain_db": round(20 * math.log10(gain), 3),
    }
    return cut


class _Word(NamedTuple):
    """What gets a supervision of its own; seconds from the stream's beginning."""

    text: str
    start_s: float
    duration_s: float
    speaker: str | None
    language: str | None
    custom: dict[str, Any]


def _words(said: Said, sample_rate: int) -> list[_Word]:
    """The one word of an utterance, or, of connected words (`datasets.connected`), each."""
    (spoken,) = said.cut.supervisions
    noise = {"noise_source": said.noise_source} if said.noise_source else {}
    start_s = said.start / sample_rate
    if spoken.alignment is None or "word" not in spoken.alignment:
        span_s = (said.word_start / sample_rate, (said.word_stop - said.word_start) / sample_rate)
        custom = {
            "utterance": said.cut.id,
            "clip_start": start_s,
            "clip_duration": (said.stop - said.start) / sample_rate,
            **noise,
        }
        return [_Word(spoken.text.lower(), *span_s, spoken.speaker, spoken.language, custom)]
    found = []
    for item, word in zip(spoken.alignment["word"], said.cut.custom["words"], strict=True):
        begin_s = start_s + item.start
        custom = {"utterance": word["utterance"], "clip_start": begin_s, "clip_duration": item.duration, **noise}
        found.append(_Word(item.symbol, begin_s, item.duration, word["speaker"], spoken.language, custom))
    return found


def _supervision(stream: str, number: int, word: _Word) -> SupervisionSegment:
    return SupervisionSegment(
        id=f"{stream}-{number:04d}",
        recording_id=stream,
        start=word.start_s,
        duration=word.duration_s,
        channel=0,
        text=word.text,
        language=word.language,
        speaker=word.speaker,
        custom=word.custom,
    )


def _streams(
    cuts: Sequence[Cut], plan: StreamPlan, name: str, drawn_by: tuple[object, ...], stream_s: float
) -> Iterator[StreamPlan]:
    """One plan for each part of about stream_s of what is said."""
    expected_s = sum(cut.duration + sum(plan.gap_s) / 2 for cut in cuts)
    for number, group in enumerate(_spread(cuts, math.ceil(expected_s / stream_s))):
        yield replace(plan, name=f"{name}-{number:02d}", said=group, drawn_by=(*drawn_by, number))


def _spread(items: Sequence[T], groups: int) -> list[Sequence[T]]:
    """Items in order, in so many groups of nearly one size."""
    bounds = np.linspace(0, len(items), max(1, groups) + 1).round().astype(int)
    return [items[first:stop] for first, stop in pairwise(bounds) if stop > first]


def _named(kind: str, snr_db: float | None) -> str:
    return kind if snr_db is None else f"{kind}-{snr_db:g}dB"
