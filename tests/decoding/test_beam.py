"""Beam search: against all texts by brute force, cases worked by hand, and what cannot be used."""

import math
import re
import sys
import tracemalloc
from itertools import product

import numpy as np
import pytest

pytest.importorskip("flashlight.lib.text", reason="needs flashlight-text")

from drsn_audio.decoding.arpa import count_ngrams, witten_bell, write_arpa
from drsn_audio.decoding.beam import BeamConfig, BeamDecoder, beam_config
from drsn_audio.decoding.greedy import greedy_spikes
from drsn_audio.decoding.units import CHARACTERS, PIECE_SPACE, Units
from drsn_audio.errors import InputError
from drsn_audio.extras import install_command
from drsn_audio.labels import BLANK

WORDS = Units("words", [BLANK, "left", "stop", "go"])
LETTERS = Units("characters", [BLANK, "|", "A", "B"])
PIECES = Units("sentencepiece", [BLANK, f"{PIECE_SPACE}A", "B", f"{PIECE_SPACE}B"])
ALL_LETTERS = Units("characters", CHARACTERS)


def draw_log_probabilities(frames, classes, seed, scale=1.5):
    logits = np.random.default_rng(seed).normal(scale=scale, size=(frames, classes))
    return normalise(logits)


def normalise(logits):
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def spell(units, text, frames, confidence=0.98, seed=0):
    """Log-probabilities of a sound in which a text is spelt clearly, each label over one or two frames."""
    rng = np.random.default_rng(seed)
    path = []
    for label in units.encode(text):
        path += [0] * int(rng.integers(1, 3)) + [label] * int(rng.integers(1, 3))
    path += [0] * (frames - len(path))
    values = np.full((frames, len(units.labels)), (1 - confidence) / (len(units.labels) - 1))
    values[np.arange(frames), path] = confidence
    return np.log(values)


def write_model(path, texts, order=2):
    write_arpa(path, witten_bell(count_ngrams([text.split() for text in texts], order)))
    return str(path)


def arpa_ln(path, words):
    """Ln P of words, </s> among them, read from the bigrams and unigrams of an ARPA file itself."""
    entries = {}
    for line in path.read_text().splitlines():
        probability, _, rest = line.partition("\t")
        gram, _, backoff = rest.partition("\t")
        if rest:
            entries[tuple(gram.split())] = float(probability), float(backoff or 0)
    total, before = 0.0, "<s>"
    for word in [*words, "</s>"]:
        word = word if (word,) in entries else "<unk>"
        bigram = entries.get((before, word))
        total += bigram[0] if bigram else entries[(before,)][1] + entries[(word,)][0]
        before = word
    return total * math.log(10)


def best_of_all(log_probabilities, units, value):
    """The best of all label sequences by ln of the summed probability of their paths, plus value(labels)."""
    frames, classes = log_probabilities.shape
    sums = {}
    for path in product(range(classes), repeat=frames):
        labels = tuple(label for place, label in enumerate(path) if label and (place == 0 or label != path[place - 1]))
        heard = log_probabilities[np.arange(frames), list(path)].sum()
        sums[labels] = np.logaddexp(sums.get(labels, -np.inf), heard)
    scored = {labels: heard + value(list(labels)) for labels, heard in sums.items()}
    labels = max(scored, key=scored.get)
    return list(labels), scored[labels]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("units", "texts"),
    [
        (WORDS, ["left stop", "stop go", "left left"]),
        (LETTERS, ["A B", "AB A", "BA"]),
        (PIECES, ["A B", "AB A", "AB B B"]),
    ],
)
def test_the_best_of_all_texts(units, texts, seed, tmp_path):
    path = write_model(tmp_path / "lm.arpa", texts)
    known = {word for text in texts for word in text.split()}
    config = BeamConfig(path, beam=1000, lm_weight=0.7, word_score=0.4, unknown_score=-1.5)
    log_probabilities = draw_log_probabilities(5, 4, seed)

    def value(labels):
        words = units.text(labels).split()
        unknown = sum(word not in known for word in words) if units.kind != "words" else 0
        return 0.7 * arpa_ln(tmp_path / "lm.arpa", words) + 0.4 * len(words) - 1.5 * unknown

    labels, score = best_of_all(log_probabilities, units, value)
    found = BeamDecoder(units, config).decode(log_probabilities)
    assert found.labels == labels
    assert found.text == units.text(labels)
    assert found.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_without_a_language_model_it_is_the_most_probable_labelling(seed):
    log_probabilities = draw_log_probabilities(6, 3, seed)
    units = Units("words", [BLANK, "left", "stop"])
    labels, score = best_of_all(log_probabilities, units, lambda labels: 0.0)
    found = BeamDecoder(units, BeamConfig(beam=1000)).decode(log_probabilities)
    assert found.labels == labels
    assert found.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize(
    ("units", "text"),
    [(WORDS, "left stop stop go"), (ALL_LETTERS, "SEE ALL THE BOOKS"), (LETTERS, "AB BA B")],
)
def test_where_one_path_is_clear_it_is_greedy_decoding(units, text):
    log_probabilities = spell(units, text, 60)
    greedy = [spike.label for spike in greedy_spikes(np.exp(log_probabilities))]
    found = BeamDecoder(units, BeamConfig()).decode(log_probabilities)
    assert found.labels == greedy == units.encode(text)
    assert found.text == text


