"""What a model of one's own words is worth, as `drsn-audio classify` answers, and how little a small test tells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from evaluate import evaluate_run
from own_data import RECORDED, origin_of

from drsn_audio.config import load_config
from drsn_audio.datasets.keyword import Clip, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.keyword import Trials, run_trials
from drsn_audio.metrics.calibration import named_keywords, softmax, wilson_interval
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
    """Trials of the test clips under every condition -> a table over SNR, what the clips are, and what it can tell.

    Intervals count every clip once, however often it was heard.
    """
    keywords = keyword_classes(labels)
    said = [clip.target for clip in clips if clip.target in keywords]
    others = len(clips) - len(said)
    lines = [
        "As drsn-audio classify answers: % [95 % interval for so many clips]",
        f"{'SNR':>6}  {f'words named ({len(said)} clips)':>26}  {f'no word, yet one named ({others} clips)':>38}",
    ]
    answers = {
        snr_db: _answers([one for one in trials if one.snr_db == snr_db], keywords, temperature, reject_below)
        for snr_db in dict.fromkeys(one.snr_db for one in sorted(trials, key=_quietest_first))
    }
    for snr_db, (heard, right, true) in answers.items():
        cells = _cell(_share(right[true]), len(said)), _cell(_share(heard[~true]), others)
        lines.append(f"{_name(snr_db):>6}  {cells[0]:>26}  {cells[1]:>38}")
    snr_db = min((snr for snr in answers if snr is not None), key=lambda snr: abs(snr - 5.0), default=None)
    where = "clean" if snr_db is None else f"at {_name(snr_db)}"
    heard, right, true = answers[snr_db]
    times = len(heard) // len(clips)
    origins = np.tile([origin_of(clip.cut) for clip in clips], times)
    lines.append(_without_a_word(origins[~true], heard[~true], times, where))
    lines.append(_verdict(_share(right[true]), where, said, len(keywords)))
    return "\n".join(lines)


def _name(snr_db: float | None) -> str:
    return "clean" if snr_db is None else f"{snr_db:g} dB"


def _quietest_first(one: Trials) -> float:
    return -math.inf if one.snr_db is None else -one.snr_db


def _answers(
    group: Sequence[Trials], keywords: Sequence[int], temperature: float, reject_below: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every trial: whether it is answered with a keyword, with the right one, and whether it holds one."""
    logits, targets = (np.concatenate([getattr(one, name) for one in group]) for name in ("logits", "targets"))
    probabilities = softmax(logits, temperature)
    named = named_keywords(probabilities, list(keywords), reject_below)
    return named >= 0, (named >= 0) & (named == targets), np.isin(targets, keywords)


def _share(chosen: np.ndarray) -> float:
    return float(np.mean(chosen)) if len(chosen) else math.nan


def _cell(share: float, count: int) -> str:
    if not count:
        return "n/a"
    low, high = wilson_interval(share, count)
    return f"{100 * share:.1f} [{100 * low:.0f}, {100 * high:.0f}]"


def _without_a_word(origins: np.ndarray, heard: np.ndarray, times: int, where: str) -> str:
    """What the clips without a word are, each of them heard so many times, and how many were taken for one."""
    if not len(origins):
        return "Every test clip holds one of the words: how often something else is taken for one is not known."
    parts = []
    for origin in dict.fromkeys(origins.tolist()):
        of_it = origins == origin
        parts.append(f"{of_it.sum() // times} of {origin} ({_share(heard[of_it]):.0%})")
    text = f"None of the words is in {', '.join(parts)}; in brackets, how many were taken for one {where}."
    if RECORDED not in origins:
        text += " No person's other words are among them: expect more of those to be taken for yours."
    return text


def _verdict(named: float, where: str, said: Sequence[int], words: int) -> str:
    """The plain sentence, for a single word and for all."""
    if not said:
        return "No test clip holds one of the words: nothing is known of them."
    fewest = min(Counter(said).values())
    one, every = (wilson_interval(named, count) for count in (fewest, len(said)))
    return (
        f"{fewest} test recordings a word: {where} {named:.0%} were named, which for a single word means "
        f"anything from {one[0]:.0%} to {one[1]:.0%}, and for all {words} together {every[0]:.0%} to {every[1]:.0%}."
    )
