"""How processed speech sounds to a listener, as published models of hearing estimate it: PESQ, STOI, DNSMOS.

Each is a library of its own, in the extra `enhance`, and is imported where it is used.
"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np

SAMPLE_RATE = 16000  # of wideband PESQ and of DNSMOS


class Dnsmos(NamedTuple):
    """Mean opinion scores, 1 to 5: of the whole, of the speech in it, of what is left of the noise."""

    overall: float
    signal: float
    background: float


def pesq_wb(clean: np.ndarray, processed: np.ndarray, sample_rate: int) -> float:
    """Wideband PESQ of processed speech against the clean, both [N], aligned: from about 1 (bad) to 4.64 (the same).

    ITU-T P.862 (2001) with the mapping of P.862.2 (2007), by the library `pesq`. It is the same for both waves times
    any number, and the library takes the levels of the two apart off, too.

    Returns:
        NaN where no speech is found: a wave that is silent or shorter than a quarter of a second.

    Raises:
        ValueError: waves of other shapes, or not at 16 kHz.
        ModuleNotFoundError: pesq is not installed.
    """
    from pesq import BufferTooShortError, NoUtterancesError, pesq

    _check(clean, processed)
    _check_rate(sample_rate, "wideband PESQ")
    if not clean.any() or not processed.any():
        return math.nan
    try:
        return float(pesq(sample_rate, clean, processed, "wb"))
    except (BufferTooShortError, NoUtterancesError):
        return math.nan


def stoi(clean: np.ndarray, processed: np.ndarray, sample_rate: int) -> float:
    """Short-time objective intelligibility of processed speech against the clean, both [N], aligned: 1 at best.

    Taal, Hendriks, Heusdens, Jensen, "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy
    Speech", IEEE Trans. Audio, Speech, and Language Processing 19(7), 2011, by the library `pystoi`: correlations of
    the envelopes of third octaves over 384 ms, in frames in which the clean speech is not silent.

    Returns:
        NaN where the clean wave is silent or has too little speech for one such stretch.

    Raises:
        ValueError: waves of other shapes.
        ModuleNotFoundError: pystoi is not installed.
    """
    from pystoi import stoi as measure

    _check(clean, processed)
    if not clean.any():
        return math.nan
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Not enough STFT frames", category=RuntimeWarning)
        try:
            return float(measure(clean, processed, sample_rate))
        except (RuntimeWarning, ValueError):  # of a wave that is shorter than a frame: no frames to stack
            return math.nan


def dnsmos(wave: np.ndarray, sample_rate: int) -> Dnsmos:
    """What listeners would say of a wave [N], without the clean one to compare it with.

    Reddy, Gopal, Cutler, "DNSMOS P.835: A Non-Intrusive Perceptual Objective Speech Quality Metric to Evaluate Noise
    Suppressors", ICASSP 2022, by the networks in the library `speechmos`. It hears 9.01 s at a time and repeats what
    is shorter. A wave that exceeds full scale is scaled down to it.

    Raises:
        ValueError: no samples, samples that are not finite, or not at 16 kHz.
        ModuleNotFoundError: speechmos, or a library that it needs, is not installed.
    """
    from speechmos import dnsmos as networks

    _check_rate(sample_rate, "DNSMOS")
    if wave.ndim != 1 or not wave.size or not np.isfinite(wave).all():
        raise ValueError(f"a wave of shape {list(wave.shape)}: give finite samples, [N], N > 0")
    found = networks.run(wave / max(1.0, float(np.abs(wave).max())), sample_rate)
    return Dnsmos(*(float(found[key]) for key in ("ovrl_mos", "sig_mos", "bak_mos")))


def _check(clean: np.ndarray, processed: np.ndarray) -> None:
    if clean.ndim != 1 or clean.shape != processed.shape:
        raise ValueError(f"clean {list(clean.shape)} and processed {list(processed.shape)}: give both as [N]")
    if not (np.isfinite(clean).all() and np.isfinite(processed).all()):
        raise ValueError("samples are NaN or infinite: leave these waves out")


def _check_rate(sample_rate: int, measure: str) -> None:
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"{sample_rate} Hz: {measure} wants {SAMPLE_RATE} Hz, resample the waves")
