"""Schedule, decay groups and moving average, by hand."""

import pytest
import torch
from torch import nn

from drsn_audio.config import TrainConfig
from drsn_audio.training.optim import make_average, make_optimizer, make_schedule


def test_the_schedule_by_hand():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = make_schedule(optimizer, total_steps=10, warmup_share=0.2)
    rates = []
    for _ in range(11):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    # Two steps of warm-up, then a cosine over eight: half-way, at step 6, it is half, at step 10 nothing.
    assert rates[:3] == pytest.approx([1.0, 2.0, 2.0])
    assert rates[4] == pytest.approx(1 + 2**-0.5)
    assert rates[6] == pytest.approx(1.0)
    assert rates[10] == pytest.approx(0.0)


def test_one_step_does_not_divide_by_zero():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = make_schedule(optimizer, total_steps=1, warmup_share=0.1)
    optimizer.step()
    schedule.step()
    assert 0 <= schedule.get_last_lr()[0] <= 1


def test_only_matrices_and_kernels_decay():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(4, 3))
    decayed, others = make_optimizer(model, TrainConfig(weight_decay=0.5, learning_rate=0.1)).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    assert [p.shape for p in decayed["params"]] == [model[0].weight.shape, model[2].weight.shape]
    assert len(others["params"]) == 4  # two biases, scale and shift of the norm


def test_the_encoder_has_its_rate():
    model = nn.ModuleDict({"encoder": nn.Linear(4, 3), "head": nn.Linear(3, 2)})
    groups = make_optimizer(model, TrainConfig(learning_rate=0.1, encoder_rate=0.2)).param_groups
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert [rates[id(p)] for p in model["encoder"].parameters()] == pytest.approx([0.02] * 2)
    assert [rates[id(p)] for p in model["head"].parameters()] == [0.1] * 2


def test_the_average_is_the_loop_of_its_definition():
    generator = torch.Generator().manual_seed(0)
    model = nn.BatchNorm1d(3)
    average = make_average(model, decay=0.15)
    expected, statistics = model.weight.detach().clone(), model.running_mean.clone()
    for n in range(6):
        with torch.no_grad():
            model.weight.copy_(torch.randn(3, generator=generator))
        model(torch.randn(8, 3, generator=generator))
        average.update_parameters(model)
        # The first update copies; then the decay grows: 2/11 and all later ones are capped at 0.15.
        decay = 0.0 if n == 0 else min(0.15, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * model.weight.detach()
        statistics = decay * statistics + (1 - decay) * model.running_mean
        torch.testing.assert_close(average.module.weight.detach(), expected)
        torch.testing.assert_close(average.module.running_mean, statistics)
    assert average.module.num_batches_tracked == 6


def test_the_decay_grows_with_the_steps():
    model = nn.Linear(1, 1, bias=False)
    average = make_average(model, decay=0.999)
    values = [0.0, 1.0, 0.0]
    for value in values:
        with torch.no_grad():
            model.weight.fill_(value)
        average.update_parameters(model)
    # 0, then 2/11 of 0 and 9/11 of 1, then 3/12 of that.
    assert average.module.weight.item() == pytest.approx(9 / 11 * 3 / 12)
