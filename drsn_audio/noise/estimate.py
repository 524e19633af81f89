"""The signal-to-noise ratio of a recording of which neither the speech nor the noise is known."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import butter, sosfilt
from scipy.special import ndtri

from drsn_audio.audio import resample
from drsn_audio.errors import InputError

MAX_RATE = 16000  # what lies above 8 kHz is left out, as the models leave it out
MIN_DURATION_S = 0.5
MIN_SNR_DB, MAX_SNR_DB = -10.0, 35.0  # beyond, the statistic hardly changes
SPEECH_SHAPE = 0.4  # of the Gamma distribution of the samples of clean speech (Kim & Stern)
RUMBLE_HZ = 60.0  # no speech below, but often much of the noise, which is not Gaussian there
MAX_CLIPPED_SHARE = 0.01
STEP = 2.0**-15  # of 16 bits
# Peak to peak, and how long within it: dither of 16 bits between the pulses of a gate or in padding, codecs' silence.
SILENCES = ((4 * STEP, 0.0025), (24 * STEP, 0.2))
COARSE_S = 0.005  # instead, where steps are coarse: noise of a third of a step changes more often
COARSE_STEPS = 4  # RMS
MAX_SILENCE = 0.03  # peak to peak, of the wave's RMS
BLOCK = 1 << 20  # samples


class EstimatedSnr(NamedTuple):
    """`snr_db` = `speech_db` - `noise_db`; levels in dB re full scale."""

    snr_db: float
    speech_db: float
    noise_db: float


def estimate_snr(wave: np.ndarray, sample_rate: int) -> EstimatedSnr:
    """SNR of a noisy wave [N], from the distribution of its samples alone.

    Waveform amplitude distribution analysis, after Kim & Stern, "Robust signal-to-noise ratio estimation based on
    waveform amplitude distribution analysis", Interspeech 2008: samples of speech follow a Gamma distribution,
    those of noise a Gaussian one, and log E|x| - E log|x| tells how much there is of each. It is taken above
    60 Hz; rumble below counts as noise. The result lies within -10..35 dB; the ends mean "or less", "or more".

    Valid for one voice that speaks most of the time. The "true" SNR below is that of noise/mix.py (active level over
    RMS); the error, as `python benchmarks/estimate_snr.py --utterances 80` measured it, is (median |error|, and the
    median error, in dB):

                                      20 dB       10 dB        5 dB        0 dB       -5 dB
    LibriSpeech, steady noise      2.1 (-0.7)  1.1 (-0.6)  1.0 (-0.7)  1.2 (-0.4)  1.9 (+0.4)
    LibriSpeech, other noise       2.4 (+0.0)  1.2 (+0.0)  1.4 (+0.2)  2.0 (+1.1)  4.8 (+3.5)
    half of it pause, steady       3.7 (+2.5)  1.8 (-1.5)  2.2 (-2.0)  2.3 (-1.7)  2.6 (-0.1)
    half of it pause, other        4.4 (+2.9)  1.8 (-0.6)  2.1 (-0.5)  2.6 (+1.0)  5.0 (+4.1)
    1 s commands, steady           3.5 (+2.5)  1.4 (-0.7)  1.6 (-1.1)  1.9 (-1.1)  2.6 (-0.3)
    1 s commands, other            3.6 (+2.8)  1.7 (-0.2)  2.1 (-0.4)  2.6 (+0.0)  5.0 (+2.0)

    Steady are white noise, machines, rain and our synthesised street and factory; other are music, children, sirens,
    horns, chainsaws and helicopters. What is itself intermittent or tonal passes for speech: car horns are 6.7 dB too
    high at -5 dB, chainsaws 7.6 dB. Babble is speech. Clean recordings have noise of their own, which counts.

    Silence that a gate, padding, dither or a codec made holds neither speech nor noise. It is cut out first, and enters
    neither the SNR nor the levels: what stays for 2.5 ms within 4 steps of 16 bits from peak to peak, or for 0.2 s
    within 24 (noise of about -80 dBFS), and within 3 % of the RMS of the whole, so that noise in quiet recordings is
    kept; in recordings of coarse steps, 5 ms. Pauses of a studio recording that are as quiet are cut out, too:
    of 54 clean LibriSpeech FLAC files it changed the estimate of none by more than 0.1 dB, of 183 Speech Commands
    clips that of two (by 0.6 and 10 dB). Where less than 0.5 s would be left, only runs of one value are cut out.

    Raises:
        InputError: not one-dimensional, NaN or infinite samples, shorter than 0.5 s without such silence, silent or
            clipped.
    """
    if sample_rate <= 0:
        raise InputError(f"sample_rate is {sample_rate}: give it in Hz")
    if wave.ndim != 1:
        raise InputError(f"a wave of shape {wave.shape}: give one channel, [N]")
    if wave.size < MIN_DURATION_S * sample_rate:
        raise InputError(f"{wave.size / sample_rate:.2f} s long, too short for an SNR: give {MIN_DURATION_S} s or more")
    peak = float(np.abs(wave).max())
    if not math.isfinite(peak):
        raise InputError("the wave holds NaN or infinite samples: repair it")
    if peak == 0:
        raise InputError("digitally silent, so there is no SNR: record it again")
    if wave.min() == wave.max():  # before the next, which a constant would be, too
        raise InputError("holds a constant and no sound, so there is no SNR: record it again")
    sound = without_silence(wave, sample_rate)  # before resampling, which smears their edges
    if sound.size < MIN_DURATION_S * sample_rate:
        sound = without_silence(wave, sample_rate, exact=True)
    if sound.size < MIN_DURATION_S * sample_rate:
        left_s = sound.size / sample_rate
        raise InputError(
            f"{left_s:.2f} s without digital silence, too short for an SNR: give {MIN_DURATION_S} s or more"
        )
    wave = sound
    peak = float(np.abs(wave).max())
    clipped = np.count_nonzero(np.abs(wave) >= 0.9999 * peak) / wave.size
    if clipped > MAX_CLIPPED_SHARE:
        raise InputError(f"clipped, {clipped:.1%} of its samples stand at the peak: record it at a lower level")
    statistic, band_power, power = _measure(resample(wave, sample_rate, min(sample_rate, MAX_RATE)), sample_rate)
    share = _speech_share(statistic)
    speech = share * band_power
    speech_db, noise_db = _decibels(speech), _decibels(power - speech)
    snr_db = min(max(speech_db - noise_db, MIN_SNR_DB), MAX_SNR_DB)
    return EstimatedSnr(snr_db, noise_db + snr_db, noise_db)


def without_silence(wave: np.ndarray, sample_rate: int, exact: bool = False) -> np.ndarray:
    """Wave [N] without its silence as `estimate_snr` says, or `exact`, without runs of one value only; joined.

    The wave itself where there is none.
    """
    rms = float(wave.std(dtype=np.float64))
    steps = (np.abs(np.diff(wave[first : first + BLOCK + 1])) for first in range(0, len(wave), BLOCK))
    step = min(float(some.min(initial=np.inf, where=some > 0)) for some in steps)
    silent = np.zeros(len(wave), bool)
    for peak_to_peak, duration_s in SILENCES:
        if rms < COARSE_STEPS * step:
            duration_s = max(duration_s, COARSE_S)
        size = int(duration_s * sample_rate) + 1
        most = 0.0 if exact else min(peak_to_peak, MAX_SILENCE * rms)
        for first in range(0, len(wave), BLOCK):
            begin = max(0, first - size)
            block = wave[begin : first + BLOCK + size]
            high = maximum_filter1d(block, size, mode="constant", cval=np.inf)
            within = high - minimum_filter1d(block, size, mode="constant") <= most
            if within.any():
                whole = maximum_filter1d(within, size, mode="constant", origin=size % 2 - 1)
                silent[first : first + BLOCK] |= whole[first - begin :][:BLOCK]
    return wave[~silent] if silent.any() else wave


def amplitude_statistic(snr_db: float) -> float:
    """log E|x| - E log|x| of Gamma-distributed speech in Gaussian noise at an SNR in dB, by numeric integration."""
    log_s = np.linspace(math.log(1e-9), math.log(60), 400)  # the density of log s is smooth, that of s is not
    s = np.exp(log_s)
    weight = s**SPEECH_SHAPE * np.exp(-s)  # the Gamma density, times s as the integral runs over log s
    weight /= weight.sum()
    s /= math.sqrt(SPEECH_SHAPE * (SPEECH_SHAPE + 1))  # to a mean square of 1
    noise = ndtri((np.arange(500) + 0.5) / 500) * 10 ** (-snr_db / 20)
    amplitude = np.abs(s[:, None] + noise) + 1e-30
    return math.log(weight @ amplitude.mean(axis=1)) - float(weight @ np.log(amplitude).mean(axis=1))


@lru_cache(maxsize=1)
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Statistic and SNR in dB, both rising."""
    snr_db = np.arange(-12.0, 46.0)
    return np.array([amplitude_statistic(value) for value in snr_db]), snr_db


