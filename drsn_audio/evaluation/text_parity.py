"""Whether a stream writes what the model writes of the whole sound, file by file, and where not, by how little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from lhotse.cut import Cut
from rich.progress import Progress

from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import load_cut
from drsn_audio.decoding.greedy import greedy_spikes
from drsn_audio.decoding.units import Units
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.probabilities import probabilities
from drsn_audio.streaming.tail import with_tail

# Two logits this near may change places: streams are off by 1e-4 at most, steps of ONNX were seen to be by 4.2e-4.
NEAR_TIE = 1e-3
CHUNKS_S = (0.001, 1.0)  # shortest and longest that is fed at once


class Listener(Protocol):
    """What is needed of a `Stream` or an `OnnxStream` whose model writes."""

    logits: np.ndarray

    def feed(self, samples: np.ndarray) -> list[Event]: ...

    def flush(self) -> list[Event]: ...

    def reset(self) -> None: ...


class Written(NamedTuple):
    """Logits [T, K] of a sound, and its text."""

    logits: np.ndarray
    text: str


def text_parity(
    model: AudioModel,
    units: Units,
    streams: Mapping[str, Listener],
    cuts: Sequence[Cut],
    *,
    temperature: float = 1.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every cut through the model at once and through each of `streams` in chunks of drawn lengths -> plain values.

    Of each stream: how many texts equal the greedy text of the whole, the largest difference of logits, the frames
    whose most probable label differs, and the files whose text does, those apart in which every such frame is a tie
    to within NEAR_TIE.

    Raises:
        AudioError: a cut whose sound is lost.
    """
    rate, frame_s = model.config.frontend.sample_rate, model.block / model.config.frontend.sample_rate
    facts: dict[str, Any] = {"files": len(cuts), "seconds": 0.0, "words": 0, "seed": seed, "near_tie": NEAR_TIE}
    forms: dict[str, dict[str, Any]] = {
        name: {"equal": 0, "max_logit_difference": 0.0, "frames": 0, "near_ties": [], "differences": []}
        for name in streams
    }
    for cut in progress.track(cuts, description="parity") if progress else cuts:
        wave = load_cut(cut, rate)
        whole = offline(model, units, wave, temperature)
        facts["seconds"] += len(wave) / rate
        facts["words"] += len(whole.text.split())
        for name, stream in streams.items():
            found = compare(whole, streamed(stream, chunks(wave, rate, seed, cut.id)), units.labels, frame_s)
            form = forms[name]
            form["equal"] += found["equal"]
            form["max_logit_difference"] = max(form["max_logit_difference"], found["max_logit_difference"])
            form["frames"] += len(found["frames"])
            if not found["equal"]:
                margins = [frame["margin"] for frame in found["frames"]]
                tie = bool(margins) and max(margins) <= NEAR_TIE
                form["near_ties" if tie else "differences"].append({"file": cut.id, **found})
    return {**facts, "seconds": round(facts["seconds"], 3), "streams": forms}


def offline(model: AudioModel, units: Units, wave: np.ndarray, temperature: float) -> Written:
    """Sound [N] and its tail, all of it at once."""
    wave = with_tail(wave, model.config.frontend.sample_rate)
    with torch.inference_mode():
        logits = model(torch.from_numpy(wave)[None].to(model.frontend.window.device))[0].float().cpu().numpy()
    spikes = greedy_spikes(probabilities(logits, temperature))
    return Written(logits, units.text([spike.label for spike in spikes]))


def streamed(stream: Listener, parts: Iterator[np.ndarray]) -> Written:
    """Sound in parts, through a stream from its beginning to its end."""
    stream.reset()
    events, logits = [], []
    for part in parts:
        events += stream.feed(part)
        logits.append(stream.logits)
    events += stream.flush()
    text = " ".join(event.label for event in events if event.kind == "final")
    return Written(np.concatenate([*logits, stream.logits]), text)


def chunks(wave: np.ndarray, rate: int, seed: int, name: str) -> Iterator[np.ndarray]:
    """Sound [N] in parts whose lengths are drawn, short ones as often as long ones, by seed and name."""
    rng, begin = draw_generator("chunks", seed, name), 0
    while begin < len(wave):
        end = begin + max(1, round(rate * float(np.exp(rng.uniform(*np.log(CHUNKS_S))))))
        yield wave[begin:end]
        begin = end


def compare(whole: Written, parts: Written, labels: Sequence[str], frame_s: float) -> dict[str, Any]:
    """One file: whether the texts are equal; how far logits are apart; frames whose best label differs, with the
    logit by which it won in the whole.
    """
    best, other = whole.logits.argmax(1), parts.logits.argmax(1)
    return {
        "equal": whole.text == parts.text,
        "text": whole.text,
        "streamed": parts.text,
        "max_logit_difference": float(np.abs(whole.logits - parts.logits).max(initial=0.0)),
        "frames": [
            {
                "time_s": round((frame + 1) * frame_s, 3),
                "label": labels[best[frame]],
                "streamed": labels[other[frame]],
                "margin": float(whole.logits[frame, best[frame]] - whole.logits[frame, other[frame]]),
            }
            for frame in np.flatnonzero(best != other).tolist()
        ],
    }


def parity_lines(facts: Mapping[str, Any]) -> list[str]:
    """Facts of `text_parity`, to be read."""
    lines = [f"{facts['files']} files, {facts['seconds']:.0f} s, {facts['words']} words, in chunks of 1 ms to 1 s"]
    for name, form in facts["streams"].items():
        lines.append(
            f"{name}: {form['equal']} of {facts['files']} texts are the greedy text of the whole; logits differ by at "
            f"most {form['max_logit_difference']:.2g}; {form['frames']} frames have another label"
        )
        for kind, files in (("near tie", form["near_ties"]), ("ANOTHER TEXT", form["differences"])):
            lines += [f"  {kind} in {one['file']}: {one['text']!r} became {one['streamed']!r}" for one in files]
            lines += [
                f"    {one['file']} at {frame['time_s']:.2f} s: {frame['label']} before {frame['streamed']} by "
                f"{frame['margin']:.2g}"
                for one in files
                for frame in one["frames"]
            ]
    return lines
