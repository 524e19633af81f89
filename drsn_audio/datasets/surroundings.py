"""What is drawn around a clip beside its first noise: a room, further noises, a device that records the mix.

Each has a stream of its own, named after it: what one draws moves none of the others, nor the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from drsn_audio.config import AugmentConfig, ConfigError
from drsn_audio.datasets.batch import EQUALISER_POINTS, FurtherNoise
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.noise.recorder import DeviceEffects
from drsn_audio.noise.reverb import direct_delay

Stream = Callable[[str], np.random.Generator]  # name -> its generator, of the seed, epoch and utterance id


class DrawnResponse(NamedTuple):
    response: np.ndarray  # [taps], at the store's rate
    direct: int  # sample of the direct sound
    id: str


class RoomPool:
    """Room responses of several manifests, each drawn equally often.

    Raises:
        ManifestError: a manifest that cannot be used, or is not one of responses.
    """

    def __init__(self, manifests: Sequence[str], store: AudioStore):
        self.store = store
        self.cuts = sorted(read_cuts(manifests), key=lambda cut: cut.id)
        for cut in self.cuts:
            if "direct_sample" not in (cut.custom or {}):
                raise ManifestError(
                    f"{cut.id}: carries no direct_sample: name a manifest of responses, as drsn-audio prepare rooms "
                    "makes it"
                )

    def draw(self, rng: np.random.Generator) -> DrawnResponse:
        cut = self.cuts[rng.integers(len(self.cuts))]
        response = self.store(cut)
        same_rate = cut.sampling_rate == self.store.sample_rate
        return DrawnResponse(response, cut.custom["direct_sample"] if same_rate else direct_delay(response), cut.id)


def check_surroundings(augment: AugmentConfig, rooms: RoomPool | None) -> None:
    """Raises ConfigError for settings that cannot be drawn from."""
    for key in ("reverb_share", "band_share", "clip_share", "mu_law_share"):
        if not 0 <= getattr(augment, key) <= 1:
            raise ConfigError(f"augment.{key}={getattr(augment, key)}: give a share of the clips, from 0 to 1")
    for key in ("further_noise_db", "band_low_hz", "band_high_hz", "clip_db"):
        bounds = getattr(augment, key)
        if len(bounds) != 2 or not bounds[0] <= bounds[1]:
            raise ConfigError(f"augment.{key}={list(bounds)}: give the lowest and the highest value, e.g. [-20, 0]")
    if not 0 <= augment.band_low_hz[0] <= augment.band_low_hz[1] < augment.band_high_hz[0]:
        lowest, highest = list(augment.band_low_hz), list(augment.band_high_hz)
        raise ConfigError(f"augment.band_low_hz={lowest} must lie below augment.band_high_hz={highest}")
    if augment.noises < 1:
        raise ConfigError(f"augment.noises={augment.noises}: give 1 or more")
    if augment.reverb_share and rooms is None:
        raise ConfigError(f"augment.reverb_share={augment.reverb_share} needs rooms: name manifests in data.rooms")


def draw_further(
    augment: AugmentConfig, noise: NoisePool, num_samples: int, span: slice, stream: Stream
) -> tuple[FurtherNoise, ...]:
    """Noises [num_samples] beside the first, none where `augment.noises` is 1."""
    if augment.noises == 1:
        return ()
    rng = stream("noises")
    return tuple(
        FurtherNoise(
            noise.draw(num_samples, rng, span=span).wave,
            _between(augment.further_noise_db, rng),
            rng.normal(0, augment.noise_equaliser_db, EQUALISER_POINTS).astype(np.float32),
        )
        for _ in range(rng.integers(augment.noises))
    )


def draw_response(augment: AugmentConfig, rooms: RoomPool | None, stream: Stream) -> DrawnResponse | None:
    if not augment.reverb_share or rooms is None:
        return None
    rng = stream("room")
    return rooms.draw(rng) if rng.random() < augment.reverb_share else None


def draw_device(augment: AugmentConfig, stream: Stream) -> DeviceEffects:
    band_hz = clip_db = None
    if augment.band_share:
        rng = stream("band")
        if rng.random() < augment.band_share:
            band_hz = _between(augment.band_low_hz, rng), _between(augment.band_high_hz, rng)
    if augment.clip_share:
        rng = stream("clip")
        if rng.random() < augment.clip_share:
            clip_db = _between(augment.clip_db, rng)
    mu_law = augment.mu_law_share > 0 and bool(stream("mu-law").random() < augment.mu_law_share)
    return DeviceEffects(band_hz, 0.0, clip_db, mu_law)


def _between(bounds: Sequence[float], rng: np.random.Generator) -> float:
    return rng.uniform(bounds[0], bounds[1])
