"""Corpora: `prepare_<corpus>(source, out, **options)` turns one, as it is published, into Lhotse manifests.

What every corpus shares is in `prepare.py`; what a manifest holds, in `cuts.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from drsn_audio.corpora.cuts import Skipped
from drsn_audio.corpora.demand import prepare_demand
from drsn_audio.corpora.esc import prepare_esc
from drsn_audio.corpora.folder import prepare_folder, prepare_noise_folder
from drsn_audio.corpora.free_spoken_digits import prepare_free_spoken_digits
from drsn_audio.corpora.librispeech import prepare_librispeech
from drsn_audio.corpora.musan import prepare_musan
from drsn_audio.corpora.noisex92 import prepare_noisex92
from drsn_audio.corpora.openslr28 import prepare_openslr28
from drsn_audio.corpora.prepare import Prepared
from drsn_audio.corpora.rooms import prepare_rooms
from drsn_audio.corpora.running_speech import prepare_running_speech
from drsn_audio.corpora.speech_commands import prepare_speech_commands
from drsn_audio.corpora.synthetic_noise import prepare_synthetic_noise
from drsn_audio.corpora.tut_scenes import prepare_tut_scenes
from drsn_audio.corpora.urbansound8k import prepare_urbansound8k
from drsn_audio.corpora.voices import prepare_voices

CORPORA: dict[str, Callable[..., Prepared]] = {
    "speech-commands": prepare_speech_commands,
    "free-spoken-digits": prepare_free_spoken_digits,
    "librispeech": prepare_librispeech,
    "running-speech": prepare_running_speech,
    "urbansound8k": prepare_urbansound8k,
    "esc": prepare_esc,
    "musan": prepare_musan,
    "demand": prepare_demand,
    "noisex-92": prepare_noisex92,
    "tut-scenes": prepare_tut_scenes,
    "openslr-28": prepare_openslr28,
    "folder": prepare_folder,
    "noise-folder": prepare_noise_folder,
    "synthetic-noise": prepare_synthetic_noise,
    "rooms": prepare_rooms,
    "voices": prepare_voices,
}

# Corpora that are made, not read: their `source` is None.
WITHOUT_SOURCE = frozenset({"synthetic-noise", "rooms", "voices"})

__all__ = ["CORPORA", "WITHOUT_SOURCE", "Prepared", "Skipped"]
