"""A wave taken apart and put together again, at once and block by block."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.nn.synthesis import apply_gains
from drsn_audio.overlap import delay
from drsn_audio.streaming.synthesis import Synthesis

HOP, BINS = 16, 33


def drawn(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    wave = rng.standard_normal(frames * HOP).astype(np.float32)
    return wave, rng.random((frames, BINS), np.float32)


def at_once(wave: np.ndarray, gains: np.ndarray) -> np.ndarray:
    return apply_gains(torch.from_numpy(wave)[None], torch.from_numpy(gains)[None], HOP)[0].numpy()


@pytest.mark.parametrize(("bins", "hop"), [(257, 256), (257, 128), (33, 16), (3, 1), (7, 1)])
def test_gains_of_one_give_the_wave_back_later(bins: int, hop: int):
    wave = torch.randn(2, 40 * hop, generator=torch.Generator().manual_seed(0))
    late = delay(bins, hop)
    given_back = apply_gains(wave, torch.ones(2, 40, bins), hop)
    assert late == 2 * (bins - 1) - hop
    assert given_back[:, :late].abs().max() < 1e-6
    assert torch.allclose(given_back[:, late:], wave[:, : 40 * hop - late], atol=1e-5)


def test_a_gain_takes_its_frequency_alone():
    # Two sines in bins far from each other; the upper is taken out.
    time = torch.arange(100 * HOP) / (2 * (BINS - 1))
    lower, upper = (torch.sin(2 * torch.pi * k * time) for k in (4, 20))
    gains = torch.ones(1, 100, BINS)
    gains[:, :, 12:] = 0
    late = delay(BINS, HOP)
    left = apply_gains((lower + upper)[None], gains, HOP)[0, late:]
    inside = slice(4 * HOP, -4 * HOP)  # the ends are steps, which have all frequencies; a root-Hann leaks 0.3 %
    assert torch.allclose(left[inside], lower[: len(left)][inside], atol=5e-3)


def test_a_frame_reaches_no_earlier_sample():
    wave, gains = drawn(1, 30)
    changed = gains.copy()
    changed[20] = 0
    before, after = at_once(wave, gains), at_once(wave, changed)
    assert np.array_equal(before[: 20 * HOP], after[: 20 * HOP])
    assert not np.allclose(before[20 * HOP : 21 * HOP], after[20 * HOP : 21 * HOP])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 7), max_size=8))
def test_blocks_of_any_size_make_the_whole(seed: int, sizes: list[int]):
    wave, gains = drawn(seed, sum(sizes) + 1)
    synthesis, parts, at = Synthesis(BINS, HOP), [], 0
    for frames in (*sizes, 1):
        parts.append(synthesis(wave[at * HOP : (at + frames) * HOP], gains[at : at + frames]))
        at += frames
    assert np.abs(np.concatenate(parts) - at_once(wave, gains)).max() < 1e-5
    assert all(part.dtype == np.float32 for part in parts)


def test_a_reset_forgets():
    wave, gains = drawn(2, 9)
    synthesis = Synthesis(BINS, HOP)
    first = synthesis(wave, gains)
    synthesis.reset()
    assert np.array_equal(synthesis(wave, gains), first)


def test_digital_silence_stays_digital_silence():
    silence = np.zeros(12 * HOP, np.float32)
    assert not Synthesis(BINS, HOP)(silence, drawn(3, 12)[1]).any()


def test_what_does_not_fit_is_refused_and_not_heard():
    wave, gains = drawn(4, 6)
    synthesis = Synthesis(BINS, HOP)
    for samples, of_frames in ((wave[:-1], gains), (wave, gains[:-1]), (wave, gains[:, :-1])):
        with pytest.raises(ValueError, match="a frame"):
            synthesis(samples, of_frames)
    assert np.abs(synthesis(wave, gains) - at_once(wave, gains)).max() < 1e-5
    with pytest.raises(ValueError, match="frames for"):
        apply_gains(torch.zeros(1, 10 * HOP), torch.ones(1, 9, BINS), HOP)
    for bins, hop in ((257, 300), (257, 170), (2, 2)):
        with pytest.raises(ValueError, match="hops"):
            delay(bins, hop)
        with pytest.raises(ValueError, match="hops"):
            Synthesis(bins, hop)
