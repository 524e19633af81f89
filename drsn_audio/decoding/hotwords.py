"""Words and phrases to be heard more readily."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from drsn_audio.decoding.units import PIECE_SPACE, SPACE, Units
from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK
from drsn_audio.text import to_letters


class Hotwords:
    """What a hypothesis gains by words and phrases, in natural logarithms.

    A phrase gives its boost once, when its last word has ended. Before, as much of a positive boost is lent as of its
    letters are written, so that a beam does not lose it on the way; what goes on otherwise gives the loan back. Of
    several phrases that a hypothesis may be within, the largest loan counts; of several that end at once, all do.

    Args:
        boosts: phrase -> boost.
        units: of the model. Phrases for characters and pieces are written as transcripts are, see `to_letters`.

    Raises:
        InputError: a phrase of no words, one the units cannot write, or a boost that is no number.
    """

    def __init__(self, boosts: Mapping[str, float], units: Units):
        self.words: set[str] = set()
        self.longest = 0
        self._boosts: dict[tuple[str, ...], float] = {}
        self._loans: dict[tuple[tuple[str, ...], str], float] = {}
        writable = letters(units)
        for phrase, boost in boosts.items():
            if units.kind == "words":
                words = tuple(label or word for word, label in units.vocabulary.split(phrase))
            else:
                words = tuple(to_letters(phrase).split())
            if not words or not math.isfinite(boost):
                raise InputError(f"hotword {phrase!r} with boost {boost}: give WORDS=NUMBER")
            for word in words:
                if word not in units.index if units.kind == "words" else not writable.issuperset(word):
                    raise InputError(
                        f"hotword {word!r} cannot be written in the {units.kind} of the model: leave it out"
                    )
            self._add(words, float(boost))

    def ended(self, said: tuple[str, ...]) -> float:
        """The last words said -> the boosts of what has just ended."""
        return sum(self._boosts.get(said[-count:], 0.0) for count in range(1, min(len(said), self.longest) + 1))

    def loan(self, said: tuple[str, ...], begun: str) -> float:
        """The last words said, and the letters of the one that has begun -> what is lent."""
        known = range(min(len(said), self.longest - 1) + 1)
        return max((self._loans.get((said[len(said) - count :], begun), 0.0) for count in known), default=0.0)

    def _add(self, words: tuple[str, ...], boost: float) -> None:
        self.words.update(words)
        self.longest = max(self.longest, len(words))
        self._boosts[words] = boost
        whole, written = sum(map(len, words)), 0
        for place, word in enumerate(words):
            for count in range(len(word) + 1):
                key = words[:place], word[:count]
                if place or count:
                    self._loans[key] = max(self._loans.get(key, 0.0), boost * (written + count) / whole)
            written += len(word)


def letters(units: Units) -> set[str]:
    """What words are made of, in characters or pieces."""
    marks = {SPACE, PIECE_SPACE}
    return {letter for label in units.labels if label != BLANK for letter in label} - marks


def parse_hotwords(given: Iterable[str]) -> dict[str, float]:
    """ "TURN LEFT=3" and the like -> boosts.

    Raises:
        InputError: one without a number.
    """
    boosts = {}
    for one in given:
        phrase, _, boost = one.rpartition("=")
        try:
            boosts[phrase] = float(boost if phrase else "")
        except ValueError:
            raise InputError(f"hotword {one!r}: give WORDS=NUMBER, such as 'TURN LEFT=3'") from None
    return boosts
