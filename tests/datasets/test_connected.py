"""Connected words: every recording is in them, at the level and the time that the manifest says, reproducibly."""

from collections import Counter

import numpy as np
import pytest
import soundfile as sf
import torch

from drsn_audio.corpora.cuts import SpeechFile, make_cut
from drsn_audio.datasets.connected import AFTER_S, BEFORE_S, plan_strings, render_string, write_strings
from drsn_audio.datasets.manifests import AudioStore, load_cut, read_cuts
from drsn_audio.datasets.streams import plan_words, write_streams
from drsn_audio.errors import InputError
from drsn_audio.noise.level import rms_db
from drsn_audio.noise.span import word_span

RATE = 16000
LEVEL_DB = -26.0


def recordings(folder, say, words, speakers, rate=RATE):
    """Tones of 0.3 s, each in 0.4 s of near silence."""
    cuts = []
    for word in words:
        for speaker, takes in speakers.items():
            for take in range(takes):
                path = folder / word / f"{speaker}_{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                tone = say(("low", "mid", "high")[len(word) % 3], f"{speaker}{word}")[:: RATE // rate]
                sf.write(path, np.pad(tone, rate // 20), rate, subtype="FLOAT")
                cuts.append(make_cut(SpeechFile(f"{word}/{speaker}_{take}", path, "test", word, speaker)))
    return cuts


@pytest.fixture(scope="module")
def commands(tmp_path_factory, say):
    return recordings(tmp_path_factory.mktemp("c"), say, ("go", "left", "stop"), {"ann": 4, "bob": 1})


@pytest.fixture(scope="module")
def digits(tmp_path_factory, say):
    """Of one who said commands as well, and of one with a telephone."""
    folder = tmp_path_factory.mktemp("d")
    return recordings(folder, say, ("one",), {"ann": 1}) + recordings(folder, say, ("six", "two"), {"tel": 6}, 8000)


def plan(commands, digits, seed=0):
    return plan_strings(commands, digits, set_name="t", seed=seed)


@pytest.mark.parametrize("seed", range(5))
def test_every_recording_is_in_a_string_and_few_twice(commands, digits, seed):
    plans = plan(commands, digits, seed)
    used = Counter(cut.id for one in plans for cut in one.words)
    assert set(used) == {cut.id for cut in (*commands, *digits)}
    assert used.total() <= len(used) + 6
    for one in plans:
        assert 2 <= len(one.words) <= 7
        assert len({cut.id for cut in one.words}) == len(one.words)


@pytest.mark.parametrize("seed", range(5))
def test_a_string_is_of_one_speaker_of_commands_and_one_of_digits(commands, digits, seed):
    known = {cut.id for cut in commands}
    for one in plan(commands, digits, seed):
        of = [[cut.supervisions[0].speaker for cut in one.words if (cut.id in known) is mine] for mine in (True, False)]
        assert set(of[0]) == {one.speaker}
        assert len(set(of[1])) <= 1


def test_the_plan_depends_on_names_alone(commands, digits):
    first = plan(commands, digits)
    assert plan(commands[::-1], digits[::-1]) == first
    assert plan(commands, digits, seed=1) != first
    for one in first:
        assert (one.gaps_s[0], one.gaps_s[-1]) == (BEFORE_S, AFTER_S)
        assert all(0 <= gap <= 0.5 for gap in one.gaps_s[1:-1])
        assert len(one.gaps_s) == len(one.words) + 1


def test_nothing_to_connect(commands, digits):
    with pytest.raises(InputError, match="t: no digits to connect"):
        plan(commands, [])
    with pytest.raises(InputError, match="t: no commands to connect"):
        plan([], digits)


def test_words_are_where_the_spans_say_at_one_level(commands, digits):
    store = AudioStore(RATE)
    for one in plan(commands, digits):
        wave, spans, level_db = render_string(one, LEVEL_DB, store)
        assert level_db == LEVEL_DB
        assert not wave[: round(BEFORE_S * RATE)].any()
        assert not wave[-round(AFTER_S * RATE) :].any()
        for cut, (start, stop) in zip(one.words, spans, strict=True):
            clip = store(cut)
            first, last = (int(bound) for bound in word_span(torch.from_numpy(clip)[None]))
            gain = 10 ** ((LEVEL_DB - cut.custom["active_level_db"]) / 20)
            np.testing.assert_allclose(wave[start:stop], clip[first:last] * gain, rtol=1e-5, atol=1e-7)
        assert [start for start, _ in spans] == sorted(start for start, _ in spans)


def test_a_string_that_would_clip_is_lowered_and_says_so(commands, digits):
    one = plan(commands, digits)[0]
    wave, _, level_db = render_string(one, 20.0, AudioStore(RATE))
    assert float(np.abs(wave).max()) == pytest.approx(0.99, abs=1e-6)
    quiet, _, _ = render_string(one, level_db, AudioStore(RATE))
    np.testing.assert_allclose(wave, quiet, rtol=1e-4, atol=1e-6)


def test_the_manifest_says_what_is_in_the_files(commands, digits, tmp_path, tree):
    plans, store = plan(commands, digits), AudioStore(RATE)
    for name in ("a", "b"):
        write_strings(plans, LEVEL_DB, tmp_path / name, "t", store)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    (tmp_path / "a").rename(tmp_path / "moved")
    for one, cut in zip(plans, read_cuts([tmp_path / "moved" / "t.jsonl.gz"]), strict=True):
        wave, spans, _ = render_string(one, LEVEL_DB, store)
        np.testing.assert_allclose(load_cut(cut, RATE), wave, atol=2**-15)
        (said,) = cut.supervisions
        items = said.alignment["word"]
        assert said.text == " ".join(item.symbol for item in items)
        assert said.text.split() == [word.supervisions[0].text for word in one.words]
        assert said.speaker == one.speaker
        for item, span in zip(items, spans, strict=True):
            assert (item.start * RATE, item.end * RATE) == pytest.approx(span, abs=1e-6)
        assert cut.custom["active_level_db"] == LEVEL_DB
        assert cut.custom["rms_db"] == pytest.approx(rms_db(wave), abs=0.001)
        assert [word["utterance"] for word in cut.custom["words"]] == [word.id for word in one.words]


def test_a_stream_of_strings_says_every_word_apart(commands, digits, tmp_path):
    store = AudioStore(RATE)
    strings = write_strings(plan(commands, digits), LEVEL_DB, tmp_path, "t", store)
    strings = read_cuts([tmp_path / "t.jsonl.gz"])
    plans = plan_words(strings, [("clean", None)], set_name="s", seed=0)
    list(write_streams(plans, tmp_path, "s", None, store))
    (stream,) = read_cuts([tmp_path / "s.jsonl.gz"])
    words = [word for cut in strings for word in cut.custom["words"]]
    said = stream.supervisions
    assert Counter((one.custom["utterance"], one.speaker) for one in said) == Counter(
        (word["utterance"], word["speaker"]) for word in words
    )
    assert len({one.id for one in said}) == len(said)
    sound, of = load_cut(stream, RATE), {cut.id: cut for cut in (*commands, *digits)}
    for one in said:
        clip = store(of[one.custom["utterance"]])
        first, last = (int(bound) for bound in word_span(torch.from_numpy(clip)[None]))
        heard = sound[round(one.start * RATE) :][: last - first]
        assert np.corrcoef(heard, clip[first:last])[0, 1] > 0.999
        assert one.duration == pytest.approx((last - first) / RATE)
