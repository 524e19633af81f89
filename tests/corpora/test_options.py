"""key=value of the command line -> what a prepare function takes."""

from collections.abc import Sequence

import pytest

from drsn_audio.config import ConfigError
from drsn_audio.corpora import CORPORA
from drsn_audio.corpora.options import corpus_options


def prepare_some(
    source: str,
    out: str,
    *,
    count: int = 50,
    share: float = 0.1,
    protocol: str = "35",
    kinds: Sequence[str] | None = None,
    parts: Sequence[int] = (1, 2),
    progress: bool = True,
) -> None: ...


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count=3", 3),
        ("share=1", 1.0),
        ("share=1e-3", 0.001),
        ("protocol=12", "12"),
        ("protocol=no", "no"),
        ("protocol=^([a-z]+)_", "^([a-z]+)_"),
        ("kinds=[street, factory]", ["street", "factory"]),
        ("kinds=street", ["street"]),
        ('kinds=[yes,no,"on",12]', ["yes", "no", "on", "12"]),
        ("parts=[1,2,3]", [1, 2, 3]),
    ],
)
def test_values_of_the_declared_type(text, expected):
    ((key, value),) = corpus_options("some", prepare_some, [text]).items()
    assert key == text.split("=")[0]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["count=many", "count=1.5", "count=[1]", "count=", "count=[1", "parts=[1,a]", "protocol=[a]", "protocol={a: b}"],
)
def test_values_of_another_type(text):
    with pytest.raises(ConfigError, match="not a value of") as error:
        corpus_options("some", prepare_some, [text])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "near"), [("cuont=3", "count"), ("progress=no", "protocol"), ("source=x", "known are|did")]
)
def test_unknown_options(text, near):
    with pytest.raises(ConfigError, match=near):
        corpus_options("some", prepare_some, [text])


@pytest.mark.parametrize("name", CORPORA)
def test_the_options_of_every_corpus_can_be_given(name):
    for text in ("seed=1", "kind=street", "words=[a]", "voices_per_part=[1,1,1]", "duration_s=2"):
        try:
            assert len(corpus_options(name, CORPORA[name], [text])) == 1
        except ConfigError as error:
            assert "no option" in str(error)  # noqa: PT017
