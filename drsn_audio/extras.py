"""How to install the optional libraries of an extra, whatever this package was installed from."""

from __future__ import annotations

import json
import shlex
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "drsn-audio"


def install_command(extra: str) -> str:
    """The pip command that installs an extra, e.g. "mic": `pip install 'drsn-audio[mic]'`.

    That finds the package only where it came from an index. From a checkout, an editable install or one of a folder,
    a file or a repository, the command names that place.
    """
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install -e {shlex.quote(f'{checkout}[{extra}]')}"
    origin = _origin()
    url = str(origin.get("url", ""))
    if not url:
        return f"pip install '{NAME}[{extra}]'"
    if url.startswith("file:"):
        place = Path(url2pathname(urlsplit(url).path))
        if not place.exists():
            return f"pip install '{NAME}[{extra}]'"
        if place.is_dir():
            editable = "-e " if (origin.get("dir_info") or {}).get("editable") else ""
            return f"pip install {editable}{shlex.quote(f'{place}[{extra}]')}"
    elif isinstance(origin.get("vcs_info"), dict):
        url = f"{origin['vcs_info'].get('vcs', 'git')}+{url}"
    return f"pip install {shlex.quote(f'{NAME}[{extra}] @ {url}')}"


def _origin() -> dict:
    """direct_url.json of the installed package (PEP 610); empty of one from an index, or not installed."""
    try:
        found = json.loads(metadata.distribution(NAME).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
