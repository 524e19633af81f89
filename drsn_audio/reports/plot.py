"""Pictures of runs: accuracy against SNR, and what is taken for what. The path's ending names the format."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.extras import install_command
from drsn_audio.reports.run import CLEAN, LEVELS, MEAN, Run, check_runs, describe, run_titles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")
# Okabe & Ito: told apart by the colour-blind, too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
CLEAN_GAP = 5.0  # dB on the axis between the highest SNR and clean


def plot_accuracy(runs: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Accuracy against SNR with 95 % bands, clean at the right end.

    One run: a line for each noise kind. Several: a panel for each noise kind, a line for each run.

    Raises:
        InputError: no runs, SNRs set by different level methods, or an ending that is no picture's.
        ModuleNotFoundError: matplotlib is not installed.
    """
    checked = check_runs(runs)
    kinds = list(dict.fromkeys(kind for run in checked for kind in run.noise_kinds))
    kinds.sort(key=lambda kind: kind == MEAN)
    if not kinds:
        raise InputError("the runs hold clean speech alone: evaluate with noise to plot against SNR")
    snrs_db = sorted({snr_db for run in checked for snr_db in run.snrs_db})
    if len(checked) == 1:
        panels = [(checked[0].title, [(kind, checked[0], kind) for kind in kinds])]
    else:
        titled = list(zip(run_titles(checked), checked, strict=True))
        panels = [(kind, [(title, run, kind) for title, run in titled]) for kind in kinds]
    figure = make_figure(2.4 + 4 * len(panels), 4.2)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, lines) in zip(all_axes, panels, strict=True):
        axes.set_title(title, loc="left", fontweight="bold")
        for number, (label, run, kind) in enumerate(lines):
            _draw_line(axes, run, kind, snrs_db, label, number)
        for number, run in enumerate(checked):
            # Side by side, so that the intervals do not hide each other.
            at = snrs_db[-1] + CLEAN_GAP + 0.6 * (number - (len(checked) - 1) / 2)
            _draw_clean(axes, run, at, number if len(checked) > 1 else -1)  # black, where colours are kinds
        label_snrs(axes, snrs_db, LEVELS[checked[0].facts["level"]])
    all_axes[0].set_ylabel("accuracy (%), band: 95 % interval")
    all_axes[0].legend(loc="lower right", frameon=False)
    save_figure(figure, path)


def plot_confusion(facts: Mapping[str, Any], path: str | Path, snr_db: float | None, noise_kind: str) -> None:
    """Confusions under one condition in % of each row: truth in rows, right answers blue, wrong ones orange.

    Raises:
        InputError: the run has no confusions for this condition, or an ending that is no picture's.
        ModuleNotFoundError: matplotlib is not installed.
    """
    run = Run(facts)
    confusion = run.confusion(noise_kind, snr_db)
    accuracy = 100 * confusion.trace() / confusion.sum()
    title = f"{run.title}\n{describe(noise_kind, snr_db)}: accuracy {accuracy:.1f} %"
    save_figure(draw_confusion(confusion, run.labels, title), path)


def draw_confusion(confusion: np.ndarray, labels: Sequence[str], title: str) -> Figure:
    """Confusions, int [K, K] with the truth in rows, in % of each row.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    classes = len(labels)
    trials = confusion.sum(axis=1, keepdims=True)
    percent = 100 * np.divide(confusion, trials, out=np.zeros(confusion.shape), where=trials > 0)
    figure = make_figure(max(5.5, 2.6 + 0.48 * classes), 2.2 + 0.42 * classes)
    axes = figure.subplots()
    right, wrong = np.diag(np.diag(percent)), percent - np.diag(np.diag(percent))
    # The scales end beyond the largest value, so that black digits stay readable.
    for part, colors, largest in ((right, "Blues", 100.0), (wrong, "Oranges", max(10.0, wrong.max()))):
        axes.imshow(np.where(part > 0, part, np.nan), cmap=colors, vmin=0, vmax=1.6 * largest, aspect="auto")
    for row, column in zip(*np.nonzero(percent.round() >= 1), strict=True):
        axes.text(column, row, f"{percent[row, column]:.0f}", ha="center", va="center", fontsize=9)
    axes.set_xticks(range(classes), labels, rotation=45, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(classes), [f"{label}  ({count})" for label, count in zip(labels, trials[:, 0], strict=True)])
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("answered, in % of the row")
    axes.set_ylabel("said (trials)")
    figure.suptitle(title, weight="bold")
    return figure


def _draw_line(axes: Axes, run: Run, noise_kind: str, snrs_db: Sequence[float], label: str, number: int) -> None:
    """One noise kind of one run, with its band."""
    conditions = [run.at(noise_kind, snr_db) for snr_db in snrs_db]
    points = [(c.snr_db, 100 * c.accuracy, 100 * c.low, 100 * c.high) for c in conditions if c is not None]
    if not points:
        return
    snr, accuracy, low, high = np.array(points, dtype=float).T
    color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
    axes.fill_between(snr, low, high, color=color, alpha=0.15, linewidth=0)
    axes.plot(snr, accuracy, color=color, label=label, marker=marker, markersize=5)


def _draw_clean(axes: Axes, run: Run, at: float, number: int) -> None:
    """A point with its interval at `at` dB."""
    clean = run.at(CLEAN, None)
    if clean is not None:
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        axes.plot([at, at], [100 * clean.low, 100 * clean.high], color=color, linewidth=1.5)
        axes.plot(at, 100 * clean.accuracy, color=color, marker=marker, markersize=5)


def label_snrs(axes: Axes, snrs_db: Sequence[float], level: str) -> None:
    ticks = [*snrs_db, snrs_db[-1] + CLEAN_GAP]
    axes.set_xticks(ticks, [*(f"{snr_db:g}" for snr_db in snrs_db), CLEAN])
    axes.set_xlabel(f"SNR (dB) by the {level}")
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def make_figure(width_in: float, height_in: float) -> Figure:
    """A figure of its own: pyplot, whose settings and open figures are global, is not used.

    Its text stands as it is given, as names of files and noise do: dollar signs begin no formula, bytes that are not
    UTF-8 and characters that the font lacks are drawn as a mark in their place.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.text import Text
    except ImportError:
        raise ModuleNotFoundError(f"plots need matplotlib: {install_command('train')}", name="matplotlib") from None

    class PlainFigure(Figure):
        def draw(self, renderer: Any) -> None:
            for text in self.findobj(Text):
                text.set_parse_math(False)
                text.set_text(text.get_text().encode(errors="replace").decode())
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
                super().draw(renderer)

    return PlainFigure(figsize=(width_in, height_in), layout="constrained")


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write the picture so that the file is either whole or not there.

    Raises:
        InputError: an ending that is no picture's, or a place that cannot be written to.
    """
    path = Path(path)
    form = path.suffix.lower()
    if form not in ENDINGS:
        raise InputError(f"{path}: no picture has this ending: choose one of {', '.join(ENDINGS)}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(temporary, format=form[1:], dpi=150)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}): choose another place") from None
    finally:
        with contextlib.suppress(OSError):  # its folder may be a file
            temporary.unlink()
