"""MkDocs hook: the site shows the repository's own pages where they lie, so that nothing is written twice and their
links to each other hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "*.md",
    "docs/*.md",
    "data/*.md",
    "recipes/*.md",
    "recipes/*/*.md",
    "recipes/*/results/**/*.md",
    "drsn_audio/pretrained/*.md",
)
LINKED = (
    "LICENSE",
    "docs/*.css",
    "recipes/*/results/**/*.png",
    "recipes/*/results/**/*.json",
    "recipes/*/results/**/*.jsonl",
    "drsn_audio/**/*.py",
    "recipes/*/*.py",
)


def on_files(files: Files, config: Any) -> Files:
    """All of the repository that a page is or links to, by its path there; docs/ itself is one folder of it."""
    found = {path for pattern in (*PAGES, *LINKED) for path in ROOT.glob(pattern) if path.is_file()}
    shown = Files([file for file in files if not (ROOT / "docs" / file.src_uri).is_file()])  # the theme's own
    for path in sorted(found):
        shown.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return shown
