"""How fast a streaming model runs, and how large it is, in PyTorch and as ONNX files, in tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drsn_audio.reports.table import markdown, percent

FORMS = {"torch": "PyTorch", "float": "ONNX", "int8": "ONNX, 8 bits"}


def speed_and_size(exported: Mapping[str, Any] | None, speed: Mapping[str, Any] | None) -> str:
    """`exported`: the report of `drsn-audio export`; `speed`: see `stream_card`. What is not there is said to be so."""
    parts = []
    if exported:
        kinds = [kind for kind in FORMS if kind in exported]
        rows = [
            [
                FORMS[kind],
                f"{exported[kind]['median_ms']:.3f}",
                f"{exported[kind]['real_time_factor']:.5f}",
                *_file(exported[kind], exported["torch"]["events"]),
            ]
            for kind in kinds
        ]
        header = [
            "",
            "a block (ms)",
            "real-time factor",
            "bytes",
            "logits differ by",
            "labels alike (%)",
            "events alike",
        ]
        machine = exported["machine"]
        parts.append(
            f"One thread, its own time, without the detector, on {machine['processor']} ({machine['platform']}); a "
            "real-time factor of 0.01 is 1 % of a core. Compared with PyTorch, on "
            f"{exported['seconds']:g} s of {exported['sound']}:\n\n"
            f"{markdown(header, rows)}"
        )
    if speed:
        rows = [
            [FORMS[form], f"{ms} ms", f"{one['rtf']:.5f}", f"{one['p99_ms']:.3f}", f"{listener['memory_mb']:.0f}"]
            for form, listener in speed["listeners"].items()
            for ms, one in listener["chunks"].items()
        ]
        header = ["", "chunks", "real-time factor", "99 % of chunks within (ms)", "memory of the process (MB)"]
        parts.append(
            f"By `benchmarks/streaming.py`, on one core of {speed['machine']}, detector and chunking included:\n\n"
            f"{markdown(header, rows, 2)}"
        )
    else:
        parts.append("Memory was not measured.")
    if not exported:
        parts.append("Exported files were not measured.")
    return "\n\n".join(parts)


def _file(of: Mapping[str, Any], events: int) -> list[str]:
    if "bytes" not in of:
        return ["", "", "", f"{events} of {events}"]
    return [
        f"{of['bytes']:,}",
        f"{of['max_logit_difference']:.2g}",
        percent(of["agreement"]),
        f"{of['equal_events']} of {events}",
    ]
