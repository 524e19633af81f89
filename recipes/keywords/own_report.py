"""What a model of one's own words is worth, as `drsn-audio classify` answers, and how little a small test tells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from evaluate import evaluate_run

from drsn_audio.config import load_config
from drsn_audio.datasets.keyword import Clip, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.keyword import Trials, run_trials
from drsn_audio.metrics.calibration import softmax, wilson_interval
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.training.calibrate import keyword_classes


def print_report(run: Path) -> None:
    """Evaluate the run on its test clips: the table of `evaluate.py`, then what the reject threshold makes of it.

    The latter goes into RUN/report.txt, too.
    """
    paths = evaluate_run(run, [])
    config = load_config(run / "config.yaml")
    model, info = load_checkpoint(run / "best.json")
    store = AudioStore(model.config.frontend.sample_rate)
    clips = keyword_clips(read_cuts(config.data.test), model.config.labels, config.data)
    noise = NoisePool(config.data.noise_test, store)
    evaluate = config.evaluate
    trials = run_trials(model, clips, noise, store, snr_db=evaluate.snr_db, draws=evaluate.draws, seed=evaluate.seed)
    calibration = info["calibration"]
    text = report(trials, clips, model.config.labels, calibration["temperature"], calibration.get("reject_below", 0.0))
    (run / "report.txt").write_text(text + "\n")
    print(text)
    print("\n".join(str(path) for path in (*paths, run / "report.txt")))


def report(
    trials: Sequence[Trials], clips: Sequence[Clip], labels: Sequence[str], temperature: float, reject_below: float
) -> str:
    """Trials of the test clips under every condition -> a table over SNR, and a sentence on what it can tell.

    Intervals count every clip once, however often it was heard.
    """
    keywords = keyword_classes(labels)
    said = [clip.target for clip in clips if clip.target in keywords]
    others = len(clips) - len(said)
    lines = [
        "As drsn-audio classify answers: % [95 % interval for so many clips]",
        f"{'SNR':>6}  {f'words named ({len(said)} clips)':>26}  {f'no word, yet one named ({others} clips)':>38}",
    ]
    shares = {}
    for snr_db in dict.fromkeys(one.snr_db for one in sorted(trials, key=_quietest_first)):
        shares[snr_db] = named, false = _answers(
            [one for one in trials if one.snr_db == snr_db], keywords, temperature, reject_below
        )
        name = "clean" if snr_db is None else f"{snr_db:g} dB"
        lines.append(f"{name:>6}  {_cell(named, len(said)):>26}  {_cell(false, others):>38}")
    return "\n".join([*lines, _verdict(shares, said, len(keywords))])


def _quietest_first(one: Trials) -> float:
    return -math.inf if one.snr_db is None else -one.snr_db


def _answers(
    group: Sequence[Trials], keywords: Sequence[int], temperature: float, reject_below: float
) -> tuple[float, float]:
    """Shares of the keywords that are named, and of the other clips that are answered with a keyword."""
    logits, targets = (np.concatenate([getattr(one, name) for one in group]) for name in ("logits", "targets"))
    probabilities = softmax(logits, temperature)
    answer = probabilities.argmax(axis=1)
    heard = np.isin(answer, keywords) & (probabilities.max(axis=1) >= reject_below)
    said = np.isin(targets, keywords)
    named = float(np.mean((heard & (answer == targets))[said])) if said.any() else float("nan")
    return named, float(np.mean(heard[~said])) if (~said).any() else float("nan")


def _cell(share: float, count: int) -> str:
    if not count:
        return "n/a"
    low, high = wilson_interval(share, count)
    return f"{100 * share:.1f} [{100 * low:.0f}, {100 * high:.0f}]"


def _verdict(shares: dict[float | None, tuple[float, float]], said: Sequence[int], words: int) -> str:
    """The plain sentence: at the SNR nearest to 5 dB, for a single word and for all."""
    if not said:
        return "No test clip holds one of the words: nothing is known of them."
    snr_db = min((snr for snr in shares if snr is not None), key=lambda snr: abs(snr - 5.0), default=None)
    share = shares[snr_db][0]
    fewest = min(Counter(said).values())
    one, every = (wilson_interval(share, count) for count in (fewest, len(said)))
    where = "clean" if snr_db is None else f"at {snr_db:g} dB"
    return (
        f"{fewest} test recordings a word: {where} {share:.0%} were named, which for a single word means anything from "
        f"{one[0]:.0%} to {one[1]:.0%}, and for all {words} together {every[0]:.0%} to {every[1]:.0%}."
    )