def test_the_language_model_decides_between_like_sounds(tmp_path):
    # "go" is heard a little better than "stop", but "left stop" was read three times, "left go" never: "stop" wins
    # from the weight on at which the language model outweighs ln 0.54 - ln 0.44.
    path = write_model(tmp_path / "lm.arpa", ["left stop", "left stop", "left stop", "go"])
    heard = np.log([[0.01, 0.97, 0.01, 0.01], [0.97, 0.01, 0.01, 0.01], [0.01, 0.01, 0.44, 0.54]])
    # left 3, stop 3, go 1, </s> 4 of N = 11, T = 4, V = 5
    stop, go = (3 + 4 / 5) / 15, (1 + 4 / 5) / 15
    gain = math.log(3 + stop) - math.log(go)
    gain += math.log((3 + (4 + 4 / 5) / 15) / 4) - math.log((1 + (4 + 4 / 5) / 15) / 2)  # </s> after stop, after go
    stop_ln, go_ln = (arpa_ln(tmp_path / "lm.arpa", ["left", word]) for word in ("stop", "go"))
    assert stop_ln - go_ln == pytest.approx(gain, abs=1e-5)
    turning = math.log(0.54 / 0.44) / gain
    for lm_weight, text in ((0.0, "left go"), (0.9 * turning, "left go"), (1.1 * turning, "left stop")):
        assert BeamDecoder(WORDS, BeamConfig(path, lm_weight=lm_weight)).decode(heard).text == text


def test_a_score_for_each_word_makes_more_or_fewer(tmp_path):
    heard = np.log([[0.5, 0.5, 1e-9, 1e-9], [0.98, 0.01, 0.005, 0.005]])
    assert BeamDecoder(WORDS, BeamConfig(word_score=0.5)).decode(heard).text == "left"
    assert BeamDecoder(WORDS, BeamConfig(word_score=-0.5)).decode(heard).text == ""


def test_a_known_word_is_preferred_and_only_those_where_others_cost_too_much(tmp_path):
    path = write_model(tmp_path / "lm.arpa", ["AB", "BA"])
    heard = np.log(np.array([[0.02, 0.01, 0.96, 0.01], [0.02, 0.01, 0.96, 0.01], [0.02, 0.01, 0.01, 0.96]]))
    heard = np.concatenate([heard, heard[2:]])  # AB
    unclear = np.log([[0.01, 0.01, 0.01, 0.97], [0.97, 0.01, 0.01, 0.01], [0.02, 0.01, 0.2, 0.77]])  # B B, or B A
    assert BeamDecoder(LETTERS, BeamConfig(path)).decode(heard).text == "AB"
    assert BeamDecoder(LETTERS, BeamConfig(path, unknown_score=0.0, lm_weight=0.1)).decode(unclear).text == "BB"
    assert BeamDecoder(LETTERS, BeamConfig(path, unknown_score=-1000.0)).decode(unclear).text == "BA"


def test_a_language_model_of_the_labels_themselves(tmp_path):
    path = write_model(tmp_path / "lm.arpa", ["A | B", "A B | A"])
    log_probabilities = draw_log_probabilities(5, 4, seed=1)
    decoder = BeamDecoder(LETTERS, BeamConfig(path, beam=1000, lm_weight=0.6))

    def value(labels):
        return 0.6 * arpa_ln(tmp_path / "lm.arpa", [LETTERS.labels[label] for label in labels])

    labels, score = best_of_all(log_probabilities, LETTERS, value)
    found = decoder.decode(log_probabilities)
    assert found.labels == labels
    assert found.score == pytest.approx(score, abs=1e-4)


