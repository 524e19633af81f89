"""A gain before the front-end, which brings very quiet sound near the level of ordinary recordings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.memory import Memory, Remembers
from drsn_audio.smoothing import decayed_sum

LOWEST_DB = -140.0  # dBFS of a frame; what is within 10 dB of it counts as digital silence
PEAK_DB = -36.0  # of the loudest frame of speech of -45 dBFS active level: from here on there is no gain
MOST_DB = 60.0
STEP_DB = 2.0**-12  # of levels, so that sums of them are exact however a stream is cut
SILENT_DB = 1e3  # stands for the background where there is none yet
OFFSET_S = 1.0  # time constant of the mean
NO_OFFSET = 0.05  # frames without an offset, as if they came before: one frame alone tells little
FORGET_DB_S = 2.0  # by which the peak falls, and the background rises, in a second that brings nothing beyond it

# To which the background is lifted: of recognisers, which normalise by the past, to little; a denoiser depends on it.
RECOGNITION_DB = -85.0
DENOISING_DB = -55.0
CLIPS_DB = -60.0  # one gain for a whole clip keeps the contrast of its words; noise alone stays quiet


class InputGain(Remembers, nn.Module):
    """Wave [B, N] -> the same wave, raised where it is very quiet; no weights.

    Levels are those of frames of `hop` samples, each without its mean. With the peak p and the background q so far
    (the loudest and the quietest frame, digital silence left out; both forget by FORGET_DB_S), the gain in dB is

        min(PEAK_DB - p, background_db - q), from 0 to MOST_DB

    in the very frame that changes p or q: where p is PEAK_DB or more, the samples are the same, bit for bit. What is
    raised is the sound without its offset: the mean so far, forgotten within OFFSET_S.

    Without a memory (a model of whole clips) all three are those of the clip, and one gain holds for all of it.
    """

    left: Tensor

    def __init__(self, hop: int, sample_rate: int, background_db: float = RECOGNITION_DB):
        super().__init__()
        self.hop, self.background_db = hop, background_db
        self.fall = round(FORGET_DB_S * hop / sample_rate / STEP_DB) * STEP_DB
        self.register_buffer("left", torch.tensor([[math.exp(-hop / sample_rate / OFFSET_S)]]), persistent=False)

    def forward(self, wave: Tensor, memory: Memory | None = None) -> Tensor:
        with torch.autocast(wave.device.type, enabled=False):
            frames = F.pad(wave.float(), (0, -wave.shape[1] % self.hop)).unflatten(1, (-1, self.hop))
            mean = frames.mean(2)
            level = frame_level(frames - mean[..., None])
            silent = ((LOWEST_DB + 10 - level) / STEP_DB).clamp(0.0, 1.0)
            sums = torch.stack([mean * (1 - silent), 1 - silent], 1)
            depth = -level - SILENT_DB * silent
            if memory is None:
                peak, floor = level.amax(1, keepdim=True), -depth.amax(1, keepdim=True)
                sums = sums.sum(2, keepdim=True)
            else:
                peak = self._largest("peak", level, LOWEST_DB, memory)
                floor = -self._largest("background", depth, -SILENT_DB, memory)
                name = f"{self.memory_name}.offset"
                before = memory.past(name, torch.zeros_like(sums[..., :1]))
                sums = decayed_sum(sums, self.left, before)
                memory.keep(name, sums[..., -1:])
            gain_db = torch.minimum(PEAK_DB - peak, self.background_db - floor).clamp(0.0, MOST_DB) * (1 - silent)
            offset = sums[:, 0] / (sums[:, 1] + NO_OFFSET)
            raised = frames + (frames - offset[..., None]) * (10.0 ** (gain_db / 20) - 1)[..., None]
            return raised.flatten(1)[:, : wave.shape[1]]

    def _largest(self, name: str, x: Tensor, beginning: float, memory: Memory) -> Tensor:
        """x [B, T] -> the largest so far [B, T], each less by `fall` for every frame that has passed since."""
        name = f"{self.memory_name}.{name}"
        x = torch.cat([memory.past(name, torch.full_like(x[:, :1], beginning)), x], 1)
        shift = 1
        while shift < x.shape[1]:  # by doubling: ONNX lacks cummax
            x = torch.cat([x[:, :shift], torch.maximum(x[:, shift:], x[:, :-shift] - shift * self.fall)], 1)
            shift *= 2
        memory.keep(name, x[:, -1:])
        return x[:, 1:]


def frame_level(frames: Tensor) -> Tensor:
    """Frames [B, T, N] -> their levels [B, T] in dBFS, at least LOWEST_DB, in STEP_DB."""
    scaled = frames * 10.0 ** (-LOWEST_DB / 20)
    level = 10 * torch.log10(scaled.square().mean(2) + 1) + LOWEST_DB
    return torch.round(level / STEP_DB) * STEP_DB
