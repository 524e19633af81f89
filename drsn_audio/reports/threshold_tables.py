"""thresholds.json -> markdown: what thresholds do in noise, by block and band, and whether it is what theory wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drsn_audio.reports.run import LEVELS
from drsn_audio.reports.table import markdown
from drsn_audio.reports.threshold_answers import (
    FOLLOWED,
    MEASURES,
    Bounds,
    direction,
    interval,
    kinds_of,
    levels_of,
    lowest_snr,
    name_of,
    short_answers,
)


def threshold_tables(facts: Mapping[str, Any]) -> str:
    """What `threshold_facts` found -> a short answer, tables by block and by band, and where the numbers come from."""
    parts = ["# What thresholds do in noise", _caption(facts), "## In short", short_answers(facts), "## By block"]
    for kind in kinds_of(facts):
        parts += [f"In {kind} noise:", _block_table(facts, kind)]
    banded = [block for block in facts["blocks"] if block["bands_hz"]]
    if banded:
        parts += ["## By band", _band_caption(facts)]
        for block in banded:
            parts += [f"{block_title(facts, block)}:", _band_table(facts, block)]
    if any(block["kinds"][kind]["follows"] for block in banded for kind in kinds_of(facts)):
        parts += ["## Do thresholds follow the noise's bands?", _follow_caption(), _follow_table(facts)]
    if not banded:
        parts.append("Thresholds of this model, or its spectrogram, have no frequencies: there are no tables by band.")
    return "\n\n".join([*parts, "## Sources", _sources(facts)]) + "\n"


def block_title(facts: Mapping[str, Any], block: Mapping[str, Any]) -> str:
    """ "block 1 (17 channels, 20 bands)"."""
    number = [one["name"] for one in facts["blocks"]].index(block["name"]) + 1
    bands = f", {len(block['bands_hz'])} bands" if block["bands_hz"] else ""
    return f"block {number} ({block['channels']} channels{bands})"


def snr_title(snr: float | None) -> str:
    return "clean" if snr is None else f"{snr:g} dB"


def _caption(facts: Mapping[str, Any]) -> str:
    gate = facts["model"]["name"] == "gate"
    told = MEASURES | ({"alpha": "what x is multiplied by (the rest of this list then holds without tau and zeroed)"})
    measures = told if gate else MEASURES
    shown = [measure for measure in measures if measure in levels_of(facts)]
    listed = "; ".join(f"**{name_of(facts, measure)}**: {measures[measure]}" for measure in shown)
    runs, counts = len(facts["runs"]), next(iter(facts["trials"].values()))
    return (
        f"{runs} trained run{'s' if runs > 1 else ''} of shrinkage `{facts['model']['shrinkage']}`, each heard "
        f"with test clips of its own ({counts['trials']} in all, {counts['speakers']} speakers), clean and with noise; "
        f"SNR by the {LEVELS[facts['level']]} of the speech. Of what comes into a block's shrinkage, x: {listed}; all "
        "averaged over channels, frames and clips.\n\n"
        "Rank correlations (Spearman) are those of one clip over the SNRs, averaged over the clips: -1 rises with "
        "every step of noise, +1 falls with every step. Intervals [95 %] are bootstrapped over speakers and noise "
        "recordings; they do not cover other trainings. They say that there is an order, not that the change is large: "
        "see the levels for that. Theory wants thresholds that rise with the noise."
    )


def _block_table(facts: Mapping[str, Any], kind: str) -> str:
    places = [len(facts["snr_db"]) - 1, *range(len(facts["snr_db"]) - 1)]  # clean first
    header = ["block", "measure", *(snr_title(facts["snr_db"][k]) for k in places), "rank correlation with SNR", "it"]
    rows = []
    for number, block in enumerate(facts["blocks"], 1):
        found = block["kinds"][kind]
        for measure in (measure for measure in MEASURES if measure in found["levels"]):
            levels = [f"{found['levels'][measure][k][0]:.3g}" for k in places]
            order = found["with_snr"][measure]
            rows.append([str(number), name_of(facts, measure), *levels, interval(order), direction(order)])
    shares = ", ".join(f"{100 * block['kinds'][kind]['rising']:.0f} %" for block in facts["blocks"])
    single = (
        f"Of the single {name_of(facts, 'alpha')}s, one a channel"
        f"{' and band' if facts['blocks'][0]['bands_hz'] else ''}, so many are higher at {lowest_snr(facts):g} dB than "
        f"clean, by block: {shares}."
    )
    return f"{markdown(header, rows, 2)}\n\n{single}"


def _band_caption(facts: Mapping[str, Any]) -> str:
    alpha = name_of(facts, "alpha")
    return (
        f"Noise over speech is at 0 dB, and {alpha} clean and at {lowest_snr(facts):g} dB. The last columns are rank "
        "correlations with the SNR, below zero where it rises with noise; `*` marks intervals without zero, of which a "
        "few are so by chance."
    )


def _band_table(facts: Mapping[str, Any], block: Mapping[str, Any]) -> str:
    kinds, alpha = kinds_of(facts), name_of(facts, "alpha")
    ordered = list(block["kinds"][kinds[0]]["bands"]["with_snr"])
    place = facts["snr_db"].index(lowest_snr(facts))
    difference = block["difference"]
    header = ["band (Hz)", *(f"{kind} over speech (dB)" for kind in kinds), f"{alpha} clean"]
    header += [f"{alpha}, {kind}" for kind in kinds]
    header += [" minus ".join(difference["kinds"])] if difference else []
    header += [f"{name_of(facts, measure)}, {kind}" for measure in ordered for kind in kinds]
    rows = []
    for k, (low, high) in enumerate(block["bands_hz"]):
        found = [block["kinds"][kind]["bands"] for kind in kinds]
        row = [f"{low}-{high}", *(f"{one['noise_to_speech_db'][k]:+.1f}" for one in found)]
        row += [f"{found[0]['levels']['alpha'][k][-1]:.3f}"]
        row += [f"{one['levels']['alpha'][k][place]:.3f}" for one in found]
        row += [interval(difference["bands"][k], 3)] if difference else []
        row += [_marked(one["with_snr"][measure][k]) for measure in ordered for one in found]
        rows.append(row)
    return markdown(header, rows)


def _follow_caption() -> str:
    return (
        "Rank correlation over a block's bands, within a clip at one SNR, between how far a measure is from its value "
        "in the clean clip (tau: their ratio) and the noise of the same band; averaged over clips. Above zero: where "
        "there is more noise, there the threshold rises more. *all*: the noise is its power over the speech's; speech "
        "alone, or bands that are always alike, make that differ from zero, too. *own*: it is the power of the noise "
        "alone, and both are less what the band is on average over all clips and noises. As the noise was drawn apart "
        "from the clip, *own* is zero by chance unless thresholds go with this clip's noise."
    )


def _follow_table(facts: Mapping[str, Any]) -> str:
    snrs = [snr for snr in facts["snr_db"] if snr is not None]
    rows = []
    for number, block in enumerate(facts["blocks"], 1):
        for kind in kinds_of(facts):
            for measure, of_measure in (block["kinds"][kind]["follows"] or {}).items():
                if measure not in FOLLOWED:
                    continue
                for way, title in (("plain", "all"), ("own", "own")):
                    cells = [interval(found) for found in of_measure[way]]
                    rows.append([str(number), kind, name_of(facts, measure), title, *cells])
    return markdown(["block", "noise", "measure", "", *map(snr_title, snrs)], rows, 4)


def _marked(bounds: Bounds) -> str:
    mean, low, high = bounds
    clear = low is not None and high is not None and not low <= 0 <= high
    return f"{mean:+.2f}{'*' if clear else ''}"


def _sources(facts: Mapping[str, Any]) -> str:
    lines = [f"- `{facts['command']}`, commit {facts['commit'] or 'unknown'}, seed {facts['seed']}."]
    for number, block in enumerate(facts["blocks"], 1):
        lines.append(f"- Block {number} is `{block['name']}`.")
    for run in facts["runs"]:
        made = run["checkpoint"]
        noise = "; ".join(
            f"{one['recordings']} recordings of `{one['manifest']}` (sha256 {one['sha256'][:12]}"
            + (f", folds {', '.join(map(str, one['folds']))})" if one["folds"] else ")")
            for one in run["noise"]
        )
        lines.append(
            f"- `{run['run']}`: step {made['step']}, seed {made['seed']}, weights sha256 {made['sha256'][:12]}, "
            f"trained at commit {made['commit'] or 'unknown'}; {run['clips']} clips of {run['speakers']} speakers of "
            f"`{run['manifest']}` (sha256 {run['sha256'][:12]}), one draw of each kind from {noise}."
        )
    return "\n".join(lines)
