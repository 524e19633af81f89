"""What the pages show is what the committed tables say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from drsn_audio.reports.embed import embedded
from drsn_audio.reports.evidence_page import brief_differences, evidence_summary

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "recipes" / "keywords"
DIFFERENCE = re.compile(r"([+-]?\d+\.\d)(?: points)? \[([+-]?\d+\.\d), ([+-]?\d+\.\d)\]")


@pytest.mark.parametrize("folder", ["context", "evidence"])
def test_the_page_has_the_tables_of_the_results(folder):
    facts = json.loads((RECIPE / "results" / folder / "tables.json").read_text())
    assert embedded(RECIPE / "RESULTS.md", folder) == evidence_summary(facts)


@pytest.mark.parametrize(
    ("page", "folder"),
    [
        ("docs/evidence.md", "context"),
        ("recipes/keywords/RESULTS.md", "street-to-machinery"),
        ("recipes/keywords/RESULTS.md", "machinery-to-street"),
        ("recipes/keywords/RESULTS.md", "synthesised-to-real"),
        ("recipes/keywords/RESULTS.md", "causal-folds"),
    ],
)
def test_the_page_has_the_differences_of_the_results(page, folder):
    facts = json.loads((RECIPE / "results" / folder / "tables.json").read_text())
    assert embedded(ROOT / page, f"{folder}-differences") == brief_differences(facts)


@pytest.mark.parametrize("page", ["README.md", "docs/evidence.md", "recipes/keywords/RESULTS.md"])
def test_a_difference_in_the_prose_is_one_of_the_results(page):
    measured = {tuple(figures) for path in (RECIPE / "results").rglob("*.json") for figures in _intervals(path)}
    prose = [line for line in (ROOT / page).read_text().splitlines() if not line.startswith("|")]
    quoted = DIFFERENCE.findall(" ".join(" ".join(prose).split()))
    assert quoted
    assert [figures for figures in quoted if tuple(map(_plain, figures)) not in measured] == []


def _intervals(path: Path) -> Iterator[list[str]]:
    """Of every mean with its interval in a JSON file: the three in points, as they are and from the other side."""
    waiting = [json.loads(path.read_text())]
    while waiting:
        facts = waiting.pop()
        if isinstance(facts, dict):
            waiting += facts.values()
            figures = [facts.get(key) for key in ("mean", "low", "high")]
            if all(isinstance(figure, float) for figure in figures):
                mean, low, high = figures
                yield [_plain(f"{100 * x:.1f}") for x in (mean, low, high)]
                yield [_plain(f"{-100 * x:.1f}") for x in (mean, high, low)]
        elif isinstance(facts, list):
            waiting += facts


def _plain(figure: str) -> str:
    return figure.lstrip("+").replace("-0.0", "0.0")
