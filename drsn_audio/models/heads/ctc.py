"""Transcription: at each frame a unit or blank, without a time that was told (Graves et al. 2006)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.config import ModelConfig
from drsn_audio.memory import Memory
from drsn_audio.models.encoder import Features
from drsn_audio.models.mixer import TemporalMixer

PRIOR_DECAY = 0.99  # a step, of the average that the label prior is
NEVER = -1e4  # log-probability of what may not be


class CTCHead(nn.Module):
    """Features -> logits [B, T', K], label 0 blank; with `intermediate_ctc`, in training, [2, B, T', K], the mixer's
    middle first (Lee and Watanabe 2021, arXiv:2102.03216).
    """

    log_prior: Tensor

    def __init__(self, levels: list[tuple[int, int]], bins: int, config: ModelConfig, frame_ms: float):
        super().__init__()
        self.mixer = TemporalMixer(*levels[-1], config, frame_ms)
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(self.mixer.channels, len(config.labels))
        self.intermediate = config.intermediate_ctc
        self.register_buffer("log_prior", torch.zeros(len(config.labels)))

    def forward(self, features: Features, memory: Memory | None = None) -> Tensor:
        middle, end = self.mixer(features, memory)
        if self.intermediate and self.training:
            return torch.stack([self._logits(middle.relu()), self._logits(end)])
        return self._logits(end)

    def _logits(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(x.squeeze(2).transpose(1, 2)))

    def loss(
        self,
        logits: Tensor,
        lengths: Tensor | None,
        targets: Tensor,
        *,
        label_prior: float = 0.0,
        windows: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """CTC losses, a label: of logits as `forward` gives them and targets [B, U], -1 beyond the end of each.

        lengths [B] in frames; None: all. A row whose labels (and blanks between equal ones) need more frames than it
        has counts as nothing: leave such rows out beforehand, with `datasets.utterances`.

        `label_prior`: how far the model's own average of each label is divided out, so that blank does not take all
        (Huang et al. 2024, arXiv:2406.02560). `windows` [B, U, 2]: the frames, first and last, in which each target
        may be given, where that is known (after Mahadeokar et al. 2021, arXiv:2011.03072); -1: anywhere.
        """
        layers = logits if logits.dim() == 4 else logits[None]
        if lengths is None:
            lengths = torch.full((len(targets),), layers.shape[2], device=targets.device)
        allowed = None if windows is None else allowed_labels(targets, windows, layers.shape[2], layers.shape[3])
        losses = []
        for layer in layers:
            log_probabilities = layer.float().log_softmax(-1)
            if label_prior:
                log_probabilities = log_probabilities - label_prior * self.log_prior
            if allowed is not None:
                log_probabilities = log_probabilities.masked_fill(~allowed, NEVER)
            losses.append(ctc_loss(log_probabilities, lengths, targets))
        if label_prior and self.training:
            self._learn_prior(layers[-1], lengths)
        if len(losses) == 1:
            return {"ctc": losses[0]}
        return {"intermediate_ctc": self.intermediate * losses[0], "ctc": losses[1]}

    @torch.no_grad()
    def _learn_prior(self, logits: Tensor, lengths: Tensor) -> None:
        valid = torch.arange(logits.shape[1], device=logits.device) < lengths[:, None]
        mean = logits.float().softmax(-1)[valid].mean(0)
        begun = self.log_prior.any()
        average = torch.where(begun, PRIOR_DECAY * self.log_prior.exp() + (1 - PRIOR_DECAY) * mean, mean)
        self.log_prior.copy_(average.clamp(min=1e-8).log())


def ctc_loss(log_probabilities: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
    """Sum over the batch, divided by the number of labels: log-probabilities [B, T', K], lengths [B], targets [B, U],
    -1 beyond the end of each.
    """
    counts = (targets >= 0).sum(1)
    total = F.ctc_loss(
        log_probabilities.transpose(0, 1), targets.clamp(min=0), lengths, counts, reduction="sum", zero_infinity=True
    )
    return total / counts.sum().clamp(min=1)


def allowed_labels(targets: Tensor, windows: Tensor, frames: int, labels: int) -> Tensor:
    """Which labels may be given at each frame, bool [B, frames, labels]: blank always, a target in its window."""
    place = torch.arange(frames, device=targets.device)[None, :, None]
    free = (windows[:, None, :, 0] < 0) & (targets[:, None] >= 0)
    inside = (place >= windows[:, None, :, 0]) & (place <= windows[:, None, :, 1]) & (targets[:, None] >= 0)
    allowed = torch.zeros(len(targets), frames, labels, device=targets.device)
    allowed.scatter_add_(2, targets.clamp(min=0)[:, None].expand(-1, frames, -1), (inside | free).float())
    allowed[..., 0] = 1
    return allowed > 0
