"""What a recogniser wrote, from the facts of `drsn_audio.evaluation.transcription`: tables and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from drsn_audio.errors import InputError
from drsn_audio.reports.run import CLEAN, LEVELS, MEAN, describe, describe_snr
from drsn_audio.reports.table import NO_VALUE, markdown, percent
from drsn_audio.reports.transcription_plot import plot_word_errors

Facts = Mapping[str, Any]
Rows = tuple[list[str], list[list[str]], int]  # header, rows, how many columns hold names
MOST = 8  # lines of confused words


def write_transcription_report(facts: Facts, folder: str | Path) -> list[Path]:
    """run.json, table.md and, where there are SNRs, wer.png in `folder`; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "run.json", folder / "table.md"]
    paths[0].write_text(json.dumps(facts, indent=1) + "\n")
    paths[1].write_text(transcription_markdown(facts))
    if _snrs_db([facts]):
        paths.append(folder / "wer.png")
        plot_word_errors([facts], paths[-1])
    return paths


def transcription_markdown(facts: Facts) -> str:
    """All tables, under a line that names command and data.

    Raises:
        InputError: facts of something else than transcription.
    """
    sections = [f"{title}\n\n{markdown(*rows)}" for title, rows in tables(facts).values()]
    return "\n\n".join([f"{_measure(facts)} {facts['model']['name']}: {source(facts)}", *sections]) + "\n"


def transcription_terminal(facts: Facts) -> Group:
    """The same for rich.print, error rates turned, so that they fit 80 columns."""
    shown = []
    for name, (title, (header, rows, names)) in tables(facts).items():
        if name in ("wer", "cer"):
            header, *rows = [list(line) for line in zip(header, *rows, strict=True)]
        table = Table(title=Text(title), title_justify="left")
        for number, heading in enumerate(header):
            table.add_column(Text(heading), justify="left" if number < names else "right", no_wrap=number < names)
        for row in rows:
            table.add_row(*map(Text, row))
        shown.append(table)
    caption = f"{_measure(facts)} {source(facts)}".replace("`", "")
    return Group(Text(facts["model"]["name"], style="bold"), *shown, Text(caption))


def tables(facts: Facts) -> dict[str, tuple[str, Rows]]:
    """A title and rows of "wer", "cer", "details" and, where there was an error, "confused"."""
    _check(facts)
    at = _shown_condition(facts)
    found = {
        "wer": ("Word error rate in %.", _rates([facts], "wer", "low", "high")),
        "cer": ("Character error rate in %.", _rates([facts], "cer", "cer_low", "cer_high")),
        "details": ("Errors of words, and utterances without an error, in %.", _details(facts["conditions"])),
        "confused": (f"Words most often wrong, {describe(at['noise_kind'], at['snr_db'])}.", confused(at)),
    }
    return {name: table for name, table in found.items() if table[1][1]}


def comparison(runs: Sequence[Facts]) -> str:
    """Word error rates of several recognisers side by side, and a line for each: markdown.

    Raises:
        InputError: no runs, facts of something else, or SNRs that were set by different level methods.
    """
    if not runs:
        raise InputError("no runs to compare: give one run.json at least")
    for facts in runs:
        _check(facts)
        if facts["level"] != runs[0]["level"]:
            raise InputError("SNRs are set by p56 in one run and by rms in another: evaluate both with one --level")
    lines = [f"- {facts['model']['name']}: {source(facts)}" for facts in runs]
    return "\n".join([_measure(runs[0]), "", markdown(*_rates(runs, "wer", "low", "high")), "", *lines]) + "\n"


def differences(facts: Facts) -> str:
    """Of a model that was evaluated beside another recogniser: its word error rates less the other's, markdown."""
    cells = {
        (one["noise_kind"], one["snr_db"]): _share(one["difference"], one["low"], one["high"])
        for one in facts["differences"]
    }
    return markdown(*_grid([(facts["model"]["name"], cells)]))


def confused(condition: Facts, most: int = MOST) -> Rows:
    """The most frequent of all errors of a condition; a word that was left out has nothing written in its place."""
    found = [
        (one.get("said", ""), one.get("written", ""), one["times"], one.get("of"))
        for kind in ("substituted", "deleted", "inserted")
        for one in condition["confused"][kind]
    ]
    found.sort(key=lambda one: -one[2])
    rows = [
        [said or "(nothing)", written or "(nothing)", str(times), percent(times / of) if of else ""]
        for said, written, times, of in found[:most]
    ]
    return ["said", "written", "times", "% of said"], rows, 2


