"""What a causal model is to answer at each moment, by hand; rows that go on, rows that begin."""

import pytest
import torch

from drsn_audio.models.heads.keyword import frame_loss
from drsn_audio.training.segments import Carried, allowed_answers

LABELS = ["go", "stop", "unknown", "silence"]
GO, STOP, UNKNOWN, SILENCE = range(4)
ALL = {GO, STOP, UNKNOWN, SILENCE}


def answers(target: int, *, silent=False, fresh=True, start_s=0.5, end_s=1.0, labels=LABELS) -> list[set[int]]:
    """Of one stretch of 3 s, heard every quarter of a second; the hold is 0.5 s, the window forgets after 1.2 s."""
    allowed = allowed_answers(
        torch.arange(1, 13) / 4,
        torch.tensor([start_s]),
        torch.tensor([end_s]),
        torch.tensor([target]),
        torch.tensor([silent]),
        torch.tensor([fresh]),
        labels=labels,
        hold_s=0.5,
        forget_s=1.2,
    )
    return [set(row.nonzero().flatten().tolist()) for row in allowed[0]]


def test_a_keyword_by_hand():
    """Silence to 0.5 s; while it is spoken no other keyword; the word at 1.0 to 1.5 s; fading to 2.2 s; silence."""
    either = {GO, UNKNOWN, SILENCE}
    quiet = [{SILENCE}]
    assert answers(GO) == [*quiet * 2, either, *[{GO}] * 3, *[either] * 2, *quiet * 4]


def test_another_word_by_hand():
    either = {UNKNOWN, SILENCE}
    assert answers(UNKNOWN) == [*[{SILENCE}] * 2, either, *[{UNKNOWN}] * 3, *[either] * 2, *[{SILENCE}] * 4]


def test_what_came_before_may_still_be_heard():
    """In a stretch that goes on, nothing is asked of the first 1.2 s but the word's own time."""
    assert answers(GO, fresh=False) == [*[ALL] * 3, *[{GO}] * 3, *[{GO, UNKNOWN, SILENCE}] * 2, *[{SILENCE}] * 4]
    assert answers(SILENCE, silent=True, fresh=False) == [*[ALL] * 4, *[{SILENCE}] * 8]
    assert answers(SILENCE, silent=True) == [{SILENCE}] * 12


def test_labels_without_unknown_or_silence():
    """Where nothing of what is right is a label, nothing is asked."""
    assert answers(GO, labels=["go", "stop"]) == [*[{GO, STOP}] * 2, {GO}, *[{GO}] * 3, *[{GO}] * 2, *[{GO, STOP}] * 4]


def test_the_loss_by_hand():
    """-log of what the allowed ones have together, over the frames that do not allow all: (log 4 + log 2) / 2."""
    logits = torch.zeros(1, 3, 4, requires_grad=True)
    allowed = torch.tensor([[[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]]).bool()
    loss = frame_loss(logits, allowed)
    assert loss.item() == pytest.approx((torch.log(torch.tensor(4.0)) + torch.log(torch.tensor(2.0))).item() / 2)
    loss.backward()
    assert logits.grad.isfinite().all()
    assert not logits.grad[0, 2].any()
    assert frame_loss(logits, torch.ones_like(allowed)).item() == 0


def test_rows_go_on_with_the_share_asked_for():
    carried, here = Carried(0.75), torch.device("cpu")
    ids = [f"row-{number}" for number in range(1000)]
    carried.turn_to(0, 1000)
    memory, fresh = carried.begin(0, 1, ids, here)
    assert fresh.all()
    memory.keep("a", torch.zeros(1000, 1))
    carried.end(memory)
    memory, fresh = carried.begin(0, 2, ids, here)
    assert fresh.float().mean().item() == pytest.approx(0.25, abs=0.04)
    assert torch.equal(memory.past("a", torch.ones(1000, 1))[:, 0], fresh.float())
    assert not torch.equal(carried.begin(0, 3, ids, here)[1], fresh)
    carried.turn_to(1, 1000)  # another piece has a past of its own
    assert carried.begin(0, 3, ids, here)[1].all()
    again = Carried(0.75)
    again.unpack(carried.pack(), here)
    again.turn_to(0, 1000)
    assert torch.equal(again.begin(0, 2, ids, here)[1], fresh)
    carried.turn_to(0, 10)  # a smaller batch
    memory, fresh = carried.begin(0, 3, ids[:10], here)
    assert fresh.all()
    assert not memory.tensors