def _speech_share(statistic: float) -> float:
    """Of the power, 0..1."""
    statistics, snr_db = _table()
    if statistic <= statistics[0]:
        return 0.0
    return 1 / (1 + 10 ** (-float(np.interp(statistic, statistics, snr_db)) / 10))


def _measure(wave: np.ndarray, sample_rate: int) -> tuple[float, float, float]:
    """Statistic and power above RUMBLE_HZ, and power without the mean; block by block, for hours of sound."""
    rate = min(sample_rate, MAX_RATE)
    sections = butter(4, RUMBLE_HZ, "highpass", fs=rate, output="sos")
    mean = float(wave.mean(dtype=np.float64))
    state = np.zeros((len(sections), 2))
    sums = np.zeros(4)
    for begin in range(0, len(wave), BLOCK):
        block = wave[begin : begin + BLOCK].astype(np.float64) - mean
        high, state = sosfilt(sections, block, zi=state)
        amplitude = np.abs(high)
        sums += amplitude.sum(), np.log(amplitude + 1e-10).sum(), high @ high, block @ block
    average, log_average, band_power, power = sums / len(wave)
    return math.log(average + 1e-30) - log_average, band_power, power


def _decibels(power: float) -> float:
    return 10 * math.log10(max(power, 1e-30))
