"""Formats that libsndfile does not read, decoded by ffmpeg where it is installed: as a program, or as a wheel."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from drsn_audio.audio.error import AudioError

# Of phones, browsers and cameras.
ENDINGS = (
    *(".m4a", ".mp4", ".m4b", ".mov", ".3gp", ".3gpp", ".3g2", ".aac", ".amr", ".awb", ".webm", ".weba", ".mka"),
    *(".mkv", ".wma", ".asf", ".wmv", ".ac3", ".eac3", ".ape", ".wv", ".tta", ".dts", ".mpc"),
)
HOW = "install ffmpeg, or pip install imageio-ffmpeg, or convert: ffmpeg -i {} sound.wav"
BEFORE = ("-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i")
AFTER = ("-map", "0:a:0", "-f", "au", "-c:a", "pcm_f32be", "-")
HEADER = struct.Struct(">4sIIIII")  # AU: magic, where the samples begin, their size, encoding, rate, channels


def find_ffmpeg() -> str | None:
    """The program on PATH, or that of the wheel imageio-ffmpeg; None: there is neither."""
    if program := shutil.which("ffmpeg"):
        return program
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return None


class FfmpegFile:
    """The first sound of a file; what AudioReader uses of soundfile.SoundFile.

    Raises:
        AudioError: no ffmpeg, or no sound that it can decode.
    """

    def __init__(self, path: Path):
        program = find_ffmpeg()
        if program is None:
            raise AudioError(f"{path}: libsndfile does not read {path.suffix or 'this'}: {HOW.format(path.name)}")
        self.path, self.format, self.subtype = path, path.suffix[1:].upper(), ""
        source = b"file:" + os.fsencode(path)  # never an option, nor another protocol
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would fill up
        self._process = subprocess.Popen(
            [program, *BEFORE, source, *AFTER],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._messages,
        )
        head = self._take(HEADER.size)
        if len(head) < HEADER.size:
            raise self._failed()
        _, start, _, _, self.samplerate, self.channels = HEADER.unpack(head)
        self._take(start - HEADER.size)

    def read(self, frames: int, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """The next samples, at most so many, float32 [N, channels]; none at the end.

        Raises:
            AudioError: what follows cannot be decoded.
        """
        size = 4 * self.channels
        data = self._take(frames * size)
        if not data and self._process.wait():
            raise self._failed()
        return np.frombuffer(data[: len(data) // size * size], ">f4").astype(np.float32).reshape(-1, self.channels)

    def close(self) -> None:
        """Also in the middle."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._messages.close()

    def _take(self, count: int) -> bytes:
        return self._process.stdout.read(count)  # type: ignore[union-attr]

    def _failed(self) -> AudioError:
        self._process.wait()
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").split("\n")
        reason = next((line.strip() for line in reversed(lines) if line.strip()), "no sound")
        reason = reason.replace(f"file:{self.path}: ", "")[:200]
        self.close()
        return AudioError(f"{self.path}: not audio that ffmpeg can read ({reason}): convert it to wav")
