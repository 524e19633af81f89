"""A run folder's results: run.json, the table and the pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drsn_audio.reports.plot import plot_accuracy, plot_confusion
from drsn_audio.reports.run import CLEAN, MEAN, Run, as_answered
from drsn_audio.reports.table import class_table, confused_pairs, markdown_table


def write_report(facts: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """run.json's content -> run.json, table.md, confusion.png and accuracy.png in `folder`; returns their paths.

    Classes and confusions are shown at the lowest SNR of 0 dB and above, or clean where nothing was mixed; accuracy
    over SNR is drawn only where there are SNRs. All are shown with the reject threshold of the checkpoint, as the model
    answers; where there is one, table.md has accuracy without it, too.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    answered = as_answered(facts)
    run = Run(answered)
    paths = [folder / "run.json", folder / "table.md", folder / "confusion.png"]
    paths[0].write_text(json.dumps(facts, indent=1) + "\n")
    tables = [markdown_table(answered), *([markdown_table(facts)] if answered is not facts else [])]
    kinds = [kind for kind in run.noise_kinds if kind != MEAN] or [CLEAN]
    snr_db = min((snr for snr in run.snrs_db if snr >= 0), default=max(run.snrs_db, default=None))
    for kind in kinds:
        tables += [class_table(answered, kind, snr_db), confused_pairs(answered, kind, snr_db)]
    paths[1].write_text("\n\n".join(table.strip() for table in tables) + "\n")
    plot_confusion(answered, paths[2], snr_db, kinds[0])
    if run.snrs_db:
        paths.append(folder / "accuracy.png")
        plot_accuracy([answered], paths[-1])
    return paths
