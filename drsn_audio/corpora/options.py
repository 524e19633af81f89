"""key=value, as a command line holds it -> the keyword arguments of a corpus's prepare function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from drsn_audio.config import ConfigError, nearest


def corpus_options(name: str, function: Callable[..., Any], given: Sequence[str]) -> dict[str, Any]:
    """["count=3", "words=[yes, no]"] -> {"count": 3, "words": ["yes", "no"]}: of the types that `function` declares.

    `name` is what messages call the corpus.

    Raises:
        ConfigError: an option that `function` lacks, or a value that is not of its type.
    """
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters if p.kind == p.KEYWORD_ONLY and p.name != "progress"]
    options = {}
    for text in given:
        key, _, value = text.partition("=")
        if key not in known:
            raise ConfigError(f"{key}: no option of {name}; {nearest(key, known)}")
        try:
            # Scalars as they are written: yes, no, on and off are words here.
            options[key] = _convert(yaml.load(value, yaml.BaseLoader), hints[key])
        except (yaml.YAMLError, ValueError):
            default = inspect.signature(function).parameters[key].default
            raise ConfigError(f"{text}: not a value of {key}, whose default is {default!r}") from None
    return options


def _convert(value: Any, hint: Any) -> Any:
    """Text, or a list of texts -> int, float, str or a list of them."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Sequence:
        parts = value if isinstance(value, list) else [value]
        return [_convert(part, get_args(hint)[0]) for part in parts]
    if not isinstance(value, str):
        raise ValueError
    return hint(value)
