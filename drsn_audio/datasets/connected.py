"""Connected words of recordings of single words: FLAC files, and a manifest that says where in each every word is.

A string is a cut with one supervision over the whole: its text ("left stop seven go"), the speaker of its commands and
alignment["word"], the span of each word in seconds from the cut's beginning (see `drsn_audio.noise.span`); custom
{"active_level_db": the level that every word was scaled to, "rms_db": of the whole, "seed",
"words": [{"word", "speaker", "utterance": the recording's id}]}.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lhotse import SupervisionSegment
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem

from drsn_audio.corpora.cuts import write_cuts
from drsn_audio.datasets.connect import connect, cut_word
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.datasets.streams import PEAK, write_recording
from drsn_audio.errors import InputError
from drsn_audio.noise.level import rms_db

WORDS = (2, 7)  # of a string
GAP_S = (0.0, 0.5)  # between two words as they are cut, close to each
BEFORE_S, AFTER_S = 0.3, 0.5


class StringPlan(NamedTuple):
    """What a string is made of: recordings of words in their order; the gaps before each and after the last."""

    name: str
    words: tuple[Cut, ...]
    gaps_s: tuple[float, ...]
    speaker: str  # of its commands
    seed: int


class _Deck:
    """The recordings of each speaker, dealt in a drawn order; when all are dealt, from the beginning again."""

    def __init__(self, cuts: Sequence[Cut], rng: np.random.Generator):
        speakers = sorted({_speaker(cut) for cut in cuts})
        of = {
            speaker: sorted((cut for cut in cuts if _speaker(cut) == speaker), key=lambda cut: cut.id)
            for speaker in speakers
        }
        self._cards = {speaker: [own[i] for i in rng.permutation(len(own))] for speaker, own in of.items()}
        self._dealt = dict.fromkeys(speakers, 0)

    def left(self, speaker: str) -> int:
        return max(0, len(self._cards.get(speaker, ())) - self._dealt.get(speaker, 0))

    @property
    def total(self) -> int:
        return sum(map(self.left, self._cards))

    def most(self, speaker: str) -> int:
        """How many can be dealt at once: those that are left, or where none is, all once more."""
        return self.left(speaker) or len(self._cards[speaker])

    def speaker(self, rng: np.random.Generator) -> str:
        """One of those of whom recordings are left, or of all; who has more is drawn more often."""
        names = [name for name in self._cards if self.left(name)] or list(self._cards)
        weights = np.array([self.most(name) for name in names], float)
        return names[rng.choice(len(names), p=weights / weights.sum())]

    def deal(self, speaker: str, count: int) -> list[Cut]:
        cards, at = self._cards[speaker], self._dealt[speaker]
        self._dealt[speaker] += count
        return [cards[(at + i) % len(cards)] for i in range(count)]


def plan_strings(commands: Sequence[Cut], digits: Sequence[Cut], *, set_name: str, seed: int) -> list[StringPlan]:
    """Strings of WORDS commands and digits in a drawn order, at least one of them a command.

    The commands of a string are of one speaker, and so are its digits: of the same one while digits of theirs are
    left. Strings are drawn until every recording was used; a few are used twice. All draws depend on (seed, set_name)
    and on the ids of the recordings.

    Raises:
        InputError: no commands, or no digits.
    """
    if not commands or not digits:
        raise InputError(
            f"{set_name}: no {'digits' if commands else 'commands'} to connect: prepare their corpus first"
        )
    rng = draw_generator("strings", seed, set_name)
    said, counted = _Deck(commands, rng), _Deck(digits, rng)
    plans: list[StringPlan] = []
    while said.total or counted.total:
        speaker = said.speaker(rng)
        other = speaker if counted.left(speaker) else counted.speaker(rng)
        count = int(rng.integers(WORDS[0], WORDS[1] + 1))
        share = said.total / (said.total + counted.total)
        num_commands = max(1, int(rng.binomial(count, share)))
        if other == speaker:
            num_commands = max(num_commands, count - counted.left(other))
        num_commands = min(num_commands, said.most(speaker))
        num_digits = max(min(count - num_commands, counted.left(other)), WORDS[0] - num_commands)
        words = said.deal(speaker, num_commands) + counted.deal(other, num_digits)
        gaps_s = (BEFORE_S, *rng.uniform(*GAP_S, len(words) - 1).tolist(), AFTER_S)
        order = rng.permutation(len(words))
        plans.append(StringPlan(f"{set_name}-{len(plans):04d}", tuple(words[i] for i in order), gaps_s, speaker, seed))
    return plans


def render_string(
    plan: StringPlan, level_db: float, store: AudioStore
) -> tuple[np.ndarray, list[tuple[int, int]], float]:
    """The wave [N] of a string at the store's rate, the samples at which each word begins and ends, and its level.

    Every word is scaled by the level that its manifest gives it to level_db (active level, dB re full scale); where
    the whole would clip, it is lowered, and the level with it.

    Raises:
        AudioError: a recording that cannot be used.
    """
    cuts = [
        cut_word(store(cut) * np.float32(10 ** ((level_db - _level_db(cut)) / 20)), store.sample_rate)
        for cut in plan.words
    ]
    wave, starts = connect([word for word, _, _ in cuts], [round(gap * store.sample_rate) for gap in plan.gaps_s])
    gain = min(1.0, PEAK / float(np.abs(wave).max()))
    spans = [(start + first, start + stop) for start, (_, first, stop) in zip(starts, cuts, strict=True)]
    return wave * np.float32(gain), spans, level_db + 20 * math.log10(gain)


def write_strings(
    plans: Sequence[StringPlan], level_db: float, folder: Path, set_name: str, store: AudioStore
) -> list[Cut]:
    """Write FOLDER/SET_NAME/*.flac, and last of all FOLDER/SET_NAME.jsonl.gz, whose cuts are returned.

    level_db: see `render_string`. Equal plans and recordings give equal bytes. The manifest names the files relative
    to itself, so both can be moved together.

    Raises:
        AudioError: a file that cannot be read or written.
    """
    cuts = [_write(plan, level_db, folder, set_name, store) for plan in plans]
    write_cuts(cuts, folder / f"{set_name}.jsonl.gz")
    return cuts


def _write(plan: StringPlan, level_db: float, folder: Path, set_name: str, store: AudioStore) -> Cut:
    wave, spans, level_db = render_string(plan, level_db, store)
    rate = store.sample_rate
    cut = write_recording(folder, set_name, plan.name, wave, rate)
    texts = [cut.supervisions[0].text for cut in plan.words]
    items = [
        AlignmentItem(text, start / rate, (stop - start) / rate)
        for text, (start, stop) in zip(texts, spans, strict=True)
    ]
    cut.supervisions = [
        SupervisionSegment(
            id=plan.name,
            recording_id=plan.name,
            start=0.0,
            duration=cut.duration,
            text=" ".join(texts),
            language="en",
            speaker=plan.speaker,
            alignment={"word": items},
        )
    ]
    words = [
        {"word": text, "speaker": _speaker(word), "utterance": word.id}
        for text, word in zip(texts, plan.words, strict=True)
    ]
    cut.custom = {
        "active_level_db": round(level_db, 3),
        "rms_db": round(rms_db(wave), 3),
        "seed": plan.seed,
        "words": words,
    }
    return cut


def _speaker(cut: Cut) -> str:
    return cut.supervisions[0].speaker or ""


def _level_db(cut: Cut) -> float:
    return cut.custom["active_level_db"]
