"""Names of noise recordings, which say their class, too: the cluster for intervals, and the row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def noise_name(noise_class: str, source: str) -> str:
    """Return the name of an original recording: CLASS/SOURCE."""
    return f"{noise_class.replace('/', '_')}/{source}"


def class_of(name: str) -> str:
    """Return the class of a recording that `noise_name` named."""
    return name.partition("/")[0]


def mixed_noise(custom: Mapping[str, Any]) -> str:
    """Return the name of the noise of a cut that is mixed already, as `drsn-audio mix` describes it; "" without one.

    Of mixes by others, that carry no class, the class is the kind of the noise, but for sources that are CLASS/SOURCE.
    """
    source = str(custom.get("noise_source") or "")
    if not source or custom.get("snr_db") is None:
        return ""
    if custom.get("noise_class"):
        return noise_name(str(custom["noise_class"]), source)
    return source if "/" in source else noise_name(str(custom.get("noise_kind", "")), source)
