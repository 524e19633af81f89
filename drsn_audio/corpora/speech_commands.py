"""Google Speech Commands v0.02 (Warden 2018, arXiv:1804.03209): WORD/SPEAKER_nohash_N.wav, two lists."""

from __future__ import annotations

import re
from pathlib import Path

from drsn_audio.audio import AudioError
from drsn_audio.corpora.cuts import NoiseFile, Skipped, SpeechFile
from drsn_audio.corpora.lists import DUPLICATE, MALFORMED, lost
from drsn_audio.corpora.prepare import PARTS, Prepared, audio_files, prepare, unit_hash
from drsn_audio.errors import InputError
from drsn_audio.text import read_text

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
BACKGROUND = "_background_noise_"
LISTS = {"dev": "validation_list.txt", "test": "testing_list.txt"}
LAYOUT = "WORD/SPEAKER_nohash_N.wav files (Speech Commands)"

_ID = re.compile(r"[^/]+/[^/]+_nohash_\d+")


def prepare_speech_commands(
    source: str | Path,
    out: str | Path,
    *,
    protocol: str = "35",
    unknown_share: float = 0.1,
    seed: int = 0,
    progress: bool = True,
) -> Prepared:
    """Speech Commands -> train, dev and test as its lists say, and its background recordings as noise.

    List entries are matched without their ending, so a copy in FLAC works with the published lists.

    Args:
        source: the corpus' folder, which holds the WORD folders and the lists.
        out: folder of the manifests.
        protocol: "35" keeps every word. "12" keeps the ten commands, and of the other words in each part only
            `unknown_share` times as many clips as commands, as TensorFlow's twelve-class protocol does. The
            text stays the spoken word in both.
        unknown_share: for protocol 12.
        seed: of the draw of those other clips, in which a clip's rank depends on its id alone.
        progress: show a bar on stderr.

    Raises:
        AudioError: not this corpus' layout.
        InputError: unknown protocol or negative share.
    """
    if protocol not in ("12", "35"):
        raise InputError(f"protocol {protocol!r} is unknown: use 12 or 35")
    if unknown_share < 0:
        raise InputError(f"unknown_share is {unknown_share}: give a share of the commands, such as 0.1")
    found = [path for path in audio_files(source, "*/*", LAYOUT) if path.parent.name != BACKGROUND]
    paths = [path for path in found if "_nohash_" in path.stem]
    if not paths:
        raise AudioError(f"{source}: no {LAYOUT} in it: check the path")
    ids = {f"{path.parent.name}/{path.stem}" for path in paths}
    part_of: dict[str, str] = {}
    faults = [Skipped(path, "is not WORD/SPEAKER_nohash_N", "misplaced audio") for path in set(found) - set(paths)]
    faults += _empty_words(Path(source))
    for part, name in LISTS.items():
        faults += _read_list(Path(source) / name, part, ids, part_of)

    speech = []
    for path in paths:
        id = f"{path.parent.name}/{path.stem}"
        speaker = path.stem.split("_nohash_")[0]
        speech.append(SpeechFile(id, path, part_of.get(id, "train"), text=path.parent.name, speaker=speaker))
    if protocol == "12":
        speech = [file for part in PARTS for file in _limit_unknown(speech, part, unknown_share, seed)]
    return prepare("speech-commands", out, speech, _background(source), skipped=faults, progress=progress)


def _empty_words(source: Path) -> list[Skipped]:
    folders = sorted(path for path in source.absolute().iterdir() if path.is_dir() and path.name[0] not in "._")
    return [Skipped(path, "holds no file", "empty folder") for path in folders if not any(path.iterdir())]


def _read_list(path: Path, part: str, ids: set[str], part_of: dict[str, str]) -> list[Skipped]:
    """Fill id -> part by lines "yes/0a7c2a8d_nohash_0.wav"; what cannot be taken is returned.

    `ids` are those that are there. A clip that two lists name stays in the part of the first.
    """
    try:
        text = read_text(path)
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise AudioError(f"{path}: cannot be read ({reason}): it comes with the corpus, restore it") from None
    faults = []
    for number, line in enumerate(text.split("\n"), 1):
        id = line.strip().rsplit(".", 1)[0]
        if id and not _ID.fullmatch(id):
            faults.append(Skipped(path, f"line {number} is not WORD/SPEAKER_nohash_N: {line[:60]!r}", MALFORMED))
        elif id and id not in ids:
            faults.append(lost(path, id))
        elif id and id in part_of:
            faults.append(Skipped(path, f"line {number} names {id} again, which stays in {part_of[id]}", DUPLICATE))
        elif id:
            part_of[id] = part
    return faults


def _limit_unknown(speech: list[SpeechFile], part: str, share: float, seed: int) -> list[SpeechFile]:
    """The files of a part: all commands, and `share` times as many of the others."""
    commands = [file for file in speech if file.part == part and file.text in COMMANDS]
    others = [file for file in speech if file.part == part and file.text not in COMMANDS]
    others.sort(key=lambda file: unit_hash(file.id, seed))
    return commands + others[: round(share * len(commands))]


def _background(source: str | Path) -> list[NoiseFile]:
    if not (Path(source) / BACKGROUND).is_dir():
        return []
    paths = audio_files(source, f"{BACKGROUND}/*", f"{BACKGROUND}/*.wav")
    return [NoiseFile(f"background/{p.stem}", p, "background", noise_class=p.stem, source=p.stem) for p in paths]
