"""tables.json of a comparison -> the few tables of it that pages show."""

from __future__ import annotations

from drsn_audio.reports.evidence import (
    Facts,
    accuracy_caption,
    accuracy_table,
    difference_caption,
    difference_table,
    p_value,
    pair_count,
    points,
    summary_columns,
    titles,
)
from drsn_audio.reports.table import markdown


def evidence_summary(facts: Facts) -> str:
    """Of those tables the accuracies, and the differences over all noise."""
    parts = [accuracy_caption(facts), accuracy_table(facts)]
    compared = [one for one in facts["differences"] if one["pairs"]]
    further = [one for one in facts["pairs"] if one["pairs"]]
    for title, found in ((f"`{facts['ours']}` less each other model.", compared), ("Further pairs.", further)):
        if found:
            parts += [f"{title} {difference_caption(found)}", difference_table(facts, found)]
    return "\n\n".join(parts)


def brief_differences(facts: Facts) -> str:
    """Of the differences of ours those over several SNRs."""
    names, summaries = titles(facts), summary_columns(facts)
    rows = [
        [one["to"], pair_count(one), *(points(one["columns"][column]) for column in summaries)]
        + [p_value(one["columns"][column]) for column in summaries]
        for one in facts["differences"]
        if one["pairs"]
    ]
    p_names = [f"p, {names[column]}" for column in summaries]
    return markdown([f"{facts['ours']} less", "pairs", *(names[column] for column in summaries), *p_names], rows)
