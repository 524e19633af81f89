"""The weights of beam search, from development utterances, written into the checkpoint.

The model hears the utterances once. Beam search then gives the best hypotheses of each, which other weights put into
another order; the weights with the fewest errors among them search again, until no others promise less (as minimum
error rate training does, Och 2003). What is reported was searched with the weights it names. They were chosen on these
utterances, so on others the error rate is a little higher.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import Progress

from drsn_audio.config import DataConfig
from drsn_audio.datasets.manifests import AudioStore, file_sha256, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.decoding.beam import BeamConfig, BeamDecoder
from drsn_audio.decoding.scores import PrefixScores
from drsn_audio.decoding.units import Units
from drsn_audio.evaluation.transcription import usable
from drsn_audio.evaluation.transcripts import greedy_text, run_transcripts
from drsn_audio.files import write_whole
from drsn_audio.metrics.wer import word_errors
from drsn_audio.models.checkpoint import CheckpointError, load_checkpoint

SNR_DB = (10.0, 0.0)
UTTERANCES = 100
LM_WEIGHTS = tuple(np.round(np.arange(0, 2.01, 0.1), 2).tolist())
WORD_SCORES = tuple(np.arange(-4, 4.01, 0.5).tolist())
UNKNOWN_SCORES = (-1000.0, -20.0, -15.0, -10.0, -7.5, -5.0, -2.5, 0.0, 2.5)
BEAMS = (10, 50, 100)
BEST = 50  # hypotheses of an utterance, of a search
SEARCHES = 5
MORE_ERRORS = 0.01  # of the best beam's, for which a smaller beam is taken


class Heard(NamedTuple):
    """An utterance under one condition: what was said, and log-probabilities [T, K]."""

    reference: str
    log_probabilities: np.ndarray


@dataclass
class Pool:
    """The hypotheses found of one utterance. features: ln P(text | sound), ln P(text), words, unknown words."""

    features: dict[tuple[int, ...], tuple[float, float, int, int]] = field(default_factory=dict)
    errors: dict[tuple[int, ...], int] = field(default_factory=dict)


def tune_decoder(
    checkpoint: Path,
    data: DataConfig,
    start: BeamConfig,
    *,
    snr_db: Sequence[float] = SNR_DB,
    utterances: int = UTTERANCES,
    beams: Sequence[int] = BEAMS,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Tune a checkpoint's beam search on data.dev, clean and in data.noise_dev; its JSON is rewritten.

    `start` names the language model, and the weights to begin with. At most `utterances` are heard, evenly spread.
    Returns its new "decoder", which is `choose`'s with "conditions" and "data".

    Raises:
        CheckpointError, ManifestError, AudioError, InputError: something that cannot be used.
    """
    model, info = load_checkpoint(checkpoint)
    if model.config.head != "ctc":
        raise CheckpointError(f"{checkpoint}: a model of keywords has no beam search: name a CTC model")
    units = Units(model.config.units, model.config.labels)
    BeamDecoder(units, start)  # its errors first: hearing takes a while
    cuts, _ = usable(read_cuts(data.dev), data.max_duration_s)
    cuts = [cuts[place] for place in np.unique(np.linspace(0, len(cuts) - 1, utterances).round().astype(int))]
    store = AudioStore(model.config.frontend.sample_rate)
    noise = NoisePool(data.noise_dev, store) if data.noise_dev else None
    rows: list[np.ndarray] = []

    def keep(log_probabilities: np.ndarray) -> str:
        rows.append(log_probabilities.copy())
        return str(len(rows) - 1)

    conditions = run_transcripts(
        model, cuts, noise, store, units=units, snr_db=snr_db, draws=1, seed=seed, level=data.level, decode=keep,
        progress=progress,
    )  # fmt: skip
    heard = [
        Heard(reference, rows[int(place)])
        for one in conditions
        for reference, place in zip(one.references, one.hypotheses, strict=True)
    ]
    found = choose(heard, units, start, model.block / store.sample_rate, beams=beams, progress=progress)
    found["conditions"] = [[one.noise_kind, one.snr_db] for one in conditions]
    found["data"] = [{"manifest": str(path), "sha256": file_sha256(path)} for path in data.dev]
    if start.language_model:
        found["language_model_sha256"] = file_sha256(start.language_model)
    described = json.loads(checkpoint.read_text())
    if described["sha256"] != info["sha256"]:
        raise CheckpointError(f"{checkpoint}: was replaced meanwhile: wait until its training has ended")
    write_whole(checkpoint, (json.dumps(described | {"decoder": found}, indent=2) + "\n").encode(), sync=True)
    return found


