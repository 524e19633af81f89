"""What a text is worth beyond what was heard: by an n-gram language model, the number of words, and hotwords."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from drsn_audio.decoding.hotwords import Hotwords
from drsn_audio.decoding.ngram import Ngram, counts_labels, read_lexicon, read_vocabulary
from drsn_audio.decoding.units import PIECE_SPACE, SPACE, Units


@dataclass(frozen=True)
class BeamConfig:
    """How texts are weighed; scores and boosts are natural logarithms.

    language_model: an ARPA file, or a binary file of KenLM; of words, or of the labels themselves. Empty: none.
    lexicon: a file with a known word a line; by default, those of the ARPA file.
    beam: hypotheses kept after each frame.
    unknown_score: for each word that is not known; very low (-1000), and only known words are written.
    """

    language_model: str = ""
    lexicon: str = ""
    beam: int = 50
    lm_weight: float = 0.5
    word_score: float = 0.0
    unknown_score: float = -10.0
    hotwords: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Prefix(NamedTuple):
    """What the score of the next label depends on."""

    ngram: Any
    said: tuple[str, ...] = ()  # the last words, as many as hotwords ask for
    begun: str = ""  # letters of the word that has not ended
    charged: bool = False  # as unknown: no known word begins so
    lent: float = 0.0


class PrefixScores:
    """What a text gains beyond what was heard, label by label: of the language model, words and hotwords.

    Raises:
        InputError: files or hotwords that cannot be used with these units.
    """

    def __init__(self, units: Units, config: BeamConfig):
        self.units, self.config = units, config
        self.hotwords = Hotwords(config.hotwords, units)
        self.ngram, self.of_labels, self.words = None, False, []
        if config.lexicon:
            self.words = read_lexicon(config.lexicon)
        elif config.language_model:
            self.words = read_vocabulary(config.language_model)
        if self.words:
            self.of_labels = counts_labels(config.lexicon or config.language_model, self.words, units)
        if config.language_model:
            self.ngram = Ngram(config.language_model, self.words)
        of_words = self.words and not self.of_labels
        self.words = sorted({*self.words, *self.hotwords.words}) if of_words else []  # empty: none is unknown
        self._mark = {"characters": SPACE, "sentencepiece": PIECE_SPACE}.get(units.kind, "")

    def start(self) -> Prefix:
        return Prefix(self.ngram.begin() if self.ngram else None)

    def extend(self, prefix: Prefix, label: int) -> tuple[Prefix, float]:
        """A prefix, the next label (not blank) -> the prefix with it, and what that adds to its score."""
        unit, gain = self.units.labels[label], 0.0
        ngram, said, begun, charged, lent = prefix
        if self.of_labels and self.ngram:
            ngram, score = self.ngram.score(ngram, unit)
            gain += self.config.lm_weight * score
        if begun and self.units.begins(label):
            ngram, said, more = self._end_word(ngram, said, begun, charged)
            begun, charged, gain = "", False, gain + more
        begun += unit.removeprefix(self._mark) if self._mark else unit
        if self.units.kind == "words":
            ngram, said, more = self._end_word(ngram, said, begun, charged)
            begun, gain = "", gain + more
        elif self.words and not charged and not self._may_be_known(begun):
            charged, gain = True, gain + self.config.unknown_score
        loan = self.hotwords.loan(said, begun) if self.hotwords.longest else 0.0
        return Prefix(ngram, said, begun, charged, loan), gain + loan - lent

    def finish(self, prefix: Prefix) -> float:
        """What is added when nothing follows."""
        ngram, said, begun, charged, lent = prefix
        gain = -lent
        if begun:
            ngram, said, more = self._end_word(ngram, said, begun, charged)
            gain += more
        return gain + (self.config.lm_weight * self.ngram.end(ngram) if self.ngram else 0.0)

    def total(self, labels: Sequence[int]) -> float:
        """What labels gain, from the first to the end."""
        prefix, gained = self.start(), 0.0
        for label in labels:
            prefix, gain = self.extend(prefix, label)
            gained += gain
        return gained + self.finish(prefix)

    def _end_word(self, ngram: Any, said: tuple[str, ...], word: str, charged: bool) -> tuple[Any, tuple, float]:
        gain = self.config.word_score
        if self.words and not charged and not self._is_known(word):
            gain += self.config.unknown_score
        if self.ngram and not self.of_labels:
            ngram, score = self.ngram.score(ngram, word)
            gain += self.config.lm_weight * score
        if self.hotwords.longest:
            said = (*said, word)[-self.hotwords.longest :]
            gain += self.hotwords.ended(said)
        return ngram, said, gain

    def _is_known(self, word: str) -> bool:
        place = bisect_left(self.words, word)
        return self.words[place : place + 1] == [word]

    def _may_be_known(self, begun: str) -> bool:
        place = bisect_left(self.words, begun)
        return place < len(self.words) and self.words[place].startswith(begun)
