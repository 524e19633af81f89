"""An exported step whose convolutions are in 8 bits."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.files import write_whole
from drsn_audio.streaming.onnx import OnnxStep


def quantise_onnx(source: Path, target: Path, wave: np.ndarray) -> None:
    """Write an exported step with its convolutions in 8 bits: weights per channel, activations by their range.

    The ranges are those that `wave` [N], sound as the model will hear it, has in a stream. Front-end, averages,
    thresholds and state stay float, and so do convolutions of one channel each, the stem and the head's: they have few
    weights, and in 8 bits cost accuracy and time.

    Raises:
        InputError: `source` is no exported step.
        ModuleNotFoundError: onnx or onnxruntime are not installed.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds = _feeds(OnnxStep(source), wave)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.feeds, None)

    graph = onnx.load(source).graph
    shapes = {value.name: value.dims for value in graph.initializer}
    small = [node.name for node in graph.node if node.op_type == "Conv" and shapes[node.input[1]][1] == 1]
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "int8.onnx"
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.ERROR)  # it advises to shape the model, which the export has done
        try:
            quantize_static(
                source,
                written,
                Reader(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=small,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            root.setLevel(level)
        write_whole(target, written.read_bytes())


def _feeds(step: OnnxStep, wave: np.ndarray) -> Iterator[dict[str, Any]]:
    """What the step is given, block by block, by a stream that hears `wave`."""
    state = step.begin()
    for begin in range(0, len(wave) - step.block + 1, step.block):
        samples = wave[None, begin : begin + step.block]
        yield {"samples": samples, **state}
        _, state = step(samples, state)