def choose(
    heard: Sequence[Heard],
    units: Units,
    start: BeamConfig,
    frame_s: float,
    *,
    beams: Sequence[int] = BEAMS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Utterances heard -> {"config": BeamConfig.to_dict(), "wer", "wer_greedy", "utterances", "words", "beams"}.

    The smallest beam is taken that makes at most 1 % more errors than the best of them; "beams" says of each its
    "wer" and "processor_s_per_s", what a second of sound takes to search.
    """
    references = [one.reference for one in heard]
    pools = [Pool() for _ in heard]
    config = replace(start, hotwords={})
    tried: list[tuple[int, BeamConfig]] = []
    grid = weights(config)
    while config not in (each for _, each in tried) and len(tried) < SEARCHES:  # a config is not hashable
        tried.append((_search(heard, units, config, pools, progress), config))
        config = best_weights(pools, grid, config)
    config = min(tried, key=lambda each: each[0])[1]
    words = word_errors(references, references).length
    of_beams = []
    for beam in sorted({*beams, start.beam}):
        texts, factor = _write(heard, units, replace(config, beam=beam), frame_s, progress)
        of_beams.append((beam, int(word_errors(references, texts).errors.sum()), factor))
    enough = (1 + MORE_ERRORS) * min(errors for _, errors, _ in of_beams)
    beam, errors, _ = next(each for each in of_beams if each[1] <= enough)
    greedy = [greedy_text(one.log_probabilities, units) for one in heard]
    return {
        "config": replace(config, beam=beam).to_dict(),
        "wer": errors / words,
        "wer_greedy": word_errors(references, greedy).rate,
        "utterances": len(heard),
        "words": words,
        "beams": [
            {"beam": beam, "wer": errors / words, "processor_s_per_s": round(factor, 4)}
            for beam, errors, factor in of_beams
        ],
    }


def weights(config: BeamConfig) -> list[BeamConfig]:
    """What is tried in place of a config's weights: without a language model or a lexicon, some have no effect."""
    known = config.language_model or config.lexicon
    return [
        replace(config, lm_weight=lm_weight, word_score=word_score, unknown_score=unknown_score)
        for lm_weight, word_score, unknown_score in product(
            LM_WEIGHTS if config.language_model else (config.lm_weight,),
            WORD_SCORES,
            UNKNOWN_SCORES if known else (config.unknown_score,),
        )
    ]


def best_weights(pools: Sequence[Pool], grid: Sequence[BeamConfig], current: BeamConfig) -> BeamConfig:
    """The weights of the grid whose best hypotheses have the fewest errors; of several, those next to the current."""
    each = np.array([_vector(config) for config in grid])
    errors = np.zeros(len(grid), np.int64)
    for pool in pools:
        chosen = (each @ np.array(list(pool.features.values())).T).argmax(1)
        errors += np.array(list(pool.errors.values()))[chosen]
    far = np.abs(each - _vector(current)) @ np.array([0, 1, 0.5, 0.1])  # about as much changes with each
    return grid[int(np.lexsort((far, errors))[0])]


def describe_decoder(found: dict[str, Any]) -> str:
    """The decoder of a checkpoint in a sentence or two."""
    config = found["config"]
    text = (
        f"tuned on {found['utterances']} development utterances of {found['words']} words: word error rate "
        f"{found['wer']:.1%}, greedy {found['wer_greedy']:.1%}; beam {config['beam']}, "
        f"word score {config['word_score']:g}"
    )
    if config["language_model"]:
        text += f", weight of the language model {config['lm_weight']:g}"
    if config["language_model"] or config["lexicon"]:
        text += f", unknown words {config['unknown_score']:g}"
    return text if found["wer"] < found["wer_greedy"] else f"{text}. Greedy decoding is as good: a beam does not pay"


def _vector(config: BeamConfig) -> np.ndarray:
    return np.array([1.0, config.lm_weight, config.word_score, config.unknown_score])


def _search(
    heard: Sequence[Heard], units: Units, config: BeamConfig, pools: Sequence[Pool], progress: Progress | None
) -> int:
    """Search with a config; the hypotheses go into the pools. Returns the errors of the best ones."""
    decoder = BeamDecoder(units, config)
    task = progress.add_task("search", total=len(heard)) if progress else None
    errors = 0
    for one, pool in zip(heard, pools, strict=True):
        found = decoder.decode_best(one.log_probabilities, BEST)
        wrong = word_errors([one.reference] * len(found), [each.text for each in found]).errors
        errors += int(wrong[0])
        for each, count in zip(found, wrong, strict=True):
            labels = tuple(each.labels)
            gained = _gains(decoder.scores, labels)
            heard_ln = each.score - float(_vector(config)[1:] @ np.array(gained))
            if labels not in pool.features or heard_ln > pool.features[labels][0]:
                pool.features[labels] = heard_ln, *gained
            pool.errors[labels] = int(count)
        if progress and task is not None:
            progress.advance(task)
    return errors


def _gains(scores: PrefixScores, labels: Sequence[int]) -> tuple[float, int, int]:
    """Ln P(text) by the language model, words, unknown words."""
    one = copy.copy(scores)
    nothing = replace(scores.config, lm_weight=0.0, word_score=0.0, unknown_score=0.0)
    gained = []
    for config in (
        replace(nothing, lm_weight=1.0),
        replace(nothing, word_score=1.0),
        replace(nothing, unknown_score=1.0),
    ):
        one.config = config
        gained.append(one.total(labels))
    return gained[0], round(gained[1]), round(gained[2])


def _write(
    heard: Sequence[Heard], units: Units, config: BeamConfig, frame_s: float, progress: Progress | None
) -> tuple[list[str], float]:
    """Texts, and the seconds of a processor that a second of sound takes to search."""
    decoder = BeamDecoder(units, config)
    task = progress.add_task(f"beam {config.beam}", total=len(heard)) if progress else None
    texts, began = [], time.process_time()
    for one in heard:
        texts.append(decoder.decode(one.log_probabilities).text)
        if progress and task is not None:
            progress.advance(task)
    sound_s = frame_s * sum(len(one.log_probabilities) for one in heard)
    return texts, (time.process_time() - began) / sound_s
