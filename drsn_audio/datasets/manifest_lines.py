"""Manifests line by line, as they stand in the file: nothing is held of what was read."""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drsn_audio.errors import InputError

BUFFER = 1 << 20
UNREADABLE = (OSError, EOFError, zlib.error, ValueError, AttributeError, KeyError, TypeError)


class ManifestError(InputError):
    """A manifest that cannot be used. The message is one line."""


def scan_cuts(path: str | Path) -> Iterator[dict[str, Any]]:
    """Cuts of one manifest as they stand there, one by one; memory does not grow with the manifest.

    A relative path of audio is one below the manifest's folder, if a file is there, so that a folder of both can be
    moved; else it is left as it is, relative to where one stands.

    Raises:
        ManifestError: as read_cuts, except for ids that are there twice.
    """
    return (cut for _, cut in scan_lines(path))


def scan_lines(path: str | Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """`scan_cuts`, and before each cut the line of JSON that says the same."""
    if not Path(path).is_file():
        raise ManifestError(f"{path}: no such manifest: make it with drsn-audio prepare")
    empty, folder = True, os.path.dirname(path)
    try:
        opened: Any = gzip.open if str(path).lower().endswith(".gz") else open
        with opened(path, "rb") as file:
            for line in io.BufferedReader(file, BUFFER):  # gzip's own lines take four times as long
                cut = json.loads(line.decode("utf-8"))
                if not str(cut.get("type", "")).endswith("Cut"):
                    continue  # a manifest of recordings or supervisions
                empty = False
                yield (_dumped(cut) if _find_beside(cut, folder) else line), cut
    except UNREADABLE as error:
        raise unreadable(path, error) from None
    if empty:
        raise ManifestError(f"{path}: holds no cuts: it must be a Lhotse manifest of cuts")


def unreadable(path: str | Path, error: Exception) -> ManifestError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ManifestError(f"{path}: not a readable manifest ({reason}): make it with drsn-audio prepare")


def _find_beside(cut: dict[str, Any], folder: str) -> bool:
    """Make relative paths of audio below the manifest's folder absolute; whether there was one."""
    changed = False
    parts = [cut, *(track["cut"] for track in cut.get("tracks", ()))]
    for source in (source for part in parts for source in (part.get("recording") or {}).get("sources", ())):
        if source["type"] == "file" and not os.path.isabs(source["source"]):
            beside = os.path.join(folder, source["source"])
            if os.path.isfile(beside):
                source["source"], changed = os.path.abspath(beside), True
    return changed


def _dumped(cut: dict[str, Any]) -> bytes:
    return json.dumps(cut).encode() + b"\n"
