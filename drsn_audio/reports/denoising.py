"""What denoisers made of noisy speech, from the facts of `drsn_audio.evaluation.denoising_run`: tables and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from drsn_audio.errors import InputError
from drsn_audio.reports.denoising_plot import plot_denoising
from drsn_audio.reports.run import LEVELS, MEAN
from drsn_audio.reports.table import NO_VALUE, markdown

Facts = Mapping[str, Any]
Rows = tuple[list[str], list[list[str]]]
MEASURES = {  # of run.json -> title, digits, column of the differences and its digits
    "si_sdr_db": ("SI-SDR in dB", 1, "SI-SDR, dB", 1),
    "si_sdr_gain_db": ("SI-SDR in dB more than the noisy speech has", 1, "", 1),
    "stoi": ("STOI, 0 to 1", 3, "STOI", 4),
    "pesq": ("Wideband PESQ, 1 to 4.64", 2, "PESQ", 3),
    "dnsmos_overall": ("DNSMOS P.835, overall, 1 to 5", 2, "DNSMOS overall", 3),
    "dnsmos_signal": ("DNSMOS P.835, speech, 1 to 5", 2, "DNSMOS speech", 3),
    "dnsmos_background": ("DNSMOS P.835, background, 1 to 5", 2, "DNSMOS background", 3),
}


def write_denoising_report(facts: Facts, folder: str | Path) -> list[Path]:
    """run.json, table.md and denoising.png in `folder`; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("run.json", "table.md", "denoising.png")]
    paths[0].write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n")
    paths[1].write_text(denoising_markdown(facts))
    plot_denoising(facts, paths[2])
    return paths


def denoising_markdown(facts: Facts) -> str:
    """All tables, under a line that names command and data.

    Raises:
        InputError: facts of something else than denoising.
    """
    sections = [f"{title}\n\n{markdown(*rows)}" for title, rows in tables(facts)]
    return "\n\n".join([f"{measured(facts)} {source(facts)}", *settings(facts), *sections]) + "\n"


def denoising_terminal(facts: Facts) -> Group:
    """The same for rich.print, the tables by SNR turned, so that they fit 80 columns where there are few systems."""
    shown = []
    for title, (header, rows) in tables(facts):
        if header[0] == "system":
            header, *rows = [list(line) for line in zip(header, *rows, strict=True)]
        table = Table(title=Text(title), title_justify="left")
        for number, heading in enumerate(header):
            table.add_column(Text(heading), justify="right" if number else "left", no_wrap=not number)
        for row in rows:
            table.add_row(*map(Text, row))
        shown.append(table)
    caption = f"{measured(facts)} {source(facts)}".replace("`", "")
    return Group(Text(facts["model"]["name"], style="bold"), *shown, Text(caption))


def tables(facts: Facts) -> list[tuple[str, Rows]]:
    """A title and rows: each measure over the kinds; the differences; the edges; each measure in each kind."""
    check(facts)
    kinds = list(dict.fromkeys(one["noise_kind"] for one in facts["conditions"]))
    first, *others = sorted(kinds, key=lambda kind: kind != MEAN)
    found = [measure_table(facts, name, first) for name in MEASURES]
    found += [difference_table(facts), edge_table(facts)]
    found += [measure_table(facts, name, kind) for kind in others for name in MEASURES]
    return [(title, rows) for title, rows in found if rows[1]]


def check(facts: Facts) -> None:
    """Raises InputError for facts of something else than denoising."""
    if facts.get("kind") != "denoising" or facts.get("schema") != 1:
        raise InputError("run.json: not of denoising, or of another version: evaluate again")


def source(facts: Facts) -> str:
    """Size, data, command, commit and seed."""
    model, data = facts["model"], facts["data"]
    size = f" ({model['parameters']:,} parameters)" if model.get("parameters") else ""
    recordings = "; ".join(
        f"{noise['recordings']} recordings of `{noise['manifest']}` (sha256 {noise['sha256'][:12]}"
        + (f", folds {', '.join(map(str, noise['folds']))})" if noise.get("folds") else ")")
        for noise in data["noise"]
    )
    limits = data["limits"]
    least, most = limits["duration_s"]
    bounds = f" of {least or 0:g} to {most:g} s" if most else ""
    most_each = f", at most {limits['per_speaker']} a speaker" if limits["per_speaker"] else ""
    return (
        f"{model['name']}{size}; {data['utterances']} utterances{bounds}{most_each} of {data['speakers']} speakers of "
        f"`{data['manifest']}` (sha256 {'+'.join(part[:12] for part in data['sha256'].split('+'))}), "
        f"{facts['draws']} noise draws each from {recordings}; `{facts['command']}`, commit "
        f"{facts['commit'] or 'unknown'}, seed {facts['seed']}."
    )


