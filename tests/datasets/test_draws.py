"""Draws depend on names alone; a plan holds every index once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.datasets.draws import draw_generator, plan_batches


def test_a_draw_depends_on_its_names_alone():
    first = draw_generator(0, 3, "yes/anna").random(4)
    draw_generator(0, 3, "no/anna").random(100)
    np.random.seed(5)
    assert np.array_equal(draw_generator(0, 3, "yes/anna").random(4), first)


def test_a_draw_is_the_same_on_every_machine():
    assert draw_generator(0, 3, "yes/anna").integers(1000, size=3).tolist() == [726, 738, 485]


@pytest.mark.parametrize(
    "other", [(1, 3, "yes"), (0, 4, "yes"), (0, 3, "no"), (0, "3y", "es"), (0, 3), ("0", 3, "yes ")]
)
def test_other_names_give_other_draws(other):
    assert draw_generator(*other).random() != draw_generator(0, 3, "yes").random()


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 70), batch_size=st.integers(2, 40), seed=st.integers(0, 3), epoch=st.integers(0, 3))
def test_a_plan_holds_every_index_once(count, batch_size, seed, epoch):
    plan = plan_batches(count, batch_size, seed, epoch)
    assert sorted(index for batch in plan for index in batch) == list(range(count))
    sizes = [len(batch) for batch in plan]
    assert all(size == batch_size for size in sizes[:-1])
    assert count == 1 or all(2 <= size <= batch_size + 1 for size in sizes)
    assert plan == plan_batches(count, batch_size, seed, epoch)


def test_the_single_rest_joins_the_batch_before():
    assert [len(batch) for batch in plan_batches(7, 3, 0, 0)] == [3, 4]
    assert [len(batch) for batch in plan_batches(1, 3, 0, 0)] == [1]


def test_seeds_and_epochs_have_orders_of_their_own():
    orders = {tuple(plan_batches(20, 20, seed, epoch)[0]) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4