def source(facts: Facts) -> str:
    """Size, decoder, data, command, commit and seed."""
    model, data = facts["model"], facts["data"]
    size = f"{model['parameters']:,} parameters; " if model.get("parameters") else ""
    decoder = dict(model["decoder"])
    settings = ", ".join(
        f"{key} {value}" for key, value in decoder.items() if key != "kind" and value not in ("", None, {})
    )
    how = f"{decoder['kind']}{f' ({settings})' if settings else ''}"
    recordings = "; ".join(
        f"{noise['recordings']} recordings of `{noise['manifest']}` (sha256 {noise['sha256'][:12]}"
        + (f", folds {', '.join(map(str, noise['folds']))})" if noise.get("folds") else ")")
        for noise in data["noise"]
    )
    draws = f"{facts['draws']} noise draws each from {recordings}" if recordings else "no noise"
    skipped = sum(fault["utterances"] for fault in data["left_out"])
    faults = ", ".join(f"{fault['utterances']} {fault['fault']}" for fault in data["left_out"])
    return (
        f"{size}decoder {how}; {data['utterances']} utterances, {data['words']} words, of {data['speakers']} speakers "
        f"of `{data['manifest']}` (sha256 {'+'.join(part[:12] for part in data['sha256'].split('+'))})"
        + (f", {skipped} left out ({faults})" if skipped else "")
        + f", {draws}; `{facts['command']}`, commit {facts['commit'] or 'unknown'}, seed {facts['seed']}."
    )


def _rates(runs: Sequence[Facts], *keys: str) -> Rows:
    """`keys`: of a rate and its bounds."""
    return _grid(
        [
            (
                facts["model"]["name"],
                {(c["noise_kind"], c["snr_db"]): _share(*(c[key] for key in keys)) for c in facts["conditions"]},
            )
            for facts in runs
        ]
    )


def _grid(named: Sequence[tuple[str, Mapping[tuple[str, float | None], str]]]) -> Rows:
    """Cells by noise kind and SNR of one recogniser or several, clean in every row."""
    keys = list(dict.fromkeys(key for _, cells in named for key in cells))
    snrs_db = sorted({snr_db for _, snr_db in keys if snr_db is not None}, reverse=True)
    columns: list[float | None] = [None, *snrs_db] if (CLEAN, None) in keys else list(snrs_db)
    kinds = list(dict.fromkeys(kind for kind, snr_db in keys if snr_db is not None)) or [CLEAN]
    rows = [
        [kind, *([name] if len(named) > 1 else [])]
        + [cells.get((CLEAN if snr_db is None else kind, snr_db), NO_VALUE) for snr_db in columns]
        for kind in sorted(kinds, key=lambda kind: kind == MEAN)
        for name, cells in named
    ]
    names = ["noise", "model"] if len(named) > 1 else ["noise"]
    return [*names, *map(describe_snr, columns)], rows, len(names)


def _details(conditions: Sequence[Facts]) -> Rows:
    header = ["noise", "subst.", "del.", "ins.", "words", "exact", "utterances"]
    rows = [
        [
            describe(one["noise_kind"], one["snr_db"]),
            *(percent(one[key] / one["words"]) for key in ("substitutions", "deletions", "insertions")),
            str(one["words"]),
            percent(one["exact"] / one["trials"]),
            str(one["trials"]),
        ]
        for one in conditions
    ]
    return header, rows, 1


def _shown_condition(facts: Facts) -> Facts:
    """Of which words are shown: all noise kinds at the lowest SNR of 0 dB and above; clean where nothing was mixed."""
    conditions, snrs_db = facts["conditions"], _snrs_db([facts])
    snr_db = min((snr for snr in snrs_db if snr >= 0), default=max(snrs_db, default=None))
    return next(one for one in reversed(conditions) if one["snr_db"] == snr_db)


def _snrs_db(runs: Sequence[Facts]) -> list[float]:
    return sorted({one["snr_db"] for facts in runs for one in facts["conditions"]} - {None})


def _share(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None:
        return NO_VALUE
    return f"{percent(mean)} [{NO_VALUE if low is None or high is None else f'{percent(low)}, {percent(high)}'}]"


def _measure(facts: Facts) -> str:
    several = any(one["noise_kind"] == MEAN for one in facts["conditions"])
    return (
        "Error rates in % of the words or characters that were said [95 % interval over speakers and noise "
        f"recordings]; SNR by the {LEVELS[facts['level']]} of the speech."
        + (" The mean weighs all noise kinds the same." if several else "")
    )


def _check(facts: Facts) -> None:
    if facts.get("kind") != "transcription" or facts.get("schema") != 1:
        raise InputError("run.json: not of a transcription, or of another version: evaluate again")
