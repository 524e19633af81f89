"""Long sound is cut where nobody speaks, and nothing of it is lost."""

import numpy as np
import pytest

from drsn_audio.transcribing.segments import LONGEST_S, SHORTEST_S, cut_place, segments
from drsn_audio.transcribing.sound import chunks
from drsn_audio.transcribing.voice_activity import EnergyActivity

RATE = 16000


def talk(seconds, pauses, noise_db=-60.0, seed=0):
    """Syllables, four a second, of coloured hiss at -20 dB re full scale, in noise; none within the pauses."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE)) / RATE
    hiss = np.convolve(rng.standard_normal(len(time_s)), np.ones(4) / 2, "same")
    voice = 0.1 * hiss * np.sin(4 * np.pi * time_s) ** 2
    for start, end in pauses:
        voice[(time_s >= start) & (time_s < end)] = 0
    return (voice + 10 ** (noise_db / 20) * rng.standard_normal(len(time_s))).astype(np.float32)


def cuts_of(wave, block=40_000):
    found = list(segments(iter(np.split(wave, range(block, len(wave), block))), EnergyActivity(RATE), RATE))
    assert np.array_equal(np.concatenate([part for _, part in found]), wave)
    assert [start for start, _ in found] == np.cumsum([0, *(len(part) for _, part in found)])[:-1].tolist()
    return [start / RATE for start, _ in found[1:]], [len(part) / RATE for _, part in found]


@pytest.mark.parametrize("noise_db", [-120.0, -60.0, -30.0])
def test_it_is_cut_in_the_middle_of_the_longest_pause(noise_db):
    """In noise 10 dB below the voice, too: the pause is what lies at the noise's own level."""
    cuts, lengths = cuts_of(talk(45, [(8, 8.6), (12, 13), (17, 17.5), (22, 22.4), (30, 31)], noise_db))
    assert cuts[:2] == pytest.approx([12.5, 30.5], abs=0.15)
    assert max(lengths) <= LONGEST_S


def test_without_a_pause_it_is_cut_where_it_is_softest():
    wave = talk(25, [])
    wave[13 * RATE : 13 * RATE + 1600] *= 0.2  # too short for a pause
    cuts, _ = cuts_of(wave)
    assert cuts == pytest.approx([13.05], abs=0.1)


def test_a_sound_that_is_short_enough_stays_whole():
    assert cuts_of(talk(LONGEST_S - 0.1, [(8, 9)])) == ([], [LONGEST_S - 0.1])


@pytest.mark.parametrize("wave", [np.zeros(70 * RATE, np.float32), np.ones(70 * RATE, np.float32)])
def test_what_never_changes_is_cut_all_the_same(wave):
    _, lengths = cuts_of(wave)
    assert all(SHORTEST_S <= length <= LONGEST_S for length in lengths[:-1])


@pytest.mark.parametrize("block", [1777, 16_000, 700_000])
def test_the_cuts_do_not_depend_on_the_blocks(block):
    wave = talk(50, [(8, 9), (17, 18), (28, 29), (40, 41)])
    assert cuts_of(wave, block) == cuts_of(wave, 40_000)


def test_the_longest_pause_by_hand():
    quiet = np.array([0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0], bool)
    scores = np.where(quiet, 0.0, 1.0)
    assert cut_place(scores, quiet, 0, 1) == 2  # of frames 1 to 3
    assert cut_place(scores, quiet, 4, 1) == 9  # of two alike, the last
    assert cut_place(np.array([0.0, 4, 3, 1, 2, 4]), quiet[:6], 2, 3) == 3  # none so long: the lowest score there


@pytest.mark.parametrize("sizes", [[1, 1, 1], [5], [3, 4, 0, 9], []])
def test_chunks_are_the_same_sound(sizes):
    wave = np.arange(sum(sizes), dtype=np.float32)
    found = list(chunks(iter(np.split(wave, np.cumsum(sizes)[:-1])) if sizes else iter([]), 4))
    assert [len(part) for part in found] == [4] * (len(wave) // 4) + [len(wave) % 4] * (len(wave) % 4 > 0)
    assert np.array_equal(np.concatenate([*found, []]), wave)
