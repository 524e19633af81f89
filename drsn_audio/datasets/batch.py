"""Clips and their noise, before mixing and as a batch that is mixed on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from drsn_audio.noise.equalise import equalise, play_noise
from drsn_audio.noise.mix import mix_at_snr

CLEAN_SILENCE_DB = 40.0
EQUALISER_POINTS = 9


class Example(NamedTuple):
    """One clip and its noise, before mixing; see `Batch`.

    speech [N]; noise of any length: `collate` plays it in the time of N, and equalises it by noise_gains_db [P].
    """

    speech: np.ndarray
    noise: np.ndarray
    start: int
    length: int
    speech_level_db: float
    snr_db: float
    gain_db: float
    target: int
    silence: bool
    noise_gains_db: np.ndarray
    mix_gains_db: np.ndarray
    noise_source: str


@dataclass
class Batch:
    """Clips and their noise, mixed on the device by `mix`.

    speech, noise [B, N]; start, length [B]: samples at which the recording of the speech begins, and how many it
    has; speech_level_db, snr_db (inf: clean), gain_db [B]; target [B]; silence [B]: True where nobody speaks;
    mix_gains_db [B, P]: equaliser of the finished mix.
    """

    speech: Tensor
    noise: Tensor
    start: Tensor
    length: Tensor
    speech_level_db: Tensor
    snr_db: Tensor
    gain_db: Tensor
    target: Tensor
    silence: Tensor
    mix_gains_db: Tensor
    noise_source: Sequence[str]

    def to(self, device: torch.device) -> Batch:
        values = (getattr(self, f.name) for f in fields(self))
        moved: list[Any] = [value.to(device) if isinstance(value, Tensor) else value for value in values]
        return Batch(*moved)

    def mix(self, snr_db: float | None = None) -> Tensor:
        """Noisy waves [B, N], at the drawn SNRs or at one for all (inf: clean).

        Noise alone never lies more than 40 dB below where the speech would: in silence, too, there is a room.
        """
        snr = self.snr_db if snr_db is None else torch.full_like(self.snr_db, snr_db)
        wave, _ = mix_at_snr(
            self.speech,
            self.noise,
            torch.where(self.silence, snr.clamp(max=CLEAN_SILENCE_DB), snr),
            speech_level_db=self.speech_level_db,
            start=self.start,
            lengths=self.length,
        )
        gain_db = self.gain_db[:, None]
        return equalise(wave, self.mix_gains_db + gain_db) if self.mix_gains_db.any() else wave * 10 ** (gain_db / 20)


def collate(examples: Sequence[Example]) -> Batch:
    """Examples -> Batch: field by field, waves stacked, the noise as long as the speech."""
    columns: dict[str, Any] = dict(zip(Example._fields, zip(*examples, strict=True), strict=True))
    for name in ("speech", "noise_gains_db", "mix_gains_db"):
        columns[name] = np.stack(columns[name])
    noise_gains_db = torch.from_numpy(columns.pop("noise_gains_db"))
    columns["noise"] = play_noise(columns["noise"], columns["speech"].shape[1], noise_gains_db)
    sources = columns.pop("noise_source")
    return Batch(**{name: torch.as_tensor(column) for name, column in columns.items()}, noise_source=sources)
