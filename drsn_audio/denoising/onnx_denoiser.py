"""An exported denoiser for files and samples: no torch."""

from __future__ import annotations

from pathlib import Path

from drsn_audio.denoising.base import AnyDenoiser
from drsn_audio.streaming.cleaning import Cleaner
from drsn_audio.streaming.onnx import OnnxStep
from drsn_audio.streaming.onnx_denoising import OnnxDenoiseStream, OnnxGains


class OnnxDenoiser(AnyDenoiser):
    """A file that `drsn-audio export` made of a denoiser; `denoise` and `stream` are those of `Denoiser`.

    Raises:
        InputError: as `OnnxStep`, or the file of a model that is no denoiser.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self._path, self._threads = path, threads
        self._step = OnnxStep(path, threads)
        self.sample_rate = OnnxGains(self._step).sample_rate

    def cleaner(self, channels: int = 1, blend: float = 0.0) -> Cleaner:
        return Cleaner(OnnxGains(self._step, channels), blend)

    def stream(self, blend: float = 0.0) -> OnnxDenoiseStream:
        """A live stream at the model's rate. Raises InputError where `blend` is no share."""
        return OnnxDenoiseStream(self._path, blend, self._threads)
