"""Many sounds in batches: nothing is mixed up, and memory depends on neither their number nor their length."""

import itertools
import tracemalloc

import numpy as np
import pytest

from drsn_audio.audio import AudioError
from drsn_audio.decoding.detections import WindowAnswers
from drsn_audio.decoding.listening import BATCH_WINDOWS, Listener, Sound

RATE = 800
LABELS = ["loud", "silence"]


def loudness(windows):
    """A model that hears "loud" where the last sample of a window is 1."""
    assert 0 < len(windows) <= BATCH_WINDOWS
    loud = np.array([0.99 if window[-1] == 1 else 0.01 for window in windows])
    return np.stack([loud, 1 - loud], axis=1)


def sound(blocks):
    return Sound(None, iter(blocks), WindowAnswers(LABELS, 1.0, 0.0, 0.5))


def listener(**settings):
    return Listener(loudness, RATE, RATE, RATE // 8, **settings)


def torn():
    yield np.ones(RATE // 2, np.float32)
    yield np.ones(3 * RATE, np.float32)
    raise AudioError("a.wav: is torn: mend it")


def missing():
    raise AudioError("a.wav: no such file: check the path")
    yield


def test_each_sound_has_its_own_answer_in_order():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    lengths = rng.integers(1, 4 * RATE, 300)
    pairs = zip(truth, lengths, strict=True)
    answers = list(listener().hear(sound([np.full(length, loud, np.float32)]) for loud, length in pairs))
    assert [answer.answers.answers()[0].label for answer in answers] == [
        "loud" if loud else "silence" for loud in truth
    ]
    assert [answer.answers.duration_s for answer in answers] == pytest.approx(lengths / RATE)


def test_what_is_torn_in_the_middle_is_an_error_and_the_others_are_heard():
    first, second, third = listener().hear([sound([np.ones(9)]), sound(torn()), sound([np.zeros(9)])])
    assert (first.error, third.error) == (None, None)
    assert "is torn" in str(second.error)
    assert third.answers.answers()[0].label == "silence"


def test_too_short():
    (short,) = listener(min_duration_s=0.1).hear([sound([np.ones(79)])])
    assert "98.8 ms long, too short" in str(short.error)
    (enough,) = listener(min_duration_s=0.1).hear([sound([np.ones(80)])])
    assert enough.error is None


def test_answers_come_before_all_is_read():
    endless = (sound([np.ones(9)]) for _ in itertools.count())
    assert next(listener().hear(endless)).error is None
    endless = (sound(torn()) for _ in itertools.count())
    assert next(listener().hear(endless)).error is not None
    endless = (sound(missing()) for _ in itertools.count())
    assert all(answer.error for answer in itertools.islice(listener().hear(endless), 200))


def test_progress_is_in_seconds_of_new_sound():
    seconds = []
    list(listener(progress=seconds.append).hear([sound([np.ones(10 * RATE)]), sound([np.ones(RATE // 2)])]))
    assert sum(seconds) == pytest.approx(10.5)
    assert len(seconds) == 2  # 73 windows and one


def peak_bytes(minutes):
    blocks = (np.zeros(10 * RATE, np.float32) for _ in range(6 * minutes))
    tracemalloc.start()
    list(listener().hear([sound(blocks)]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.slow
def test_memory_does_not_grow_with_length():
    assert peak_bytes(30) < 1.1 * peak_bytes(5)
