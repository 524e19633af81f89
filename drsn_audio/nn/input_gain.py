"""A gain before the front-end, which brings very quiet sound near the level of ordinary recordings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.memory import Memory, Remembers

LOWEST_DB = -140.0  # dBFS of a frame; what is below counts as digital silence
MOST_DB = 60.0
CONTRAST_DB = 15.0  # by which a frame exceeds the background from which it is active, wholly so SOFT_DB further up
SOFT_DB = 3.0
ACTIVE_S = 0.2, 0.3  # of active frames: where the evidence of a signal begins, and where it is whole
WINDOW_S = 10.0  # of the past that is considered
BACKGROUND_S = 0.1  # that a background lasts at least
PAUSE_S = 0.15  # without an active frame, after which the gain may rise
SLOPE = 3.0  # dB of gain for each dB of level, from off_db downwards until peak_db is reached


@dataclass(frozen=True)
class GainLaw:
    """What a gain does; in dBFS of frames.

    off_db: loudest frame from which there is none. peak_db: to which the loudest frame is lifted at most, and, with
    `signals`, is lifted once there is evidence of a signal. background_db: to which the background is lifted at once.
    """

    off_db: float
    peak_db: float
    background_db: float
    signals: bool


# The loudest frame of speech of -45 dBFS active level is at -36. The last bit of 16 makes more noise than -95: no
# ordinary recording has a quieter background.
RECOGNITION = GainLaw(off_db=-36.0, peak_db=-36.0, background_db=-95.0, signals=True)
# One gain for a whole clip changes no level within a word: it may lift it to where models are best.
CLIPS = GainLaw(off_db=-36.0, peak_db=-20.0, background_db=-95.0, signals=True)
# A denoiser depends on the level of the noise, too, and on a gain that stays: it goes by the background alone.
DENOISING = GainLaw(off_db=-40.0, peak_db=-20.0, background_db=-65.0, signals=False)


class InputGain(Remembers, nn.Module):
    """Wave [B, N] -> the same wave, raised where the last WINDOW_S of it were very quiet; no weights.

    Levels are those of frames of `hop` samples, each without its mean. Of the window, p is the loudest frame, and the
    background q is the quietest BACKGROUND_S without digital silence. At once the gain lifts q to `background_db`.
    With `signals` it lifts p to `peak_db` once there were ACTIVE_S of frames that exceed q by CONTRAST_DB, and does so
    in pauses alone, so that no word changes its level: stationary noise is not raised, nor is the quiet beginning of an
    ordinary recording. It never lifts p beyond `peak_db`, in the very frame in which p rises. Where p is `off_db` or
    more, the samples are the same, bit for bit.

    With a memory the window ends with each frame. Without one (a model of whole clips) it is the clip, and one gain
    holds for all of it.
    """

    def __init__(self, hop: int, sample_rate: int, law: GainLaw = RECOGNITION):
        super().__init__()
        self.hop, self.frame_s, self.law = hop, hop / sample_rate, law
        self.background = law.background_db - LOWEST_DB
        self.window, self.short, self.pause = (
            max(1, round(seconds / self.frame_s)) for seconds in (WINDOW_S, BACKGROUND_S, PAUSE_S)
        )

    def forward(self, wave: Tensor, memory: Memory | None = None) -> Tensor:
        with torch.autocast(wave.device.type, enabled=False):
            frames = F.pad(wave.float(), (0, -wave.shape[1] % self.hop)).unflatten(1, (-1, self.hop))
            level = frame_level(frames)
            gain_db = self.of_clip(level) if memory is None else self.of_stream(level, memory)
            raised = frames * 10.0 ** (gain_db / 20)[..., None]
            return raised.flatten(1)[:, : wave.shape[1]]

    def of_stream(self, level: Tensor, memory: Memory) -> Tensor:
        """Levels [B, T], in dB above LOWEST_DB -> gains in dB [B, T]."""
        past = memory.extend(f"{self.memory_name}.level", level, self.window + self.short - 2)
        floor = -running_max(self._background(past), self.window)
        most = self._most(running_max(past[:, self.short - 1 :], self.window))
        if not self.law.signals:
            return torch.minimum(most, (self.background - floor).clamp(min=0.0))
        active = memory.extend(f"{self.memory_name}.active", self._active(level, floor), self.window - 1)
        seconds = F.avg_pool1d(active[:, None], self.window, 1)[:, 0] * self.window * self.frame_s
        paused = running_max(past[:, -(level.shape[1] + self.pause - 1) :], self.pause) <= floor + CONTRAST_DB
        name = f"{self.memory_name}.held"
        held = hold(most * _share(seconds, *ACTIVE_S), paused, memory.past(name, level.new_zeros(level.shape[0], 1)))
        memory.keep(name, held[:, -1:])
        return torch.minimum(most, torch.maximum(held, self.background - floor))

    def of_clip(self, level: Tensor) -> Tensor:
        """The same with one window for all frames: gains [B, 1]."""
        floor = -self._background(F.pad(level, (self.short - 1, 0))).amax(1, keepdim=True)
        seconds = self._active(level, floor).sum(1, keepdim=True) * self.frame_s
        most = self._most(level.amax(1, keepdim=True))
        return torch.minimum(most, torch.maximum(most * _share(seconds, *ACTIVE_S), self.background - floor))

    def _background(self, past: Tensor) -> Tensor:
        """Levels [B, T + short - 1] -> minus the loudest of each BACKGROUND_S [B, T], far down where one is silent."""
        silent = (1 - past).clamp(min=0.0)
        return -running_max(past, self.short) - 1e4 * running_max(silent, self.short)

    @staticmethod
    def _active(level: Tensor, floor: Tensor) -> Tensor:
        return _share(level - floor, CONTRAST_DB, CONTRAST_DB + SOFT_DB)

    def _most(self, peak: Tensor) -> Tensor:
        off, target = self.law.off_db - LOWEST_DB, self.law.peak_db - LOWEST_DB
        return torch.minimum(SLOPE * (off - peak), target - peak).clamp(0.0, MOST_DB)


def frame_level(frames: Tensor) -> Tensor:
    """Frames [B, T, N] -> their levels without their mean [B, T], in dB above LOWEST_DB, at least 0."""
    scaled = (frames - frames.mean(2, keepdim=True)) * 10.0 ** (-LOWEST_DB / 20)
    return 10 * torch.log10(scaled.square().mean(2) + 1)


def running_max(x: Tensor, count: int) -> Tensor:
    """x [B, T + count - 1] -> the largest of each `count` [B, T]."""
    return F.max_pool1d(x[:, None], count, 1)[:, 0]


def hold(x: Tensor, free: Tensor, before: Tensor) -> Tensor:
    """x [B, T] where `free`, else the last value that was; before [B, 1] where there is none."""
    known = torch.cat([before, x], 1)
    place = torch.arange(1, x.shape[1] + 1, device=x.device) * free
    shift = 1
    while shift < place.shape[1]:  # the largest so far: cummax, which ONNX lacks
        place = torch.maximum(place, F.pad(place, (shift, 0))[:, : place.shape[1]])
        shift *= 2
    return known.gather(1, place)


def _share(x: Tensor, begin: float, end: float) -> Tensor:
    return ((x - begin) / (end - begin)).clamp(0.0, 1.0)
