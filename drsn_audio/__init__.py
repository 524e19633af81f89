"""Speech recognition in strong noise with deep residual shrinkage networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drsn_audio._version import __version__

if TYPE_CHECKING:
    from drsn_audio.api import Classification, Recognizer, load

__all__ = ["Classification", "Recognizer", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # torch takes a second to import: only who asks for a model pays for it.
    if name in __all__:
        from drsn_audio import api

        return getattr(api, name)
    raise AttributeError(f"module 'drsn_audio' has no attribute {name!r}")
