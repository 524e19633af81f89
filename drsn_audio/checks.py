"""What can be wrong with the arguments of a command, found before torch is imported, for all commands alike.

Each command says which of its options hold a model, sound, manifests and so on. Found late, by the command itself, is
what takes the content of files to find: whether weights are whole, whether a manifest's lines and a file's sound can be
read, whether words fit a model; and a device, which only torch knows.
"""

from __future__ import annotations

import argparse
import errno
import glob
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from drsn_audio.errors import InputError
from drsn_audio.hub import parse_id
from drsn_audio.model_sources import check_exports, check_head, check_streams, find_checkpoint, read_described

MANIFESTS = (".jsonl", ".jsonl.gz")
DRAWN = "drawn"  # rooms
SYNTHETIC = ("street", "factory", "gaussian", "laplacian", "pink")  # noise that needs no file

# Options and the value of one of them.
Check = Callable[[argparse.Namespace], None]


@dataclass(frozen=True)
class Arguments:
    """Names of a command's options, by what they hold; those that were not given are not checked.

    `model`: a model, that must do `task`: a command's name. `sound`: files, folders, globs and manifests of sound; only
    where all of them are wrong the command does not begin. `manifests`: manifests, or folders of shards. `noise`: as
    sound, or a synthesised one. `files`: files to be read. `out_file`, `out_folder`, `out`: to be written, `out` is
    either. `more`: what else the command checks of its options.
    """

    model: str = ""
    task: str = ""
    sound: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    out_file: str = ""
    out_folder: str = ""
    out: str = ""
    more: tuple[Check, ...] = ()


def check_arguments(arguments: Arguments, options: argparse.Namespace) -> list[tuple[str, InputError]]:
    """Places of sound and what is wrong with each, if all of them are wrong; else nothing.

    Raises:
        InputError, OSError: anything else that is wrong.
    """
    for more in arguments.more:
        more(options)
    for name in arguments.files:
        for path in _given(options, name):
            _check_file(path)
    for name in arguments.manifests:
        for path in _given(options, name):
            _check_manifest(path)
    for name in arguments.noise:
        for place in _given(options, name):
            if place not in SYNTHETIC:
                _check_noise(place)
    _check_outputs(arguments, options)
    for source in _given(options, arguments.model):
        check_model(source, arguments.task, options)
    places = [place for name in arguments.sound for place in _given(options, name)]
    wrong = [(place, error) for place in places if (error := _wrong_sound(place)) is not None]
    return wrong if len(wrong) == len(places) else []


def check_model(source: str, task: str, options: argparse.Namespace) -> None:
    """Raise InputError where there is no such model, or it does not do what a command wants of it.

    A model of the Hugging Face Hub is downloaded.
    """
    if source.endswith(".onnx") and task in ("denoise", "stream"):
        _check_file(source)
        return
    described = read_described(find_checkpoint(source))["model"]
    head, pool = described.get("head"), described.get("pool")
    if task == "stream" and head:
        check_streams(source, head, pool != "clip", options.denoise)
    elif task == "export" and pool:
        check_exports(source, pool != "clip")
    elif task in ("classify", "transcribe", "denoise") and head:
        check_head(source, head, task)


def _given(options: argparse.Namespace, name: str) -> Iterator[str]:
    """The values of an option; none where it has none."""
    value = getattr(options, name) if name else None
    yield from [] if value is None else [value] if isinstance(value, str) else value


def _wrong_sound(place: str) -> InputError | None:
    try:
        if place.endswith(MANIFESTS):
            _check_manifest(place)
        elif os.path.isdir(place) or (glob.has_magic(place) and not os.path.exists(place)):
            from drsn_audio.audio import find_audio

            next(find_audio(place), None)
        elif not os.path.exists(place):
            return InputError(f"{place}: no such file: check the path")
    except InputError as error:
        return error
    return None


