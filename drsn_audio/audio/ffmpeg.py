"""Formats that libsndfile does not read, decoded by ffmpeg where it is installed: as a program, or as a wheel."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from drsn_audio.audio.error import AudioError
from drsn_audio.audio.joins import find_parts

HOW = "install ffmpeg, or pip install imageio-ffmpeg, or convert: ffmpeg -i {} sound.wav"
# Those that hold sound: no playlists, texts or pictures, whatever their names.
CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,avi,caf,dsf,dts,dtshd,eac3,flv,loas,matroska,mov,mpc,mpc8,mpeg,mpegts,mxf,ogg,rm,tak,"
    "tta,voc,w64,wav,wv"
)
BEFORE = ("-nostdin", "-err_detect", "crccheck", "-format_whitelist", CONTAINERS)
SOUND = ("-map", "0:a:0")
RESTAMPED = ("-af", "asetpts=N/SR/TB")  # else it complains of times that begin anew, as in files that were joined
HEADER = struct.Struct(">4sIIIII")  # AU: magic, where the samples begin, their size, encoding, rate, channels
# Messages that do not concern the sound: ffmpeg also probes pictures and video.
OTHERS = re.compile(
    r"\[(av1|bmp|gif|h26\w+|hevc|libdav1d|mjpeg|mpeg\dvideo|mpeg4|msmpeg4\w*|png|theora|vc1|vp\d|webp|wmv\d)\w* @"
    r"|\s+Last message repeated"
)
FRAME = re.compile(r"pts_time:(\S+) .*\brate:(\d+) nb_samples:(\d+)")  # of the filter ashowinfo
LEAST_GAP_S = 0.01  # times in files are rounded


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

    Of files that were joined it is the sound of all, at the rate and with the channels of the first.

    Raises:
        AudioError: no ffmpeg, or no sound that it can decode.
    """

    def __init__(self, path: Path):
        program = find_ffmpeg()
        if program is None:
            raise AudioError(f"{path}: libsndfile does not read {path.suffix or 'this'}: {HOW.format(path.name)}")
        self.path, self.format, self.subtype = path, path.suffix[1:].upper(), ""
        self._program, self._parts, self._frames = program, find_parts(path), 0
        self.samplerate, self.channels = 0, 0
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would fill up
        self._start()

    def _start(self) -> None:
        """Start to decode the next part."""
        self._part, self._before = self._parts.pop(0), self._frames
        like_first = ("-ar", str(self.samplerate), "-ac", str(self.channels)) if self.samplerate else ()
        self._process = subprocess.Popen(
            self._command("error", *RESTAMPED, *like_first, "-f", "au", "-c:a", "pcm_f32be", "-"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._messages,
        )
        head = self._take(HEADER.size)
        if len(head) < HEADER.size:
            raise self._failed()
        _, start, _, _, self.samplerate, self.channels = HEADER.unpack(head)
        self._take(start - HEADER.size)

    def _command(self, level: str, *after: str) -> list[str | bytes]:
        start, end = self._part
        source = b"file:" + os.fsencode(self.path)  # never an option, nor another protocol
        protocols = "file,pipe"
        if self._part != (0, os.path.getsize(self.path)):
            source, protocols = b"subfile,,start,%d,end,%d,,:%b" % (start, end, source), "file,pipe,subfile"
        return [self._program, "-v", level, "-protocol_whitelist", protocols, *BEFORE, "-i", source, *SOUND, *after]

    def read(self, frames: int, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """The next samples, at most so many, float32 [N, channels]; none at the end.

        Raises:
            AudioError: something of it cannot be decoded.
        """
        size = 4 * self.channels
        data = self._take(frames * size)
        while not data:
            if self._process.wait() or self._complaints():
                raise self._failed()
            if not self._parts:
                break
            self._process.stdout.close()  # type: ignore[union-attr]
            self._start()
            data = self._take(frames * size)
        self._frames += len(data) // size
        return np.frombuffer(data[: len(data) // size * size], ">f4").astype(np.float32).reshape(-1, self.channels)

    def close(self) -> None:
        """Also in the middle."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._messages.close()

    def _take(self, count: int) -> bytes:
        return self._process.stdout.read(count)  # type: ignore[union-attr]

    def _complaints(self) -> list[str]:
        """Return what ffmpeg wrote to stderr; nothing if the file is sound."""
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").split("\n")
        return [line.strip() for line in lines if line.strip() and not OTHERS.match(line)]

    def _failed(self) -> AudioError:
        status = self._process.wait()
        lines = self._complaints() or ["no sound"]
        reason = re.sub(r"^\[.*? @ \w+\] ", "", lines[-1 if status else 0])
        reason = re.sub(r"^(subfile,.*?,,:)?file:", "", reason).removeprefix(f"{self.path}: ")[:200]
        where = f" from {self._before / self.samplerate + self._good_s():.3f} s on" if self._frames else ""
        self.close()
        return AudioError(f"{self.path}: not audio that ffmpeg can read{where} ({reason}): convert it to wav")

    def _good_s(self) -> float:
        """Decode this part once more; return its seconds before the first gap or message."""
        good, end, begun = 0.0, None, False
        command = self._command("level+info", "-af", "ashowinfo", "-f", "null", "-")
        command[1:1] = ["-threads", "1"]  # in order
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            for line in process.stderr:  # type: ignore[union-attr]
                text = line.decode(errors="replace")
                if frame := FRAME.search(text):
                    time, rate, count = float(frame[1]), int(frame[2]), int(frame[3])
                    if end is not None and time > end + LEAST_GAP_S:
                        break
                    good, end = good + count / rate, time + count / rate
                elif begun and "[error]" in text and not OTHERS.match(text):
                    break
                begun = begun or "Stream mapping:" in text  # before it, all is looked at for once
            process.kill()
        return good
