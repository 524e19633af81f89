"""Other live recognisers, behind the calls of our stream. Their wheels carry models, so they can run."""

from pathlib import Path

import numpy as np
import pytest

from drsn_audio.corpora.voices import prepare_voices
from drsn_audio.datasets.manifests import load_cut, read_cuts
from drsn_audio.errors import InputError
from drsn_audio.evaluation.wake_peers import (
    THRESHOLDS,
    KeyphraseCandidates,
    MicroWakeWords,
    OpenWakeWords,
    PocketSphinxKeyphrases,
)

RATE = 16000
LIBRARIES = {
    "pocketsphinx": lambda: PocketSphinxKeyphrases({"stop": -20.0, "seven": -25.0}),
    "pymicro_wakeword": MicroWakeWords,
    "pyopen_wakeword": lambda: OpenWakeWords(threshold=0.0005),
}


def build(library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    return LIBRARIES[library]()


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Synthesised words, a second of faint hiss around each: samples [N], and (word, start_s, end_s)."""
    pytest.importorskip("espeakng_loader", reason="espeakng_loader is not installed")
    out = tmp_path_factory.mktemp("voices")
    prepared = prepare_voices(None, out, words=["stop", "seven", "house"], voices_per_part=(1, 1, 3), progress=False)
    pieces, words, heard = [], [], RATE
    for cut in read_cuts([prepared.manifests["test"]]):
        wave = load_cut(cut, RATE)
        words.append((cut.supervisions[0].text, heard / RATE, (heard + len(wave)) / RATE))
        pieces += [np.zeros(RATE, np.float32), wave]
        heard += len(wave) + RATE
    stream = np.concatenate([*pieces, np.zeros(RATE, np.float32)])
    return stream + 1e-3 * np.random.default_rng(0).standard_normal(len(stream)).astype(np.float32), words


@pytest.fixture(scope="module")
def noise():
    return 0.05 * np.random.default_rng(1).standard_normal(3 * RATE + 77).astype(np.float32)


def hits(events, words):
    return sum(
        any(event.label == word and start <= event.time <= end + 0.5 for event in events) for word, start, end in words
    )


def test_keyphrases_are_heard_where_they_are_said(said):
    """The synthetic voices are strange to pocketsphinx: few of their words are heard, but nothing else is."""
    stream, words = said
    events = build("pocketsphinx")([stream])
    assert hits(events, [word for word in words if word[0] == "stop"]) >= 2
    assert not hits(events, [("stop", *word[1:]) for word in words if word[0] != "stop"])
    for event in events:
        assert 0 <= event.start < event.end <= event.time <= event.end + 0.3
        assert 1e-26 < event.score < 1  # the threshold as a ratio, nearly
    assert PocketSphinxKeyphrases({"stop": 0.0, "seven": 0.0})([stream]) == []


def test_candidates_hold_what_thresholds_would_hear(said):
    stream, words = said
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    candidates = KeyphraseCandidates(["stop", "seven"])([stream])
    assert candidates
    assert min(found.log10_ratio for found in candidates) >= -30.1
    likely = [found for found in candidates if found.log10_ratio >= -20]
    assert abs(hits(likely, words) - hits(build("pocketsphinx")([stream]), words)) <= 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_chunks_change_nothing(library, noise, said):
    listener = build(library)
    stream = np.concatenate([noise, said[0][-5 * RATE :]])
    whole = listener([stream])
    assert whole or library == "pymicro_wakeword"  # whose thresholds are its own, and high
    cuts = np.sort(np.random.default_rng(2).integers(0, len(stream), 300))
    assert listener(np.split(stream, cuts)) == whole


@pytest.mark.parametrize("library", ["pocketsphinx", "pymicro_wakeword", "pyopen_wakeword"])
def test_digital_silence_is_no_word(library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    listener = OpenWakeWords() if library == "pyopen_wakeword" else LIBRARIES[library]()
    assert listener([np.zeros(5 * RATE, np.float32)]) == []


def test_one_thread_alone(noise):
    """Left to itself pyopen-wakeword takes several, and its time would not compare."""
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("threads are counted in /proc")
    before = len(list(tasks.iterdir()))
    build("pyopen_wakeword")([noise])
    assert len(list(tasks.iterdir())) == before


def test_a_word_that_it_cannot_know():
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    with pytest.raises(InputError, match="xyzzyq: not in pocketsphinx's dictionary"):
        PocketSphinxKeyphrases({"stop": 0.0, "xyzzyq": 0.0})


def test_thresholds_are_of_the_ten_commands():
    ten = {"yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"}
    assert all(set(thresholds) == ten for thresholds in THRESHOLDS.values())
