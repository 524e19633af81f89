"""Laws that an SNR is drawn by. A new law is a line in SNR_LAWS."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from numpy.random import Generator

from drsn_audio.config import nearest
from drsn_audio.errors import InputError


class SnrLaw(NamedTuple):
    """`size`: how many values it takes, 0: one or more; `example`: for messages; `draw` in dB."""

    size: int
    example: str
    draw: Callable[[Sequence[float], Generator], float]


SNR_LAWS: dict[str, SnrLaw] = {
    "fixed": SnrLaw(1, "[5]", lambda values, rng: values[0]),
    "listed": SnrLaw(0, "[20, 5, -5]", lambda values, rng: values[int(rng.integers(len(values)))]),
    "uniform": SnrLaw(2, "[-5, 20], the lowest and the highest", lambda values, rng: rng.uniform(values[0], values[1])),
    "normal": SnrLaw(
        2, "[5, 8], the mean and the standard deviation", lambda values, rng: rng.normal(values[0], values[1])
    ),
}


def draw_snr(law: str, values: Sequence[float], rng: Generator) -> float:
    """An SNR in dB, drawn by a law from its values in dB.

    fixed [5] draws nothing; listed [20, 5, -5] gives each equally often; uniform [lowest, highest]; normal [mean,
    standard deviation]. inf (clean speech) may be fixed or listed.

    Raises:
        InputError: as `check_snr_law` does.
    """
    check_snr_law(law, values)
    return float(SNR_LAWS[law].draw(values, rng))


def check_snr_law(law: str, values: Sequence[float]) -> None:
    """Raises InputError for an unknown law, or values that the law cannot draw from."""
    if law not in SNR_LAWS:
        raise InputError(f"no SNR law {law!r}; {nearest(law, list(SNR_LAWS))}")
    size, example, _ = SNR_LAWS[law]
    infinite = any(math.isinf(value) for value in values)
    if (
        (len(values) != size if size else not values)
        or any(math.isnan(value) or value == -math.inf for value in values)
        or (law in ("uniform", "normal") and infinite)
        or (law == "uniform" and values[0] > values[1])
        or (law == "normal" and values[1] < 0)
    ):
        raise InputError(f"SNRs {list(values)} are none for the law {law}: give dB such as {example}")
