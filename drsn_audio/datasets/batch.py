"""Clips and their noise, before mixing and as a batch that is mixed on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from drsn_audio.noise.equalise import equalise, play_noise
from drsn_audio.noise.level import active_levels
from drsn_audio.noise.mix import combine_noises, mix_at_snr
from drsn_audio.noise.recorder import DeviceEffects, apply_effects
from drsn_audio.noise.reverb import reverberate

CLEAN_SILENCE_DB = 40.0
EQUALISER_POINTS = 9


class FurtherNoise(NamedTuple):
    """A noise [any length] beside the first, gain_db louder than it over the speech, equalised by gains [P]."""

    wave: np.ndarray
    gain_db: float
    equaliser_db: np.ndarray


class Reverb(NamedTuple):
    """Response [taps] with its direct sound at a sample, and how the level of what it makes is measured: p56 | rms."""

    response: np.ndarray
    direct: int
    level: str


class Example(NamedTuple):
    """One clip and its noise, before mixing; see `Batch`.

    speech [N]; noise of any length: `collate` plays it in the time of N, and equalises it by noise_gains_db [P].
    target: of a clip its label; of speech that is written its labels, with the samples from and to which each of them
    is spoken in spans, where that is known.
    """

    speech: np.ndarray
    noise: np.ndarray
    start: int
    length: int
    speech_level_db: float
    snr_db: float
    gain_db: float
    target: int | tuple[int, ...]
    silence: bool
    noise_gains_db: np.ndarray
    mix_gains_db: np.ndarray
    noise_source: str
    sample_rate: int
    further: tuple[FurtherNoise, ...] = ()
    reverb: Reverb | None = None
    effects: DeviceEffects = DeviceEffects()
    id: str = ""
    spans: tuple[tuple[int, int], ...] = ()


@dataclass
class Batch:
    """Clips and their noise, mixed on the device by `mix`.

    speech, noise [B, N]; start, length [B]: samples at which the recording of the speech begins, and how many it
    has; speech_level_db, snr_db (inf: clean), gain_db [B]; target [B], or [B, U], -1 beyond the end of each, and spans
    [B, U, 2], -1 where they are not known; silence [B]: True where nobody speaks; ids: of what is spoken;
    mix_gains_db [B, P]: equaliser of the finished mix; further_noises [B, K - 1, N] and their gains, further_gains_db
    [B, K - 1], as `combine_noises` takes them; responses [b, R] and direct [b] of the b rows reverb_rows that are in a
    room; effects: of the device of each row.
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
    sample_rate: int
    further_noises: Tensor
    further_gains_db: Tensor
    reverb_rows: Tensor
    responses: Tensor
    direct: Tensor
    reverb_level: str
    effects: Sequence[DeviceEffects]
    ids: Sequence[str]
    spans: Tensor

    def to(self, device: torch.device) -> Batch:
        values = (getattr(self, f.name) for f in fields(self))
        moved: list[Any] = [value.to(device) if isinstance(value, Tensor) else value for value in values]
        return Batch(*moved)

    def mix(self, snr_db: float | None = None) -> Tensor:
        """Noisy waves [B, N], at the drawn SNRs or at one for all (inf: clean).

        In this order: the room answers to the speech, the noises are added, the equaliser and the gain are on the sum,
        and then the device. The SNR is that of what the room made of the speech, and that before the device.
        Noise alone never lies more than 40 dB below where the speech would: in silence, too, there is a room.
        """
        return self.mix_and_speech(snr_db)[0]

    def mix_and_speech(self, snr_db: float | None = None) -> tuple[Tensor, Tensor]:
        """`mix`, and the speech that is in it, [B, N]: in the same room, equalised and amplified as the mix is, but
        before the device; zeros where nobody speaks.
        """
        snr = self.snr_db if snr_db is None else torch.full_like(self.snr_db, snr_db)
        speech, level_db = self.heard_speech()
        wave, _ = mix_at_snr(
            speech,
            self._noises(),
            torch.where(self.silence, snr.clamp(max=CLEAN_SILENCE_DB), snr),
            speech_level_db=level_db,
            start=self.start,
            lengths=self.length,
        )
        return apply_effects(self._place(wave), self.effects, self.sample_rate), self._place(speech)

    def _place(self, wave: Tensor) -> Tensor:
        """The equaliser and the gain of each row."""
        gain_db = self.gain_db[:, None]
        return equalise(wave, self.mix_gains_db + gain_db) if self.mix_gains_db.any() else wave * 10 ** (gain_db / 20)

    def heard_speech(self) -> tuple[Tensor, Tensor]:
        """Speech [B, N] as it is in the room of each row, and its level [B] in dB re full scale.

        Where there is a room, the level is measured anew over the span of the recording: what rings on after that is
        no part of it, as the noise after it is none of the SNR.
        """
        rows = self.reverb_rows
        if not len(rows):
            return self.speech, self.speech_level_db
        wet = reverberate(self.speech[rows], self.responses, self.direct)
        samples = torch.arange(wet.shape[1], device=wet.device)
        span = wet.gather(1, (self.start[rows, None] + samples).clamp(max=wet.shape[1] - 1))
        levels = active_levels(span, self.sample_rate, self.length[rows])
        level_db = levels.active_db if self.reverb_level == "p56" else levels.rms_db
        speech = self.speech.index_copy(0, rows, wet)
        return speech, self.speech_level_db.index_copy(0, rows, level_db.to(self.speech_level_db.dtype))

    def _noises(self) -> Tensor:
        if not self.further_noises.shape[1]:
            return self.noise
        noises = torch.cat([self.noise[:, None], self.further_noises], 1)
        gains_db = torch.cat([torch.zeros_like(self.further_gains_db[:, :1]), self.further_gains_db], 1)
        return combine_noises(noises, gains_db, start=self.start, lengths=self.length)


