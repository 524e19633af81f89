"""A signal ends what waits, at once, and nothing else."""

import os
import signal
import threading
import time

import pytest

from drsn_audio.live.stopping import Stopped, Stopper


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_a_wait(number):
    before = signal.getsignal(number)
    with Stopper() as stopper:
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        with pytest.raises(Stopped), stopper.waiting():
            time.sleep(60)
        assert stopper.signal == number
    assert signal.getsignal(number) is before


def test_between_waits_it_is_remembered():
    with Stopper() as stopper:
        os.kill(os.getpid(), signal.SIGINT)
        done = "half a block"  # is not torn
        done = "a block"
        with pytest.raises(Stopped), stopper.waiting():
            done = "another"
    assert done == "a block"


def test_a_second_one_ends_the_program():
    with Stopper():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_was_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stopper() as stopper, stopper.waiting():
            os.kill(os.getpid(), signal.SIGINT)
        assert stopper.signal is None
    finally:
        signal.signal(signal.SIGINT, before)