def cell(value: Facts | None, digits: int, name: str = "mean") -> str:
    """A mean, or what `name` calls it, with its interval: "9.1 [8.2, 10.0]"."""
    if value is None or value[name] is None:
        return NO_VALUE
    if value["low"] is None or value["high"] is None:
        return f"{_number(value[name], digits)} [{NO_VALUE}]"
    return f"{_number(value[name], digits)} [{_number(value['low'], digits)}, {_number(value['high'], digits)}]"


def measure_table(facts: Facts, name: str, kind: str) -> tuple[str, Rows]:
    """A row for each system, a column for each SNR and one for their mean."""
    title, digits, *_ = MEASURES[name]
    found = [one for one in facts["conditions"] if one["noise_kind"] == kind and one.get(name) is not None]
    cells = {(one["system"], one["snr_db"]): cell(one[name], digits) for one in found}
    snrs: list[Any] = list(dict.fromkeys(one["snr_db"] for one in found))
    systems = [each["name"] for each in facts["systems"] if name != "si_sdr_gain_db" or each is not facts["systems"][0]]
    rows = [[system, *(cells.get((system, snr), NO_VALUE) for snr in snrs)] for system in systems if found]
    # DNSMOS is of some of the trials.
    trials = next((one[name]["trials"] for one in found if one["snr_db"] == MEAN), 0)
    told = f"{title}; {'mean of all noise kinds' if kind == MEAN else kind}, {trials} trials."
    return told, (["system", *(MEAN if snr == MEAN else f"{snr:g} dB" for snr in snrs)], rows)


def difference_table(facts: Facts) -> tuple[str, Rows]:
    """A row for each other system, a column for each measure."""
    found = {(one["system"], one["measure"]): one for one in facts["differences"]}
    names = [name for name in MEASURES if any(name == measure for _, measure in found)]
    rows = [
        [
            system,
            *(
                cell(found.get((system, name)), MEASURES[name][1] + (name != "si_sdr_db"), "difference")
                for name in names
            ),
        ]
        for system in dict.fromkeys(system for system, _ in found)
    ]
    title = f"{facts['model']['name']} less each other system, paired trial by trial, over all noise kinds and SNRs."
    return title, (["less", *(MEASURES[name][2] for name in names)], rows)


def edge_table(facts: Facts) -> tuple[str, Rows]:
    """What becomes of clean speech, of silence and of noise alone, and how long it takes."""
    factors = {each["name"]: each["real_time_factor"] for each in facts["systems"]}
    kinds = [one["noise_kind"] for one in facts["edges"][0]["noise"]] if facts["edges"] else []
    rows = [
        [
            one["system"],
            cell(one["clean"]["si_sdr_db"], 1),
            NO_VALUE if one["silence"]["peak"] is None else f"{one['silence']['peak']:g}",
            *(cell(kind["attenuation_db"], 1) for kind in one["noise"]),
            f"{factors[one['system']]:.4f}",
        ]
        for one in facts["edges"]
    ]
    header = ["system", "clean speech, SI-SDR dB", "silence, peak", *(f"{kind} alone, dB less" for kind in kinds)]
    title = "Clean speech, digital silence and noise alone put in; and seconds of CPU for a second of sound."
    return title, ([*header, "real-time factor"], rows)


def settings(facts: Facts) -> list[str]:
    """A list of how the others were set, where there are others."""
    lines = [
        f"- {each['name']}: {', '.join(f'{key} {value}' for key, value in each['settings'].items())}"
        for each in facts["systems"]
        if each["settings"]
    ]
    return ["\n".join(lines)] if lines else []


def _number(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"  # no -0.0


def measured(facts: Facts) -> str:
    """What the numbers of the tables are."""
    low, high = facts["si_sdr_range_db"]
    lacking = ", ".join(f"{count} without {name}" for name, count in facts["left_out"].items() if count)
    return (
        "Means [95 % interval over speakers and noise recordings]; "
        f"SNR by the {LEVELS[facts['level']]} of the speech; a mean weighs all noise kinds and SNRs the same. "
        f"SI-SDR is limited to {low:g} to {high:g} dB a trial." + (f" Trials left out: {lacking}." if lacking else "")
    )