def collate(examples: Sequence[Example]) -> Batch:
    """Examples -> Batch: field by field, waves stacked, the noise as long as the speech."""
    columns: dict[str, Any] = dict(zip(Example._fields, zip(*examples, strict=True), strict=True))
    for name in ("speech", "noise_gains_db", "mix_gains_db"):
        columns[name] = np.stack(columns[name])
    num_samples = columns["speech"].shape[1]
    noise_gains_db = torch.from_numpy(columns.pop("noise_gains_db"))
    columns["noise"] = play_noise(columns["noise"], num_samples, noise_gains_db)
    kept: dict[str, Any] = {name: columns.pop(name) for name in ("noise_source", "effects")}
    kept["ids"] = columns.pop("id")
    targets, spans = columns.pop("target"), columns.pop("spans")
    kept |= {"target": _stack_labels(targets), "spans": _stack_spans(spans, targets)}
    further, reverb = columns.pop("further"), columns.pop("reverb")
    kept["sample_rate"] = columns.pop("sample_rate")[0]
    tensors: dict[str, Any] = {name: torch.as_tensor(column) for name, column in columns.items()}
    return Batch(**tensors, **kept, **_stack_further(further, num_samples), **_stack_rooms(reverb))


def _stack_labels(targets: Sequence[int | tuple[int, ...]]) -> Tensor:
    if isinstance(targets[0], int):
        return torch.tensor(targets)
    rows = [torch.tensor(row, dtype=torch.long) for row in targets]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


def _stack_spans(spans: Sequence[tuple[tuple[int, int], ...]], targets: Sequence[Any]) -> Tensor:
    most = 0 if isinstance(targets[0], int) else max(map(len, targets))
    stacked = torch.full((len(spans), most, 2), -1)
    for row, of_row in enumerate(spans):
        if of_row:
            stacked[row, : len(of_row)] = torch.tensor(of_row)
    return stacked


def _stack_further(further: Sequence[tuple[FurtherNoise, ...]], num_samples: int) -> dict[str, Any]:
    """Further noises of each row -> tensors as long as the most of them; where a row has fewer, gains of -inf."""
    count = max(len(noises) for noises in further)
    waves = torch.zeros(len(further), count, num_samples)
    gains_db = torch.full((len(further), count), -math.inf)
    for place in range(count):
        rows = [row for row, noises in enumerate(further) if len(noises) > place]
        there = [further[row][place] for row in rows]
        equaliser_db = torch.from_numpy(np.stack([noise.equaliser_db for noise in there]))
        waves[rows, place] = play_noise([noise.wave for noise in there], num_samples, equaliser_db)
        gains_db[rows, place] = torch.tensor([noise.gain_db for noise in there])
    return {"further_noises": waves, "further_gains_db": gains_db}


def _stack_rooms(reverb: Sequence[Reverb | None]) -> dict[str, Any]:
    """Rooms of the rows that are in one, padded to the longest."""
    there = [(row, room) for row, room in enumerate(reverb) if room is not None]
    responses = torch.zeros(len(there), max((len(room.response) for _, room in there), default=0))
    for place, (_, room) in enumerate(there):
        responses[place, : len(room.response)] = torch.from_numpy(room.response)
    return {
        "reverb_rows": torch.tensor([row for row, _ in there], dtype=torch.long),
        "responses": responses,
        "direct": torch.tensor([room.direct for _, room in there], dtype=torch.long),
        "reverb_level": there[0][1].level if there else "",
    }
