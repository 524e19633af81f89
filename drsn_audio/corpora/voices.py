"""Synthesised speech: any words, in hundreds of eSpeak NG voices (accent, variant, pitch, rate, intonation).

A variant is a timbre: a vocal tract and a source. Train, dev and test have no variant in common, so test
voices are unheard ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from drsn_audio.audio import resample, write_audio
from drsn_audio.corpora import espeak
from drsn_audio.corpora.cuts import Skipped, SpeechFile
from drsn_audio.corpora.prepare import PARTS, Prepared, map_parallel, prepare, unit_hash
from drsn_audio.corpora.speech_commands import COMMANDS
from drsn_audio.errors import InputError

SAMPLE_RATE = 16000

ACCENTS = (
    "en", "en-029", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp", "en-us", "en-us-nyc",
)  # fmt: skip

# Variants that resemble each other (steph, steph2; klatt and its heirs) are kept in one part. Left out are
# whispers (caleb, whisper, whisperf), robots and effects (anikaRobot, Demonic, fast, robosoft*, UniRobot),
# near copies (adam, steph3), and those of which pocketsphinx, with a grammar of 23 words, understood fewer
# than a third (AnxiousAndy, Alicia, ian, kaukovalta, Lee, norbert, RicishayMax2, shelby, travis, Tweaky,
# zac).
VARIANTS: dict[str, tuple[str, ...]] = {
    "train": (
        "Alex", "Andrea", "Andy", "Annie", "Denis", "Gene", "Gene2", "Jacky", "Marco", "Mario", "Mike",
        "Mr serious", "Reed", "RicishayMax", "RicishayMax3", "anika", "antonio", "aunty", "benjamin", "croak",
        "david", "edward", "edward2", "f1", "f2", "f4", "grandma", "grandpa", "john", "klatt", "klatt2",
        "klatt3", "klatt4", "klatt5", "klatt6", "m1", "m2", "m3", "m5", "m6", "m7", "marcelo", "max",
        "mike2", "pablo", "paul", "pedro", "quincy",
    ),
    "dev": (
        "Michael", "belinda", "f3", "gustave", "iven", "iven2", "iven3", "iven4", "rob", "robert", "sandro",
    ),
    "test": (
        "Diogo", "Henrique", "Hugo", "Nguyen", "Storm", "announcer", "boris", "ed", "f5", "linda", "m4", "m8",
        "michel", "miguel", "steph", "steph2", "victor",
    ),
}  # fmt: skip

# Drawn uniformly, in eSpeak's own units: 50, 175 words a minute and 50 are its defaults.
PITCHES, RATES, RANGES = (25, 75), (130, 220), (25, 75)

ACTIVE_DB, ACTIVE_SPREAD_DB = -26.0, 6.0
PEAK = 0.99
TRIM_DB = -50.0  # re the peak: what is below it before and after a word is silence
BATCH = 200  # utterances to a worker


class Voice(NamedTuple):
    accent: str
    variant: str
    pitch: int = 50  # 0..99
    rate: int = 175  # words per minute, 80..450
    pitch_range: int = 50  # 0..99; 0 is a monotone

    @property
    def name(self) -> str:
        variant = self.variant.replace(" ", "_")
        return f"{self.accent}+{variant}-p{self.pitch}-r{self.rate}-i{self.pitch_range}"


def synthesise(text: str, voice: Voice) -> np.ndarray:
    """Text -> float32 [N] at 16 kHz, silence around it trimmed. It depends on the arguments alone.

    Starts a process; for many utterances `synthesise_all` starts one for all.

    Raises:
        InputError: empty text, a voice that is not there, a setting out of range; or the voice says nothing.
        espeak.EspeakError: eSpeak NG is not installed.
    """
    (wave,) = synthesise_all([(text, voice)])
    if wave.size == 0:
        raise InputError(f"{voice.name}: says nothing for {text!r}: choose another voice or text")
    return wave


def synthesise_all(utterances: Sequence[tuple[str, Voice]]) -> Iterator[np.ndarray]:
    """Pairs of text and voice -> float32 [N] at 16 kHz for each in turn; N = 0 where the voice says nothing.

    Raises as `synthesise` does, apart from that.
    """
    for text, voice in utterances:
        _check(text, voice)
    requests = [
        espeak.Request(text, f"{voice.accent}+{voice.variant}", voice.pitch, voice.rate, voice.pitch_range)
        for text, voice in utterances
    ]
    for samples in espeak.speak(requests):
        spoken = np.frombuffer(samples or b"", dtype=np.int16).astype(np.float32) / 32768
        yield (trim(resample(spoken, espeak.SAMPLE_RATE, SAMPLE_RATE)) if spoken.any() else np.zeros(0, np.float32))


def draw_voices(count: int, seed: int, part: str) -> list[Voice]:
    """`count` voices of a part (train, dev or test), drawn so that timbres and accents are spread evenly.

    The first voices stay the same when `count` grows. No (accent, variant) comes twice before all came once.
    """
    if part not in VARIANTS:
        raise InputError(f"no part {part!r}: choose among {', '.join(PARTS)}")
    variants = VARIANTS[part]
    rng = np.random.default_rng([seed, PARTS.index(part)])
    order = rng.permutation(len(variants))
    accent_of = rng.integers(len(ACCENTS), size=len(variants))
    voices = []
    for index in range(count):
        turn, position = divmod(index, len(variants))
        variant = order[position]
        accent = ACCENTS[(accent_of[variant] + turn) % len(ACCENTS)]
        pitch, rate, pitch_range = (int(rng.integers(low, high + 1)) for low, high in (PITCHES, RATES, RANGES))
        voices.append(Voice(accent, variants[variant], pitch, rate, pitch_range))
    return voices


def prepare_voices(
    source: None,
    out: str | Path,
    *,
    words: Sequence[str] = COMMANDS,
    voices_per_part: Sequence[int] = (60, 10, 20),
    duration_s: float = 1.0,
    seed: int = 0,
    progress: bool = True,
) -> Prepared:
    """Write OUT/<part>/<word>/<voice>.flac, each voice saying each word once, and their manifests.

    A clip is the word at a drawn place in digital silence, at a drawn active level (-26 dB re full scale,
    standard deviation 6 dB); no room and no noise is added. A word that takes longer is skipped and reported.

    Args:
        source: None; nothing is read.
        out: folder of the clips and the manifests.
        words: words or phrases such as "open gate"; by default the ten of Speech Commands.
        voices_per_part: for train, dev and test.
        duration_s: of every clip.
        seed: of voices, places and levels.
        progress: show a bar on stderr.

    Raises:
        InputError: a source; no words, or one that cannot name a folder; not three counts, or negative ones.
        espeak.EspeakError: eSpeak NG is not installed.
    """
    if source is not None:
        raise InputError(f"voices reads nothing, but the source is {str(source)!r}: leave it out")
    _check_words(words)
    if len(voices_per_part) != 3 or min(voices_per_part) < 0 or not duration_s > 0:
        raise InputError(f"voices_per_part {voices_per_part} must be three counts, duration_s {duration_s} positive")
    clips = [
        (_clip(word, voice, part, Path(out).absolute()), voice)
        for part, count in zip(PARTS, voices_per_part, strict=True)
        for voice in draw_voices(count, seed, part)
        for word in words
    ]
    batches = [clips[start : start + BATCH] for start in range(0, len(clips), BATCH)]
    write = partial(_write, num_samples=round(duration_s * SAMPLE_RATE), seed=seed)
    skipped = [lost for batch in map_parallel(write, batches, "synthesising voices", progress) for lost in batch]
    lost = {clip.path for clip in skipped}
    speech = [clip for clip, _ in clips if clip.path not in lost]
    return prepare("voices", out, speech, skipped=skipped, progress=progress)


def trim(wave: np.ndarray) -> np.ndarray:
    """Wave [N] without the samples before and after that lie 50 dB below its peak."""
    magnitude = np.abs(wave)
    loud = np.flatnonzero(magnitude > magnitude.max(initial=0.0) * 10 ** (TRIM_DB / 20))
    return wave[loud[0] : loud[-1] + 1] if loud.size else wave[:0]


def place(word: np.ndarray, num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Word [M] -> clip [num_samples]: the word at a drawn offset and level, its peak below full scale."""
    from drsn_audio.noise.level import active_level

    clip = np.zeros(num_samples, np.float32)
    offset = rng.integers(num_samples - word.size + 1)
    clip[offset : offset + word.size] = word
    level_db = rng.normal(ACTIVE_DB, ACTIVE_SPREAD_DB)
    gain = 10 ** ((level_db - active_level(clip, SAMPLE_RATE).active_db) / 20)
    return clip * np.float32(min(gain, PEAK / np.abs(clip).max()))


