"""Where a number comes from: command, commit, versions."""

from __future__ import annotations

import platform
import shlex
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from drsn_audio._version import __version__


def provenance() -> dict[str, Any]:
    """What every published number names beside its seed and data."""
    return {
        "command": command_line(),
        "commit": commit(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {"drsn-audio": __version__}
        | {name: version(name) for name in ("torch", "torchaudio", "numpy", "lhotse", "soxr")},
        "machine": {"platform": platform.platform(), "processor": platform.machine()},
    }


def command_line() -> str:
    """As a reader would type it, from the repository's root."""
    arguments = sys.argv[1:]
    program = Path(sys.argv[0])
    here = Path(__file__).resolve().parents[2]
    if program.name == "__main__.py" and program.parent.name == "drsn_audio":  # python -m drsn_audio
        return shlex.join(["drsn-audio", *arguments])
    if program.suffix != ".py":
        return shlex.join([program.name, *arguments])
    resolved = program.resolve()
    shown = resolved.relative_to(here) if resolved.is_relative_to(here) else program.name
    return shlex.join(["python", str(shown), *arguments])


def commit() -> str:
    """Commit of the source tree, with "-dirty" where it was changed; "" outside a checkout or without git."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists() or not shutil.which("git"):
        return ""
    described = subprocess.run(
        ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip()
