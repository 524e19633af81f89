"""What a test set is mixed by, beside its speech and its noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from drsn_audio.errors import InputError
from drsn_audio.noise.recorder import DeviceEffects
from drsn_audio.noise.snr import check_snr_law


@dataclass(frozen=True)
class MixOptions:
    """Everything but the SNRs is off by default.

    Args:
        snr_db: with the law "fixed" every utterance is mixed at each of these; inf is the clean speech.
        snr_law: else each utterance is mixed once, at an SNR drawn from its name: "listed" one of snr_db, "uniform"
            between the two of snr_db, "normal" with the mean and the standard deviation that snr_db gives.
        level: of the speech: "p56" (ITU-T P.56, pauses left out) or "rms".
        seed: of all draws.
        stems: also write <name>.clean.wav and <name>.noise.wav beside each mix.
        format: "wav" or "flac"; None: that of the speech, and wav where that is lossy.
        background: a second noise under the first, by the same names; the SNR is that of both.
        background_db: its level against the first: one number, or the lowest and the highest.
        lead_in_s: noise before the speech, in s; it does not enter the SNR. The noise begins so much earlier.
        trail_s: and after it.
        rooms: responses of rooms (a folder, a manifest, or "drawn") that the speech is heard in; the SNR is then
            that of the reverberant speech.
        band_hz: lowest and highest frequency that the recording device passes; with gain_db (before it clips),
            clip_db (its full scale) and mu_law (8 bits a sample) this is done to the finished mix, not to its stems.
    """

    snr_db: tuple[float, ...]
    snr_law: str = "fixed"
    level: str = "p56"
    seed: int = 0
    stems: bool = False
    format: str | None = None
    background: str | None = None
    background_db: tuple[float, ...] = (-10.0,)
    lead_in_s: float = 0.0
    trail_s: float = 0.0
    rooms: str | None = None
    band_hz: tuple[float, float] | None = None
    gain_db: float = 0.0
    clip_db: float | None = None
    mu_law: bool = False

    def __post_init__(self) -> None:
        """Raises InputError for what makes no sense."""
        snr_db = self.snr_db
        if not snr_db or any(math.isnan(snr) or snr == -math.inf for snr in snr_db):
            raise InputError(f"snr_db is {list(snr_db)}: give one number or more, e.g. 5")
        if self.level not in ("p56", "rms"):
            raise InputError(f"no level method {self.level!r}: choose p56 or rms")
        if self.snr_law != "fixed":
            check_snr_law(self.snr_law, snr_db)
        if self.format not in (None, "wav", "flac"):
            raise InputError(f"no format {self.format!r}: choose wav or flac")
        for name, seconds in (("lead_in_s", self.lead_in_s), ("trail_s", self.trail_s)):
            if not 0 <= seconds < math.inf:
                raise InputError(f"{name} is {seconds}: give seconds, 0 or more")
        levels = self.background_db
        if not 1 <= len(levels) <= 2 or not all(map(math.isfinite, levels)) or levels[0] > levels[-1]:
            raise InputError(f"background_db is {list(levels)}: give one number of dB, or the lowest and the highest")
        _ = self.effects  # which checks what it is made of

    @property
    def conditions(self) -> tuple[float | None, ...]:
        """The SNRs that every utterance is mixed at; None: a drawn one."""
        return tuple(dict.fromkeys(self.snr_db)) if self.snr_law == "fixed" else (None,)

    @property
    def effects(self) -> DeviceEffects | None:
        """Of the recording device."""
        effects = DeviceEffects(self.band_hz, self.gain_db, self.clip_db, self.mu_law)
        return None if effects == DeviceEffects() else effects
