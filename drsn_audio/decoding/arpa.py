"""N-gram language models by interpolated Witten-Bell smoothing, as ARPA files that KenLM reads.

Witten & Bell 1991, method C: of a history h, seen c(h) times before T(h) different words,

    P(w | h) = (c(h, w) + T(h) P(w | h')) / (c(h) + T(h))

where h' is h without its first word; below the unigrams lies 1 / V, V counting <unk> and </s>. In an ARPA file that is
P(w | h) of the n-grams seen, and T(h) / (c(h) + T(h)) as back-off weight of h. Counts of n-grams that are left out go
to the lower order with T(h), so that the probabilities of each history still sum to 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from drsn_audio.errors import InputError
from drsn_audio.files import write_whole

BEGIN, END, UNSEEN = "<s>", "</s>", "<unk>"
ORDERS = (2, 5)  # KenLM reads no fewer
NEVER = -99.0  # log10 of the probability of <s>, which nothing predicts

NGram = tuple[str, ...]


class Entry(NamedTuple):
    """Log10 of an n-gram's probability, and of its back-off weight (None: it is no history)."""

    probability: float
    backoff: float | None


def count_ngrams(texts: Iterable[Sequence[str]], order: int) -> list[Counter[NGram]]:
    """Words of each text, with <s> and </s> around them -> how often n-grams of orders 1 to `order` (2 to 5) are seen.

    Raises:
        InputError: an order that is not from 2 to 5, no words at all, or one of <s>, </s>, <unk> among them.
    """
    if not ORDERS[0] <= order <= ORDERS[1]:
        raise InputError(f"n-grams of order {order}: choose {ORDERS[0]} to {ORDERS[1]}")
    counts: list[Counter[NGram]] = [Counter() for _ in range(order)]
    for words in texts:
        reserved = [word for word in words if word in (BEGIN, END, UNSEEN)]
        if reserved:
            raise InputError(f"a text holds {reserved[0]!r}, which stands for something else: remove it")
        kept = [BEGIN, *words, END] if words else []
        for size, seen in enumerate(counts, 1):
            seen.update(tuple(kept[first : first + size]) for first in range(len(kept) - size + 1))
    if not counts[0]:
        raise InputError("the training texts hold no words: name texts that do")
    return counts


def witten_bell(
    counts: Sequence[Counter[NGram]], min_counts: Sequence[int] = (), words: Iterable[str] = ()
) -> list[dict[NGram, Entry]]:
    """N-grams counted by `count_ngrams` -> what an ARPA file says of them, by order.

    Args:
        counts: of each order.
        min_counts: bigrams, trigrams ... seen less often are left out; the last one holds for the higher orders, too.
        words: words that shall be known besides those seen.

    Raises:
        InputError: counts that fall with the order: what a higher order needs would be left out below.
    """
    if list(min_counts) != sorted(min_counts):
        raise InputError(f"least counts {' '.join(map(str, min_counts))}: none may be lower than the one before")
    vocabulary = {word for (word,) in counts[0]} - {BEGIN} | {UNSEEN, *words}
    lower: dict[NGram, float] = {(): 1 / len(vocabulary)}
    probabilities: list[dict[NGram, float]] = []
    backoffs: dict[NGram, float] = {}
    for order, seen in enumerate(counts, 1):
        if order == 1:
            seen = Counter({(word,): seen[(word,)] for word in vocabulary})
            kept = sorted(seen)
        else:
            least = [1, *min_counts][min(order - 1, len(min_counts))]
            kept = sorted(gram for gram, count in seen.items() if count >= least)
        total: Counter[NGram] = Counter()  # c(h) + T(h)
        backed: Counter[NGram] = Counter()  # of it, what the lower order gets: T(h), and the counts left out
        left_out = seen.keys() - set(kept)
        for gram, count in seen.items():
            total[gram[:-1]] += count + (count > 0)
            backed[gram[:-1]] += (count > 0) + (count if gram in left_out else 0)
        lower = {gram: (seen[gram] + backed[gram[:-1]] * lower[gram[1:]]) / total[gram[:-1]] for gram in kept}
        probabilities.append(lower)
        backoffs |= {history: backed[history] / total[history] for history in total}
    probabilities[0] = {(BEGIN,): 10**NEVER} | probabilities[0]
    return [{gram: _entry(value, backoffs.get(gram)) for gram, value in found.items()} for found in probabilities]


def write_arpa(path: Path, model: Sequence[dict[NGram, Entry]]) -> None:
    """Write what `witten_bell` returns as an ARPA file.

    Raises:
        OSError: it cannot be written.
    """
    rows = ["\\data\\", *(f"ngram {order}={len(entries)}" for order, entries in enumerate(model, 1)), ""]
    for order, entries in enumerate(model, 1):
        rows.append(f"\\{order}-grams:")
        for gram, (probability, backoff) in entries.items():
            weight = "" if backoff is None else f"\t{backoff:.7f}"
            rows.append(f"{probability:.7f}\t{' '.join(gram)}{weight}")
        rows.append("")
    write_whole(path, "\n".join([*rows, "\\end\\", ""]).encode())


def _entry(probability: float, backoff: float | None) -> Entry:
    return Entry(math.log10(probability), None if backoff is None else math.log10(backoff))
