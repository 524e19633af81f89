"""An n-gram language model that KenLM reads, for the units of a CTC model."""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drsn_audio.decoding.arpa import BEGIN, END, UNSEEN
from drsn_audio.decoding.hotwords import letters
from drsn_audio.decoding.units import PIECE_SPACE, SPACE, Units
from drsn_audio.errors import InputError
from drsn_audio.extras import install_command

LEAST_SHARE = 0.5  # of a language model's words that the units write; others it cannot be meant for


def missing_flashlight() -> ModuleNotFoundError:
    """What is raised where a beam search is asked for and cannot be made."""
    return ModuleNotFoundError(f"beam search needs flashlight-text: {install_command('lm')}", name="flashlight")


class Ngram:
    """Natural logarithms of probabilities, word by word. States are of KenLM.

    Args:
        path: an ARPA file (also gzipped), or a binary file of KenLM.
        words: what it is asked for; anything else is <unk>.

    Raises:
        InputError: a file that is not there, or that KenLM does not read.
    """

    def __init__(self, path: str, words: Sequence[str]):
        try:
            from flashlight.lib.text.decoder.kenlm import KenLM
            from flashlight.lib.text.dictionary import Dictionary
        except ImportError:
            raise missing_flashlight() from None
        if not Path(path).is_file():
            raise InputError(f"{path}: no such language model: write one by recipes/librispeech/language_model.py")
        self._place = {word: place for place, word in enumerate([UNSEEN, *words])}
        try:
            with _silent():  # KenLM draws a progress bar
                self._model = KenLM(path, Dictionary(list(self._place)))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise InputError(f"{path}: KenLM does not read it ({reason}): give an ARPA file") from None

    def begin(self) -> Any:
        return self._model.start(False)

    def score(self, state: Any, word: str) -> tuple[Any, float]:
        """State, next word -> state after it, ln P(word | those before)."""
        state, score = self._model.score(state, self._place.get(word, 0))
        return state, score * math.log(10)

    def end(self, state: Any) -> float:
        """Ln of the probability that nothing follows."""
        return self._model.finish(state)[1] * math.log(10)


def read_vocabulary(path: str) -> list[str]:
    """The words of an ARPA file, but for <s>, </s> and <unk>.

    Raises:
        InputError: no such file, or not an ARPA file.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        opened: Any = gzip.open if packed else open
        with opened(path, "rt", encoding="utf-8") as file:
            words = list(_unigrams(file))
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such language model: write one by recipes/librispeech/language_model.py"
        ) from None
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile):
        words = []
    if not words:
        raise InputError(
            f"{path}: not an ARPA file in UTF-8; for a binary file of KenLM, which does not tell its words, "
            "name a list of them by lexicon"
        )
    return [word for word in words if word not in (BEGIN, END, UNSEEN)]


def read_lexicon(path: str) -> list[str]:
    """The first word of each line of a file.

    Raises:
        InputError: no such file, not UTF-8, or no words in it.
    """
    try:
        words = [line.split()[0] for line in Path(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError:
        raise InputError(f"{path}: no such lexicon: name a file with a word a line") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8: write it anew with a word a line") from None
    if not words:
        raise InputError(f"{path}: holds no words: name a file with a word a line")
    return words


def counts_labels(path: str, words: Sequence[str], units: Units) -> bool:
    """Whether a language model of such words is of the labels themselves; otherwise it is of words they spell.

    Raises:
        InputError: it is of neither.
    """
    marks = {"characters": SPACE, "sentencepiece": PIECE_SPACE}
    own = marks.get(units.kind)
    of_labels = units.kind == "words" or any(word.startswith(own) for word in words if own)
    foreign = next((word for word in words for mark in marks.values() if mark != own and word.startswith(mark)), None)
    if of_labels:
        asked: Sequence[str] = units.labels[1:]
        fit = len(set(asked) & set(words))
        lacking = next((label for label in asked if label not in set(words)), "")
    else:
        asked, writable = words, letters(units)
        fit = sum(writable.issuperset(word) for word in words)
        lacking = next((word for word in words if not writable.issuperset(word)), "")
    if foreign or fit < LEAST_SHARE * len(asked):
        whose = "units of the model it knows" if of_labels else "words the units of the model write"
        raise InputError(
            f"{path}: of {len(asked)} {whose} {fit} (not {foreign or lacking!r}): it is for other units than these "
            f"{units.kind}; write one from texts in them by recipes/librispeech/language_model.py"
        )
    return of_labels


def _unigrams(file: Any) -> Iterator[str]:
    within = False
    for line in file:
        if line.startswith("\\"):
            if within:
                return
            within = line.strip() == "\\1-grams:"
        elif within and line.strip():
            yield line.split()[1]


@contextmanager
def _silent() -> Iterator[None]:
    """What libraries write to stderr themselves is lost meanwhile."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