def test_a_lexicon_names_the_known_words(tmp_path):
    (tmp_path / "words.txt").write_text("BA B A\nB\n")
    unclear = np.log([[0.01, 0.01, 0.01, 0.97], [0.97, 0.01, 0.01, 0.01], [0.02, 0.01, 0.2, 0.77]])
    decoder = BeamDecoder(LETTERS, BeamConfig(lexicon=str(tmp_path / "words.txt")))
    assert decoder.decode(unclear).text == "BA"


def test_no_frames_and_silence():
    decoder = BeamDecoder(WORDS, BeamConfig())
    assert decoder.decode(np.zeros((0, 4))) == ([], "", 0.0)
    assert decoder.decode(np.log([[1 - 3e-6, 1e-6, 1e-6, 1e-6]] * 20)).text == ""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_sound():
    """Hypotheses that were left are forgotten: five times the sound takes nearly as much memory."""
    decoder = BeamDecoder(ALL_LETTERS, BeamConfig(beam=20))

    def peak(repeats):
        heard = np.concatenate([spell(ALL_LETTERS, "ALL THE BOOKS|", 60, 0.9, seed) for seed in range(repeats)])
        tracemalloc.start()
        decoder.decode(heard)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(15) < 2 * peak(3)


def test_impossible_labels_and_repeated_use():
    decoder = BeamDecoder(WORDS, BeamConfig())
    with np.errstate(divide="ignore"):
        heard = np.log(np.eye(4)[[1, 0, 2, 2, 0, 0]])  # probabilities of 0 and 1
    assert [decoder.decode(heard).text for _ in range(3)] == ["left stop"] * 3
    assert decoder.decode(heard).score == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(InputError, match="NaN"):
        decoder.decode(heard * np.nan)


@pytest.mark.parametrize(
    ("units", "texts", "message"),
    [
        (ALL_LETTERS, ["left stop", "go"], r"of 3 words the units of the model write 0 \(not '.*'\).*characters"),
        (WORDS, ["LEFT STOP", "GO"], r"of 3 units of the model it knows 0 \(not 'left'\).*words"),
        (ALL_LETTERS, [f"{PIECE_SPACE}GO {PIECE_SPACE}ON"], "other units"),
        (PIECES, ["A | B", "B | A B"], "other units"),
    ],
)
def test_a_language_model_for_other_units(units, texts, message, tmp_path):
    path = write_model(tmp_path / "lm.arpa", texts)
    with pytest.raises(InputError, match=message) as caught:
        BeamDecoder(units, BeamConfig(path))
    assert "lm.arpa" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"none\.arpa: no such language model"):
        BeamDecoder(WORDS, BeamConfig(str(tmp_path / "none.arpa")))
    (tmp_path / "text.arpa").write_text("left stop\n")
    with pytest.raises(InputError, match=r"text\.arpa: not an ARPA file"):
        BeamDecoder(WORDS, BeamConfig(str(tmp_path / "text.arpa")))
    (tmp_path / "cut.arpa").write_text("\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-1 left\n-1 stop\n-1 go\n")
    with pytest.raises(InputError, match=r"cut\.arpa: KenLM does not read it"):
        BeamDecoder(WORDS, BeamConfig(str(tmp_path / "cut.arpa")))
    with pytest.raises(InputError, match=r"none\.txt: no such lexicon"):
        BeamDecoder(WORDS, BeamConfig(lexicon=str(tmp_path / "none.txt")))
    with pytest.raises(InputError, match="a beam of 0"):
        BeamDecoder(WORDS, BeamConfig(beam=0))


def test_without_flashlight(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio.models.decoder", None)
    with pytest.raises(ModuleNotFoundError, match=re.escape(install_command("lm"))):
        BeamDecoder(WORDS, BeamConfig())


def test_settings_of_a_checkpoint_and_what_is_given():
    info = {"decoder": {"config": BeamConfig("lm.arpa", beam=20, lm_weight=0.3).to_dict()}}
    assert beam_config(info) == BeamConfig("lm.arpa", beam=20, lm_weight=0.3)
    assert beam_config(info, lm_weight=0.9, beam=None) == BeamConfig("lm.arpa", beam=20, lm_weight=0.9)
    assert beam_config({}, hotwords={"go": 2.0}) == BeamConfig(hotwords={"go": 2.0})
    with pytest.raises(InputError, match="has lm_alpha, unknown here"):
        beam_config({"decoder": {"config": {"lm_alpha": 1.0}}})
