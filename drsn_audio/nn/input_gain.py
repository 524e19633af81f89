"""A gain before the front-end, which brings very quiet sound near the level of ordinary recordings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.memory import Memory, Remembers

LOWEST_DB = -140.0  # dBFS of a frame; what is within 10 dB of it counts as digital silence
PEAK_DB = -36.0  # of the loudest frame of speech of -45 dBFS active level: from here on there is no gain
MOST_DB = 60.0
STEP_DB = 2.0**-12  # of levels, so that sums of them are exact however a stream is cut
SILENT_DB = 1e3  # stands for the background where there is none yet
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

    in the very frame that changes p or q: where p is PEAK_DB or more, the samples are the same, bit for bit.

    Without a memory (a model of whole clips) p and q are those of the clip, and one gain holds for all of it.
    """

    def __init__(self, hop: int, sample_rate: int, background_db: float = RECOGNITION_DB):
        super().__init__()
        self.hop, self.background_db = hop, background_db
        self.fall = round(FORGET_DB_S * hop / sample_rate / STEP_DB) * STEP_DB

    def forward(self, wave: Tensor, memory: Memory | None = None) -> Tensor:
        with torch.autocast(wave.device.type, enabled=False):
            frames = F.pad(wave.float(), (0, -wave.shape[1] % self.hop)).unflatten(1, (-1, self.hop))
            level = frame_level(frames)
            silent = ((LOWEST_DB + 10 - level) / STEP_DB).clamp(0.0, 1.0)
            depth = -level - SILENT_DB * silent
            if memory is None:
                peak, floor = level.amax(1, keepdim=True), -depth.amax(1, keepdim=True)
            else:
                peak = self._largest("peak", level, LOWEST_DB, memory)
                floor = -self._largest("background", depth, -SILENT_DB, memory)
            gain_db = torch.minimum(PEAK_DB - peak, self.background_db - floor).clamp(0.0, MOST_DB)
            raised = frames * 10.0 ** (gain_db / 20)[..., None]
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
    """Frames [B, T, N] -> their levels without their mean [B, T] in dBFS, at least LOWEST_DB, in STEP_DB."""
    scaled = (frames - frames.mean(2, keepdim=True)) * 10.0 ** (-LOWEST_DB / 20)
    level = 10 * torch.log10(scaled.square().mean(2) + 1) + LOWEST_DB
    return torch.round(level / STEP_DB) * STEP_DB
