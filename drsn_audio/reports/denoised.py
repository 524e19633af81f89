"""What a denoiser does in front of recognisers, from the facts of `drsn_audio.evaluation.denoised`: a table, and words
that follow from its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from drsn_audio.errors import InputError
from drsn_audio.reports.run import MEAN, describe_snr
from drsn_audio.reports.table import NO_VALUE, markdown

Facts = Mapping[str, Any]
NOISY = "noisy"  # what is heard without a denoiser
MEASURES = {"accuracy": "% right", "wer": "% WER"}
TASKS = {"accuracy": "keywords", "wer": "connected words"}


def recognition_table(facts: Facts) -> str:
    """Markdown: a row for each recogniser and what it heard, a column for clean and the mean over kinds at each SNR.

    Raises:
        InputError: facts of something else than recognition behind a denoiser.
    """
    _check(facts)
    snrs = list(dict.fromkeys(of["snr_db"] for of in facts["rows"][0]["conditions"]))
    rows = []
    for row in facts["rows"]:
        cells = []
        for snr in snrs:
            at = [of for of in row["conditions"] if of["snr_db"] == snr]
            of = next((of for of in at if of["noise_kind"] == MEAN), at[0])
            cells.append(f"{100 * of[row['measure']]:.1f}")
        against = _against(row) if row["heard"] != NOISY else ""
        rows.append([f"{row['recogniser']}, {MEASURES[row['measure']]}", row["heard"], *cells, against])
    header = ["recogniser", "heard", *map(describe_snr, snrs), "against noisy, mean over noise"]
    return markdown(header, rows, 2)


def recognition_words(facts: Facts) -> str:
    """For which recognisers a denoiser makes it better or worse, as far as the intervals of the differences say so.

    Raises:
        InputError: as `recognition_table`.
    """
    _check(facts)
    found: dict[str, list[str]] = {"worse": [], "better": [], "unsure": []}
    for row in facts["rows"]:
        if row["heard"] != NOISY:
            found[_verdict(row)].append(f"{row['recogniser']} ({TASKS[row['measure']]}, {row['heard']})")
    told = ["None of these recognisers was trained on denoised sound."]
    for verdict in ("worse", "better"):
        if found[verdict]:
            told.append(f"In noise the denoiser in front makes it {verdict} for {', '.join(found[verdict])}.")
    if found["unsure"]:
        told.append(f"No sure difference, for its interval holds 0: {', '.join(found['unsure'])}.")
    if found["worse"] and not found["better"]:
        told.append("So let recognisers hear the noisy sound itself.")
    return " ".join(told)


def recognition_source(facts: Facts) -> str:
    """Data, command, commit and seed."""
    data = facts["data"]
    speech = ", ".join(
        f"`{data[kind]['manifest']}` (sha256 {data[kind]['sha256'][:12]})" for kind in ("keywords", "words")
    )
    every = f"one of each {data['every']} of " if data["every"] > 1 else ""
    noise = data["noise"]
    folds = f", folds {', '.join(map(str, noise['folds']))}" if noise.get("folds") else ""
    return (
        f"Keywords and strings of words: {every}{speech}; {facts['draws']} noise draws each from {noise['recordings']} "
        f"recordings of `{noise['manifest']}` (sha256 {noise['sha256'][:12]}{folds}); `{facts['command']}`, commit "
        f"{facts['commit'] or 'unknown'}, seed {facts['seed']}."
    )


def _verdict(row: Facts) -> str:
    """worse, better or unsure: a difference whose interval holds 0, or that has none."""
    by = row["against_noisy"]
    bounds = [by["low"], by["high"]] if row["measure"] == "accuracy" else [-by["high"], -by["low"]]
    if bounds[0] > 0:
        return "better"
    return "worse" if bounds[1] < 0 else "unsure"


def _against(row: Facts) -> str:
    by = {key: 100 * row["against_noisy"][key] for key in ("difference", "low", "high")}
    bounds = NO_VALUE if math.isnan(by["low"]) else f"{by['low']:+.1f}, {by['high']:+.1f}"
    return f"{by['difference']:+.1f} [{bounds}]"


def _check(facts: Facts) -> None:
    if facts.get("kind") != "denoised recognition" or facts.get("schema") != 1:
        raise InputError("recognition.json: not of recognition behind a denoiser, or of another version: make it anew")
