"""What training draws around any speech from (seed, epoch, utterance id): speed, gain, SNR, noise, room, device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import NamedTuple

import numpy as np

from drsn_audio.config import AugmentConfig, ConfigError
from drsn_audio.datasets.batch import EQUALISER_POINTS, Example, Reverb
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.surroundings import (
    RoomPool,
    Stream,
    check_surroundings,
    draw_device,
    draw_further,
    draw_response,
)
from drsn_audio.errors import InputError
from drsn_audio.noise.snr import check_snr_law, draw_snr

# Speeds are rounded. Of the speech to whole per cent, a sixth of a semitone: each is a filter of its own, computed
# once. Of the noise to five: `play_noise` transforms all of a speed at once.
SPEED_STEPS = 100
NOISE_SPEED_STEPS = 20


class Drawn(NamedTuple):
    """The first draws for one utterance; `rng` goes on from there, and `stream` has generators beside it, by name."""

    id: str
    rng: np.random.Generator
    stream: Stream
    speed: Fraction
    gain_db: float
    snr_db: float


class TrainingDraws:
    """Draws in a fixed order, each example from a generator of its own: equal names give equal examples, bit by bit.

    `rooms` are for augment.reverb_share; `level`, p56 or rms, is how speech is measured after it.

    Raises:
        ConfigError: settings that cannot be drawn from.
    """

    def __init__(
        self,
        noise: NoisePool,
        store: AudioStore,
        augment: AugmentConfig,
        seed: int,
        rooms: RoomPool | None = None,
        level: str = "p56",
    ):
        _check(augment)
        check_surroundings(augment, rooms)
        self.noise, self.store, self.augment, self.seed = noise, store, augment, seed
        self.rooms, self.level = rooms, level

    def begin(self, epoch: int, id: str) -> Drawn:
        augment, names = self.augment, (self.seed, epoch, id)
        rng = draw_generator(*names)
        speed = Fraction(round(SPEED_STEPS * uniform(rng, augment.speed)), SPEED_STEPS)
        gain_db = uniform(rng, augment.gain_db)
        snr_db = math.inf if rng.random() < augment.clean_share else draw_snr(augment.snr_law, augment.snr_db, rng)
        return Drawn(id, rng, partial(draw_generator, *names), speed, gain_db, snr_db)

    def surround(
        self,
        speech: np.ndarray,
        start: int,
        end: int,
        drawn: Drawn,
        *,
        level_db: float,
        target: int | tuple[int, ...],
        silence: bool = False,
        spans: Sequence[tuple[int, int]] = (),
        name: str = "",
    ) -> Example:
        """Speech [N], spoken from sample `start` to `end` -> that and its noise, room and device.

        `silence`: nobody speaks, so no room answers. `spans`: of each label of the target, see `Example`. `name`: what
        the example is called, if not by the id of its draws.
        """
        augment, rng, stream = self.augment, drawn.rng, drawn.stream
        longer = len(speech) * round(NOISE_SPEED_STEPS * uniform(rng, augment.noise_speed)) // NOISE_SPEED_STEPS
        span = slice(start * longer // len(speech), -(-end * longer // len(speech)))
        noise = self.noise.draw(longer, rng, span=span)
        room = None if silence else draw_response(augment, self.rooms, stream)
        return Example(
            speech,
            noise.wave,
            start,
            end - start,
            level_db,
            drawn.snr_db,
            drawn.gain_db,
            target,
            silence,
            _gains(rng, augment.noise_equaliser_db),
            _gains(rng, augment.mix_equaliser_db),
            noise.source,
            self.store.sample_rate,
            draw_further(augment, self.noise, longer, span, stream),
            None if room is None else Reverb(room.response, room.direct, self.level),
            draw_device(augment, stream),
            name or drawn.id,
            tuple(spans),
        )


def uniform(rng: np.random.Generator, bounds: Sequence[float]) -> float:
    return rng.uniform(bounds[0], bounds[1])


def _gains(rng: np.random.Generator, deviation_db: float) -> np.ndarray:
    return rng.normal(0, deviation_db, EQUALISER_POINTS).astype(np.float32)


def _check(augment: AugmentConfig) -> None:
    try:
        check_snr_law(augment.snr_law, augment.snr_db)
    except InputError as error:
        raise ConfigError(f"augment.snr_db={list(augment.snr_db)}: {error}") from None
    for key in ("silence_db", "gain_db", "speed", "noise_speed"):
        bounds = getattr(augment, key)
        if len(bounds) != 2 or not bounds[0] <= bounds[1] or ("speed" in key and bounds[0] <= 0):
            raise ConfigError(f"augment.{key}={list(bounds)}: give the lowest and the highest value, e.g. [0.9, 1.1]")
