"""One mix as a line of its manifest: a Lhotse cut that names everything that was drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from drsn_audio.datasets.mix_inputs import AudioRef, Utterance
from drsn_audio.datasets.mix_outputs import Target, stem_names
from drsn_audio.datasets.mix_render import Reverb, effects_facts, json_snr
from drsn_audio.datasets.mix_sources import NoisePart
from drsn_audio.noise.level import ActiveLevel
from drsn_audio.noise.recorder import DeviceEffects


class Facts(NamedTuple):
    """Of one mix. speech_level_db: by the level method, before `scale`; noise_level_db: so, too, over the speech."""

    utterance: Utterance
    clean: AudioRef
    clean_sha256: str
    kind: str
    snr_db: float
    level: str
    seed: int
    spoken: ActiveLevel
    noise_level_db: float
    parts: Sequence[NoisePart]
    lead_in: int  # samples
    trail: int
    scale: float
    reverb: Reverb | None
    effects: DeviceEffects | None

    @property
    def speech_level_db(self) -> float:
        return self.spoken.active_db if self.level == "p56" else self.spoken.rms_db


def cut_line(cut_id: str, target: Target, digests: Sequence[str], num_samples: int, rate: int, facts: Facts) -> str:
    """JSON of the cut. Its paths are relative: to the manifest's folder, and those of inputs to their roots."""
    duration_s = num_samples / rate
    source = {"type": "file", "channels": [0], "source": target.name}
    recording = {
        "id": cut_id,
        "sources": [source],
        "sampling_rate": rate,
        "num_samples": num_samples,
        "duration": duration_s,
        "channel_ids": [0],
    }
    cut = {
        "id": cut_id,
        "start": 0.0,
        "duration": duration_s,
        "channel": 0,
        "supervisions": _supervisions(cut_id, facts.utterance.cut, facts.lead_in / rate),
        "recording": recording,
        "custom": _custom(target, digests, rate, facts),
        "type": "MonoCut",
    }
    return json.dumps(cut, ensure_ascii=False, allow_nan=False)


def _custom(target: Target, digests: Sequence[str], rate: int, facts: Facts) -> dict[str, Any]:
    first = facts.parts[0]
    spoken, scale_db = facts.spoken, 20 * math.log10(facts.scale)
    clean = facts.snr_db == math.inf
    stems = None
    if target.stems:
        clean_name, noise_name = stem_names(target.name)
        stems = {"clean": clean_name, "clean_sha256": digests[1], "noise": noise_name, "noise_sha256": digests[2]}
    return {
        "utterance": facts.utterance.id,
        "noise_kind": facts.kind,
        "snr_db": json_snr(facts.snr_db),
        "snr_measured_db": None if clean else round(facts.speech_level_db - facts.noise_level_db, 4) + 0.0,  # no -0
        "level_method": facts.level,
        "speech_level_db": facts.speech_level_db,
        # Levels of the speech as it stands in the mix.
        "active_level_db": round(spoken.active_db + scale_db, 3),
        "rms_db": round(spoken.rms_db + scale_db, 3),
        "activity": round(spoken.activity, 4),
        "scale": facts.scale,
        "seed": facts.seed,
        "subtype": target.subtype,
        "sha256": digests[0],
        "stems": stems,
        "clean": facts.clean.file,
        "clean_sha256": facts.clean_sha256,
        "clean_cut": facts.clean.cut,
        "noise_class": first.noise_class,
        "noise_source": first.source,
        "offset_s": round(first.offset_samples / rate, 6),
        "gain_db": None if clean else round(20 * math.log10(first.gain), 4),
        "noises": [part._asdict() for part in facts.parts],
        "lead_in_s": facts.lead_in / rate,
        "trail_s": facts.trail / rate,
        "reverb": asdict(facts.reverb) if facts.reverb else None,
        "device_effects": effects_facts(facts.effects),
    }


def _supervisions(cut_id: str, like: dict[str, Any] | None, offset_s: float) -> list[dict[str, Any]]:
    """Those of the cut that was mixed, as much later as its speech now begins."""
    found = []
    for i, given in enumerate(like.get("supervisions", []) if like else []):
        if offset_s:
            from lhotse import SupervisionSegment

            given = SupervisionSegment.from_dict(given).with_offset(offset_s).to_dict()
        found.append({**given, "id": f"{cut_id}/{i}" if i else cut_id, "recording_id": cut_id, "channel": 0})
    return found
