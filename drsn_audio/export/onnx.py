"""A causal model as an ONNX file that runs a step of its stream, front-end included, without torch."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from drsn_audio._version import __version__
from drsn_audio.errors import InputError
from drsn_audio.export.step import StreamStep, without_norms
from drsn_audio.files import write_whole
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.detector import DetectorConfig
from drsn_audio.streaming.onnx import FORMAT, KEY, NEXT, encode_array

OPSET = 18
TRACED_BATCH = 2  # a batch of one would be taken for a constant


def export_onnx(
    model: AudioModel,
    path: Path,
    *,
    detector: DetectorConfig | None = None,
    timing: Mapping[str, Any] | None = None,
    temperature: float = 1.0,
    blocks: int = 1,
    about: dict[str, Any],
) -> None:
    """Write the step of a stream to `path`, for any number of streams at once.

    Inputs: samples [B, block] and the state, a tensor [B, ...] for each layer that looks back, by its name. Outputs:
    logits [B, K], of a denoiser gains [B, bins], and the state after the block, named next/<name>. With `blocks`, a
    step hears so many blocks of the model, and gives logits [B, blocks, K]. What else a stream needs stands in the
    file's metadata, as JSON: labels, sample rate, block, temperature, the detector of a keyword model, the writer of a
    CTC model (its units, and the `timing` of its words, see `word_times`), the bins and hop of a denoiser, the state of
    a stream that begins, and what `about` says of where the model is from.

    Raises:
        InputError: a model of whole clips, a keyword model without a detector, or no such number of blocks.
        ModuleNotFoundError: onnx or onnxscript are not installed.
    """
    events = _events(model, detector, timing)
    step = StreamStep(without_norms(model).cpu(), blocks)
    program = _trace(step)
    _tidy(program.model)
    described = {
        "format": FORMAT,
        "labels": list(model.config.labels),
        "sample_rate": model.config.frontend.sample_rate,
        "block": step.samples,
        "frames": blocks,
        "temperature": temperature,
        **events,
        "beginning": {name: encode_array(value.numpy()) for name, value in step.beginning.items()},
        "versions": {"drsn-audio": __version__}
        | {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
        **about,
    }
    proto = program.model_proto
    proto.metadata_props.add(key=KEY, value=json.dumps(described))
    _check(proto, step)
    write_whole(path, proto.SerializeToString())


def _events(
    model: AudioModel, detector: DetectorConfig | None, timing: Mapping[str, Any] | None
) -> dict[str, dict[str, Any]]:
    """What the file says of how events are made, or sound."""
    if model.config.head == "denoise":
        return {"denoiser": {"bins": model.outputs, "hop": model.block}}
    if model.config.head == "ctc":
        return {"writer": {"units": model.config.units, "timing": None if timing is None else dict(timing)}}
    if detector is None:
        raise InputError("a keyword model is exported with thresholds: give a detector")
    return {"detector": detector.to_dict()}


def _trace(step: StreamStep) -> Any:
    """torch.onnx.ONNXProgram of the step."""
    state = [value.repeat(TRACED_BATCH, *[1] * (value.dim() - 1)) for value in step.beginning.values()]
    batch = {0: torch.export.Dim("batch", min=1, max=1 << 16)}
    with torch.no_grad(), _quiet():
        return torch.onnx.export(
            step,
            (torch.zeros(TRACED_BATCH, step.samples), *state),
            dynamo=True,
            dynamic_shapes={"samples": batch, "state": tuple(batch for _ in state)},
            input_names=["samples", *step.names],
            output_names=["logits", *(f"{NEXT}{name}" for name in step.names)],
            opset_version=OPSET,
            optimize=True,
            verbose=False,
        )


def _tidy(model: Any) -> None:
    """Take out operations that change nothing, which are a tenth of the time, and notes, which are half of the file.

    The model is made for sound of any length: where it pads to whole blocks, a block is whole.
    """
    import onnx_ir.passes.common as passes

    for node in list(model.graph):
        if _is_idle(node) and not node.outputs[0].is_graph_output():
            node.outputs[0].replace_all_uses_with(node.inputs[0])
            model.graph.remove(node, safe=True)
    passes.RemoveUnusedNodesPass()(model)
    passes.ClearMetadataAndDocStringPass()(model)
    model.graph.metadata_props.clear()


def _is_idle(node: Any) -> bool:
    if node.op_type not in ("Pad", "Slice", "Reshape", "Div"):
        return False
    source, target = node.inputs[0].shape, node.outputs[0].shape
    if source is None or source != target:
        return False
    if node.op_type != "Div":
        return True  # of the same shape, they are all of it, in order
    divisor = node.inputs[1].const_value
    return divisor is not None and bool((divisor.numpy() == 1).all())


def _check(proto: Any, step: StreamStep) -> None:
    """The exporter makes the batch a constant where something in the model depends on it, and says nothing."""
    inputs = {value.name: value.type.tensor_type.shape.dim for value in proto.graph.input}
    if set(inputs) != {"samples", *step.names}:
        raise RuntimeError(f"the exported step has the inputs {sorted(inputs)}, not those of the model")
    fixed = [name for name, shape in inputs.items() if not shape[0].dim_param]
    if fixed:
        raise RuntimeError(f"the exported step has a fixed number of streams in {fixed[0]}")


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of torchvision, which nobody needs."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
