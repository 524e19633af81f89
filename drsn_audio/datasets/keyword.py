"""Keyword clips with their noise: drawn anew each epoch for training, fixed for evaluation."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from lhotse.cut import Cut
from torch.utils.data import Dataset

from drsn_audio.config import AugmentConfig, ConfigError, DataConfig, nearest
from drsn_audio.datasets.batch import EQUALISER_POINTS, Example
from drsn_audio.datasets.cut_list import CutList, cut_facts
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import AudioStore, ManifestError, check_level, measured_level_db
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.surroundings import RoomPool
from drsn_audio.datasets.training_draws import TrainingDraws, uniform
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.noise.speed import change_speed
from drsn_audio.text import Vocabulary, normalise_text


@dataclass(frozen=True)
class Clip:
    """A clip of the task: an utterance, or noise alone (cut=None) where nobody speaks."""

    id: str
    target: int
    speaker: str
    cut: Cut | None
    level_db: float  # of the speech; of silence: what speech would have had, so that it too has an SNR


class Clips(Sequence[Clip]):
    """Clips of which memory holds numbers alone: their cuts are made when they are asked for.

    rows: of each clip its place in `cuts`, -1 for silence; targets, levels_db [n]; speakers, the n-th is
    names[speakers[n]].
    """

    def __init__(
        self, cuts: Sequence[Cut], rows: np.ndarray, targets: np.ndarray, levels_db: np.ndarray,
        speakers: np.ndarray, names: Sequence[str],
    ):  # fmt: skip
        self.cuts, self.rows, self.targets, self.levels_db = cuts, rows, targets, levels_db
        self.speakers, self.names = speakers, names

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> Clips: ...
    def __getitem__(self, index: int | slice) -> Clip | Clips:
        if isinstance(index, slice):
            numbers = self.rows[index], self.targets[index], self.levels_db[index], self.speakers[index]
            return Clips(self.cuts, *numbers, self.names)
        return _ClipOf(self, range(len(self))[index])


class _ClipOf(Clip):
    """One of `Clips`; its cut is read when it is asked for, and kept."""

    def __init__(self, clips: Clips, place: int):
        row = int(clips.rows[place])
        speaker = clips.names[clips.speakers[place]]
        known = {"target": int(clips.targets[place]), "level_db": float(clips.levels_db[place]), "speaker": speaker}
        self.__dict__.update(known, **({"id": speaker, "cut": None} if row < 0 else {"_at": (clips.cuts, row)}))

    def __getattr__(self, name: str) -> Any:
        if name not in ("id", "cut"):
            raise AttributeError(name)
        cuts, row = self._at
        if name == "id" and isinstance(cuts, CutList):
            return cuts.id(row)
        cut = cuts[row]
        self.__dict__.update(cut=cut, id=cut.id)
        return self.__dict__[name]


def keyword_clips(cuts: Sequence[Cut], labels: Sequence[str], data: DataConfig, to_mix: bool = True) -> Clips:
    """Cuts -> clips with targets; words that are not labels become "unknown". `text.Vocabulary` compares the two.

    `to_mix`: they are to be mixed with noise. Every cut must then carry its level, and where "silence" is a label,
    noise-only clips are added: `data.silence_share` of all.

    Raises:
        ConfigError: a word is not a label, and there is no label "unknown"; an unknown level method; a silence share
            that is none.
        ManifestError: a cut without a word, or without a level though noise is to be mixed in.
    """
    check_level(data.level)
    if not 0 <= data.silence_share < 1:
        raise ConfigError(f"data.silence_share={data.silence_share}: give a share of all clips, from 0 to below 1")
    index, known = {label: i for i, label in enumerate(labels)}, Vocabulary(labels)
    targets, levels_db, speakers, names = array("i"), array("d"), array("i"), dict[str, int]()
    for facts in cut_facts(cuts):
        if not facts.word or not normalise_text(facts.word):
            raise ManifestError(f"{facts.id}: carries no word: a keyword manifest has one supervision a cut")
        target = index.get(known.find(facts.word) or UNKNOWN)
        if target is None:
            hint = nearest(facts.word, list(labels))
            raise ConfigError(f"{facts.id}: its word {facts.word!r} is no label of the model; {hint}")
        targets.append(target)
        levels_db.append(measured_level_db(facts.id, facts.custom, data.level, required=to_mix))
        speakers.append(names.setdefault(facts.speaker or facts.id, len(names)))
    count = 0
    if to_mix and SILENCE in index and targets:
        count = round(len(targets) * data.silence_share / (1 - data.silence_share))
        usual_db = float(np.median(levels_db))
        targets.extend([index[SILENCE]] * count)
        levels_db.extend([usual_db] * count)
        speakers.extend(names.setdefault(f"{SILENCE}-{i:05d}", len(names)) for i in range(count))
    rows = np.concatenate([np.arange(len(cuts)), np.full(count, -1)])
    return Clips(cuts, rows, np.array(targets), np.array(levels_db), np.array(speakers), list(names))


def fit_clip(wave: np.ndarray, num_samples: int) -> np.ndarray:
    """Wave [N] -> [num_samples]: cut at its end, or followed by digital silence."""
    return np.pad(wave[:num_samples], (0, max(0, num_samples - len(wave))))


class TrainingClips(Dataset):
    """(epoch, index) -> Example with speed, place, noise, SNR and gain drawn from (seed, epoch, utterance id).

    `rooms` are for augment.reverb_share; `level`, p56 or rms, is how speech is measured after it.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        noise: NoisePool,
        store: AudioStore,
        num_samples: int,
        augment: AugmentConfig,
        seed: int,
        rooms: RoomPool | None = None,
        level: str = "p56",
    ):
        self.draws = TrainingDraws(noise, store, augment, seed, rooms, level)
        self.clips, self.num_samples = clips, num_samples

    def __getitem__(self, key: tuple[int, int]) -> Example:
        epoch, index = key
        clip, augment = self.clips[index], self.draws.augment
        drawn = self.draws.begin(epoch, clip.id)
        speech, level_db, start, end = np.zeros(self.num_samples, np.float32), clip.level_db, 0, self.num_samples
        if clip.cut is None:
            level_db = uniform(drawn.rng, augment.silence_db)
            drawn = drawn._replace(snr_db=0.0, gain_db=0.0)
        else:
            wave = change_speed(self.draws.store(clip.cut), drawn.speed)
            slack = self.num_samples - len(wave)
            # Half of a short word stays at least.
            shift = min(round(augment.shift_ms / 1000 * self.draws.store.sample_rate), len(wave) // 2)
            at = int(drawn.rng.integers(min(0, slack) - shift, max(0, slack) + shift + 1))
            start, end = max(0, at), min(self.num_samples, at + len(wave))
            speech[start:end] = wave[start - at : end - at]
        silence = clip.cut is None
        return self.draws.surround(speech, start, end, drawn, level_db=level_db, target=clip.target, silence=silence)


class EvaluationClips(Dataset):
    """index -> Example with the noise segment that (seed, utterance id, kind, draw) fixes; its SNR is set later."""

    def __init__(
        self,
        clips: Sequence[Clip],
        noise: NoisePool,
        store: AudioStore,
        num_samples: int,
        seed: int,
        kind: str,
        draw: int,
    ):
        self.clips, self.noise, self.store, self.num_samples = clips, noise, store, num_samples
        self.seed, self.kind, self.draw = seed, kind, draw

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Example:
        clip = self.clips[index]
        wave = np.zeros(self.num_samples, np.float32) if clip.cut is None else self.store(clip.cut)
        speech, length = fit_clip(wave, self.num_samples), min(len(wave), self.num_samples)
        rng = draw_generator("evaluate", self.seed, clip.id, self.kind, self.draw)
        noise = self.noise.draw(self.num_samples, rng, self.kind, slice(length))
        flat = np.zeros(EQUALISER_POINTS, np.float32)
        return Example(
            speech,
            noise.wave,
            0,
            length,
            clip.level_db,
            math.inf,
            0.0,
            clip.target,
            clip.cut is None,
            flat,
            flat,
            noise.source,
            self.store.sample_rate,
        )
