"""One utterance -> its mixes: what is drawn, from its name alone, and what is written."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from drsn_audio.audio import AudioError
from drsn_audio.corpora.cuts import is_unicode
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.mix_cut import Facts, cut_line
from drsn_audio.datasets.mix_inputs import AudioRef, NoiseItem, Utterance, reference
from drsn_audio.datasets.mix_noise import Drawn, Noise, Unusable, gains
from drsn_audio.datasets.mix_options import MixOptions
from drsn_audio.datasets.mix_outputs import Mixed, OutError, folder_name, output_name, scale_for, target_for, write_mix
from drsn_audio.datasets.mix_render import Reverb, direct_of, in_room, mix_parts, padded, scaled
from drsn_audio.datasets.mix_sources import Sources
from drsn_audio.errors import InputError
from drsn_audio.noise.level import ActiveLevel, active_level, rms_db
from drsn_audio.noise.snr import draw_snr

DRAWN_ROOMS = 100  # for each seed and sample rate: a room takes a third of a second to simulate

# plot(path, clean, noise, noisy, sample_rate, title, levels): draws the picture of a mix
Plot = Callable[[Path, np.ndarray, np.ndarray, np.ndarray, int, str, dict[str, float]], None]


class Outcome(NamedTuple):
    """lines: of the manifest; failed: files that could not be used, with the reason."""

    lines: list[str]
    failed: Unusable


class Speech(NamedTuple):
    """An utterance as it is mixed: wave [N], reverberant where it is in a room, and where it begins and ends."""

    clean: AudioRef
    wave: np.ndarray  # [lead_in + N + trail]
    sample_rate: int
    span: slice
    spoken: ActiveLevel
    reverb: Reverb | None


@dataclass
class Mixer:
    """All that a process needs to mix any utterance; what it remembers are input files, and no draws.

    rooms: responses to draw from; None: drawn ones, if options.rooms says so. file: the only output, if one is named.
    """

    options: MixOptions
    out: Path
    spare: Path | None
    sources: Sources
    noises: Mapping[str, Noise]
    folders: Mapping[str, str]
    background: Noise | None = None
    rooms: list[NoiseItem] | None = None
    file: str | None = None
    plot: Plot | None = None

    def names(self, utterance: Utterance) -> Iterator[tuple[str, float | None, str]]:
        """Kind, SNR (None: drawn) and name below OUT of each mix of an utterance."""
        name = output_name(utterance.relative, self.options.format)
        for kind in self.noises:
            for snr_db in self.options.conditions:
                folder = Path(self.folders[kind], *([] if snr_db is None else [folder_name(snr_db)]))
                yield kind, snr_db, self.file or (folder / name).as_posix()

    def __call__(self, utterance: Utterance, plots: int = 0) -> Outcome:
        """Mix an utterance, and make pictures of its first `plots` mixes.

        Raises:
            OutError: there is no use in going on.
        """
        outcome = Outcome([], [])
        try:
            for line in self._mix(utterance, plots, outcome.failed):
                outcome.lines.append(line)
        except OutError:
            raise
        except InputError as error:
            outcome.failed.append((utterance.path, str(error)))
        return outcome

    def _mix(self, utterance: Utterance, plots: int, failed: Unusable) -> Iterator[str]:
        if not is_unicode(utterance.path):
            raise AudioError("its name is not UTF-8, which no manifest can hold: rename it")
        speech = self._speech(utterance)
        clean_sha256 = self.sources.sha256(speech.clean)
        drawn: dict[str, list[tuple[Drawn, float]] | None] = {}
        for number, (kind, snr_db, name) in enumerate(self.names(utterance)):
            if kind not in drawn:
                drawn[kind] = self._draw(utterance, kind, speech, failed)
            noises = drawn[kind]
            if noises is None:
                continue
            if snr_db is None:
                rng = draw_generator("mix-snr", self.options.seed, utterance.id)
                snr_db = float(draw_snr(self.options.snr_law, self.options.snr_db, rng))
            yield self._one(utterance, speech, clean_sha256, kind, snr_db, name, noises, number < plots)

    def _speech(self, utterance: Utterance) -> Speech:
        options = self.options
        clean = reference("speech", self.sources.roots["speech"], utterance.path, utterance.cut)
        wave, rate = self.sources.speech(clean)
        if rms_db(wave) == -math.inf:  # before a room, which makes sound of the ends of a constant
            raise AudioError("silent speech, which has no level: leave it out")
        reverb = None
        if options.rooms:
            reverb, response = self._room(utterance, rate)
            wave = in_room(wave, response, reverb.direct_sample)
        spoken = active_level(wave, rate)
        if spoken.activity == 0:
            raise AudioError("silent speech, which has no level: leave it out")
        lead_in, trail = round(options.lead_in_s * rate), round(options.trail_s * rate)
        span = slice(lead_in, lead_in + len(wave))
        return Speech(clean, padded(wave, lead_in, trail), rate, span, spoken, reverb)

    def _room(self, utterance: Utterance, rate: int) -> tuple[Reverb, np.ndarray]:
        rng = draw_generator("mix-room", self.options.seed, utterance.id)
        if self.rooms is None:
            number = int(rng.integers(DRAWN_ROOMS))
            seed = int(draw_generator("room", self.options.seed, number).integers(2**31))
            room = self.sources.drawn_room(seed, rate)
            sha256 = hashlib.sha256(np.ascontiguousarray(room.response, "<f4").tobytes()).hexdigest()
            facts = Reverb(None, None, seed, sha256, int(room.direct_sample), room.rt60_s, room.distance_m)
            return facts, room.response
        item = self.rooms[int(rng.integers(len(self.rooms)))]
        ref = reference("rooms", self.sources.roots["rooms"], item.path, item.cut)
        response, _ = self.sources.recording(ref, rate)
        custom = (item.cut or {}).get("custom") or {}
        known = (custom.get("rt60_s"), custom.get("distance_m"))
        facts = Reverb(ref.file, ref.cut, None, self.sources.kept_sha256(ref), direct_of(response), *known)
        return facts, response

    def _draw(
        self, utterance: Utterance, kind: str, speech: Speech, failed: Unusable
    ) -> list[tuple[Drawn, float]] | None:
        """Noises and their levels against the first, in dB; None where there is none to be had, which is reported."""
        options, found = self.options, []
        rng = draw_generator("mix", options.seed, utterance.id, kind)
        wanted = [(kind, self.noises[kind], rng, 0.0)]
        if self.background is not None:
            rng = draw_generator("mix-background", options.seed, utterance.id, kind)
            under_db = float(rng.uniform(options.background_db[0], options.background_db[-1]))
            wanted.append(("background", self.background, rng, under_db))
        for name, noise, rng, level_db in wanted:
            drawn, unusable = noise.draw(self.sources, len(speech.wave), speech.span, speech.sample_rate, rng)
            failed += unusable
            if drawn is None:
                failed.append((utterance.path, f"not mixed, for no {name} noise can be used: name other recordings"))
                return None
            found.append((drawn, level_db))
        return found

    def _one(
        self,
        utterance: Utterance,
        speech: Speech,
        clean_sha256: str,
        kind: str,
        snr_db: float,
        name: str,
        noises: list[tuple[Drawn, float]],
        plot: bool,
    ) -> str:
        options, rate = self.options, speech.sample_rate
        waves = [drawn.wave for drawn, _ in noises]
        level_db = speech.spoken.active_db if options.level == "p56" else speech.spoken.rms_db
        found = [0.0] * len(waves)
        if snr_db != math.inf:
            found = gains(waves, [under_db for _, under_db in noises], speech.span, level_db - snr_db)
        mixed = mix_parts(speech.wave, waves, found, options.effects, rate)
        noise_db = rms_db(mixed.noise[speech.span])
        target = target_for(name, utterance.path, options.stems)
        scale = scale_for(mixed, target)
        mixed = scaled(mixed, scale)
        parts = [drawn.part._replace(gain=gain) for (drawn, _), gain in zip(noises, found, strict=True)]
        inputs = [utterance.path, *(self.sources.path(AudioRef(p.root, p.file)) for p in parts if p.root and p.file)]
        digests = write_mix(self.out, target, mixed, rate, inputs, self.spare)
        if plot and self.plot:
            self._picture(name, mixed, rate, level_db + 20 * math.log10(scale), noise_db + 20 * math.log10(scale))
        facts = Facts(
            utterance, speech.clean, clean_sha256, kind, snr_db, options.level, options.seed, speech.spoken, noise_db,
            parts, speech.span.start, len(speech.wave) - speech.span.stop, scale, speech.reverb, options.effects,
        )  # fmt: skip
        folder = Path(kind, *([folder_name(snr_db)] if options.snr_law == "fixed" else []))
        cut_id = f"{folder.as_posix()}/{utterance.id}"
        return cut_line(cut_id, target, digests, len(speech.wave), rate, facts)

    def _picture(self, name: str, mixed: Mixed, rate: int, speech_db: float, noise_db: float) -> None:
        method = "P.56" if self.options.level == "p56" else "RMS"
        levels = {f"speech ({method})": speech_db, "noise (RMS)": noise_db, "SNR": speech_db - noise_db}
        assert self.plot is not None
        path = (self.out / name).with_suffix(".png")
        self.plot(path, mixed.clean, mixed.noise, mixed.noisy, rate, name, levels)
