"""Spectrogram front-ends: wave [B, N] -> spectrogram [B, 1, F, T]. A new one is a file here and a line below."""

from drsn_audio.frontends.logmel import LogMel

FRONTENDS = {"logmel": LogMel}

__all__ = ["FRONTENDS", "LogMel"]
