"""Sound of a microphone through PortAudio, by the library sounddevice."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from drsn_audio.downmix import Downmix
from drsn_audio.errors import InputError
from drsn_audio.live.source import about, resampled

KEPT_S = 10.0  # sound that waits to be heard; what comes beyond it is dropped
SILENT_S = 5.0  # no block for so long: the device is gone
OTHERWISE = "or pipe the sound: arecord -f S16_LE -r 16000 -t raw | drsn-audio stream -"


class Microphone:
    """An input device, open for as long as blocks are taken; PortAudio's thread puts them into a queue.

    device: its number, or a part of its name; None: the system's default. The model's rate is asked of it, and its own
    rate taken where it does not have that.

    Raises:
        InputError: no PortAudio, no input device, none of that name, or one that cannot be opened.
        ModuleNotFoundError: sounddevice is not installed.
    """

    def __init__(self, device: str | None, sample_rate: int):
        self._sd = load_sounddevice()
        self._dropped, self._overflows = 0, 0  # samples that found the queue full; times that PortAudio lost some
        self._device, self.name, self.sample_rate, self.channels = find_input(self._sd, device, sample_rate)
        self._stream: Any = None

    def blocks(self, sample_rate: int, chunk_s: float) -> Iterator[np.ndarray]:
        yield from resampled(self._captured(chunk_s), self.sample_rate, sample_rate)

    def _captured(self, chunk_s: float) -> Iterator[np.ndarray]:
        mix = Downmix(self.sample_rate, self.channels)
        waiting: queue.Queue[np.ndarray] = queue.Queue(max(1, round(KEPT_S / chunk_s)))

        def take(samples: np.ndarray, frames: int, _time: Any, status: Any) -> None:
            self._overflows += bool(status.input_overflow)
            try:
                waiting.put_nowait(samples.copy())  # PortAudio uses its memory again
            except queue.Full:
                self._dropped += frames

        try:
            self._stream = self._sd.InputStream(
                samplerate=self.sample_rate,
                blocksize=max(1, round(chunk_s * self.sample_rate)),
                device=self._device,
                channels=self.channels,
                dtype="float32",
                callback=take,
            )
            self._stream.start()
        except self._sd.PortAudioError as error:
            raise InputError(f"{self.name}: cannot be opened ({_said(error)}): choose another, {OTHERWISE}") from None
        while True:
            try:
                yield mix(waiting.get(timeout=max(SILENT_S, 2 * chunk_s)))
            except queue.Empty:
                raise InputError(f"{self.name}: no sound comes any more: is it still plugged in?") from None

    def about(self, sample_rate: int) -> str:
        return about(f"microphone {self.name}", self.sample_rate, self.channels, sample_rate)

    def losses(self) -> dict[str, float]:
        return {"dropped_s": round(self._dropped / self.sample_rate, 3), "overflows": self._overflows}

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close(ignore_errors=True)


def load_sounddevice() -> Any:
    """The library; raises InputError where it is there and PortAudio, which it needs, is not."""
    try:
        import sounddevice
    except OSError as error:  # what it raises where it does not find the shared library
        raise InputError(
            f"no microphone ({error}): install PortAudio, apt install libportaudio2, {OTHERWISE}"
        ) from None
    return sounddevice


def find_input(sd: Any, device: str | None, sample_rate: int) -> tuple[int, str, int, int]:
    """A device's number or a part of its name -> its number, name, rate in Hz and channels to open it with."""
    wanted = int(device) if device is not None and device.isdecimal() else device
    if not any(info["max_input_channels"] > 0 for info in sd.query_devices()):
        raise InputError(f"no microphone: this machine has no input device: plug one in, {OTHERWISE}")
    try:
        info = sd.query_devices(wanted, "input")
    except (sd.PortAudioError, ValueError) as error:
        raise InputError(
            f"no microphone{'' if device is None else f' {device!r}'} ({_said(error)}): "
            f"see drsn-audio stream --list-devices, {OTHERWISE}"
        ) from None
    own_rate, most = round(info["default_samplerate"]), info["max_input_channels"]
    refused = ""
    for rate, channels in product((sample_rate, own_rate), sorted({1, min(2, most), most})):
        try:
            sd.check_input_settings(info["index"], channels=channels, dtype="float32", samplerate=rate)
        except sd.PortAudioError as error:
            refused = _said(error)
        else:
            return info["index"], info["name"], rate, channels
    raise InputError(f"{info['name']}: cannot be opened ({refused}): choose another with --device, {OTHERWISE}")


def list_inputs() -> list[str]:
    """A line for every input device: its number, name, channels and own rate; the default is marked."""
    sd = load_sounddevice()
    default = sd.default.device[0]
    return [
        f"{'*' if info['index'] == default else ' '} {info['index']}\t{info['name']}\t"
        f"{info['max_input_channels']} channels\t{info['default_samplerate']:.0f} Hz"
        for info in sd.query_devices()
        if info["max_input_channels"] > 0
    ]


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
