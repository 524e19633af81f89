"""words-20-stream: it writes what a voice says that no training heard, with times, and nothing where nobody speaks."""

import numpy as np
import pytest

from drsn_audio import load, pretrained
from drsn_audio.corpora.voices import Voice, synthesise

NAME = "words-20-stream"
RATE = 16000
SAID = ("left", "stop", "seven", "go")

pytestmark = pytest.mark.skipif(NAME not in pretrained.names(), reason=f"{NAME} is not there")


@pytest.fixture(scope="module")
def spoken() -> tuple[np.ndarray, list[float]]:
    """Words half a second apart in soft hiss, and where each begins, in seconds."""
    wave, starts = [np.zeros(RATE // 2, np.float32)], []
    for word in SAID:
        said = synthesise(word, Voice("en-us", "m4"))
        starts.append(sum(map(len, wave)) / RATE)
        wave += [0.3 * said / np.abs(said).max(), np.zeros(RATE // 2, np.float32)]
    joined = np.concatenate(wave)
    return (joined + 1e-3 * np.random.default_rng(0).standard_normal(len(joined))).astype(np.float32), starts


def test_connected_words_and_when_they_begin(spoken):
    wave, starts = spoken
    transcript = load(NAME).transcribe(wave)
    assert transcript.text == " ".join(SAID)
    assert [word.start for word in transcript.words] == pytest.approx(starts, abs=0.2)
    assert all(0 < word.confidence <= 1 for word in transcript.words)


def test_a_stream_writes_the_same_whatever_the_chunks(spoken):
    wave, _ = spoken
    stream = load(NAME).stream()
    events = [event for chunk in np.array_split(wave, 37) for event in stream.feed(chunk)] + stream.flush()
    assert [event.label for event in events if event.kind == "final"] == list(SAID)


def test_very_quiet_words_are_written_but_for_the_first(spoken):
    """Active level about -80 dBFS."""
    wave, _ = spoken
    assert load(NAME).transcribe(wave * np.float32(1e-3)).text.split()[-len(SAID) + 1 :] == list(SAID)[1:]


def test_hiss_and_silence_are_no_words():
    hiss = 1e-4 * np.random.default_rng(1).standard_normal(60 * RATE).astype(np.float32)
    model = load(NAME)
    assert model.transcribe(hiss).text == ""
    assert model.transcribe(np.zeros(60 * RATE, np.float32)).text == ""
