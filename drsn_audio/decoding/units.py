"""What a CTC model writes with: words, characters, or the pieces of a SentencePiece model, and blank.

Characters and pieces are of upper-case text, as LibriSpeech's is; words are those of `text.Vocabulary`.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK, UNKNOWN
from drsn_audio.text import Vocabulary, in_vocabulary, to_letters

KINDS = ("words", "characters", "sentencepiece")
SPACE = "|"  # the character between two words
PIECE_SPACE = "\u2581"  # what SentencePiece writes at the beginning of a word
CHARACTERS = [BLANK, SPACE, "'", *string.ascii_uppercase]


class Units:
    """Labels of a CTC model, of which the first is blank. `model`: the .model file, to encode by SentencePiece.

    Raises:
        InputError: an unknown kind, or labels that do not begin with blank.
    """

    def __init__(self, kind: str, labels: Sequence[str], model: str = ""):
        if kind not in KINDS:
            raise InputError(f"model.units={kind!r} is unknown: use one of {', '.join(KINDS)}")
        if not labels or labels[0] != BLANK or BLANK in labels[1:]:
            raise InputError(f"model.labels of a CTC model begin with {BLANK!r}, once: got {list(labels[:3])}")
        self.kind, self.labels, self.model = kind, list(labels), model
        self.index = {label: place for place, label in enumerate(labels)}
        self.vocabulary = Vocabulary(labels if kind == "words" else ())
        self._pieces: Any = None

    def encode(self, text: str) -> list[int]:
        """Text -> labels. Of words, those that are none become "unknown", where that is one; of characters and pieces,
        a text that has no units is tried again without its punctuation and accents.

        Raises:
            InputError: what there is no unit for, named.
        """
        if self.kind == "words":
            other = UNKNOWN if UNKNOWN in self.index else None
            units = [label or other or word for word, label in self.vocabulary.split(text)]
        elif self.kind == "characters":
            units = list(SPACE.join(text.upper().split()))
        else:
            units = self._split(" ".join(text.upper().split()))
        lacking = sorted({unit for unit in units if unit not in self.index})
        if lacking and self.kind != "words" and (letters := to_letters(text)) != text:
            return self.encode(letters)
        if lacking:
            shown = ", ".join(map(repr, lacking[:5]))
            raise InputError(f"its text {text[:60]!r} holds {shown}, for which the model has no unit")
        return [self.index[unit] for unit in units]

    def as_written(self, text: str) -> str:
        """Return a text as the model can output it at best, to be compared with what it does: of words, those that are
        none of its labels are "unknown", if that is one; of characters and pieces, upper case without punctuation.
        """
        return in_vocabulary(text, self.vocabulary) if self.kind == "words" else to_letters(text)

    def outside(self, text: str) -> list[str]:
        """Return the words of a text that the model cannot output."""
        if self.kind == "words":
            return [word for word, label in self.vocabulary.split(text) if label is None]
        writable = set("".join(self.labels[1:]))
        return [word for word in to_letters(text).split() if not writable.issuperset(word)]

    def text(self, labels: Sequence[int]) -> str:
        """Labels, none of them blank -> text."""
        return " ".join(word for word, _ in self.words(labels))

    def words(self, labels: Sequence[int]) -> list[tuple[str, slice]]:
        """Labels, none of them blank -> words, each with the place of its labels among them."""
        if self.kind == "words":
            return [(self.labels[label], slice(place, place + 1)) for place, label in enumerate(labels)]
        found: list[tuple[str, slice]] = []
        begin, spelt = 0, ""
        for place, label in enumerate(labels):
            unit = self.labels[label]
            if self.begins(label):
                if spelt:
                    found.append((spelt, slice(begin, place)))
                begin, spelt = place, ""
                unit = unit.removeprefix(SPACE if self.kind == "characters" else PIECE_SPACE)
            if not spelt and unit:
                begin = place
            spelt += unit
        return [*found, (spelt, slice(begin, len(labels)))] if spelt else found

    def begins(self, label: int) -> bool:
        """Whether a word ends before this label."""
        if self.kind == "words":
            return True
        return self.labels[label].startswith(SPACE if self.kind == "characters" else PIECE_SPACE)

    def _split(self, text: str) -> list[str]:
        if self._pieces is None:
            self._pieces = read_pieces(self.model)
        return self._pieces.encode(text, out_type=str)


def read_pieces(model: str) -> Any:
    """A SentencePiece .model -> its processor.

    Raises:
        InputError: none is named, or it is none.
        ModuleNotFoundError: sentencepiece is not installed.
    """
    if not model:
        raise InputError("data.sentencepiece is empty: name the .model file that the units are of")
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_file=model)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{model}: not a SentencePiece model ({error}): train one first") from None


def piece_labels(model: str) -> list[str]:
    """A SentencePiece .model -> labels: blank, then its pieces, without those of a meaning of their own."""
    pieces = read_pieces(model)
    kept = [i for i in range(pieces.get_piece_size()) if not (pieces.is_control(i) or pieces.is_unknown(i))]
    return [BLANK, *(pieces.id_to_piece(i) for i in kept)]
