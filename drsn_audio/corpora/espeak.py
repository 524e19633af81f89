"""eSpeak NG through ctypes, from the wheel `espeakng-loader`: text -> 16-bit samples.

The library keeps hidden state from one utterance to the next (flutter, noise, voice settings), even across
its own re-initialisation. So it runs in processes of its own: a worker initialises it once, and each
utterance is spoken in a fork of that, from the same state and seed. What is said then depends on the request
alone, and a voice that crashes takes nothing with it. Needs os.fork: Linux or macOS.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from drsn_audio.errors import InputError

SAMPLE_RATE = 22050

# speak_lib.h
_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_SEED = 1

_HEADER = struct.Struct("<q")


class Request(NamedTuple):
    text: str
    voice: str  # eSpeak's name, such as "en-us+m3"
    pitch: int  # 0..99
    rate: int  # words per minute
    pitch_range: int  # 0..99; 0 is a monotone


class EspeakError(InputError):
    """eSpeak NG is not there or does not start. The message is one line."""


def data_path() -> Path:
    """The folder of eSpeak's voices.

    Raises:
        EspeakError: the wheel is not installed.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise EspeakError("eSpeak NG is not installed: pip install espeakng-loader")
    import espeakng_loader

    return Path(espeakng_loader.get_data_path())


def speak(requests: Sequence[Request]) -> Iterator[bytes | None]:
    """Requests -> for each in turn its samples, int16 at 22050 Hz, or None where eSpeak failed.

    Raises:
        EspeakError: the wheel is not installed, or the worker did not start.
    """
    data_path()
    if not hasattr(os, "fork"):
        raise EspeakError("synthesised voices need Linux or macOS (os.fork): prepare them there and copy the folder")
    worker = subprocess.Popen(
        [sys.executable, __file__],  # by its path: importing the package would take longer than speaking
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        with worker.stdin as pipe:
            pipe.write(json.dumps([list(request) for request in requests]).encode())
        for _ in requests:
            header = worker.stdout.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise EspeakError("the eSpeak worker ended early: check that python can load espeakng-loader")
            (size,) = _HEADER.unpack(header)
            yield None if size < 0 else worker.stdout.read(size)
    finally:
        worker.stdout.close()
        worker.kill()
        worker.wait()


def _load() -> Any:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    path = os.fsencode(espeakng_loader.get_data_path())
    if library.espeak_Initialize(_SYNCHRONOUS, 0, path, _DONT_EXIT) != SAMPLE_RATE:
        raise EspeakError(f"eSpeak NG does not start with the data in {path.decode()}: reinstall espeakng-loader")
    library.espeak_ListVoices(None)  # reads the voice files once; otherwise every fork would
    return library


def _synthesise(library: Any, request: Request) -> bytes | None:
    chunks: list[bytes] = []

    @_CALLBACK
    def keep(samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    ctypes.CDLL(None).srand(_SEED)  # some variants draw their noise with the C library's rand
    library.espeak_ng_SetRandSeed(_SEED)
    library.espeak_SetSynthCallback(keep)
    if library.espeak_SetVoiceByName(request.voice.encode()) != 0:
        return None
    for parameter, value in ((_RATE, request.rate), (_PITCH, request.pitch), (_RANGE, request.pitch_range)):
        library.espeak_SetParameter(parameter, value, 0)
    text = request.text.encode()
    if library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None) != 0:
        return None
    library.espeak_Synchronize()
    return b"".join(chunks)


def _in_fork(library: Any, request: Request) -> bytes | None:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read_end)
            samples = _synthesise(library, request)
            if samples is not None:
                with os.fdopen(write_end, "wb") as pipe:
                    pipe.write(samples)
                status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        samples = pipe.read()
    return samples if os.waitpid(child, 0)[1] == 0 else None


def _main() -> None:
    """Worker: a JSON list of requests on stdin -> on stdout for each a byte count (-1: failed), samples."""
    requests = [Request(*fields) for fields in json.load(sys.stdin)]
    library = _load()
    for request in requests:
        samples = _in_fork(library, request)
        sys.stdout.buffer.write(_HEADER.pack(-1 if samples is None else len(samples)) + (samples or b""))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
