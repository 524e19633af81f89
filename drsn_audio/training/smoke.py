"""The same experiment on a few synthesised clips for two steps: shows that a config runs, anywhere, in seconds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from drsn_audio.config import DataConfig, ExperimentConfig, ModelConfig, NoiseSource
from drsn_audio.corpora import CORPORA
from drsn_audio.decoding.pieces import train_pieces
from drsn_audio.files import write_whole
from drsn_audio.labels import BLANK, SILENCE, UNKNOWN

STEPS = 2
SENTENCES = ("open the gate", "stop that machine", "turn the pump off now")  # of models of no words
PIECES = 22


def smoke_config(config: ExperimentConfig, folder: Path) -> ExperimentConfig:
    """`config` with `folder` as its run folder, and voices and noise synthesised into it in place of its manifests."""
    voices = CORPORA["voices"](
        None,
        folder / "data" / "voices",
        words=said(config.model),
        voices_per_part=(1, 1, 1),
        duration_s=3.0 if speaks(config.model) else 1.0,
        progress=False,
    )
    noise = CORPORA["synthetic-noise"](
        None, folder / "data" / "noise", count=1, duration_s=3.0, folds=1, progress=False
    )
    sources = [NoiseSource(str(noise.manifests["noise"]))]
    data = dataclasses.replace(
        _fewer(config.data, folder),
        train=[str(voices.manifests["train"])],
        dev=[str(voices.manifests["dev"])],
        test=[str(voices.manifests["test"])],
        noise_train=sources,
        noise_dev=sources,
        noise_test=sources,
    )
    train = dataclasses.replace(
        config.train,
        max_steps=STEPS,
        batch_size=4,
        max_padded_s=min(config.train.max_padded_s, 12.0),
        device="cpu",
        workers=0,
        precision="fp32",  # a CPU may know no other
    )
    augment = dataclasses.replace(config.augment, reverb_share=0.0)
    return dataclasses.replace(config, run=str(folder), init="", data=data, augment=augment, train=train)


def speaks(model: ModelConfig) -> bool:
    """Of sentences, not of words: what spells, and what takes noise off."""
    return model.head == "denoise" or (model.head == "ctc" and model.units != "words")


def said(model: ModelConfig) -> list[str]:
    """What the voices are to say."""
    if speaks(model):
        return list(SENTENCES)
    words = [label for label in model.labels if label not in (BLANK, SILENCE, UNKNOWN)]
    return [*words, "hello"] if UNKNOWN in model.labels else words


def _fewer(data: DataConfig, folder: Path) -> DataConfig:
    """Strings and rows of these voices alone, in no rooms, and pieces of these sentences."""
    strings = dataclasses.replace(data.strings, rows=min(data.strings.rows, 8), weights=[], speech=[], speech_share=0.0)
    rows = dataclasses.replace(data.rows, count=min(data.rows.count, 8), weights=[])
    pieces = data.sentencepiece
    if pieces:
        pieces = str(folder / "data" / "units.model")
        write_whole(Path(pieces), train_pieces([sentence.upper() for sentence in SENTENCES], PIECES))
    return dataclasses.replace(data, strings=strings, rows=rows, rooms=[], sentencepiece=pieces)
