"""The best text by what was heard, an n-gram language model, the number of words and hotwords together.

    score(text) = ln P(text | sound) + lm_weight ln P(text) + word_score words + unknown_score unknown words + boosts

P(text | sound) sums over the paths of CTC that write the same labels, as far as they stay in the beam (prefix beam
search, Hannun et al. 2014). The search is flashlight's without a lexicon (Kahn et al. 2022), through torchaudio. Its
search with a lexicon ends a word with the first frame of its last label, so that this label cannot last for two frames
unless a boundary label follows, which neither words nor SentencePiece have. So words are put together here, in what
flashlight takes for the language model of labels (`drsn_audio.decoding.scores`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.decoding.ngram import missing_flashlight
from drsn_audio.decoding.scores import BeamConfig, Prefix, PrefixScores
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError

LABELS_PER_FRAME = 16  # of a frame, only as many of the most probable labels are tried
THRESHOLD = 25.0  # hypotheses so far below the best are left
LEAST = -1e4  # logarithms below are taken as this, so that the sums of paths hold no infinities


class Hypothesis(NamedTuple):
    labels: list[int]
    text: str
    score: float


def beam_config(info: Mapping[str, Any], **given: Any) -> BeamConfig:
    """A checkpoint's JSON -> the settings tuned for it, replaced by what is given and not None.

    Raises:
        InputError: tuned settings that this version does not know.
    """
    tuned = dict((info.get("decoder") or {}).get("config", {}))
    unknown = sorted(set(tuned) - {each.name for each in fields(BeamConfig)})
    if unknown:
        raise InputError(f"the checkpoint's decoder has {unknown[0]}, unknown here: tune it anew")
    return BeamConfig(**tuned | {name: value for name, value in given.items() if value is not None})


class BeamDecoder:
    """Beam search over log-probabilities. Made once, which reads the language model; not for several threads at once.

    Raises:
        ModuleNotFoundError: flashlight-text is not installed.
        InputError: a beam of none, or files or hotwords that cannot be used with these units.
    """

    def __init__(self, units: Units, config: BeamConfig):
        try:
            from torchaudio.models.decoder import ctc_decoder
        except ImportError:
            raise missing_flashlight() from None
        if config.beam < 1:
            raise InputError(f"a beam of {config.beam} hypotheses: keep 1 at least")
        self.units, self.config = units, config
        self.scores = PrefixScores(units, config)
        self._language_model = _language_model(self.scores)
        self._search = ctc_decoder(
            lexicon=None,
            tokens=units.labels,
            lm=self._language_model,
            beam_size=config.beam,
            beam_size_token=min(LABELS_PER_FRAME, len(units.labels)),
            beam_threshold=THRESHOLD,
            lm_weight=1.0,  # the scores are weighed already
            log_add=True,
            blank_token=units.labels[0],
            sil_token=units.labels[0],  # flashlight begins with it: any other label could not be the first
        )

    def decode(self, log_probabilities: np.ndarray) -> Hypothesis:
        """Log-probabilities [T, K] -> the best hypothesis found.

        Raises:
            InputError: some are NaN.
        """
        return self.decode_best(log_probabilities, 1)[0]

    def decode_best(self, log_probabilities: np.ndarray, count: int) -> list[Hypothesis]:
        """The best hypotheses found, at most `count` and at least one, the best first. Raises as `decode`."""
        import torch

        if np.isnan(log_probabilities).any():
            raise InputError(
                "the model answers with NaN, its training diverged: lower train.learning_rate, train again"
            )
        if not len(log_probabilities):
            return [Hypothesis([], "", 0.0)]
        values = torch.from_numpy(np.ascontiguousarray(np.maximum(log_probabilities, LEAST), np.float32))
        self._search.nbest = count
        self._search.decode_begin()
        for frame in values:
            self._search.decode_step(frame[None])
            self._language_model.forget()
        self._search.decode_end()
        found = self._search.get_final_hypothesis()
        labels = [best.tokens.tolist() for best in found]
        return [
            Hypothesis(own, self.units.text(own), float(best.score)) for own, best in zip(labels, found, strict=True)
        ]


def _language_model(scores: PrefixScores) -> Any:
    """Scores in the form flashlight asks for: states that are objects of its own, one for each prefix.

    flashlight knows states by their addresses and does not keep what Python hangs on them. So they are kept here, but
    only those that may be asked for again: in each frame every prefix in the beam is, and what it grows into.
    """
    from torchaudio.models.decoder import CTCDecoderLM, CTCDecoderLMState

    class State(CTCDecoderLMState):
        def __init__(self, prefix: Prefix):
            super().__init__()
            self.prefix = prefix
            self.next: dict[int, tuple[State, float]] = {}

    class LanguageModel(CTCDecoderLM):
        def start(self, start_with_nothing: bool) -> State:
            first = State(scores.start())
            self.asked: dict[State, None] = {first: None}
            self.kept = self.asked
            return first

        def score(self, state: State, label: int) -> tuple[State, float]:
            self.asked[state] = None
            known = state.next.get(label)
            if known is None:
                prefix, gain = scores.extend(state.prefix, label)
                known = state.next[label] = State(prefix), max(gain, LEAST)
            return known

        def finish(self, state: State) -> tuple[State, float]:
            return state, max(scores.finish(state.prefix), LEAST)

        def forget(self) -> None:
            """To be called after each frame."""
            self.kept, self.asked = self.asked, {}

    return LanguageModel()
