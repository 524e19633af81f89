"""What the pages show is what the committed tables say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from drsn_audio.reports.compare import compare_tables
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
        ("recipes/keywords/RESULTS.md", "sizes"),
        ("recipes/keywords/RESULTS.md", "context-seeds"),
    ],
)
def test_the_page_has_the_differences_of_the_results(page, folder):
    facts = json.loads((RECIPE / "results" / folder / "tables.json").read_text())
    assert embedded(ROOT / page, f"{folder}-differences") == brief_differences(facts)


def test_the_page_has_the_tables_of_the_comparison_of_words():
    folder = ROOT / "recipes" / "commands"
    _, rates, _, differences, _ = compare_tables(json.loads((folder / "results/words/compare.json").read_text())).split(
        "\n\n"
    )
    assert f"\n\n{rates}\n\n" in (folder / "RESULTS.md").read_text()
    assert f"\n\n{differences}\n\n" in (folder / "RESULTS.md").read_text()


@pytest.mark.parametrize(
    "page", ["README.md", "docs/evidence.md", "recipes/keywords/RESULTS.md", "recipes/commands/RESULTS.md"]
)
def test_a_difference_in_the_prose_is_one_of_the_results_linked_beside_it(page):
    quoted, unknown = 0, []
    for prose, folders in _passages(ROOT / page):
        measured = {
            tuple(figures) for folder in folders for path in folder.rglob("*.json") for figures in _intervals(path)
        }
        found = DIFFERENCE.findall(prose)
        unknown += [(prose[:40], figures) for figures in found if tuple(map(_plain, figures)) not in measured]
        quoted += len(found)
    assert quoted
    assert unknown == []


def _passages(page: Path) -> Iterator[tuple[str, set[Path]]]:
    """Each paragraph or list item, tables left out, and the folders of results linked in it, or else in its section."""
    for section in re.split(r"^#+ ", page.read_text(), flags=re.MULTILINE):
        prose = "\n".join(line for line in section.splitlines() if not line.startswith("|"))
        for passage in re.split(r"\n\s*\n|\n(?=- |\d\. )", prose):
            yield " ".join(passage.split()), _linked(passage, page) or _linked(section, page)


def _linked(text: str, page: Path) -> set[Path]:
    targets = [(page.parent / target).resolve() for target in re.findall(r"\]\(([^)#]+)", text)]
    return {target.parent for target in targets if target.parent.parent.name == "results" and target.exists()}


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
