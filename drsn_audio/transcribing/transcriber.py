"""A loaded model that writes what is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from drsn_audio.audio import AudioError
from drsn_audio.decoding.transcript import Transcript, Word
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.hearing import Hearing
from drsn_audio.models.checkpoint import CheckpointError
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming import writer
from drsn_audio.streaming.stream import Stream
from drsn_audio.transcribing.batches import hear_batches
from drsn_audio.transcribing.sound import Progress, Sound, ordered
from drsn_audio.transcribing.streams import hear_streams
from drsn_audio.transcribing.writers import BeamWriter, GreedyWriter, Writer, Writing

if TYPE_CHECKING:
    from drsn_audio.decoding.beam import BeamConfig, BeamDecoder

Key = TypeVar("Key")


class Transcriber:
    """A model that writes. `info` is what its checkpoint says of it; `module` the `AudioModel`, in eval mode.

    `units` are what its labels stand for. Of the checkpoint, `info["timing"]` may say where words lie relative to
    their labels (`decoding.alignment.word_times`), and `info["calibration"]` the `temperature` that divides the logits.
    """

    def __init__(self, module: AudioModel, info: dict[str, Any]):
        """Raises CheckpointError where it is no model that writes."""
        if module.config.head != "ctc":
            raise CheckpointError(f"the model's head is {module.config.head!r} and cannot write: use a Recognizer")
        self.module = module.eval()
        self.info = info
        self.labels: list[str] = list(module.config.labels)
        self.units = Units(module.config.units, self.labels)
        self.sample_rate = module.config.frontend.sample_rate
        self.timing: dict[str, Any] | None = info.get("timing")
        self.temperature: float = (info.get("calibration") or {}).get("temperature", 1.0)
        self._hearing = Hearing(self.sample_rate)
        self._beam: tuple[BeamConfig, BeamDecoder] | None = None  # the last one: to read a language model takes long

    def __call__(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Wave [B, N], lengths [B] in samples -> logits [B, T', K]."""
        with torch.inference_mode():
            return self.module(wave, lengths)

    @property
    def frame_s(self) -> float:
        """Seconds of a frame of the logits."""
        return self.module.block / self.sample_rate

    def transcribe(
        self,
        audio: str | Path | np.ndarray | Tensor,
        sample_rate: int | None = None,
        *,
        beam: BeamConfig | None = None,
    ) -> Transcript:
        """A file, or samples [N] at `sample_rate` (default: the model's) -> what is said in it.

        A causal model hears it as one stream, and half a second of silence after it, for it writes a word a little
        after it was said. Others hear what is longer than 20 s in pieces, cut at pauses. `beam`:
        by beam search, between pauses; else the most probable label of each frame is written. Of the text nothing is
        changed: it is as the model writes it.

        Raises:
            AudioError: a file that cannot be used, or samples that are not finite or not one-dimensional.
            InputError: a beam search that the model's units do not allow.
        """
        if isinstance(audio, str | Path):
            name, blocks = str(audio), self._hearing.file(Path(audio))
        else:
            name, blocks = "samples", iter([self._hearing.samples(np.asarray(audio), sample_rate)])
        ((_, answer),) = self.hear([(name, blocks)], beam=beam)
        if isinstance(answer, InputError):
            raise answer
        return answer

    def transcribe_files(
        self,
        paths: Iterable[str | Path],
        min_duration_s: float = 0.0,
        *,
        beam: BeamConfig | None = None,
        progress: Progress | None = None,
    ) -> Iterator[tuple[Path, Transcript | InputError]]:
        """Many files, batched: each path with its transcript, or with what is wrong with it, in order.

        `progress` is told, batch by batch, how many seconds of sound were heard anew. Memory depends on neither the
        number of files nor their length, but for the words in them.
        """
        sounds = ((path, self._hearing.file(path)) for path in map(Path, paths))
        yield from self.hear(sounds, min_duration_s, beam=beam, progress=progress)

    def hear(
        self,
        sounds: Iterable[tuple[Key, Iterator[np.ndarray]]],
        min_duration_s: float = 0.0,
        *,
        beam: BeamConfig | None = None,
        progress: Progress | None = None,
        in_order: bool = True,
    ) -> Iterator[tuple[Key, Transcript | InputError]]:
        """As `transcribe_files`, of sounds, each in blocks, float32 [N] at the model's rate.

        A key names its sound in messages. in_order: False tells each as soon as it is known, so that short sounds
        need not wait for a long one before them.
        """
        given = (Sound(number, key, blocks) for number, (key, blocks) in enumerate(sounds))
        hear = hear_streams if self.module.causal else hear_batches
        heard = hear(self.module, given, self._writers(beam), progress)
        for sound in ordered(heard) if in_order else heard:
            yield sound.key, sound.error or self._transcript(sound, min_duration_s)

    def stream(self) -> Stream:
        """A live stream: `feed` it samples, and it answers with events, partial and final words.

        Raises:
            InputError: a model of whole clips, which cannot stream.
        """
        return Stream(self.module, writer.Writer(self.units, self.frame_s, self.timing), self.temperature)

    def as_written(self, text: str) -> str:
        """Return a text as the model can output it at best; see `Units.as_written`."""
        return self.units.as_written(text)

    def _transcript(self, sound: Sound, min_duration_s: float) -> Transcript | AudioError:
        if sound.samples < min_duration_s * self.sample_rate:
            milliseconds = 1000 * sound.samples / self.sample_rate
            return AudioError(f"{sound.key}: is {milliseconds:.1f} ms long, too short for a word")
        words = [_rounded(word) for word in sound.words]
        return Transcript(" ".join(word.text for word in words), words)

    def _writers(self, beam: BeamConfig | None) -> Callable[[], Writer]:
        writing = Writing(self.units, self.frame_s, self.timing, self.temperature)
        if beam is None:
            return lambda: GreedyWriter(writing)
        if self._beam is None or self._beam[0] != beam:
            from drsn_audio.decoding.beam import BeamDecoder

            self._beam = beam, BeamDecoder(self.units, beam)
        decoder = self._beam[1]
        return lambda: BeamWriter(writing, decoder)


def _rounded(word: Word) -> Word:
    return dataclasses.replace(
        word, start=round(word.start, 3), end=round(word.end, 3), confidence=round(word.confidence, 4)
    )
