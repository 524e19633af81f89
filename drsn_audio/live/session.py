"""A stream that is listened to: block after block to the model, events and the level to whoever watches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.live.meter import Meter, is_clipped
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.samples import check_samples

log = logging.getLogger("drsn_audio")

Answer = TypeVar("Answer")


class Listener(Protocol):
    """What a session needs of a `Stream` or an `OnnxStream`."""

    sample_rate: int

    def feed(self, samples: np.ndarray) -> list[Event]: ...

    def flush(self) -> list[Event]: ...


class Hearer:
    """`hear` it blocks, then `end` it; `_feed` and `_flush` do what is done with them.

    Samples that are no sound (NaN, infinite) are heard as silence, so that times stay right, and counted.
    """

    def __init__(self, sample_rate: int, meter: Meter, clock: Callable[[], float] = time.perf_counter):
        self.sample_rate, self._meter, self._clock = sample_rate, meter, clock
        self.samples = self._refused = self._clipped = 0
        self._busy_s = 0.0

    @property
    def heard_s(self) -> float:
        return self.samples / self.sample_rate

    @property
    def real_time_factor(self) -> float:
        """Time that the model took, as a share of the sound's."""
        return self._busy_s / self.heard_s if self.samples else 0.0

    def hear(self, block: np.ndarray) -> None:
        """The next samples [N], N > 0."""
        block = self._sound(block)
        self.samples += len(block)
        self._clipped += len(block) * is_clipped(block)
        self._feed(block)
        self._meter.hear(block, self.heard_s, self.real_time_factor)

    def end(self) -> None:
        """Silence follows the sound: the last block is heard.

        Raises:
            InputError: all of the sound was no sound.
        """
        self._flush()
        self._meter.clear()
        if self.samples and self._refused == self.samples:
            raise InputError("nothing but NaN, infinite or absurdly large samples came: check --format")

    def figures(self) -> dict[str, Any]:
        """Of all that was heard."""
        return {
            "heard_s": round(self.heard_s, 3),
            "real_time_factor": round(self.real_time_factor, 4),
            "refused_s": round(self._refused / self.sample_rate, 3),
            "clipped_s": round(self._clipped / self.sample_rate, 3),
        }

    def _feed(self, block: np.ndarray) -> None:
        raise NotImplementedError

    def _flush(self) -> None:
        raise NotImplementedError

    def _sound(self, block: np.ndarray) -> np.ndarray:
        try:
            return check_samples(block)
        except InputError:
            if not self._refused:
                self._meter.clear()
                log.warning(
                    "after %.3f s: NaN, infinite or absurdly large samples, heard as silence: check --format",
                    self.heard_s,
                )
            self._refused += len(block)
            return np.zeros(len(block), np.float32)

    def _timed(self, hear: Callable[[], Answer]) -> Answer:
        began = self._clock()
        answer = hear()
        self._busy_s += self._clock() - began
        return answer


class Session(Hearer):
    """`hear` it blocks, then `end` it; every event goes to `tell` at once, and with `keep` into `events`.

    A word that may still grow is shown by the meter, and is neither kept nor counted. The tail of silence with which
    the stream ends is not counted, either.
    """

    def __init__(
        self,
        stream: Listener,
        tell: Callable[[Event], None],
        meter: Meter,
        keep: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ):
        super().__init__(stream.sample_rate, meter, clock)
        self._stream, self._tell, self._keep = stream, tell, keep
        self.events: list[Event] = []
        self.told = 0  # events

    def summary(self) -> dict[str, Any]:
        """Figures of all that was heard."""
        heard_s, *others = self.figures().items()
        return dict([heard_s, ("events", self.told), *others])

    def _feed(self, block: np.ndarray) -> None:
        self._answer(self._timed(lambda: self._stream.feed(block)))

    def _flush(self) -> None:
        self._answer(self._timed(self._stream.flush))

    def _answer(self, events: list[Event]) -> None:
        if events:
            self._meter.clear()
        for event in events:
            self._tell(event)
        lasting = [event for event in events if event.kind != "partial"]
        self.told += len(lasting)
        if self._keep:
            self.events += lasting
        if events:
            self._meter.unsealed = events[-1].label if events[-1].kind == "partial" else ""
            self._meter.draw()
