"""How long after a word begins and ends a model of words gives it: what the times of its transcripts are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lhotse.cut import Cut

from drsn_audio.datasets.manifests import AudioStore, ManifestError, file_sha256, read_cuts
from drsn_audio.decoding.greedy import Spike, greedy_spikes
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole
from drsn_audio.metrics.word_times import TimedWord, match_words
from drsn_audio.models.checkpoint import CheckpointError, load_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.tail import with_tail

WITHIN_S = 1.5  # of a word's end, about which it is given
LEAST = 5  # words of a kind, to tell of a median of its own


class Lag(NamedTuple):
    """Of one word, heard right: from its beginning and from its end to the end of the frame in which it is given."""

    word: str
    start_s: float
    end_s: float


def find_lags(
    spikes: Sequence[Spike], said: Sequence[tuple[str, float, float]], units: Units, frame_s: float
) -> list[Lag]:
    """Spikes of a string, and its words with beginning and end in seconds -> the lag of each that was heard right."""
    heard = [TimedWord(units.labels[spike.label], (spike.first + 1) * frame_s) for spike in spikes]
    ended = [TimedWord(word, end) for word, _, end in said]
    return [
        Lag(heard[at].text, heard[at].time_s - said[place][1], heard[at].time_s - said[place][2])
        for place, at in match_words(ended, heard, WITHIN_S)
    ]


def word_timing(lags: Sequence[Lag]) -> dict[str, Any]:
    """The medians of each word, {"start_s": {word: seconds}, "end_s": {...}, "default": [start_s, end_s]}.

    A word that was heard fewer than five times is left to the default, the median of all. `drsn_audio.decoding.
    alignment.word_times` takes them off the time at which a word is given.

    Raises:
        InputError: no word was heard right.
    """
    if not lags:
        raise InputError("no word of the development strings is heard right: train the model first")
    of: dict[str, list[Lag]] = {}
    for lag in lags:
        of.setdefault(lag.word, []).append(lag)
    often = {word: own for word, own in sorted(of.items()) if len(own) >= LEAST}
    return {
        "start_s": {word: _median([lag.start_s for lag in own]) for word, own in often.items()},
        "end_s": {word: _median([lag.end_s for lag in own]) for word, own in often.items()},
        "default": [_median([lag.start_s for lag in lags]), _median([lag.end_s for lag in lags])],
    }


def hear_lags(model: AudioModel, cuts: Sequence[Cut], store: AudioStore) -> Iterator[list[Lag]]:
    """The lags of each string of `drsn_audio.datasets.connected`, without noise, by greedy decoding.

    Raises:
        ManifestError: a cut that does not say where its words are.
        AudioError: a file that cannot be used.
    """
    units = Units(model.config.units, model.config.labels)
    frame_s = model.block / store.sample_rate
    for cut in cuts:
        alignment = cut.supervisions[0].alignment or {}
        if "word" not in alignment:
            raise ManifestError(f"{cut.id}: does not say where its words are: make it with recipes/commands/strings.py")
        wave = torch.from_numpy(with_tail(store(cut), store.sample_rate))[None]
        with torch.inference_mode():
            logits = model(wave, torch.tensor([wave.shape[1]]))[0]
        said = [(item.symbol, item.start, item.end) for item in alignment["word"]]
        yield find_lags(greedy_spikes(logits.softmax(-1).numpy()), said, units, frame_s)


def tune_timing(checkpoint: Path, manifests: Sequence[str]) -> dict[str, Any]:
    """Write what `word_timing` finds on development strings into a checkpoint's JSON, as "timing"; returns it.

    Beside the medians it says on how many words of how many they rest, how far off the beginnings are that they
    give of the same words ("off_s": median and 90 % quantile), and on which manifests.

    Raises:
        CheckpointError: a checkpoint that cannot be used, or no model of words; or it was replaced meanwhile.
        ManifestError, AudioError: strings that cannot be used.
    """
    model, info = load_checkpoint(checkpoint)
    if model.config.head != "ctc" or model.config.units != "words":
        raise CheckpointError(f"{checkpoint}: its labels are no words: only models of words have a timing")
    cuts = read_cuts(manifests)
    lags = [lag for own in hear_lags(model, cuts, AudioStore(model.config.frontend.sample_rate)) for lag in own]
    found = word_timing(lags)
    off_s = np.abs([lag.start_s - found["start_s"].get(lag.word, found["default"][0]) for lag in lags])
    found |= {
        "heard": len(lags),
        "words": sum(len(cut.supervisions[0].alignment["word"]) for cut in cuts),
        "off_s": [round(float(value), 3) for value in np.quantile(off_s, (0.5, 0.9))],
        "data": [{"manifest": str(manifest), "sha256": file_sha256(manifest)} for manifest in manifests],
    }
    described = json.loads(checkpoint.read_text())
    if described["sha256"] != info["sha256"]:
        raise CheckpointError(f"{checkpoint}: was replaced meanwhile: wait until its training has ended")
    write_whole(checkpoint, (json.dumps(described | {"timing": found}, indent=2) + "\n").encode(), sync=True)
    return found


def describe_timing(found: dict[str, Any]) -> str:
    """The timing of a checkpoint in a sentence."""
    start_s, end_s = found["default"]
    median_s, p90_s = found["off_s"]
    return (
        f"timed on {found['heard']} of {found['words']} development words: given {start_s:.2f} s after their "
        f"beginning, {end_s:.2f} s after their end (medians); beginnings reckoned from it are {median_s:.2f} s off "
        f"(median; 90 % at most {p90_s:.2f} s)"
    )


def _median(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 4)
