"""Windows that overlap: which can be put together again, and what that costs in time."""

from __future__ import annotations


def delay(bins: int, hop: int) -> int:
    """Samples by which a wave comes later out of windows of 2 (bins - 1): what a window has beyond a hop.

    Raises:
        ValueError: a window that is no even multiple of the hop, whose overlapping squares would not sum to a constant.
    """
    size = 2 * (bins - 1)
    if size < 2 * hop or size % (2 * hop):
        raise ValueError(f"a window of {size} samples every {hop}: give a window of 2, 4, 6... hops")
    return size - hop
