"""Speech recognition in strong noise with deep residual shrinkage networks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from drsn_audio._version import __version__

if TYPE_CHECKING:
    from drsn_audio.api import Classification, Recognizer, load
    from drsn_audio.decoding.transcript import Transcript, Word
    from drsn_audio.denoising.denoiser import Denoiser
    from drsn_audio.publishing import push
    from drsn_audio.transcribing.transcriber import Transcriber

__all__ = [
    "Classification",
    "Denoiser",
    "Recognizer",
    "Transcriber",
    "Transcript",
    "Word",
    "__version__",
    "load",
    "push",
]
_PLACES = {
    "Denoiser": "denoising.denoiser",
    "Transcriber": "transcribing.transcriber",
    "Transcript": "decoding.transcript",
    "Word": "decoding.transcript",
    "push": "publishing",
}  # the others are api's


def __getattr__(name: str) -> Any:
    # torch takes a second to import: only who asks for a model pays for it.
    if name in __all__:
        return getattr(import_module(f"drsn_audio.{_PLACES.get(name, 'api')}"), name)
    raise AttributeError(f"module 'drsn_audio' has no attribute {name!r}")
