"""What a recogniser does on long streams, from the facts of `drsn_audio.evaluation.streams`: tables and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from drsn_audio.metrics.streaming import Det, det_curve
from drsn_audio.reports.det import plot_det
from drsn_audio.reports.run import CLEAN, describe, describe_snr
from drsn_audio.reports.table import NO_VALUE, markdown, percent

Facts = Mapping[str, Any]
Rows = tuple[list[str], list[list[str]], int]  # header, rows, how many columns hold names
MOST_COLUMNS = 6  # of a terminal's table
MOST_LINES = 6  # of a picture; of more conditions the means over noise kinds are drawn


def write_streams_report(facts: Facts, folder: str | Path) -> list[Path]:
    """run.json, table.md and, where thresholds were swept, det.png in `folder`; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "run.json", folder / "table.md"]
    paths[0].write_text(json.dumps(facts, indent=1) + "\n")
    paths[1].write_text(streams_markdown(facts))
    if facts["det"] and facts["det"]["conditions"]:
        paths.append(folder / "det.png")
        plot_det(det_curves(facts), paths[-1], facts["model"]["name"])
    return paths


def streams_markdown(facts: Facts) -> str:
    """All tables, under a line that names command and data."""
    sections = [f"{title}\n\n{markdown(*rows)}" for title, rows in tables(facts).values()]
    return "\n\n".join([f"{facts['model']['name']}: {source(facts)}", *sections]) + "\n"


def streams_terminal(facts: Facts) -> Group:
    """The same for rich.print, in 80 columns for two kinds of noise."""
    shown = []
    for title, (header, rows, names) in tables(facts).values():
        if len(header) > MOST_COLUMNS:  # of SNRs: turned, they fit a terminal
            header, *rows = [list(line) for line in zip(header, *rows, strict=True)]
        table = Table(title=Text(title), title_justify="left")
        for number, name in enumerate(header):
            table.add_column(Text(name), justify="left" if number < names else "right", no_wrap=number < names)
        for row in rows:
            table.add_row(*map(Text, row))
        shown.append(table)
    return Group(Text(facts["model"]["name"], style="bold"), *shown, Text(source(facts).replace("`", "")))


def det_curves(facts: Facts) -> dict[str, Det]:
    """A curve for each condition; where those are many, for each SNR, all noise kinds together."""
    det = facts["det"]
    conditions = [one for one in det["conditions"] if one["keywords"]]
    by_snr = len(conditions) > MOST_LINES
    groups: dict[str, list[Facts]] = {}
    for one in conditions:
        name = describe_snr(one["snr_db"]) if by_snr else describe(one["noise_kind"], one["snr_db"])
        groups.setdefault(name, []).append(one)
    return {
        name: det_curve(
            det["shifts"],
            det["false_alarms"],
            det["hours"],
            [sum(counts) for counts in zip(*(one["misses"] for one in group), strict=True)],
            sum(one["keywords"] for one in group),
        )
        for name, group in groups.items()
    }


def tables(facts: Facts) -> dict[str, tuple[str, Rows]]:
    """Those that the facts allow: a title and rows of "accuracy", "details", "keyword_free" and "points"."""
    found = {}
    if facts["conditions"]:
        title = (
            f"Keywords heard within {facts['tolerance_s']:g} s of their end, in % [95 % interval over speakers and "
            "noise recordings]; SNR by the active level (ITU-T P.56) of each word."
        )
        found["accuracy"] = title, _accuracy(facts["conditions"])
        found["details"] = "The same streams in detail.", _details(facts["conditions"])
    if facts["keyword_free"]:
        hours = facts["keyword_free"][0]["hours"]
        title = (
            "False alarms where no keyword is said [95 %, Poisson, as if each hour were of other sound]; "
            f"{hours:.2f} h claim no rate below {3 / hours:.2g} an hour."
        )
        found["keyword_free"] = title, _keyword_free(facts["keyword_free"])
    if any(point["conditions"] for point in facts["points"]):
        title = "Keywords missed, in % [95 %], with all thresholds shifted together to so many false alarms an hour."
        found["points"] = title, _points(facts["points"])
    return found


def _accuracy(conditions: Sequence[Facts]) -> Rows:
    cells = {(one["noise_kind"], one["snr_db"]): _share(one["accuracy"], one["low"], one["high"]) for one in conditions}
    snrs_db = sorted({snr_db for _, snr_db in cells if snr_db is not None}, reverse=True)
    columns = [None, *snrs_db] if (CLEAN, None) in cells else snrs_db
    kinds = list(dict.fromkeys(kind for kind, snr_db in cells if snr_db is not None)) or [CLEAN]
    rows = [
        [kind, *(cells.get((CLEAN if snr_db is None else kind, snr_db), NO_VALUE) for snr_db in columns)]
        for kind in kinds
    ]
    return ["noise", *map(describe_snr, columns)], rows, 1


def _details(conditions: Sequence[Facts]) -> Rows:
    header = ["noise", "missed", "false alarms", "an hour", "median latency (s)", "95 % within (s)"]
    rows = [
        [
            describe(one["noise_kind"], one["snr_db"]),
            f"{one['misses']}/{one['keywords']}",
            str(one["false_alarms"]),
            f"{one['false_alarms_per_hour']:.1f}",
            *(NO_VALUE if one[key] is None else f"{one[key]:.2f}" for key in ("latency_median_s", "latency_p95_s")),
        ]
        for one in conditions
        if "hours" in one
    ]
    return header, rows, 1


def _keyword_free(groups: Sequence[Facts]) -> Rows:
    rows = [
        [
            one["content"],
            one["noise_kind"] or "",
            f"{one['hours']:.2f}",
            str(one["false_alarms"]),
            NO_VALUE if one["claimed"] is None else f"{one['claimed']:.2f}",
            f"[{one['low']:.2f}, {one['high']:.2f}]",
        ]
        for one in groups
    ]
    return ["sound", "noise", "hours", "alarms", "an hour", "interval"], rows, 2


def _points(points: Sequence[Facts]) -> Rows:
    """Conditions in rows, rates in columns."""
    given = next(point["conditions"] for point in points if point["conditions"])
    rows = []
    for number, one in enumerate(given):
        cells = []
        for point in points:
            here = point["conditions"][number] if point["conditions"] else None
            cells.append(_share(here["miss_rate"], here["low"], here["high"]) if here else NO_VALUE)
        rows.append([describe(one["noise_kind"], one["snr_db"]), *cells])
    header = [
        f"at {point['wanted_per_hour']:g}/h"
        + (f" (shift {point['shift']:+g}: {point['per_hour']:.2f}/h)" if point["conditions"] else "")
        for point in points
    ]
    return ["noise", *header], rows, 1


def _share(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None:
        return NO_VALUE
    return f"{percent(mean)} [{NO_VALUE if low is None or high is None else f'{percent(low)}, {percent(high)}'}]"


def source(facts: Facts) -> str:
    """Size, data, command, commit and seed."""
    data, model = facts["data"], facts["model"]
    size = f"{model['parameters']:,} parameters; " if model.get("parameters") else ""
    return (
        f"{size}{data['hours']:.2f} h in {data['streams']} streams of {data['speakers']} speakers of "
        f"`{data['manifest']}` (sha256 {'+'.join(part[:12] for part in data['sha256'].split('+'))}); "
        f"`{facts['command']}`, commit {facts['commit'] or 'unknown'}, seed {facts['seed']}."
    )
