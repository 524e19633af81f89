"""What a model remembers: beginnings, what is kept, streams of a batch that begin while others go on."""

import torch
from torch import nn

from drsn_audio.memory import Memory, Remembers, name_layers


def test_the_past_is_put_in_front_and_the_end_is_kept():
    memory = Memory()
    first = memory.extend("x", torch.tensor([[1.0, 2, 3]]), 2)
    assert first.tolist() == [[0, 0, 1, 2, 3]]
    memory = Memory(memory.after())
    assert memory.extend("x", torch.tensor([[4.0]]), 2).tolist() == [[2, 3, 4]]
    assert memory.after()["x"].tolist() == [[3, 4]]  # fewer new values than are kept: an old one stays
    assert memory.extend("y", torch.tensor([[4.0]]), 0).tolist() == [[4]]


def test_fresh_streams_begin_and_the_others_go_on():
    stored = {"a": torch.tensor([[1.0], [2.0], [3.0]])}
    memory = Memory(stored, torch.tensor([False, True, False]))
    assert memory.past("a", torch.full((3, 1), 9.0)).tolist() == [[1], [9], [3]]
    assert memory.past("b", torch.full((3, 1), 7.0)).tolist() == [[7], [7], [7]]
    assert memory.beginning["a"].tolist() == [[9], [9], [9]]


def test_gradients_reach_the_beginning_but_not_the_block_before():
    prior = torch.ones(2, 1, requires_grad=True)
    memory = Memory({"a": torch.ones(2, 1)}, torch.tensor([True, False]))
    memory.keep("a", memory.past("a", prior) * 2)
    memory.kept["a"].sum().backward()
    assert prior.grad.tolist() == [[2], [0]]
    assert not memory.after()["a"].requires_grad


def test_layers_are_named_by_their_place():
    class Layer(Remembers, nn.Module):
        pass

    model = nn.Sequential(Layer(), nn.Linear(1, 1), nn.Sequential(Layer()))
    name_layers(model)
    assert [model[0].memory_name, model[2][0].memory_name] == ["0", "2.0"]
