"""What a model of one's own words is trained and tested on: which other words, and how few recordings are split."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from lhotse.cut import Cut

from drsn_audio.audio import write_audio
from drsn_audio.corpora.cuts import Skipped, SpeechFile, make_cut
from drsn_audio.corpora.prepare import PARTS, unit_hash
from drsn_audio.corpora.sets import OTHER_WORDS
from drsn_audio.corpora.speech_commands import COMMANDS
from drsn_audio.datasets.manifests import load_cut
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.text import normalise_text

RATE = 16000
DEV_SHARE = TEST_SHARE = 0.2
MIN_CLIP_S, MAX_CLIP_S = 1.0, 3.0
# Where clips come from, as the report names them.
VOICES, BACKWARDS = "synthesised voices", "your recordings of words played backwards"
RECORDED, NOISE = "your recordings of other words", "noise alone"
# What may stand in a phrase in place of one of its words, beside the words of the other phrases.
FIRST_WORDS, LAST_WORDS = ("start", "near"), ("door", "water")


def spelt(label: str) -> str:
    """Return a label as it is spoken and compared: open_gate and Open-gate are "open gate"."""
    return normalise_text(label)


def one_spelling(cuts: Sequence[Cut]) -> list[Cut]:
    """Return the cuts with one label for each word: that of the first folder, where several are spelt alike."""
    labels: dict[str, str] = {}
    for name in (UNKNOWN, SILENCE, *sorted(set(map(word_of, cuts)))):
        labels.setdefault(spelt(name), name)
    return [renamed(cut, cut.id, labels[spelt(word_of(cut))]) for cut in cuts]


def readable(label: str) -> bool:
    """Whether an English voice can say it: letters, and nothing that is short for something else."""
    return re.fullmatch(r"[a-z][a-z' ]+", spelt(label)) is not None


def other_words(labels: Sequence[str]) -> dict[str, list[str]]:
    """Words for "unknown": part -> words. None equals one of the labels, holds one, or is held by one.

    A fifth each is kept for dev and for test, so that what is measured there are words that training never heard.
    """
    own = [spelt(label) for label in labels]
    words = [word for word in (*OTHER_WORDS, *COMMANDS) if not any(word in label or label in word for label in own)]
    order = sorted(words, key=unit_hash)
    count = len(words) // 5
    return dict(zip(PARTS, (order[2 * count :], order[:count], order[count : 2 * count]), strict=True))


def part_phrases(labels: Sequence[str]) -> list[str]:
    """Parts of the phrases among the labels, and phrases with one end exchanged: no phrase may be heard in them.

    For "open gate" and "close gate": close, gate, open; close door, close water, near gate, open door, ...
    """
    own = {spelt(label) for label in labels}
    phrases = [words for words in (label.split() for label in sorted(own)) if len(words) > 1]
    parts = {" ".join(words[:k]) for words in phrases for k in range(1, len(words))}
    parts |= {" ".join(words[k:]) for words in phrases for k in range(1, len(words))}
    firsts, lasts = (sorted({words[end] for words in phrases}) for end in (0, -1))
    parts |= {" ".join([first, *words[1:]]) for words, first in product(phrases, (*firsts, *FIRST_WORDS))}
    parts |= {" ".join([*words[:-1], last]) for words, last in product(phrases, (*lasts, *LAST_WORDS))}
    return sorted(parts - own)


def split_speech(cuts: Sequence[Cut], by_speaker: bool) -> dict[str, list[Cut]]:
    """Recordings -> part -> recordings: a fifth each to dev and test, and at least one.

    By speaker: of the speakers. Else of the recordings of each word, which needs three of it; the recordings of a word
    that has fewer are all trained on. The order of a hash decides, so that no order of files matters.
    """

    def shared_out(names: set[str]) -> dict[str, str]:
        order = sorted(names, key=unit_hash)
        dev, test = (max(1, round(share * len(order))) if len(order) >= 3 else 0 for share in (DEV_SHARE, TEST_SHARE))
        return {name: "test" if i < test else "dev" if i < test + dev else "train" for i, name in enumerate(order)}

    if by_speaker:
        part = shared_out({speaker_of(cut) for cut in cuts})
        key = speaker_of
    else:
        by_word: dict[str, set[str]] = {}
        for cut in cuts:
            by_word.setdefault(word_of(cut), set()).add(cut.id)
        part = {id: where for ids in by_word.values() for id, where in shared_out(ids).items()}
        key = cut_id
    return {name: [cut for cut in cuts if part[key(cut)] == name] for name in PARTS}


def split_noise(cuts: Sequence[Cut]) -> list[Cut]:
    """Noise recordings -> the same with folds: 1 to train, 2 for dev, 3 to test; a fifth each to the last two.

    Fewer than three recordings are cut in time: the first half of each is fold 1, the next quarter 2, the last 3.
    """
    if len(cuts) < 3:
        shares = ((0.0, 0.5), (0.5, 0.25), (0.75, 0.25))
        return [
            _in_fold(cut.truncate(offset=start * cut.duration, duration=share * cut.duration), fold, f"{cut.id}/{fold}")
            for cut in cuts
            for fold, (start, share) in enumerate(shares, 1)
        ]
    order = sorted(cuts, key=lambda cut: unit_hash(cut.id))
    held = max(1, len(order) // 5)
    return [_in_fold(cut, 3 if i < held else 2 if i < 2 * held else 1, cut.id) for i, cut in enumerate(order)]


def clip_seconds(durations_s: Sequence[float]) -> float:
    """How much sound the model is to hear at once: one second, or what holds 95 % of the words, at most 3 s."""
    longest = float(np.quantile(durations_s, 0.95)) if len(durations_s) else 0.0
    return min(MAX_CLIP_S, max(MIN_CLIP_S, math.ceil(10 * longest - 1e-6) / 10))


def repeated(cuts: Sequence[Cut], at_least: int) -> list[Cut]:
    """Every recording so often, under ids of its own, that a word has `at_least` an epoch: each in other noise."""
    words = [word_of(cut) for cut in cuts]
    times = {word: math.ceil(at_least / words.count(word)) for word in set(words)}
    return [
        renamed(cut, f"{cut.id}@{time}" if time else cut.id)
        for cut, word in zip(cuts, words, strict=True)
        for time in range(times[word])
    ]


def backwards(cuts: Sequence[Cut], out: Path) -> list[Cut]:
    """Recordings of words -> the same backwards, as clips of "unknown": the same voices and room, and no word.

    The audio is written below OUT.
    """
    made = []
    for cut in cuts:
        path = out / f"{cut.id}.flac"
        write_audio(path, load_cut(cut, RATE)[::-1], RATE, "PCM_16")
        made.append(make_cut(SpeechFile(f"{cut.id}/backwards", path, "", text=UNKNOWN, speaker=speaker_of(cut))))
    return [cut for cut in made if not isinstance(cut, Skipped)]


def renamed(cut: Cut, id: str, word: str | None = None) -> Cut:
    """The cut under another id, and as a recording of another word where one is given."""
    cut = cut.with_id(id)
    if word is not None:
        cut.supervisions = [replace(cut.supervisions[0], text=word)]
    return cut


def marked(cuts: Sequence[Cut], origin: str) -> list[Cut]:
    """The cuts, with where they come from in the manifest, too."""
    for cut in cuts:
        cut.custom = {**(cut.custom or {}), "origin": origin}
    return list(cuts)


def origin_of(cut: Cut | None) -> str:
    """Where a clip without a word comes from; None is noise alone."""
    return NOISE if cut is None else (cut.custom or {}).get("origin", RECORDED)


def word_of(cut: Cut) -> str:
    return cut.supervisions[0].text or ""


def speaker_of(cut: Cut) -> str:
    return cut.supervisions[0].speaker or cut.id


def cut_id(cut: Cut) -> str:
    return cut.id


def _in_fold(cut: Cut, fold: int, id: str) -> Cut:
    cut = cut.with_id(id)
    cut.custom = {**(cut.custom or {}), "fold": fold}
    return cut
