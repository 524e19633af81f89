"""Training on stretches of a stream: what a causal model is to answer at each moment, and what it remembers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from drsn_audio.config import ModelConfig, TrainConfig
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.memory import Memory
from drsn_audio.models.heads.keyword import frame_loss
from drsn_audio.noise.span import word_span

BEYOND_WINDOW_S = 0.2  # what the encoder sees beside the head's window


def stretch_loss(
    logits: Tensor, speech: Tensor, targets: Tensor, silent: Tensor, fresh: Tensor, block: int, model: ModelConfig,
    train: TrainConfig,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The loss of logits [B, T', K] of stretches whose speech [B, N] holds one word each, targets [B], and the number
    of frames that it is the mean of.

    `silent` [B]: nobody speaks; `fresh` [B]: nothing came before the stretch. `block`: samples of a frame.
    """
    rate = model.frontend.sample_rate
    start, end = word_span(speech)
    heard = block * torch.arange(1, logits.shape[1] + 1, device=logits.device)
    allowed = allowed_answers(
        heard / rate, start / rate, end / rate, targets, silent, fresh,
        labels=model.labels, hold_s=train.hold_s, forget_s=model.clip_s + BEYOND_WINDOW_S,
    )  # fmt: skip
    return frame_loss(logits, allowed), (~allowed.all(-1)).sum()


def allowed_answers(
    time_s: Tensor,
    start_s: Tensor,
    end_s: Tensor,
    targets: Tensor,
    silent: Tensor,
    fresh: Tensor,
    *,
    labels: list[str],
    hold_s: float,
    forget_s: float,
) -> Tensor:
    """Which labels are right answers when time_s [T'] was heard: bool [B, T', K].

    A word, spoken from start_s to end_s [B], is the answer from its end on, for `hold_s`. "silence" is, where for
    `forget_s` nobody spoke. In between, while the word is spoken and once it is fading, it may be given, or
    "unknown" or "silence", but no other word. As long as what came before the stretch may still be heard, only the
    word's own time says anything; frames that say nothing allow everything.
    """
    time_s, start_s, end_s = time_s[None], start_s[:, None], end_s[:, None]
    index = {label: place for place, label in enumerate(labels)}
    own = torch.nn.functional.one_hot(targets, len(labels)).bool()[:, None]  # [B, 1, K]
    nothing = torch.zeros_like(own)
    nothing[..., [index[label] for label in (SILENCE,) if label in index]] = True
    other = nothing.clone()
    other[..., [index[label] for label in (UNKNOWN,) if label in index]] = True

    clear = fresh[:, None] | (time_s > forget_s)
    spoken = ~silent[:, None]
    allowed = torch.ones(len(targets), time_s.shape[1], len(labels), dtype=torch.bool, device=targets.device)
    quiet = clear & (~spoken | (time_s <= start_s) | (time_s > end_s + forget_s))
    during = clear & spoken & (time_s > start_s) & (time_s <= end_s + forget_s)
    answer = spoken & (time_s >= end_s) & (time_s <= end_s + hold_s)
    for frames, answers in ((quiet, nothing), (during, own | other), (answer, own)):
        allowed = torch.where(frames[..., None], answers, allowed)
    return allowed | ~allowed.any(-1, keepdim=True)


class Carried:
    """What the rows of a batch remember of the rows of the batch before.

    A row goes on where the row of its place ended with probability `carry_share`; so streams of all lengths are
    heard, and most of them have a past. Where a batch has another size than the one before, all rows begin anew.
    """

    def __init__(self, carry_share: float):
        self.carry_share = carry_share
        self.piece, self.batch_rows = 0, 0
        self.of_pieces: dict[int, dict[str, Tensor]] = {}

    def turn_to(self, piece: int, batch_rows: int) -> None:
        """What comes next is this piece, of those that the process hears of a batch, which has so many rows in all."""
        if batch_rows != self.batch_rows:
            self.of_pieces = {}
        self.piece, self.batch_rows = piece, batch_rows

    def begin(self, seed: int, step: int, ids: Sequence[str], device: torch.device) -> tuple[Memory, Tensor]:
        """The memory of a batch, and which of its rows [B] begin a stream: of each a draw by (seed, step, id)."""
        begins = [draw_generator("carry", seed, step, id).random() >= self.carry_share for id in ids]
        tensors = self.of_pieces.get(self.piece, {})
        fresh = torch.tensor(begins if tensors else [True] * len(ids), device=device)
        return Memory(tensors, fresh), fresh

    def end(self, memory: Memory) -> None:
        self.of_pieces[self.piece] = memory.after()

    def pack(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        named = {f"{piece}.{name}": of for piece, tensors in self.of_pieces.items() for name, of in tensors.items()}
        return {"batch_rows": torch.tensor(self.batch_rows), **named}

    def unpack(self, packed: dict[str, Tensor], device: torch.device) -> None:
        """Remember what `pack` gave, {}: nothing."""
        self.batch_rows, self.of_pieces = int(packed.get("batch_rows", 0)), {}
        for key, value in packed.items():
            piece, _, name = key.partition(".")
            if name:
                self.of_pieces.setdefault(int(piece), {})[name] = value.to(device)
