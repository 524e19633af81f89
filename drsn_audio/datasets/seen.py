"""Which names have been met before, in eight bytes a name."""

from __future__ import annotations

import hashlib

import numpy as np

RECENT = 1 << 14  # names held as Python integers, before they are sorted into the array


class Seen:
    """Names by their 64-bit hashes: among ten million, two have one hash with a probability of 3e-6."""

    def __init__(self) -> None:
        self._sorted = np.zeros(0, np.uint64)
        self._recent: set[int] = set()

    def __contains__(self, name: str) -> bool:
        key = _key(name)
        if key in self._recent:
            return True
        at = int(self._sorted.searchsorted(np.uint64(key)))
        return at < len(self._sorted) and int(self._sorted[at]) == key

    def add(self, name: str) -> bool:
        """Whether the name is new."""
        if name in self:
            return False
        self._recent.add(_key(name))
        if len(self._recent) >= RECENT:
            recent = np.fromiter(self._recent, np.uint64, len(self._recent))
            self._sorted = np.sort(np.concatenate([self._sorted, recent]))
            self._recent.clear()
        return True


def _key(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")