def _clip(word: str, voice: Voice, part: str, out: Path) -> SpeechFile:
    path = out / part / word / f"{voice.name}.flac"
    return SpeechFile(f"{word}/{voice.name}", path, part, text=word, speaker=voice.name)


def _write(batch: Sequence[tuple[SpeechFile, Voice]], num_samples: int, seed: int) -> list[Skipped]:
    skipped = []
    waves = synthesise_all([(clip.text, voice) for clip, voice in batch])
    for (clip, _), wave in zip(batch, waves, strict=True):
        if wave.size == 0:
            skipped.append(Skipped(clip.path, "the voice failed or is silent", "failed voice"))
        elif wave.size > num_samples:
            took_s, room_s = wave.size / SAMPLE_RATE, num_samples / SAMPLE_RATE
            reason = f"takes {took_s:.2f} s, more than duration_s {room_s:g}: raise it"
            skipped.append(Skipped(clip.path, reason, "clip too short for the word"))
        else:
            rng = np.random.default_rng(int(unit_hash(clip.id, seed) * 2**63))
            write_audio(clip.path, place(wave, num_samples, rng), SAMPLE_RATE, "PCM_16")
    return skipped


def _check(text: str, voice: Voice) -> None:
    if not text.strip():
        raise InputError("there is no text to speak: give a word or phrase")
    if voice.accent not in ACCENTS:
        raise InputError(f"no accent {voice.accent!r}: choose among {', '.join(ACCENTS)}")
    # eSpeak itself would fall back to its default timbre without a word.
    if not (espeak.data_path() / "voices" / "!v" / voice.variant).is_file():
        raise InputError(f"no eSpeak variant {voice.variant!r}: choose among those of drsn_audio.corpora.voices")
    if not (0 <= voice.pitch <= 99 and 80 <= voice.rate <= 450 and 0 <= voice.pitch_range <= 99):
        raise InputError(f"{voice}: pitch and pitch_range go from 0 to 99, rate from 80 to 450")


def _check_words(words: Sequence[str]) -> None:
    if isinstance(words, str) or not words:
        raise InputError(f"words is {words!r}: give a list of words or phrases")
    for word in words:
        if not isinstance(word, str):  # YAML reads yes, no, on and off as booleans
            raise InputError(f"words holds {word!r}, which is not text: put yes, no, on and off in quotes")
        if word != word.strip() or not word or word.startswith(".") or set(word) & set('/\\:*?"<>|\0'):
            raise InputError(f"the word {word!r} cannot name a folder: use letters, digits and spaces between them")
