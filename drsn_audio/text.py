"""How texts and labels are compared, and how files of transcripts are read: the same way by every command."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from drsn_audio.errors import InputError
from drsn_audio.labels import BLANK, UNKNOWN

# What is typed for an apostrophe.
APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u201b\u02bc\u02bb\u2032\u0060\u00b4\uff07", "'"))
# Letters that no decomposition leads to A to Z.
LETTERS = str.maketrans(
    {"\u00c6": "AE", "\u0152": "OE", "\u00d8": "O", "\u0141": "L", "\u0110": "D", "\u00de": "TH", "\u00d0": "TH"}
)
SPOKEN = "&%@#\u00a7\u00b0+="  # punctuation and symbols to Unicode, words to a reader
OUTSIDE_KEPT, OUTSIDE_SHOWN = 50, 8  # words, in JSON and in a line for people
IN_NUMBERS = ".,:"  # stay between two digits: 3.5, 1,000, 10:30
_ASCII_PARTS = re.compile(
    r"[^a-z0-9&%@#+=$'.,:]+|(?<![a-z0-9])'|'(?![a-z0-9])|(?<![0-9])[.,:]|[.,:](?![0-9])"  # what parts words
)
DOT_ABOVE = "\u0307"  # what case folding leaves of the Turkish capital I with a dot


@lru_cache(maxsize=1 << 16)
def normalise_text(text: str) -> str:
    """Return a text as it is compared: case folded, without punctuation, words parted by single spaces.

    - Unicode NFKC, then case folding: "LEFT" is "left", "STRASSE" is "straße", "İ" is "i". Accents stay.
    - Punctuation, brackets, symbols, dashes, hyphens and underscores part words: "open_gate", "open-gate" and
      "Open  gate!" are all "open gate". What is said for a sign (SPOKEN, currencies) stays, and so do points, commas
      and colons between two digits.
    - An apostrophe, curly or not, stays between two letters ("don't") and is left out elsewhere ('left').
    - Numbers stay as they are: "1" is not "one".

    A text of punctuation alone becomes empty. Applied to its own output, the function changes nothing.
    """
    if text.isascii():  # the same, ten times as fast
        return " ".join(_ASCII_PARTS.sub(" ", text.lower().replace("`", "'")).split())
    folded = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).casefold().replace(f"i{DOT_ABOVE}", "i")
    folded = unicodedata.normalize("NFKC", folded).translate(APOSTROPHES)
    seen = "".join(character for character in folded if not _invisible(character))
    kept = [" "]
    for character, after in zip(seen, f"{seen[1:]} ", strict=False):
        kept.append(character if _stays(kept[-1], character, after) else " ")
    return " ".join("".join(kept).split())


def _invisible(character: str) -> bool:
    """Whether it is seen by nobody: a soft hyphen, a zero-width space, a byte order mark, a variation selector."""
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


def _stays(before: str, character: str, after: str) -> bool:
    """Whether a character that follows `before`, of what was kept, is part of a word."""
    if character == "'":
        return _in_word(before) and unicodedata.category(after)[0] in "LN"
    if character in IN_NUMBERS:
        return before.isdigit() and after.isdigit()
    category = unicodedata.category(character)
    if category[0] == "M":  # an accent that stands on nothing is none
        return _in_word(before)
    return category[0] in "LN" or category == "Sc" or character in SPOKEN


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def to_letters(text: str) -> str:
    """Return a transcript as LibriSpeech writes it: upper case, A to Z, the apostrophe, single spaces.

    "Mr. Müller's well-known café, isn't it?" is "MR MULLER'S WELL KNOWN CAFE ISN'T IT".

    Letters lose their accents; whatever parts words, hyphens too, becomes a space; an apostrophe stays where a letter
    stands beside it, so that a quotation mark in its place (the 'best' one) stays, too: no rule tells the two apart.

    What is read aloud in a way that the text does not tell stays as it is: digits, signs such as & and %, letters of
    other alphabets. No model has units for these, so such an utterance is left out of training, and named, in place
    of being taught what nobody said: write its numbers as words. LibriSpeech's own text stays what it is.
    """
    kept = []
    for character in unicodedata.normalize("NFKD", text.upper().translate(APOSTROPHES).translate(LETTERS)):
        category = unicodedata.category(character)
        if category in ("Mn", "Cf"):  # an accent; what is not seen: a soft hyphen, a byte order mark
            continue
        parts = category[0] in "ZCP" or category == "Sk" or character == "|"
        kept.append(" " if parts and character not in SPOKEN and character != "'" else character)
    return " ".join(word for word in "".join(kept).split() if word.strip("'"))


class Vocabulary:
    """Labels of a model by the words that mean them: those whose `normalise_text` is the same.

    A word that is spelt as a label is that label, also where another label is normalised to the same text. The blank
    of a CTC model is no word.
    """

    def __init__(self, labels: Iterable[str]):
        self.labels = [label for label in labels if label != BLANK]
        self._exact = set(self.labels)
        self._known: dict[str, str] = {}
        for label in self.labels:
            self._known.setdefault(normalise_text(label), label)
        self._known.pop("", None)
        self._longest = max((len(spelt.split()) for spelt in self._known), default=1)

    def find(self, word: str) -> str | None:
        """Return the label that a word or phrase means, as the model spells it; None: there is none."""
        return word if word in self._exact else self._known.get(normalise_text(word))

    def split(self, text: str) -> list[tuple[str, str | None]]:
        """Split a text into words, each with its label or None; of labels of several words, the longest that fits."""
        words, found, at = normalise_text(text).split(), list[tuple[str, str | None]](), 0
        while at < len(words):
            count = min(self._longest, len(words) - at)
            while count > 1 and " ".join(words[at : at + count]) not in self._known:
                count -= 1
            spelt = " ".join(words[at : at + count])
            found.append((spelt, self._known.get(spelt)))
            at += count
        return found


def in_vocabulary(text: str, vocabulary: Collection[str] | Vocabulary) -> str:
    """Return a text as a model of these words outputs it at best: other words are "unknown", where that is a label."""
    words = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(vocabulary)
    if UNKNOWN not in words.labels:
        return normalise_text(text)
    return " ".join(UNKNOWN if label is None else spelt for spelt, label in words.split(text))


def count_outside(words: Iterable[Sequence[str]]) -> dict[str, Any]:
    """Count words of utterances that are outside of a vocabulary, JSON-able.

    words: of each utterance those that are outside. Returns {"outside": how many have one, "of": of how many,
    "words": [{"word", "times"}], the most frequent ones first, OUTSIDE_KEPT at most, "others": how many further ones}.
    Where single words are looked at, each is an utterance.
    """
    of_each = [list(outside) for outside in words]
    counts = Counter(word for outside in of_each for word in outside)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = [{"word": word, "times": times} for word, times in order[:OUTSIDE_KEPT]]
    others = max(0, len(order) - OUTSIDE_KEPT)
    return {"outside": sum(map(bool, of_each)), "of": len(of_each), "words": named, "others": others}


def outside_line(found: Mapping[str, Any], *, of_words: bool = False) -> str | None:
    """Return what a person reads of `count_outside`, of utterances or of single words; None where all are known."""
    if not found["outside"]:
        return None
    named = [f"{one['word']} ({one['times']})" for one in found["words"][:OUTSIDE_SHOWN]]
    more = len(found["words"]) - len(named) + found["others"]
    names = ", ".join([*named, *([f"{more} more"] if more else [])])
    count = f"{found['outside']} of {found['of']}"
    if of_words:
        return f"note: the model does not know {count} words: {names}"
    return f"note: {count} utterances have words that the model does not know: {names}"


class Transcribed(NamedTuple):
    """A line of a list of transcripts: its number in the file, from 1, the id and the text, "" where there is none."""

    number: int
    id: str
    text: str


def read_text(path: str | Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark, its lines ended by "\\n".

    Raises:
        InputError: a file that is not there, may not be read, is a pipe or a device, or is not UTF-8.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait for its writer
        raise InputError(f"{path}: is a folder, a pipe or a device: name a file of text")
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not text, or not UTF-8 text: convert it, e.g. iconv -f latin1 -t utf-8") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}: check the path and its permissions") from None


def parse_transcripts(text: str) -> Iterator[Transcribed]:
    """Yield the lines of a list of transcripts (Kaldi's text, LibriSpeech's .trans.txt, id and text in a TSV).

    The id ends at the first blank, be it a space or a tab, one or several; blank lines are left out. An id alone is an
    utterance without words.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if fields := line.split(None, 1):
            yield Transcribed(number, fields[0], fields[1].strip() if len(fields) > 1 else "")
