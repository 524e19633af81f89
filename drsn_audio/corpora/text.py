"""Transcripts of any folder -> text as LibriSpeech writes it: upper case, A to Z, the apostrophe, single spaces."""

from __future__ import annotations

import unicodedata

# What is typed for an apostrophe, and letters that no decomposition leads to A to Z.
REPLACED = str.maketrans(
    dict.fromkeys("\u2019\u2018\u02bc\u0060\u00b4", "'")
    | {"\u00c6": "AE", "\u0152": "OE", "\u00d8": "O", "\u0141": "L", "\u0110": "D", "\u00de": "TH", "\u00d0": "TH"}
)
SPOKEN = "&%@#\u00a7"  # punctuation to Unicode, words to a reader


def normalise(text: str) -> str:
    """ "Mr. Müller's well-known café, isn't it?" -> "MR MULLER'S WELL KNOWN CAFE ISN'T IT".

    Letters lose their accents; whatever parts words, hyphens too, becomes a space; an apostrophe stays where a letter
    stands beside it, so that a quotation mark in its place (the 'best' one) stays, too: no rule tells the two apart.

    What is read aloud in a way that the text does not tell stays as it is: digits, signs such as & and %, letters of
    other alphabets. No model has units for these, so such an utterance is left out of training, and named, in place
    of being taught what nobody said: write its numbers as words. LibriSpeech's own text stays what it is.
    """
    kept = []
    for character in unicodedata.normalize("NFKD", text.upper().translate(REPLACED)):
        category = unicodedata.category(character)
        if category in ("Mn", "Cf"):  # an accent; what is not seen: a soft hyphen, a byte order mark
            continue
        parts = category[0] in "ZCP" or category == "Sk" or character == "|"
        kept.append(" " if parts and character not in SPOKEN and character != "'" else character)
    return " ".join(word for word in "".join(kept).split() if word.strip("'"))
