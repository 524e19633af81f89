"""Rooms obey acoustics, and speech in them stays where it was."""

import math

import numpy as np
import pytest
import torch

from drsn_audio.errors import InputError
from drsn_audio.noise.reverb import (
    ROOM_KINDS,
    SOUND_M_S,
    direct_delay,
    draw_room,
    measure_rt60,
    reverberate,
    room_response,
)

RATE = 16000


def speech(rows: int = 1, samples: int = 4000) -> torch.Tensor:
    return torch.randn(rows, samples, generator=torch.Generator().manual_seed(0))


def at_distance(samples: float, absorption: float = 1.0, order: int = 0) -> tuple[np.ndarray, int]:
    """Response of a hall at as many samples of sound travel from the source."""
    source = np.array([5.0, 5.0, 5.0])
    return room_response(
        [20, 15, 10], source, source + np.array([samples * SOUND_M_S / RATE, 0, 0]), [absorption] * 6, order, RATE
    )


@pytest.fixture(scope="module", autouse=True)
def rooms_extra():
    pytest.importorskip("pyroomacoustics")


@pytest.mark.parametrize("samples", [14, 100, 233])
def test_direct_sound_of_a_known_geometry(samples):
    response, direct = at_distance(samples, 0.3, 3)
    assert direct == samples + 40  # half of the 81 taps by which pyroomacoustics places a sound
    assert direct_delay(response) == direct


def test_sound_falls_off_as_one_over_the_distance():
    sizes = [abs(response[direct]) for response, direct in (at_distance(50), at_distance(100), at_distance(200))]
    assert sizes[0] * 50 * SOUND_M_S / RATE == pytest.approx(1, abs=0.02)
    assert sizes[0] / sizes[1] == pytest.approx(2, abs=0.04)
    assert sizes[1] / sizes[2] == pytest.approx(2, abs=0.04)


def test_a_reflection_of_a_known_geometry():
    # Source and microphone 2 m over a floor and 3 m apart: the image lies 4 m below, sqrt(3^2 + 4^2) = 5 m away; the
    # floor keeps 1 - 0.36 of the energy, 0.8 of the amplitude.
    response, direct = room_response([60, 60, 40], [30, 30, 2], [33, 30, 2], [1.0, 1.0, 1.0, 1.0, 0.36, 1.0], 1, RATE)
    at = 40 + round(5 / SOUND_M_S * RATE)
    nearby = slice(at - 2, at + 3)
    # Between samples, where the five tallest hold the sinc's height.
    assert np.abs(response[nearby]).argmax() in (1, 2, 3)
    assert np.linalg.norm(response[nearby]) == pytest.approx(0.8 / 5, rel=0.1)
    assert direct == 40 + round(3 / SOUND_M_S * RATE)


def test_rt60_of_a_decay_worked_by_hand():
    # 60 dB in 0.5 s: an amplitude of 10 ** (-3 t / 0.5).
    seconds = np.arange(RATE) / RATE
    decay = np.random.default_rng(0).standard_normal(RATE) * 10 ** (-3 * seconds / 0.5)
    assert measure_rt60(decay, 0, RATE) == pytest.approx(0.5, rel=0.05)
    loud_direct = decay.copy()
    loud_direct[0] = 1000
    assert measure_rt60(loud_direct, 0, RATE) == pytest.approx(0.5, rel=0.05)
    assert measure_rt60(np.eye(1, 500, 7)[0], 7, RATE) == 0


@pytest.mark.parametrize("kind", sorted(ROOM_KINDS))
def test_a_drawn_room(kind):
    room = draw_room(np.random.default_rng(1), RATE, kind)
    assert room.kind == kind
    assert room.response.dtype == np.float32
    assert np.isfinite(room.response).all()
    assert 0.29 < room.distance_m < 5.02
    assert room.direct_sample == 40 + round(room.distance_m / SOUND_M_S * RATE)
    assert direct_delay(room.response) == room.direct_sample
    assert room.response[room.direct_sample] * room.distance_m == pytest.approx(1, abs=0.05)
    if room.rt60_s is None:
        assert kind == "street"
        assert 0.05 < room.measured_rt60_s < 2
    else:
        lowest_s, highest_s = ROOM_KINDS[kind].rt60_s
        assert lowest_s <= room.rt60_s <= highest_s
        assert room.measured_rt60_s == pytest.approx(room.rt60_s, rel=0.06)


def test_a_seed_is_a_room():
    first, again, other = (draw_room(np.random.default_rng(seed), RATE, "street") for seed in (4, 4, 5))
    assert np.array_equal(first.response, again.response)
    assert first[2:] == again[2:]
    assert first.distance_m != other.distance_m


def test_the_first_tall_peak_is_the_direct_sound():
    response = np.zeros(300)
    response[[50, 120, 121]] = [0.6, -1.0, 0.9]  # a reflection may be taller
    response[47:50] = [0.1, -0.2, 0.5]  # what leads up to a peak is none
    assert direct_delay(response) == 50
    assert direct_delay(-response) == 50


def test_a_lone_direct_sound_changes_nothing():
    responses, direct = torch.zeros(2, 600), torch.tensor([0, 321])
    responses[0, 0], responses[1, 321] = 0.03, -2.0
    torch.testing.assert_close(reverberate(speech(2), responses, direct), speech(2), atol=1e-5, rtol=0)


def test_an_echo_worked_by_hand():
    responses = torch.zeros(1, 300)
    responses[0, 40], responses[0, 140] = 0.5, 0.25
    wave = speech()
    expected = wave.clone()
    expected[:, 100:] += 0.5 * wave[:, :-100]
    torch.testing.assert_close(reverberate(wave, responses, torch.tensor([40])), expected, atol=1e-5, rtol=0)


def test_nothing_wraps_around():
    responses = torch.zeros(1, 3000)
    responses[0, 0], responses[0, 2999] = 1.0, 1.0
    wave = torch.zeros(1, 1000)
    wave[0, -1] = 1
    torch.testing.assert_close(reverberate(wave, responses, torch.tensor([0])), wave, atol=1e-6, rtol=0)


def test_in_a_room_speech_stays_where_it_was():
    room = draw_room(np.random.default_rng(0), RATE, "street")
    wave = speech(1, 2 * RATE)
    wet = reverberate(wave, torch.from_numpy(room.response)[None], torch.tensor([room.direct_sample]))
    correlation = torch.fft.irfft(torch.fft.rfft(wet, 4 * RATE) * torch.fft.rfft(wave, 4 * RATE).conj())[0]
    assert correlation.abs().argmax() == 0


def test_a_response_without_a_direct_sound_is_named():
    responses = torch.ones(3, 10)
    responses[1, 4], responses[2, 4] = 0, math.nan
    with pytest.raises(InputError, match=r"rows \[1, 2\].*leave it out"):
        reverberate(speech(3), responses, torch.tensor([4, 4, 4]))


def test_double_precision_stays():
    assert reverberate(speech().double(), torch.ones(1, 3).double(), torch.tensor([0])).dtype == torch.float64
