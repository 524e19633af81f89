"""Whose recordings a manifest holds, and whether weights trained on them may be shipped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from drsn_audio.corpora.esc import ESC10_NAMES

if TYPE_CHECKING:
    from lhotse.cut import Cut


class Licence(NamedTuple):
    """Terms of a corpus, and what must be said of it. `shippable`: weights trained on it may be under any licence."""

    name: str
    terms: str
    source: str
    credit: str
    shippable: bool


LICENCES = {
    "speech-commands": Licence(
        "Speech Commands v0.02",
        "CC BY 4.0",
        "https://arxiv.org/abs/1804.03209",
        "Pete Warden, Google, 2018: Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition",
        True,
    ),
    "librispeech": Licence(
        "LibriSpeech",
        "CC BY 4.0",
        "https://www.openslr.org/12",
        "Vassil Panayotov, Guoguo Chen, Daniel Povey, Sanjeev Khudanpur, 2015: LibriSpeech: an ASR corpus based on "
        "public domain audio books; readers of LibriVox",
        True,
    ),
    "musan": Licence(
        "MUSAN",
        "CC BY 4.0 as a whole; each recording under its own terms, public domain or Creative Commons, in its LICENSE",
        "https://www.openslr.org/17",
        "David Snyder, Guoguo Chen, Daniel Povey, 2015: MUSAN: A Music, Speech, and Noise Corpus; recordings of many, "
        "each named in its LICENSE",
        False,  # as a whole: its recordings bear terms of their own
    ),
    "demand": Licence(
        "DEMAND",
        "CC BY 4.0 by its record, CC BY-SA 3.0 by the document in it",  # weights would have to carry on the latter
        "https://zenodo.org/record/1227121",
        "Joachim Thiemann, Nobutaka Ito, Emmanuel Vincent, 2013: The Diverse Environments Multi-channel Acoustic "
        "Noise Database",
        False,
    ),
    "noisex-92": Licence(
        "NOISEX-92",
        "none is stated",
        "http://spib.linse.ufsc.br/noise.html",
        "Andrew Varga, Herman J. M. Steeneken, 1993: Assessment for automatic speech recognition: II. NOISEX-92",
        False,
    ),
    "tut-scenes": Licence(
        "TUT Acoustic Scenes",
        "non-commercial scientific use (its EULA)",
        "https://zenodo.org/record/400515",
        "Annamaria Mesaros, Toni Heittola, Tuomas Virtanen, 2016: TUT Database for Acoustic Scene Classification and "
        "Sound Event Detection",
        False,
    ),
    "openslr-28": Licence(
        "RIRS_NOISES (OpenSLR 28)",
        "Apache 2.0",
        "https://www.openslr.org/28",
        "Tom Ko, Vijayaditya Peddinti, Daniel Povey, Michael L. Seltzer, Sanjeev Khudanpur, 2017: A study on data "
        "augmentation of reverberant speech for robust speech recognition",
        True,
    ),
    "free-spoken-digits": Licence(
        "Free Spoken Digits",
        "CC BY-SA 4.0",  # which weights would have to carry on
        "https://github.com/Jakobovski/free-spoken-digit-dataset",
        "Zohar Jackson and others",
        False,
    ),
    "esc-10": Licence(
        "ESC-10",
        "CC BY 3.0",
        "https://github.com/karolpiczak/ESC-50",
        "Karol J. Piczak, 2015: ESC: Dataset for Environmental Sound Classification; recordings of Freesound users, "
        "each named in its LICENSE",
        True,
    ),
    "esc-50": Licence(
        "ESC-50",
        "CC BY-NC 3.0",
        "https://github.com/karolpiczak/ESC-50",
        "Karol J. Piczak, 2015: ESC: Dataset for Environmental Sound Classification",
        False,
    ),
    "urbansound8k": Licence(
        "UrbanSound8K",
        "CC BY-NC 3.0",
        "https://urbansounddataset.weebly.com/urbansound8k.html",
        "Justin Salamon, Christopher Jacoby, Juan Pablo Bello, 2014: A Dataset and Taxonomy for Urban Sound Research",
        False,
    ),
    "voices": Licence(
        "synthesised voices",
        "none: made from text by GPL-3.0 software",
        "https://github.com/espeak-ng/espeak-ng",
        "eSpeak NG and its voice variants",
        True,
    ),
    "synthetic-noise": Licence(
        "synthesised street and factory noise",
        "none: made from seeds",
        "drsn_audio/noise/synth.py",
        "this project",
        True,
    ),
}

# A cut's id, as each corpus gives it. What matches none is of nobody that this table knows.
IDS = {
    "speech-commands": re.compile(
        r"[a-z]+/[0-9a-f]+_nohash_\d+"
        r"|background/(doing_the_dishes|dude_miaowing|exercise_bike|pink_noise|running_tap|white_noise)"
    ),
    "librispeech": re.compile(r"\d+-\d+-\d{4}(@\d+)?"),
    "musan": re.compile(
        r"((noise|music|speech)-[a-z-]+|pointsource/noise-[a-z-]+)-\d{4}"
    ),  # OpenSLR 28 has them from it
    "demand": re.compile(r"[DNOPST][A-Z]+/ch\d\d"),
    "noisex-92": re.compile(r"noisex-92/[a-z0-9]+"),
    "tut-scenes": re.compile(r"[a-z]\d+_\d+_\d+"),
    "openslr-28": re.compile(r"(isotropic|real|small|medium|large)/\w+(-\d+)?"),
    "free-spoken-digits": re.compile(r"\d_[a-z]+_\d+"),
    "esc": re.compile(r"[1-5]-\d+-[A-Z](-\d+)?"),
    "urbansound8k": re.compile(r"\d+-\d-\d+-\d+"),
    "voices": re.compile(r"[^/]+/[a-z0-9-]+\+.+-p\d+-r\d+-i\d+"),
    "synthetic-noise": re.compile(r"(street|factory)-\d+-\d+"),
}
# ESC-50's clips of these classes are ESC-10, under terms of its own.
ESC10_CLASSES = {*ESC10_NAMES.values(), "rain", "sea_waves", "clock_tick", "helicopter", "chainsaw", "rooster"}


def may_ship(corpus: str, licence: str) -> bool:
    """Whether weights trained on a corpus may be given to anybody under a licence: where its own terms ask for no more
    than to be named, or, as "share alike" does, for that very licence.
    """
    return LICENCES[corpus].shippable or LICENCES[corpus].terms == licence


def recordings_of(cut: Cut) -> list[tuple[str, str | None]]:
    """The recordings that a cut is of, by id, each with its corpus as `corpus_of` gives it: of connected words
    (`drsn_audio.datasets.connected`) that of each word, else its own.
    """
    words = (cut.custom or {}).get("words")
    if words is None:
        return [(cut.recording.id, corpus_of(cut))]
    return [(word["utterance"], _by_id(word["utterance"])) for word in words]


def corpus_of(cut: Cut) -> str | None:
    """The corpus in LICENCES that a cut comes from, by its id and class of noise; None where it is none of them.

    Manifests name no corpus, and a path says only where somebody keeps it: the id is what every copy shares.
    """
    corpus = _by_id(cut.id)
    if corpus == "esc":
        return "esc-10" if (cut.custom or {}).get("noise_class") in ESC10_CLASSES else "esc-50"
    return corpus


def _by_id(id: str) -> str | None:
    return next((name for name, pattern in IDS.items() if pattern.fullmatch(id)), None)
