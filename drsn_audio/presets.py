"""Encoders by name and size."""

from __future__ import annotations

from typing import Any


def _drsn(width: int, blocks: list[int]) -> dict[str, Any]:
    return {"encoder": "drsn", "width": width, "blocks": blocks, "shrinkage": "cw-frequency", "gate_reduction": 1}


def _keyword(width: int) -> dict[str, Any]:
    return _drsn(width, [1, 1]) | {"mixer_width": 3 * width, "mixer": [1, 2, 4], "gate_reduction": 4}


def _ctc(width: int, blocks: list[int], mixer_width: int, mixer: list[int]) -> dict[str, Any]:
    return _drsn(width, blocks) | {"time_reduction": 4, "mixer_width": mixer_width, "mixer": mixer}


def _bc_resnet(width: int) -> dict[str, Any]:
    return {"encoder": "bc-resnet", "width": width, "blocks": [2, 2, 4, 4], "shrinkage": "", "gate_reduction": 1}


# name -> encoder and its size. Parameters with 12 labels stand in the recipe's README.
PRESETS: dict[str, dict[str, Any]] = {
    "10k": _drsn(5, [1, 1, 1]),
    "30k": _drsn(9, [1, 1, 1]),
    "100k": _drsn(17, [1, 1, 1]),
    "300k": _drsn(21, [1, 1, 2]),
    "1m": _drsn(30, [1, 2, 3]),
    # the same with less in two dimensions and more in time
    "keyword-10k": _keyword(5),
    "keyword-30k": _keyword(10),
    "keyword-100k": _keyword(18),
    "keyword-300k": _keyword(31),
    # for transcription: those with 29 units stand in recipes/librispeech
    "ctc-500k": _ctc(15, [1, 1, 1], 112, [1, 2, 4, 8]),
    "ctc-1m": _ctc(21, [1, 1, 1], 160, [1, 2, 4, 8]),
    "ctc-3m": _ctc(32, [1, 1, 2], 208, [1, 2, 4, 8, 1, 2]),
    "ctc-10m": _ctc(48, [1, 2, 2], 384, [1, 2, 4, 8, 1, 2, 4]),
    "ctc-30m": _ctc(64, [1, 2, 3], 640, [1, 2, 4, 8, 1, 2, 4, 8]),
    # of arXiv:2106.04140 (but for 4, by the same rule): the number is tau, the width 8 tau
    **{f"bc-resnet-{tau:g}": _bc_resnet(round(8 * tau)) for tau in (1, 1.5, 2, 3, 4, 6, 8)},
}
