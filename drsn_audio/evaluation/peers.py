"""Other recognisers, put to the same trials as our models."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
from drsn_audio.datasets.keyword import keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.keyword import ask
from drsn_audio.evaluation.run import describe_run
from drsn_audio.labels import SILENCE, UNKNOWN

SAMPLE_RATE = 16000  # of pocketsphinx's US English model
PAUSE_WORD = "xpause"  # no word of the dictionary
WEIGHTS = {"keyword": 1.0, "other": 1e-10, "pause": 1e-10}
HISS_DB = -61.0  # re full scale; spares the decoder digital silence, which it takes poorly
# bestpath (a second pass) loses one-word answers; a likelier pause around the word suits noise.
SETTINGS = {"bestpath": False, "silprob": 0.3}


def evaluate_pocketsphinx(
    labels: Sequence[str],
    others: Sequence[str],
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    *,
    clip_s: float,
    data: DataConfig,
    evaluate: EvaluateConfig,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Accuracy of pocketsphinx on the trials that `evaluate_keywords` puts to a model -> run.json's content.

    `others` are the words that its grammar offers for "unknown".

    Raises:
        ConfigError, ManifestError, AudioError: words, a manifest or a file that cannot be used.
        ModuleNotFoundError: pocketsphinx is not installed.
    """
    recogniser = PocketSphinx(labels, others)
    store = AudioStore(SAMPLE_RATE)
    clips, pool = keyword_clips(read_cuts(manifests), labels, data), NoisePool(noise, store)
    trials = ask(
        recogniser,
        clips,
        pool,
        store,
        clip_samples=round(clip_s * SAMPLE_RATE),
        snr_db=evaluate.snr_db,
        draws=evaluate.draws,
        seed=evaluate.seed,
        batch_size=evaluate.batch_size,
        progress=progress,
    )
    described = {"name": "pocketsphinx", "shrinkage": "", "labels": list(labels), "settings": recogniser.settings}
    return describe_run(described, manifests, noise, clips, trials, evaluate, level=data.level, draws=evaluate.draws)


class PocketSphinx:
    """Waves [B, N] at 16 kHz -> scores [B, K]: 2 for the answer, 1 for the likeliest keyword, 0 for all others.

    The answer is the likeliest path through a grammar of the keywords, of `others` ("unknown") and of a pause
    ("silence"), weighted by WEIGHTS. Where that is no keyword, a grammar of the keywords alone gives the likeliest
    one. Each clip is decoded as one utterance, normalised by itself, so its answer depends on no other.

    WEIGHTS and SETTINGS are those of several that did best on development speakers and noise.
    """

    def __init__(self, labels: Sequence[str], others: Sequence[str]):
        """Raises ConfigError where a word is not in pocketsphinx's dictionary."""
        self.index = {label: number for number, label in enumerate(labels)}
        self.keywords = [label for label in labels if label not in (UNKNOWN, SILENCE)]
        groups: list[tuple[float, Sequence[str]]] = [(WEIGHTS["keyword"], self.keywords)]
        groups += [(WEIGHTS["other"], others)] if UNKNOWN in self.index and others else []
        groups += [(WEIGHTS["pause"], [PAUSE_WORD])] if SILENCE in self.index else []
        self.all, self.alone = _decoder(groups), _decoder(groups[:1])
        self.hiss = 10 ** (HISS_DB / 20) * np.random.default_rng(0).standard_normal(SAMPLE_RATE)

    @property
    def settings(self) -> dict[str, Any]:
        """What a run.json says of the decoder."""
        return {"version": version("pocketsphinx"), "weights": WEIGHTS, "hiss_db": HISS_DB, **SETTINGS}

    def __call__(self, wave: Tensor) -> Tensor:
        scores = torch.zeros(len(wave), len(self.index))
        for row, samples in zip(scores, wave.numpy(), strict=True):
            heard = samples + np.resize(self.hiss, len(samples))
            pcm = (heard.clip(-1, 1) * 32767).round().astype("<i2").tobytes()
            answer = _hear(self.all, pcm)
            keyword = answer if answer in self.keywords else _hear(self.alone, pcm)
            if keyword in self.index:
                row[self.index[keyword]] = 1
            label = answer if answer in self.keywords else SILENCE if answer in (PAUSE_WORD, "") else UNKNOWN
            row[self.index[label]] = 2
        return scores


def _decoder(alternatives: Sequence[tuple[float, Sequence[str]]]) -> Any:
    """A decoder whose grammar is one word out of groups of words, each with its weight."""
    import pocketsphinx

    decoder = pocketsphinx.Decoder(samprate=SAMPLE_RATE, lm=None, loglevel="FATAL", **SETTINGS)
    decoder.add_word(PAUSE_WORD, "SIL", True)
    lacking = [word for _, words in alternatives for word in words if not decoder.lookup_word(word)]
    if lacking:
        raise ConfigError(f"{', '.join(lacking)}: not in pocketsphinx's dictionary: leave out what it cannot know")
    body = " | ".join(f"/{weight:.20f}/ ({' | '.join(words)})" for weight, words in alternatives)
    decoder.add_jsgf_string("words", f"#JSGF V1.0;\ngrammar words;\npublic <words> = {body};\n")
    decoder.activate_search("words")
    return decoder


def _hear(decoder: Any, pcm: bytes) -> str:
    """The word of the likeliest path; "" where there is none."""
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr if found else ""
