"""Noisy speech without a corpus: what an exported model is compared and calibrated on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from drsn_audio.corpora.espeak import EspeakError
from drsn_audio.corpora.voices import draw_voices, synthesise_all
from drsn_audio.noise.babble import talkers
from drsn_audio.noise.level import speech_level_db
from drsn_audio.noise.mix import mix_at_snr
from drsn_audio.noise.synth import factory_noise, street_noise

SAMPLE_RATE = 16000
SNR_DB = (20.0, 10.0, 5.0, 0.0, -5.0)
PART_S = 6.0  # of one noise at one SNR


def noisy_speech(duration_s: float, words: Sequence[str], seed: int) -> tuple[np.ndarray, str]:
    """Words in synthesised voices, in street and factory noise at SNR_DB in turn -> float32 [N] at 16 kHz; what it is.

    Each part of six seconds is in another noise. Where eSpeak NG is not installed, syllables without meaning take the
    place of the words.
    """
    size = round(PART_S * SAMPLE_RATE)
    count = max(1, -(-round(duration_s * SAMPLE_RATE) // size))
    speech, what = _speech(count * size, words, seed)
    makers = (street_noise, factory_noise)
    noise = [makers[part % 2](size, SAMPLE_RATE, 1000 * seed + part) for part in range(count)]
    clean = torch.from_numpy(speech).view(count, size)
    snr_db = torch.tensor([SNR_DB[part % len(SNR_DB)] for part in range(count)])
    level_db = torch.tensor([speech_level_db(part, SAMPLE_RATE) for part in clean])
    noisy, _ = mix_at_snr(clean, torch.from_numpy(np.stack(noise)), snr_db, speech_level_db=level_db)
    wave = noisy.flatten()[: round(duration_s * SAMPLE_RATE)].numpy()
    return wave, f"{what} in synthesised street and factory noise at {', '.join(f'{snr:g}' for snr in SNR_DB)} dB"


def _speech(size: int, words: Sequence[str], seed: int) -> tuple[np.ndarray, str]:
    rng = np.random.default_rng(seed)
    try:
        voices = draw_voices(size // SAMPLE_RATE, seed, "dev")
        spoken = list(synthesise_all([(str(rng.choice(words)), voice) for voice in voices]))
    except EspeakError:
        wave = talkers(SAMPLE_RATE, rng)(size, rng)
        return (0.1 * wave / np.abs(wave).max()).astype(np.float32), "syllables"
    wave = np.zeros(size, np.float32)
    for second, word in enumerate(spoken):  # a word begins in each second
        begin = second * SAMPLE_RATE + rng.integers(SAMPLE_RATE // 4)
        part = wave[begin : begin + len(word)]
        part += word[: len(part)] * np.float32(0.05 / max(1e-6, float(np.sqrt(np.mean(np.square(word))))))
    return wave, "words of eSpeak NG"
