"""A factory hall or a building site, synthesised: which machines it has, how loud, how far."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from numpy.random import Generator

from drsn_audio.noise.machines import beeper, compressed_air, fan, hammer, motor, power_tool
from drsn_audio.noise.scene import Place, Source, draw_response

# What stands out in a hall, and how often it is there.
SOURCES: list[tuple[float, Callable[[int, Generator], Source]]] = [
    (0.5, motor),
    (0.25, motor),
    (0.4, fan),
    (0.3, hammer),
    (
        0.3,
        partial(hammer, blows_hz=(10, 32), ring_s=(0.004, 0.05), jitter=(0.01, 0.08)),
    ),  # jackhammer
    (0.2, partial(hammer, blows_hz=(3, 15), ring_s=(0.02, 0.2), jitter=(0.5, 1.0))),  # conveyor
    (0.35, power_tool),
    (0.2, partial(power_tool, turns_hz=(20, 110))),  # chainsaw, core drill
    (0.25, compressed_air),
    (0.1, beeper),
]


def draw_factory(sample_rate: int, rng: Generator) -> Place:
    """One hall of many: its ventilation, and one machine at least that stands out of it."""
    present = [draw for share, draw in SOURCES if rng.random() < share] or [motor]
    foremost = rng.integers(len(present))
    levels_db = [0.0 if i == foremost else -rng.uniform(0, 25) for i in range(len(present))]
    sources = [(level, draw(sample_rate, rng)) for level, draw in zip(levels_db, present, strict=True)]
    sources.append((-rng.uniform(3, 30), fan(sample_rate, rng)))
    return Place(sources, draw_response(sample_rate, (0.3, 2.0), (-6, 12), rng))
