"""File extensions of audio."""

from __future__ import annotations

from pathlib import Path

EXTENSIONS = (
    *(".flac", ".wav", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".au", ".caf", ".rf64"),
    *(".oga", ".wave", ".aifc", ".snd", ".mp2"),
)  # that libsndfile reads
FOREIGN = (
    *(".m4a", ".mp4", ".m4b", ".mov", ".3gp", ".3gpp", ".3g2", ".aac", ".amr", ".awb", ".webm", ".weba", ".mka"),
    *(".mkv", ".wma", ".asf", ".wmv", ".ac3", ".eac3", ".ape", ".wv", ".tta", ".dts", ".mpc"),
)  # of phones, browsers and cameras, that ffmpeg reads


def is_audio_name(name: str | Path) -> bool:
    """Return True if a name has an extension of audio that libsndfile or ffmpeg reads."""
    return Path(name).suffix.lower() in (*EXTENSIONS, *FOREIGN)
