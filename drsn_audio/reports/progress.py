"""How a CTC training went, epoch by epoch, from its log.jsonl: a table and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drsn_audio.errors import InputError
from drsn_audio.reports.plot import COLORS, make_figure, save_figure

LOSS, CER, WER = "train_ctc", "dev_cer", "dev_wer"


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """The lines of a run's log.jsonl, an epoch each.

    Raises:
        InputError: no such file, or it is not the log of a CTC training.
    """
    try:
        lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable log ({error}): name one that training wrote") from None
    if not lines or any(key not in line for line in lines for key in (LOSS, CER, WER)):
        raise InputError(f"{path}: holds no epochs of a CTC training: name the log.jsonl of one")
    return lines


def progress_table(log: Sequence[Mapping[str, Any]], rows: int = 12) -> str:
    """Markdown: at most about so many epochs, evenly spaced, the first and the last among them."""
    last = len(log) - 1
    places = sorted({round(row * last / max(1, rows - 1)) for row in range(rows)})
    text = "| epoch | steps | training loss (nats a label) | development CER (%) | development WER (%) |\n"
    text += "|---:|---:|---:|---:|---:|\n"
    for line in (log[place] for place in places):
        text += (
            f"| {line['epoch']} | {line['step']} | {line[LOSS]:.2f} | {100 * line[CER]:.1f} | {100 * line[WER]:.1f} |\n"
        )
    return text


def plot_progress(log: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Training loss and development CER against epochs, a panel each. The path's ending names the format.

    Raises:
        InputError: an ending that is no picture's.
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = make_figure(9, 3.6)
    epochs = [line["epoch"] for line in log]
    for axes, key, factor, label in zip(
        figure.subplots(1, 2),
        (LOSS, CER),
        (1, 100),
        ("training loss (nats a label)", "development CER (%)"),
        strict=True,
    ):
        axes.plot(epochs, [factor * line[key] for line in log], marker="o", markersize=3, color=COLORS[0])
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    save_figure(figure, path)
