"""Word and character error rates, and which words were confused: alignments of least edit distance by jiwer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.extras import install_command
from drsn_audio.text import normalise_text


@dataclass(frozen=True)
class ErrorCounts:
    """Of words or characters: int [n, 4], for each utterance its hits, substitutions, deletions and insertions."""

    by_utterance: np.ndarray

    @property
    def hits(self) -> int:
        return int(self.by_utterance[:, 0].sum())

    @property
    def substitutions(self) -> int:
        return int(self.by_utterance[:, 1].sum())

    @property
    def deletions(self) -> int:
        return int(self.by_utterance[:, 2].sum())

    @property
    def insertions(self) -> int:
        return int(self.by_utterance[:, 3].sum())

    @property
    def errors(self) -> np.ndarray:
        """Of each utterance, [n]."""
        return self.by_utterance[:, 1:].sum(1)

    @property
    def lengths(self) -> np.ndarray:
        """Words or characters of each reference, [n]."""
        return self.by_utterance[:, :3].sum(1)

    @property
    def length(self) -> int:
        return int(self.lengths.sum())

    @property
    def exact(self) -> int:
        """Utterances without an error."""
        return int((self.errors == 0).sum())

    @property
    def rate(self) -> float:
        """All errors / all words (or characters) of the references; it can exceed 1.

        An empty reference adds what was heard in it to the errors, and nothing to the words. Where all references
        are empty the rate is 0 without an insertion, else infinite.
        """
        errors = int(self.errors.sum())
        if self.length == 0:
            return float("inf") if errors else 0.0
        return errors / self.length


class Confusions(NamedTuple):
    """How often a word stood for another (said, written), was left out, or was written with nothing in its place."""

    substituted: Counter[tuple[str, str]]
    deleted: Counter[str]
    inserted: Counter[str]


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """What was said and what was written, n texts each, compared as `normalise_text` gives them -> counts of words.

    Raises:
        ValueError: not as many hypotheses as references.
        ModuleNotFoundError: jiwer is not installed.
    """
    return _counts(references, hypotheses, characters=False)


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """As `word_errors`, of characters, the spaces between words among them."""
    return _counts(references, hypotheses, characters=True)


def confusions(references: Sequence[str], hypotheses: Sequence[str]) -> Confusions:
    """Words that were taken for others, by the alignment that `word_errors` counts.

    Where several alignments have as few errors, jiwer's choice counts: a single pair may be another one's fault.
    """
    aligned = _align(references, hypotheses, characters=False)
    found = Confusions(Counter(), Counter(), Counter())
    for said, written, edits in zip(aligned.references, aligned.hypotheses, aligned.alignments, strict=True):
        for edit in edits:
            left = said[edit.ref_start_idx : edit.ref_end_idx]
            right = written[edit.hyp_start_idx : edit.hyp_end_idx]
            if edit.type == "substitute":
                found.substituted.update(zip(left, right, strict=True))
            elif edit.type == "delete":
                found.deleted.update(left)
            elif edit.type == "insert":
                found.inserted.update(right)
    return found


def _align(references: Sequence[str], hypotheses: Sequence[str], characters: bool) -> Any:
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references: give one each")
    try:
        import jiwer
    except ImportError:
        raise ModuleNotFoundError(f"error rates need jiwer: {install_command('score')}", name="jiwer") from None
    process = jiwer.process_characters if characters else jiwer.process_words
    return process(list(map(normalise_text, references)), list(map(normalise_text, hypotheses)))


def _counts(references: Sequence[str], hypotheses: Sequence[str], characters: bool) -> ErrorCounts:
    aligned = _align(references, hypotheses, characters)
    # jiwer takes no texts at all for one that is empty.
    counts = [_of_utterance(edits) for edits in aligned.alignments[: len(references)]]
    return ErrorCounts(np.array(counts, dtype=int).reshape(-1, 4))


def _of_utterance(edits: Sequence[Any]) -> list[int]:
    said = [
        sum(edit.ref_end_idx - edit.ref_start_idx for edit in edits if edit.type == kind)
        for kind in ("equal", "substitute", "delete")
    ]
    return [*said, sum(edit.hyp_end_idx - edit.hyp_start_idx for edit in edits if edit.type == "insert")]
