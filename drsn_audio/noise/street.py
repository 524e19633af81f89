"""A street, synthesised: which sources it has, how loud, how far."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from numpy.random import Generator

from drsn_audio.noise.babble import music, talkers
from drsn_audio.noise.machines import hammer, motor
from drsn_audio.noise.scene import Place, Source, draw_response
from drsn_audio.noise.vehicles import horns, rumble, sirens, traffic

# What stands out in a street, and how often it is there.
SOURCES: list[tuple[float, Callable[[int, Generator], Source]]] = [
    (0.55, traffic),
    (0.25, motor),  # a vehicle that waits
    (0.25, horns),
    (0.25, sirens),
    (0.3, talkers),
    (0.25, partial(talkers, children=True)),
    (0.25, music),
    (0.15, partial(hammer, jitter=(0.3, 0.9), blows_hz=(0.3, 3.0))),  # doors, crates, steps
]


def draw_street(sample_rate: int, rng: Generator) -> Place:
    """One street of many: the rumble of the town, and one source at least that stands out of it."""
    present = [draw for share, draw in SOURCES if rng.random() < share] or [traffic]
    foremost = rng.integers(len(present))
    levels_db = [0.0 if i == foremost else -rng.uniform(0, 25) for i in range(len(present))]
    sources = [(level, draw(sample_rate, rng)) for level, draw in zip(levels_db, present, strict=True)]
    sources.append((-rng.uniform(3, 35), rumble(sample_rate, rng)))
    return Place(sources, draw_response(sample_rate, (0.15, 0.8), (-3, 15), rng))
