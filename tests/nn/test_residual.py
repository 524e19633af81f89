"""The residual block: shapes, masks before every convolution, shortcut, causality."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from drsn_audio.memory import Memory, name_layers
from drsn_audio.nn.causal import POOLS, Pooling
from drsn_audio.nn.masking import frame_mask
from drsn_audio.nn.residual import Conv2d, ResidualBlock, downsample_lengths, pool_shortcut
from drsn_audio.nn.shrinkage import SHRINKAGES

STRIDES = [(1, 1), (2, 2), (2, 1), (1, 3)]
CAUSAL = [pool for pool in POOLS if pool != "clip"]


def build(stride=(2, 2), shrinkage="cw", pool="clip", channels_in=3, channels=5, bins=4) -> ResidualBlock:
    torch.manual_seed(0)
    block = ResidualBlock(channels_in, channels, stride, shrinkage, Pooling(pool, 4.0, -(-bins // stride[0]))).double()
    name_layers(block)
    for part in block.modules():
        if isinstance(part, nn.BatchNorm2d):  # an output of bn-relu at zero input that is not zero: padding shows
            nn.init.uniform_(part.bias, 0.5, 1)
            nn.init.uniform_(part.running_mean, -0.5, 0.5)
    return block.eval()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("frames", [1, 2, 7, 8])
@pytest.mark.parametrize("bins", [5, 6])
def test_shapes_are_rounded_up(bins, frames, stride, causal):
    block = build(stride, pool="causal" if causal else "clip", bins=bins)
    lengths = torch.tensor([frames, 1])
    out, out_lengths = block(noise(2, 3, bins, frames), lengths)
    assert out.shape == (2, 5, -(-bins // stride[0]), -(-frames // stride[1]))
    assert out_lengths.tolist() == [-(-frames // stride[1]), 1]


def test_lengths_are_rounded_up():
    assert downsample_lengths(torch.tensor([0, 1, 2, 3, 4]), 2).tolist() == [0, 1, 1, 2, 2]
    assert downsample_lengths(None, 2) is None


def test_a_causal_convolution_sees_input_up_to_the_end_of_its_frame():
    """Frame j of stride 2 and a kernel of 5 sees the input frames from 2 j - 3 to 2 j + 1, and no more."""
    conv = Conv2d(1, 1, (1, 5), (1, 2), causal=True).double()
    x = torch.zeros(1, 1, 1, 9, dtype=torch.float64, requires_grad=True)
    for frame in range(5):
        (gradient,) = torch.autograd.grad(conv(x)[0, 0, 0, frame], x)
        seen = gradient.flatten().nonzero().flatten().tolist()
        assert seen == [t for t in range(2 * frame - 3, 2 * frame + 2) if 0 <= t < 9]


def test_a_causal_kernel_shorter_than_its_stride_is_refused():
    with pytest.raises(ValueError, match="causal kernel of 1 frames and a stride of 2: use a longer kernel"):
        Conv2d(1, 1, (1, 1), (1, 2), causal=True)


def test_shortcut_by_hand():
    x = torch.tensor([[1.0, 2, 3, 4, 5], [3, 4, 5, 6, 7]]).view(1, 1, 2, 5)
    assert pool_shortcut(x, (2, 2), None).flatten().tolist() == [2.5, 4.5, 6]
    assert pool_shortcut(x, (1, 1), None) is x
    mask = frame_mask(torch.tensor([3]), 5)
    assert pool_shortcut(x, (2, 2), mask).flatten().tolist() == [2.5, 4, 0]
    assert pool_shortcut(x[:, :, :1], (2, 2), None).flatten().tolist() == [1.5, 3.5, 5]


@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_with_a_silent_branch_only_the_identity_is_left(stride):
    """New channels start as zeros; the old ones are the input, or its average where strided."""
    block = build(stride, bins=6)
    nn.init.zeros_(block.conv2.weight)
    x = noise(2, 3, 6, 8)
    out, _ = block(x, None)
    torch.testing.assert_close(out[:, :3], F.avg_pool2d(x, stride))
    assert not out[:, 3:].any()


@pytest.mark.parametrize("shrinkage", [*SHRINKAGES])
def test_nothing_stands_between_the_second_convolution_and_the_shrinkage(shrinkage):
    """The block, written out: BN-ReLU-Conv, BN-ReLU-Conv, shrinkage, plus the identity."""
    block = build((1, 1), shrinkage, channels=3, bins=6)
    x = noise(2, 3, 6, 8)
    branch = block.conv1(F.relu(block.bn1(x)))
    branch = block.conv2(F.relu(block.bn2(branch)))
    torch.testing.assert_close(block(x, None)[0], x + block.shrinkage(branch))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shrinkage", [*SHRINKAGES])
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("frames", [6, 8])
def test_padding_never_matters(frames, pool, shrinkage, training):
    """Valid frames of a padded batch, whatever stands beyond them, are those of the batch without padding."""
    block = build((2, 2), shrinkage, pool).train(training)
    x = noise(3, 3, 4, frames)
    expected, _ = block(x, None)
    padded = torch.cat([x, 100 * noise(3, 3, 4, 5, seed=1)], 3)
    out, lengths = block(padded, torch.full((3,), frames))
    torch.testing.assert_close(out[..., : lengths[0]], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 3)])
@pytest.mark.parametrize("shrinkage", [*SHRINKAGES])
@pytest.mark.parametrize("pool", CAUSAL)
def test_causal_blocks_do_not_look_ahead(pool, shrinkage, stride):
    """Input from frame t on changes; output frames j with (j + 1) * stride <= t do not. A clip's average does look."""
    x = noise(2, 3, 4, 13)
    changed = x.clone()
    for t in (12, 7, 6, 1):
        changed[..., t:] = noise(2, 3, 4, 13 - t, seed=2)
        first = t // stride[1]  # the first output frame that may change
        causal = build(stride, shrinkage, pool)
        difference = (causal(x, None)[0] - causal(changed, None)[0]).abs().amax((0, 1, 2))
        assert (difference[:first] == 0).all()
        assert (difference[first:] > 0).all()
    centred = build(stride, shrinkage, "clip")
    assert (centred(x, None)[0] - centred(changed, None)[0]).abs().amax((0, 1, 2))[0] > 0


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 3)])
@pytest.mark.parametrize("shrinkage", [*SHRINKAGES])
@pytest.mark.parametrize("pool", CAUSAL)
def test_block_by_block_is_as_at_once(pool, shrinkage, stride):
    """Two streams, in blocks of whole strides; the second begins anew in the middle, the first goes on."""
    block, x = build(stride, shrinkage, pool), noise(2, 3, 4, 36)
    expected, _ = block(x, None)
    again, _ = block(x[1:, ..., 18:], None)
    frames, tensors, outs = 6, {}, []
    for begin in range(0, 36, frames):
        memory = Memory(tensors, torch.tensor([False, begin == 18]) if tensors else None)
        outs.append(block(x[..., begin : begin + frames], None, memory)[0])
        tensors = memory.after()
    out = torch.cat(outs, 3)
    torch.testing.assert_close(out[0], expected[0], rtol=0, atol=1e-12)
    half = 18 // stride[1]
    torch.testing.assert_close(out[1, ..., :half], expected[1, ..., :half], rtol=0, atol=1e-12)
    torch.testing.assert_close(out[1:, ..., half:], again, rtol=0, atol=1e-12)
