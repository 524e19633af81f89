"""compare.json -> markdown: what each model reaches, differences to the reference, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drsn_audio.reports.run import LEVELS
from drsn_audio.reports.table import NO_VALUE, markdown, percent

MEAN = "mean"  # the column over the SNRs
TITLES = {"accuracy": "Accuracy in %", "wer": "Word error rate in % of the words said (less is better)"}


def compare_tables(facts: Mapping[str, Any]) -> str:
    """What `compare_models` found -> two markdown tables with their captions, and a line for each checkpoint."""
    reference, measure = facts["reference"], facts["measure"]
    shown = {column: f"mean of {_snrs(facts)}" if column == MEAN else column for column in _columns(facts)}
    means = [
        [
            model["name"],
            f"{model['parameters']:,}",
            f"{model['multiply_adds'] / 1e6:.1f} M",
            ", ".join(map(str, model["seeds"])),
            *(_mean(model[measure][column]) for column in shown),
            _spread(model, measure),
        ]
        for model in facts["models"]
    ]
    differences = [
        [model["name"], str(len(model["seeds"])), *(_points(model["difference"][column]) for column in shown)]
        for model in facts["models"]
        if model["name"] != reference
    ]
    header = ["model", "parameters", "multiply-adds", "seeds", *shown.values(), "lowest to highest seed"]
    parts = [_caption(facts), markdown(header, means)]
    if differences:
        against = (
            f"Difference to `{reference}` on the same trials, in points [95 % interval, paired]. As above, intervals "
            "do not cover the training seeds; each stands for itself: of many, some miss by chance."
        )
        parts += [against, markdown(["model", "seeds", *shown.values()], differences)]
    return "\n\n".join([*parts, _sources(facts)]) + "\n"


def _caption(facts: Mapping[str, Any]) -> str:
    kinds = " and ".join(facts["noise_kinds"])
    mean = f"mean of {kinds}" if len(facts["noise_kinds"]) > 1 else kinds
    return (
        f"{TITLES[facts['measure']]} [95 % interval], {mean}, averaged over training seeds; SNR by the "
        f"{LEVELS[facts['level']]} of the speech. Intervals are bootstrapped over test speakers and noise recordings. "
        "They do not cover the training seeds: a model trained again with another seed may fall outside. How far the "
        f"seeds at hand lie apart stands in the last column, in the mean of {_snrs(facts)}."
    )


def _columns(facts: Mapping[str, Any]) -> list[str]:
    return list(facts["models"][0][facts["measure"]])


def _snrs(facts: Mapping[str, Any]) -> str:
    """ "20 to -5 dB": the columns between clean and the mean."""
    snrs = [column for column in _columns(facts) if column.endswith(" dB")]
    return snrs[0] if len(snrs) == 1 else f"{snrs[0].removesuffix(' dB')} to {snrs[-1]}"


def _mean(found: Mapping[str, Any]) -> str:
    interval = NO_VALUE if found["low"] is None else f"{percent(found['low'])}, {percent(found['high'])}"
    return f"{percent(found['mean'])} [{interval}]"


def _points(found: Mapping[str, Any]) -> str:
    interval = NO_VALUE if found["low"] is None else f"{100 * found['low']:+.1f}, {100 * found['high']:+.1f}"
    return f"{100 * found['mean']:+.1f} [{interval}]"


def _spread(model: Mapping[str, Any], measure: str) -> str:
    """Lowest and highest seed; nothing where there is one."""
    means = [run[measure][MEAN] for run in model["runs"]]
    return f"{percent(min(means))} to {percent(max(means))}" if len(means) > 1 else NO_VALUE


def _sources(facts: Mapping[str, Any]) -> str:
    data = facts["data"]
    noise = "; ".join(
        f"{one['recordings']} recordings of `{one['manifest']}` (sha256 {one['sha256'][:12]}"
        + (f", folds {', '.join(map(str, one['folds']))})" if one["folds"] else ")")
        for one in data["noise"]
    )
    draws = "1 noise draw" if facts["draws"] == 1 else f"{facts['draws']} noise draws"
    lines = [
        f"- Test: {data['utterances']} utterances of {data['speakers']} speakers of `{data['manifest']}` (sha256 "
        f"{data['sha256'][:12]}), {draws} each from {noise}, the same for every model.",
        f"- `{facts['command']}`, commit {facts['commit'] or 'unknown'}, seed {facts['seed']}.",
    ]
    for model in facts["models"]:
        for run in model["runs"]:
            made = run["checkpoint"]
            lines.append(
                f"- {model['name']}, seed {made['seed']}: `{run['run']}`, step {made['step']}, weights sha256 "
                f"{made['sha256'][:12]}, trained at commit {made['commit'] or 'unknown'}; "
                f"{percent(run[facts['measure']][MEAN])} % in the mean of {_snrs(facts)}."
            )
    return "\n".join(lines)
