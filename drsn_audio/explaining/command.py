"""The work of `drsn-audio explain`: a picture of each sound; its summary on stdout, what failed on stderr."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from drsn_audio.api import load
from drsn_audio.errors import BAD_INPUT, InputError, one_line
from drsn_audio.evaluation.alphas import alpha_name
from drsn_audio.evaluation.threshold_bands import bin_edges_hz
from drsn_audio.explaining.blocks import BlockFacts, hear_blocks, short_name
from drsn_audio.explaining.options import check_options
from drsn_audio.explaining.places import Pictures
from drsn_audio.explaining.stretch import Heard, Model, hear, hears_clips
from drsn_audio.hearing import Hearing
from drsn_audio.reports.plot import make_figure
from drsn_audio.reports.thresholds import Scene, plot_thresholds
from drsn_audio.transcribing.inputs import Input, find_inputs

log = logging.getLogger("drsn_audio")


def run(options: argparse.Namespace) -> int:
    """Returns the exit status: 0, or 2 where a sound could not be explained; the others are.

    Raises:
        InputError: options that do not go together, or a model that has neither thresholds nor gates.
        ModuleNotFoundError: matplotlib is not installed.
    """
    check_options(options)
    pictures = Pictures(options.out, options.paths)
    make_figure(1, 1)  # is matplotlib there? before anything is heard
    model = load(options.model, options.device)
    check_model(model, options)
    return _Work(options, model, pictures).run()


def check_model(model: Model, options: argparse.Namespace) -> None:
    """Raises InputError where there is nothing to explain, or a --duration that would be ignored."""
    config = model.module.config
    if not alpha_name(model.module):
        kind = f"encoder={config.encoder}, shrinkage={config.shrinkage or 'none'}"
        raise InputError(
            f"{options.model}: has neither thresholds nor gates ({kind}), there is nothing to explain: name a model of "
            "model.shrinkage=cw-frequency, cw, cs, se-frequency or se"
        )
    if hears_clips(model) and options.duration is not None:
        raise InputError(f"--duration with {options.model}: it hears {config.clip_s:g} s at once, leave it out")


class _Work:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace, model: Model, pictures: Pictures):
        self._options, self._model, self._pictures = options, model, pictures
        self._hearing = Hearing(model.sample_rate)
        self._status = 0

    def run(self) -> int:
        for place in self._options.paths:
            try:
                for given in find_inputs(place, self._hearing):
                    self._explain(given)
            except InputError as error:
                self._fail(place, error)
        return self._status

    def _explain(self, given: Input) -> None:
        try:
            path = self._pictures.path_of(given)
            heard = hear(self._model, given, self._options.at, self._options.duration)
            blocks = hear_blocks(self._model.module, heard.wave)
            self._draw(path, given, heard, blocks)
        except InputError as error:
            self._fail(given, error)
            return
        end_s = heard.start_s + len(heard.wave) / self._model.sample_rate
        if heard.is_part and not hears_clips(self._model):
            log.info(
                "%s: heard from %.2f to %.2f s alone, as if nothing had been before: --at and --duration choose",
                one_line(str(given)), heard.start_s, end_s,
            )  # fmt: skip
        if self._options.json:
            cut = {"id": given.id} if given.cut else {}
            times = {"start": round(heard.start_s, 5), "end": round(end_s, 5)}  # to the sample
            facts = {"picture": str(path), "blocks": [block.numbers for block in blocks]}
            print(json.dumps({"path": str(given.path), **cut, **heard.answer, **times, **facts}), flush=True)
        else:
            told = "; ".join(as_text(block.numbers) for block in blocks)
            columns = [given.id or str(given), answer_text(heard.answer) or "-", f"{heard.start_s:.2f}-{end_s:.2f} s"]
            print("\t".join(one_line(column) for column in [*columns, told, str(path)]), flush=True)

    def _draw(self, path: Path, given: Input, heard: Heard, blocks: list[BlockFacts]) -> None:
        end_s = heard.start_s + len(heard.wave) / self._model.sample_rate
        part = f", {heard.start_s:.2f} to {end_s:.2f} s" if heard.is_part else ""
        answer = answer_text(heard.answer)
        title = f"{self._options.model} on {given.id or given.path.name}{part}" + (f": {answer}" if answer else "")
        scene = Scene(
            heard.wave,
            self._model.sample_rate,
            heard.start_s,
            self._model.module.frontend.bins,
            bin_edges_hz(self._model.module),
            heard.words,
        )
        plot_thresholds(path, [block.panels for block in blocks], scene, one_line(title))

    def _fail(self, given: Input | str, error: InputError) -> None:
        self._status = BAD_INPUT
        if self._options.json:
            cut = {"id": given.id} if isinstance(given, Input) and given.cut else {}
            print(json.dumps({"path": str(given), **cut, "error": str(error)}), flush=True)
        print(f"error: {one_line(str(error))}", file=sys.stderr)


def answer_text(answer: dict[str, Any]) -> str:
    """E.g. "left 0.983", or a text; "" of a model that names nothing."""
    if "label" in answer:
        return f"{answer['label']} {answer['score']:.3f}"
    return str(answer["text"]) or "no words" if "text" in answer else ""


def as_text(block: dict[str, Any]) -> str:
    """E.g. "stages.0.0 31.2 % zero, alpha 0.68"."""
    if block["kind"] == "gate":
        return f"{short_name(block['block'])} gate {block['alpha']:.2f}"
    return f"{short_name(block['block'])} {100 * block['zeroed']:.1f} % zero, alpha {block['alpha']:.2f}"
