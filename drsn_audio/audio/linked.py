"""Reading a file link after link."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from drsn_audio.audio.links import Link, LinkBytes
from drsn_audio.downmix import Downmix


class LinkedFile:
    """All of the sound of a file; what AudioReader uses of soundfile.SoundFile.

    Rate and channels are those of the first link: others are resampled, mixed down or repeated.
    """

    def __init__(self, path: Path, links: list[Link]):
        self._file = path.open("rb")
        self._links = links
        try:
            self._open(0)
        except BaseException:
            self._file.close()
            raise
        self.samplerate: int = self._sound.samplerate
        self.channels: int = self._sound.channels
        self.format: str = self._sound.format
        self.subtype: str = self._sound.subtype

    def read(self, frames: int, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """The next samples, at most about so many, [N, channels]; none at the end of the last link."""
        while True:
            block = self._read_link(frames)
            ended = not len(block)
            if self._number:
                block = self._converted(block)
            if len(block) or (ended and self._number + 1 == len(self._links)):
                return block
            if ended:
                self._sound.close()
                self._open(self._number + 1)

    @property
    def whole(self) -> sf.SoundFile | None:
        """The file as libsndfile has it, where it is of one link: there one may seek."""
        return self._sound if len(self._links) == 1 else None

    def close(self) -> None:
        self._sound.close()
        self._file.close()

    def _open(self, number: int) -> None:
        self._number, self._at = number, 0
        self._sound = sf.SoundFile(LinkBytes(self._file, self._links[number]))
        if number:
            rate, channels = self._sound.samplerate, self._sound.channels
            same = channels == self.channels
            self._mix = None if same else Downmix(rate, channels)
            width = channels if same else 1
            self._resampler = None
            if rate != self.samplerate:
                self._resampler = soxr.ResampleStream(rate, self.samplerate, width, dtype="float32")

    def _read_link(self, frames: int) -> np.ndarray:
        most = self._links[self._number].frames
        if most is not None:
            frames = min(frames, most - self._at)
        block = self._sound.read(frames, dtype="float32", always_2d=True)
        self._at += len(block)
        return block

    def _converted(self, block: np.ndarray) -> np.ndarray:
        """As the first link is; an empty block at the end of a link gives what the resampler holds back."""
        last = not len(block)
        if self._mix is not None:
            block = self._mix(block)[:, None]
        if self._resampler is not None:
            block = self._resampler.resample_chunk(np.ascontiguousarray(block), last=last).reshape(-1, block.shape[1])
            self._resampler = None if last else self._resampler
        return block if self._mix is None else np.repeat(block, self.channels, axis=1)
