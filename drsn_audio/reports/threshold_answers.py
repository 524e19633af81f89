"""thresholds.json in a few sentences: what rises or falls with noise, what follows its bands; and the words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drsn_audio.reports.table import NO_VALUE

MEASURES = {  # in the order of the tables
    "alpha": "the share of mean |x| that the threshold is",
    "tau": "the threshold itself, alpha times mean |x|",
    "magnitude": "mean |x|, of what comes in",
    "zeroed": "share of the values of x that come out as zero",
    "removed": "share of the energy of x that does not come out",
}
FOLLOWED = ("alpha", "tau")  # shown; the rest of it is in the numbers
NAMES = {"magnitude": "mean abs x"}
RISES, FALLS, UNCLEAR = "rises with noise", "falls with noise", "no clear order"

Bounds = Sequence[float | None]


def short_answers(facts: Mapping[str, Any]) -> str:
    """A line a measure, one of bands, and one of the two kinds of noise."""
    lines = []
    for measure in (measure for measure in MEASURES if measure in levels_of(facts)):
        found = {
            kind: [direction(block["kinds"][kind]["with_snr"][measure]) for block in facts["blocks"]]
            for kind in kinds_of(facts)
        }
        lines.append(f"- **{name_of(facts, measure)}** {_by_kind(found)}.")
    followed = [block for block in facts["blocks"] if next(iter(block["kinds"].values()))["follows"]]
    at = f"at {lowest_snr(facts):g} dB"
    for measure in FOLLOWED if followed else ():
        if measure in levels_of(facts):
            own = {
                kind: [_following(block["kinds"][kind]["follows"], measure) for block in facts["blocks"]]
                for kind in kinds_of(facts)
            }
            lines.append(f"- Does **{name_of(facts, measure)}** follow the noise's own bands, {at}? {_by_kind(own)}.")
    if facts["blocks"][0]["difference"]:
        of, minus = facts["blocks"][0]["difference"]["kinds"]
        told = [
            f"block {number} {interval(block['difference']['alpha'], 3)}"
            for number, block in enumerate(facts["blocks"], 1)
        ]
        lines.append(f"- **{name_of(facts, 'alpha')}** in {of} less that in {minus}, {at}: {', '.join(told)}.")
    return "\n".join(lines)


def _by_kind(found: Mapping[str, Sequence[str]]) -> str:
    """What is said of each block, by kind -> "street: rises with noise in blocks 1 and 2; machinery: ..."."""
    told = []
    for kind, of_blocks in found.items():
        ways: dict[str, list[str]] = {}
        for number, way in enumerate(of_blocks, 1):
            ways.setdefault(way, []).append(str(number))
        told.append(f"{kind}: " + ", ".join(f"{way} in {_blocks(blocks)}" for way, blocks in ways.items()))
    return "; ".join(told)


def _blocks(numbers: Sequence[str]) -> str:
    if len(numbers) == 1:
        return f"block {numbers[0]}"
    return f"blocks {', '.join(numbers[:-1])} and {numbers[-1]}"


def _following(follows: Mapping[str, Any] | None, measure: str) -> str:
    if follows is None:
        return "not asked"
    _, low, high = follows[measure]["own"][-1]
    if low is None or high is None or low <= 0 <= high:
        return "no"
    return "yes" if low > 0 else "the other way"


def kinds_of(facts: Mapping[str, Any]) -> list[str]:
    return list(facts["trials"])


def name_of(facts: Mapping[str, Any], measure: str) -> str:
    """What a measure is called in tables and pictures: an alpha that multiplies x is a gate."""
    return str(facts["model"]["name"]) if measure == "alpha" else NAMES.get(measure, measure)


def levels_of(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    levels: Mapping[str, Any] = next(iter(facts["blocks"][0]["kinds"].values()))["levels"]
    return levels


def direction(correlation: Bounds) -> str:
    """Of a rank correlation with the SNR: below zero it rises with the noise; unclear where the interval holds zero."""
    _, low, high = correlation
    if low is None or high is None or low <= 0 <= high:
        return UNCLEAR
    return FALLS if low > 0 else RISES


def lowest_snr(facts: Mapping[str, Any]) -> float:
    return min(snr for snr in facts["snr_db"] if snr is not None)


def interval(bounds: Bounds, digits: int = 2) -> str:
    mean, low, high = bounds
    inside = NO_VALUE if low is None else f"{low:+.{digits}f}, {high:+.{digits}f}"
    return f"{mean:+.{digits}f} [{inside}]"
