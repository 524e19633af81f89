"""Which trials a recogniser got right, small enough to keep of every run: differences to others then need no weights.

answers.json of a run folder:
{"schema": 1, "level", "draws", "seed",
 "conditions": [{"noise_kind", "snr_db": null where clean, "list": number of its list of trials, "trials": n,
                 "accuracy", "correct": a bit a trial}],
 "asked": {"sha256", "labels": [K], "speakers", "noise_sources", "words": names,
           "lists": [{"speakers", "noise_sources", "words": numbers of names, "targets": numbers of labels}]}}

Bits and numbers are packed, deflated and in base64. "asked" is the same for all models that are put to one test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from drsn_audio.evaluation.keyword import Trials

SCHEMA = 1
NAMED = ("speakers", "noise_sources", "words")


@dataclass(frozen=True)
class TrialList:
    """Who spoke and which noise recording was mixed in; str [n] each."""

    speakers: np.ndarray
    noise_sources: np.ndarray


def describe_answers(trials: Sequence[Trials], labels: Sequence[str]) -> dict[str, Any]:
    """Trials -> "conditions" and "asked" of answers.json. Conditions with the same trials share a list."""
    names = {key: sorted({str(name) for one in trials for name in getattr(one, key)}) for key in NAMED}
    number = {key: {name: place for place, name in enumerate(of_key)} for key, of_key in names.items()}
    lists: list[dict[str, np.ndarray]] = []
    conditions = []
    for one in trials:
        numbers = {key: np.array([number[key][str(name)] for name in getattr(one, key)]) for key in NAMED}
        numbers["targets"] = np.asarray(one.targets)
        same = (k for k, other in enumerate(lists) if all(np.array_equal(other[key], numbers[key]) for key in numbers))
        place = next(same, len(lists))
        if place == len(lists):
            lists.append(numbers)
        conditions.append(
            {
                "noise_kind": one.noise_kind,
                "snr_db": one.snr_db,
                "list": place,
                "trials": len(one.targets),
                "accuracy": one.accuracy,
                "correct": pack_bits(one.correct),
            }
        )
    whole = {"labels": list(labels), **names}
    plain = {**whole, "lists": [{key: values.tolist() for key, values in one.items()} for one in lists]}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    packed = [{key: pack_numbers(values) for key, values in one.items()} for one in lists]
    return {"conditions": conditions, "asked": {"sha256": digest, **whole, "lists": packed}}


def read_lists(asked: Mapping[str, Any]) -> list[TrialList]:
    """ "asked" of answers.json -> its lists of trials."""
    found = []
    for packed in asked["lists"]:
        who, what = (
            np.array(asked[key], dtype=np.str_)[unpack_numbers(packed[key])] for key in ("speakers", "noise_sources")
        )
        found.append(TrialList(who, what))
    return found


def pack_bits(correct: np.ndarray) -> str:
    """bool [n] -> text."""
    return _pack(np.packbits(correct.astype(bool)).tobytes())


def unpack_bits(text: str, count: int) -> np.ndarray:
    """The bool [count] that `pack_bits` was given.

    Raises:
        ValueError: fewer bits, or other text.
    """
    bits = np.frombuffer(_unpack(text), dtype=np.uint8)
    if bits.size != -(-count // 8):
        raise ValueError(f"{bits.size} bytes of bits for {count} trials")
    return np.unpackbits(bits, count=count).astype(bool)


def pack_numbers(numbers: np.ndarray) -> str:
    """int [n], 0 to 2^32 - 1 -> text."""
    return _pack(np.asarray(numbers).astype("<u4").tobytes())


def unpack_numbers(text: str) -> np.ndarray:
    return np.frombuffer(_unpack(text), dtype="<u4").astype(np.int64)


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _unpack(text: str) -> bytes:
    try:
        return zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(str(error)) from None
