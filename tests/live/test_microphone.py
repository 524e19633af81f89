"""A microphone; in place of sounddevice stands a library that gives ramps, from a thread as PortAudio does."""

import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.live import microphone
from drsn_audio.live.microphone import Microphone, list_inputs

SPEAKER = {"index": 0, "name": "Speaker", "max_input_channels": 0, "default_samplerate": 48000.0}
BUILT_IN = {"index": 1, "name": "Built-in", "max_input_channels": 2, "default_samplerate": 44100.0}
USB = {"index": 2, "name": "USB", "max_input_channels": 1, "default_samplerate": 48000.0}


class FakeSounddevice:
    """`accepts(samplerate, channels)`; a stream gives `blocks` blocks of a ramp and then no more."""

    class PortAudioError(Exception):
        pass

    def __init__(self, devices=(SPEAKER, BUILT_IN, USB), accepts=lambda rate, channels: True, blocks=3, overflows=()):
        self.devices, self.accepts, self.blocks, self.overflows = devices, accepts, blocks, overflows
        self.default = SimpleNamespace(device=(1, 0))
        self.closed = False

    def query_devices(self, device=None, kind=None):
        if kind is None:
            return list(self.devices)
        if device is None:
            return BUILT_IN
        for info in self.devices:
            if device == info["index"] or (isinstance(device, str) and device.lower() in info["name"].lower()):
                return info
        raise ValueError(f"No input device matching {device!r}")

    def check_input_settings(self, device, channels, dtype, samplerate):
        if not self.accepts(samplerate, channels):
            raise self.PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    def InputStream(self, samplerate, blocksize, device, channels, dtype, callback):
        def give():
            for number in range(self.blocks):
                ramp = np.arange(blocksize, dtype=np.float32)[:, None] / blocksize
                memory = np.repeat(ramp, channels, axis=1)
                callback(memory, blocksize, None, SimpleNamespace(input_overflow=number in self.overflows))
                memory[:] = np.nan  # PortAudio uses it again

        thread = threading.Thread(target=give)

        def close(ignore_errors):
            thread.join()
            self.closed = True

        return SimpleNamespace(start=thread.start, close=close)


@pytest.fixture
def install(monkeypatch):
    def put(library):
        monkeypatch.setitem(sys.modules, "sounddevice", library)
        monkeypatch.setattr(microphone, "SILENT_S", 300.0)  # a busy machine may be late with a block
        return library

    return put


def heard(mic, rate, count):
    blocks = mic.blocks(rate, 0.1)
    return [next(blocks) for _ in range(count)]


def test_blocks_come_as_they_were_said(install):
    library = install(FakeSounddevice())
    mic = Microphone(None, 16000)
    assert mic.about(16000) == "microphone Built-in: 16000 Hz, 1 channel"
    for block in heard(mic, 16000, 3):
        np.testing.assert_allclose(block, np.arange(1600) / 1600, atol=1e-6)
    assert mic.losses() == {"dropped_s": 0.0, "overflows": 0}
    mic.close()
    assert library.closed


def test_a_device_without_the_rate_is_resampled_and_channels_that_it_must_have_are_averaged(install):
    install(FakeSounddevice(accepts=lambda rate, channels: (rate, channels) == (44100, 2), blocks=20))
    mic = Microphone("built", 16000)
    assert mic.about(16000) == "microphone Built-in: 44100 Hz, 2 channels, resampled to 16000 Hz, channels averaged"
    wave = np.concatenate(heard(mic, 16000, 10))
    assert 12000 < len(wave) <= 16000  # the filter holds back a little
    assert np.isfinite(wave).all()


def test_what_nobody_hears_in_time_is_dropped_and_counted(install, monkeypatch):
    monkeypatch.setattr(microphone, "KEPT_S", 0.2)
    install(FakeSounddevice(blocks=7, overflows={1, 4}))
    mic = Microphone("2", 16000)
    blocks = mic.blocks(16000, 0.1)
    next(blocks)
    mic.close()  # waits for the last block
    losses = mic.losses()
    assert losses["overflows"] == 2
    assert 0.4 <= losses["dropped_s"] <= 0.5  # one was heard, two or one wait


def test_a_device_that_was_unplugged(install, monkeypatch):
    install(FakeSounddevice(blocks=1))
    blocks = Microphone(None, 16000).blocks(16000, 0.05)
    next(blocks)
    monkeypatch.setattr(microphone, "SILENT_S", 0.1)
    with pytest.raises(InputError, match=r"Built-in: no sound comes any more"):
        next(blocks)


@pytest.mark.parametrize(
    ("library", "device", "reason"),
    [
        (FakeSounddevice(devices=()), None, "this machine has no input device"),
        (FakeSounddevice(devices=(SPEAKER,)), None, "this machine has no input device"),
        (FakeSounddevice(), "toaster", "no microphone 'toaster' .*--list-devices"),
        (FakeSounddevice(), "7", "no microphone '7'"),
        (FakeSounddevice(accepts=lambda *_: False), None, "Built-in: cannot be opened .Invalid sample rate"),
    ],
)
def test_no_microphone_is_one_line_with_a_way_out(install, library, device, reason):
    install(library)
    with pytest.raises(InputError, match=reason) as told:
        Microphone(device, 16000)
    assert str(told.value).count("arecord") == 1
    assert "\n" not in str(told.value)


def test_a_device_that_cannot_be_opened_after_all(install):
    library = install(FakeSounddevice())

    def refuse(**_):
        raise library.PortAudioError("Device unavailable")

    library.InputStream = refuse
    with pytest.raises(InputError, match=r"Built-in: cannot be opened .Device unavailable"):
        next(Microphone(None, 16000).blocks(16000, 0.1))


def test_without_portaudio(monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(InputError, match=r"PortAudio library not found.*apt install libportaudio2.*arecord"):
        Microphone(None, 16000)


def test_without_the_library(monkeypatch, capsys):
    from drsn_audio.cli import main
    from drsn_audio.extras import install_command

    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["stream", "--list-devices"]) == 2
    told = capsys.readouterr().err
    assert told == f"error: sounddevice is not installed: {install_command('mic')}\n"


def test_a_list_of_devices(install):
    install(FakeSounddevice())
    assert list_inputs() == ["* 1\tBuilt-in\t2 channels\t44100 Hz", "  2\tUSB\t1 channels\t48000 Hz"]