def _check_noise(place: str) -> None:
    error = _wrong_sound(place)
    if error is None:
        return
    if os.path.exists(place) or place.endswith(MANIFESTS) or glob.has_magic(place):
        raise error
    raise InputError(f"{place}: no such noise: name a file, a folder, a manifest, or {' | '.join(SYNTHETIC)}")


def _check_manifest(path: str) -> None:
    if not os.path.exists(path):
        raise InputError(f"{path}: no such manifest: make it with drsn-audio prepare")


def _check_file(path: str) -> None:
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file: check the path")
    if not os.path.isdir(path):
        with open(path, "rb"):  # OSError names it and says why
            pass


def _check_outputs(arguments: Arguments, options: argparse.Namespace) -> None:
    for path in _given(options, arguments.out_file):
        if os.path.isdir(path):
            raise InputError(f"{path}: is a folder: name a file")
        _check_writable(os.path.dirname(path) or ".", path)
    for path in _given(options, arguments.out_folder):
        _check_writable(path)
    for path in _given(options, arguments.out):
        _check_writable(path if os.path.isdir(path) else os.path.dirname(path) or ".", path)


def _check_writable(folder: str, named: str = "") -> None:
    """Raise OSError of `named`, as writing would, where a folder cannot be written to, or not be made."""
    there = folder
    while not os.path.lexists(there):
        there = os.path.dirname(there) or "."
    if not os.path.isdir(there):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), named or folder)
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), named or folder)


def check_answers(options: argparse.Namespace) -> None:
    """Raise InputError for options of `drsn-audio classify` that do not go together, or are no probability."""
    if options.resume and not options.out:
        raise InputError("--resume without -o: what is done is known of a file alone, name it with -o FILE.jsonl")
    if options.out and os.path.isdir(options.out):
        raise InputError(f"{options.out}: is a folder: name a file for the answers, e.g. {options.out}/answers.jsonl")
    if options.out and any(os.path.realpath(place) == os.path.realpath(options.out) for place in options.paths):
        raise InputError(f"{options.out}: would be written over: give another -o")
    if options.reject_below is not None and not 0 <= options.reject_below <= 1:
        raise InputError(f"reject_below is {options.reject_below}: give a probability, from 0 (off) to 1")


def check_prepared(options: argparse.Namespace) -> None:
    """Raise InputError where `drsn-audio prepare` cannot write to OUT."""
    places = [word for word in options.places if not re.match(r"\w+=", word)]
    try:
        if places:
            _check_writable(places[-1])
    except OSError as error:
        raise InputError(f"{places[-1]}: cannot be written ({error.strerror}): choose another place") from None


def check_rooms(options: argparse.Namespace) -> None:
    """Raise InputError where rooms are neither there nor to be drawn."""
    if options.rooms and options.rooms != DRAWN and not os.path.exists(options.rooms):
        raise InputError(f"{options.rooms}: no such rooms: name a folder or a manifest of responses, or {DRAWN!r}")


def check_repo(options: argparse.Namespace) -> None:
    """Raise InputError where a model's name on the Hugging Face Hub is none."""
    wanted = parse_id(options.repo)
    if wanted is None or wanted.revision is not None:
        raise InputError(
            f"{options.repo}: no name for a model on the Hub: owner/name, of letters, digits, '-', '_' and '.'"
        )


def check_onnx_name(options: argparse.Namespace) -> None:
    """Raise InputError where a file that becomes a model does not end in .onnx, or a step has no blocks."""
    if not options.onnx.endswith(".onnx"):
        raise InputError(f"{options.onnx}: name a file that ends in .onnx")
    if options.blocks is not None and options.blocks < 1:
        raise InputError(f"a step of {options.blocks} blocks: give 1 or more")


def check_jobs(options: argparse.Namespace) -> None:
    """Raise InputError where there are no processes to do the work, or no utterances in a shard."""
    for name in ("jobs", "shard_size"):
        if getattr(options, name, 1) < 1:
            raise InputError(f"--{name.replace('_', '-')} {getattr(options, name)}: give 1 or more")
