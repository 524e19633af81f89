"""What the pages show is what the committed tables say."""

import json
from pathlib import Path

import pytest

from drsn_audio.reports.embed import embedded
from drsn_audio.reports.evidence_page import brief_differences, evidence_summary

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "recipes" / "keywords"


@pytest.mark.parametrize("folder", ["context", "evidence"])
def test_the_page_has_the_tables_of_the_results(folder):
    facts = json.loads((RECIPE / "results" / folder / "tables.json").read_text())
    assert embedded(RECIPE / "RESULTS.md", folder) == evidence_summary(facts)


def test_the_evidence_has_the_differences_of_the_main_table():
    facts = json.loads((RECIPE / "results" / "context" / "tables.json").read_text())
    assert embedded(ROOT / "docs" / "evidence.md", "context-differences") == brief_differences(facts)
