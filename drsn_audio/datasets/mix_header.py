"""mix.json beside a manifest of mixes: how they were made, for people, and for who makes them again."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from drsn_audio._version import __version__
from drsn_audio.datasets.mix_outputs import put
from drsn_audio.errors import InputError

# Of the draws and of what a manifest says. 2: the means of noises are taken off, and the draw is `draw_noise`. Sets of
# each version are made again as they were, from what their manifests say; they are not taken up with another's draws.
MIX_VERSION = 2
PACKAGES = ("numpy", "scipy", "soxr", "soundfile", "torch", "lhotse", "pyroomacoustics")


def versions() -> dict[str, str]:
    """Of all that has a part in the bytes of a mix; what is not installed is left out."""
    import soundfile

    found = {"drsn-audio": __version__, "python": platform.python_version()}
    found["libsndfile"] = soundfile.__libsndfile_version__
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu_family() -> dict[str, str]:
    """What may change the last bit of a sum: the instruction set, and the family of the processor where Linux tells."""
    found = {"machine": platform.machine()}
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.exists() else []
    for line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in ("vendor_id", "cpu family"):
            found.setdefault(key.replace("_id", "").replace("cpu ", ""), value)
    return found


def header_of(manifest: Path) -> Path:
    """OUT/mix.jsonl.gz -> OUT/mix.json; noisy.mix.jsonl.gz -> noisy.mix.json."""
    return manifest.with_name(manifest.name.removesuffix(".gz").removesuffix(".jsonl") + ".json")


def write_header(path: Path, facts: dict[str, Any]) -> None:
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    put(path, f"{text}\n".encode("utf-8", "backslashreplace"))  # a file name that is not UTF-8: as JSON escapes it


def read_header(path: Path) -> dict[str, Any]:
    """{} where there is none.

    Raises:
        InputError: not the JSON object that is wanted.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no object")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable ({error}): restore it, or delete it") from None
    return found


def differences(old: dict[str, Any], new: dict[str, Any], name: str = "") -> list[str]:
    """Values that differ, by their dotted names: "options.seed was 0, is 1"."""
    found = []
    for key in dict.fromkeys([*old, *new]):
        was, now = old.get(key), new.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            found += differences(was, now, f"{name}{key}.")
        elif was != now:
            found.append(f"{name}{key} was {_short(was)}, is {_short(now)}")
    return found


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
