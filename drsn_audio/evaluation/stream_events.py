"""Long test streams: what is said in them, what a model answers to them, and the events that it makes of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lhotse.cut import Cut
from rich.progress import Progress

from drsn_audio.audio import AudioReader
from drsn_audio.datasets.cut_parts import is_whole
from drsn_audio.datasets.manifests import ManifestError, load_cut, read_cuts
from drsn_audio.metrics.streaming import Spoken, shifted_thresholds
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming import probabilities as posterior
from drsn_audio.streaming.batch import StreamBatch
from drsn_audio.streaming.detector import Detector, DetectorConfig
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.tail import within

Blocks = Iterable[np.ndarray]  # of the samples of a stream, [N] each, at the model's rate
# The operating points of the DET curve: by how much all thresholds are raised, in log-odds.
SHIFTS = tuple(float(shift) for shift in np.arange(-4, 8.01, 0.25))


class TrialStream(NamedTuple):
    """One stream, of a manifest that `drsn_audio.datasets.streams` wrote.

    part: where the stream is not all of a file, its cut.
    """

    id: str
    path: Path
    hours: float
    content: str  # words | noise | speech | speech in noise
    noise_kind: str
    snr_db: float | None
    spoken: list[Spoken]
    part: Cut | None = None


class Answers(NamedTuple):
    """What a recogniser made of test streams: events by shift of its thresholds, a list for each stream in order."""

    streams: Sequence[TrialStream]
    keywords: Sequence[str]
    events: Mapping[float, Sequence[Sequence[Event]]]


def is_stream(cut: Cut) -> bool:
    return bool((cut.custom or {}).get("stream"))


def read_streams(manifests: Sequence[str | Path]) -> list[TrialStream]:
    """Streams of several manifests, in order.

    Raises:
        ManifestError: as `read_cuts`; or a cut that is no such stream, or of which it is not said what it holds.
    """
    streams = []
    for cut in read_cuts(manifests):
        custom = cut.custom or {}
        lacking = [key for key in ("content", "noise_kind", "snr_db") if key not in custom]
        if not is_stream(cut) or lacking:
            raise ManifestError(f"{cut.id}: no stream of recipes/keywords/streams.py: evaluate clips and streams apart")
        spoken = [
            Spoken(said.text, said.start, said.end, said.speaker or "", (said.custom or {}).get("noise_source") or "")
            for said in cut.supervisions
        ]
        path = Path(cut.recording.sources[0].source)
        kind, snr_db = custom["noise_kind"], custom["snr_db"]
        part = None if is_whole(cut.to_dict()) else cut
        streams.append(TrialStream(cut.id, path, cut.duration / 3600, custom["content"], kind, snr_db, spoken, part))
    return streams


def hear(
    answer: Callable[[Blocks], np.ndarray | list[Event]],
    streams: Sequence[TrialStream],
    sample_rate: int,
    progress: Progress | None = None,
) -> list:
    """What `answer` says of each stream, whose file it gets in blocks: memory does not grow with its length.

    `answer` gives probabilities [T, K], as `probabilities` does, or, for a recogniser that has none, its events.

    Raises:
        AudioError: a file that is lost or cannot be used.
    """
    answers = []
    for stream in progress.track(streams, description="listen") if progress else streams:
        if stream.part is not None:
            answers.append(answer(iter([load_cut(stream.part, sample_rate)])))
            continue
        with AudioReader(stream.path) as reader:
            answers.append(answer(reader.blocks(sample_rate)))
    return answers


def probabilities(model: AudioModel, temperature: float = 1.0) -> Callable[[Blocks], np.ndarray]:
    """A causal model -> what takes the blocks of a stream to probabilities, float32 [T, K]."""
    batch: StreamBatch[int] = StreamBatch(model)

    def answer(blocks: Blocks) -> np.ndarray:
        logits = [batch.feed({0: block})[0] for block in blocks]
        return posterior.probabilities(np.concatenate([*logits, batch.flush(0)]), temperature)

    return answer


def detect(
    streams: Sequence[TrialStream],
    heard: Sequence[np.ndarray],
    labels: Sequence[str],
    frame_s: float,
    config: DetectorConfig,
) -> list[list[Event]]:
    """Probabilities [T, K] of each stream and its tail -> the events of each, as `Stream.flush` ends them."""
    detector = Detector(labels, frame_s, config)
    events = []
    for stream, probabilities in zip(streams, heard, strict=True):
        detector.reset()
        found = detector.step(probabilities) + detector.finish()
        events.append(within(found, stream.hours * 3600))
    return events


def sweep(
    streams: Sequence[TrialStream],
    heard: Sequence[np.ndarray],
    labels: Sequence[str],
    frame_s: float,
    config: DetectorConfig,
    shifts: Sequence[float] = SHIFTS,
) -> Answers:
    """Events at the thresholds of `config`, shift 0, and with all of them shifted together in log-odds."""
    events = {
        shift: detect(
            streams,
            heard,
            labels,
            frame_s,
            replace(config, thresholds=shifted_thresholds(config.thresholds, shift)),
        )
        for shift in sorted({0.0, *shifts})
    }
    return Answers(streams, list(config.thresholds), events)
