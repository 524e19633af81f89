"""A folder of shards: shards.json, and in shar/ what Lhotse Shar is made of, cuts.*.jsonl.gz and recording.*.tar.

shards.json says of each shard where its cuts and its audio lie, relative to the folder or absolute; the audio may be a
URL, or "pipe:" and a command that writes it. With an "at", that is put before the audio's names, or where it has {}:
"at": "pipe:aws s3 cp s3://bucket/corpus/{} -".
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from drsn_audio.datasets.manifest_lines import ManifestError, scan_lines

INDEX, UNFINISHED, SHAR = "shards.json", "shards.unfinished", "shar"
SCHEMA = 1
AGAIN = "run drsn-audio shard again, which makes what is missing"


class Shard(NamedTuple):
    """cuts: its manifest. audio: path, URL or pipe of its tar. bytes: of that."""

    cuts: Path
    audio: str
    utterances: int
    bytes: int


def is_shards(path: str | Path) -> bool:
    """Whether it is a folder of shards, or was to become one.

    Raises:
        ManifestError: their conversion has not come to its end.
    """
    if os.path.isfile(os.path.join(path, INDEX)):
        return True
    if os.path.isdir(os.path.join(path, UNFINISHED)):
        raise ManifestError(f"{path}: its conversion has not come to an end: run the same drsn-audio shard again")
    return False


def read_shards(folder: str | Path) -> list[Shard]:
    """The shards of a folder, each of which is there.

    Raises:
        ManifestError: shards.json is damaged; a file on this disk is missing, or no longer what it was.
    """
    path, folder = Path(folder) / INDEX, Path(folder).absolute()
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["schema"] != SCHEMA:
            raise ManifestError(f"{path}: is of schema {index['schema']!r}, not {SCHEMA}: make the shards again")
        at = index.get("at", "")
        shards = [
            Shard(folder / one["cuts"], _place(folder, at, one["recording"]), int(one["utterances"]), int(one["bytes"]))
            for one in index["shards"]
            if one["utterances"]  # of others no audio could be used
        ]
    except ManifestError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise ManifestError(f"{path}: not readable ({reason}): restore it, or make the shards again") from None
    if not shards:
        raise ManifestError(f"{path}: names no shards: convert a manifest that holds speech")
    for shard in shards:
        _check(shard)
    return shards


def shard_lines(shard: Shard) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """As `scan_lines`, of a shard: each cut names the shard's audio as that in which it lies.

    Raises:
        ManifestError: as scan_lines; or there are more or fewer than shards.json says.
    """
    filled, count = b'"source": ' + json.dumps(shard.audio).encode(), 0
    for line, cut in scan_lines(shard.cuts):
        for source in (cut.get("recording") or {}).get("sources", ()):
            if source["type"] == "shar":
                source["source"] = shard.audio
        once = line.count(b'"source": ""') == 1
        yield line.replace(b'"source": ""', filled) if once else json.dumps(cut).encode() + b"\n", cut
        count += 1
    if count != shard.utterances:
        raise ManifestError(f"{shard.cuts}: holds {count} utterances, not {shard.utterances} as {INDEX} says: {AGAIN}")


def is_local(place: str) -> bool:
    """Whether audio lies in a file here, not behind a URL or a command."""
    return not re.match(r"pipe:|[a-zA-Z][a-zA-Z0-9+.-]+://", place)


def _place(folder: Path, at: str, name: str) -> str:
    if at:
        return at.replace("{}", name) if "{}" in at else at + name
    return str(folder / name) if is_local(name) else name


def _check(shard: Shard) -> None:
    if not shard.cuts.is_file():
        raise ManifestError(f"{shard.cuts}: no such file, though {INDEX} names it: restore it, or {AGAIN}")
    if not is_local(shard.audio):
        return
    try:
        found = os.path.getsize(shard.audio)
    except OSError as error:
        raise ManifestError(f"{shard.audio}: {INDEX} names it ({error.strerror}): restore it, or {AGAIN}") from None
    if found != shard.bytes:
        raise ManifestError(f"{shard.audio}: has {found} bytes, not {shard.bytes} as {INDEX} says: {AGAIN}")
