"""Denoising: how much of every frequency of the noisy spectrum is speech, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from drsn_audio.config import ModelConfig
from drsn_audio.memory import Memory
from drsn_audio.models.encoder import Features
from drsn_audio.nn.causal import Pooling
from drsn_audio.nn.losses import compressed_magnitude_loss, intelligibility_loss, multi_resolution_loss, si_sdr_loss
from drsn_audio.nn.masking import MaskedBatchNorm2d, apply_mask, frame_mask
from drsn_audio.nn.residual import ResidualBlock
from drsn_audio.nn.synthesis import apply_gains
from drsn_audio.overlap import delay

OPEN = 1.0  # what the gains begin with, as a logit: 0.73
LOSS_RMS = 0.05  # of the noisy wave where the losses compare, whatever its level was
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "si_sdr": si_sdr_loss,
    "spectral": multi_resolution_loss,
    "magnitude": compressed_magnitude_loss,
    "intelligibility": intelligibility_loss,
}


class DenoiseHead(nn.Module):
    """Features -> gains [B, T, bins] in (gain_floor, 1), one for each frame and frequency of the spectrum.

    The coarsest level goes through residual blocks that are dilated in time by `config.mixer`, and then up, level by
    level: joined with the next finer one, through another block. Time is strided nowhere. All blocks have the
    encoder's shrinkage.
    """

    def __init__(self, levels: list[tuple[int, int]], bins: int, config: ModelConfig, frame_ms: float):
        super().__init__()
        self.bins, self.hop = bins, round(config.frontend.hop_ms * config.frontend.sample_rate / 1000)

        def pooling(level: tuple[int, int]) -> Pooling:
            return Pooling(config.pool, config.pool_ms / frame_ms, level[1])

        self.floor = config.gain_floor
        (channels, _), coarsest = levels[-1], levels[-1]
        self.context = nn.ModuleList(
            ResidualBlock(
                channels,
                channels,
                (1, 1),
                config.shrinkage,
                pooling(coarsest),
                dilation=dilation,
                reduction=config.gate_reduction,
            )
            for dilation in config.mixer
        )
        self.up = nn.ModuleList(
            Up(coarse[0], fine, config.shrinkage, pooling(fine), config.gate_reduction)
            for coarse, fine in zip(levels[:0:-1], levels[-2::-1], strict=True)
        )
        channels, finest = levels[0]
        self.output_norm = MaskedBatchNorm2d(channels)
        self.output = nn.Conv2d(channels, -(-bins // finest), 1)
        nn.init.constant_(self.output.bias, OPEN)  # type: ignore[arg-type]

    def forward(self, features: Features, memory: Memory | None = None) -> Tensor:
        *finer, x = features.levels
        for block in self.context:
            x, _ = block(x, features.lengths, memory)
        for up, skip in zip(self.up, reversed(finer), strict=True):
            x = up(x, skip, features.lengths, memory)
        mask = frame_mask(features.lengths, x.shape[3], x.dtype)
        x = self.output(apply_mask(self.output_norm(x, mask).relu(), mask))
        # A level's bin stands for as many neighbours of the spectrum as there are outputs.
        open_share = x.transpose(1, 2).flatten(1, 2)[:, : self.bins].transpose(1, 2).float().sigmoid()
        return self.floor + (1 - self.floor) * open_share

    def loss(
        self, gains: Tensor, noisy: Tensor, clean: Tensor, wanted: Iterable[str] = tuple(LOSSES)
    ) -> dict[str, Tensor]:
        """Gains of the noisy wave [B, N] and the clean one -> the `wanted` of LOSSES, averaged over the rows.

        All are compared at one level of the noisy wave, so that no row counts for more because it is louder.
        """
        late = delay(self.bins, self.hop)
        estimate = apply_gains(noisy, gains, self.hop)[:, late:]
        noisy, clean = noisy[:, : estimate.shape[1]], clean[:, : estimate.shape[1]]
        gain = LOSS_RMS / noisy.square().mean(1, keepdim=True).sqrt().clamp(min=1e-6)
        estimate, clean = estimate * gain, clean * gain
        return {name: LOSSES[name](estimate, clean).mean() for name in wanted}


class Up(nn.Module):
    """A coarse level [B, C, F, T] and the next finer one, [B, C', F', T] with F = ceil(F' / 2) -> one as the finer."""

    def __init__(self, channels_in: int, fine: tuple[int, int], shrinkage: str, pooling: Pooling, reduction: int):
        super().__init__()
        channels, self.bins = fine
        self.norm = MaskedBatchNorm2d(channels_in)
        self.join = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.block = ResidualBlock(channels, channels, (1, 1), shrinkage, pooling, reduction=reduction)

    def forward(self, x: Tensor, skip: Tensor, lengths: Tensor | None, memory: Memory | None) -> Tensor:
        mask = frame_mask(lengths, x.shape[3], x.dtype)
        x = self.join(apply_mask(self.norm(x, mask).relu(), mask))
        twice = x[:, :, :, None].expand(-1, -1, -1, 2, -1).flatten(2, 3)[:, :, : self.bins]
        x, _ = self.block(apply_mask(skip, mask) + twice, lengths, memory)
        return x
