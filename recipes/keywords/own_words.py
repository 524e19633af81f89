"""Fine-tune a trained model on one's own words and the noise of one's own place: `train.py` without --config."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import own_data
from lhotse.cut import Cut
from omegaconf import OmegaConf

from drsn_audio.audio import AudioError
from drsn_audio.config import ConfigError, ExperimentConfig, config_from_dict, config_to_dict, load_config
from drsn_audio.corpora import CORPORA, Prepared
from drsn_audio.corpora.cuts import write_cuts
from drsn_audio.corpora.prepare import PARTS
from drsn_audio.corpora.voices import draw_voices, synthesise_all
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.files import write_whole
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.models.checkpoint import find_checkpoint, load_checkpoint
from drsn_audio.training.resume import remove_positions, resumable

DEFAULTS = Path(__file__).parent / "own-words.yaml"
CLIPS_A_WORD = 60  # at least, of each word of the recordings in an epoch
CLIPS_WITHOUT_A_WORD = 120  # at least, of recordings played backwards
# Voices that say every word, for train, dev and test; parts of phrases need many, for they sound like the phrases.
WORD_VOICES, PART_VOICES, OTHER_VOICES = (96, 11, 17), (16, 3, 3), 4
TRAIN_VOICES = 24  # that say the recorded words, so that a synthesised voice is no sign of "unknown"
SYNTHETIC_NOISE = {"count": 20, "duration_s": 10.0}
REQUEST = "request.json"  # in RUN/data, once all that training reads has been made


@dataclass
class Request:
    """What stands on the command line beside the config's keys; `given` are the names of those that do stand there."""

    init: str = "commands-12"
    run: Path = Path("runs/own-words")
    data: Path | None = None
    noise: Path | None = None
    synthesise: list[str] = field(default_factory=list)
    speaker_pattern: str | None = None
    overwrite: bool = False
    resume: bool = False
    overrides: list[str] = field(default_factory=list)
    given: set[str] = field(default_factory=set)

    @property
    def is_prepared(self) -> bool:
        """Whether a training of this run began: what it reads is there, and its config."""
        return (self.run / "data" / REQUEST).exists() and (self.run / "config.yaml").exists()


def read_request(words: Sequence[str], synthesise: str, overwrite: bool) -> Request:
    """key=value words -> Request; keys that are not its own are the config's.

    Raises:
        ConfigError: neither data nor words to synthesise, a word that cannot be one, an unknown key, or a run folder
            that holds something already, and neither resume=true nor `overwrite` is given.
    """
    request = Request(synthesise=_phrases(synthesise), overwrite=overwrite)
    request.given |= {"synthesise"} if request.synthesise else set()
    for word in words:
        key, _, value = word.partition("=")
        if key in ("data", "noise", "run"):
            setattr(request, key, Path(value))
        elif key in ("init", "speaker_pattern"):
            setattr(request, key, value)
        else:
            request.overrides.append(word)
            continue
        request.given.add(key)
    # Read here, so that a misspelt key is found before the work begins.
    request.resume = load_config(None, request.overrides).resume
    if request.resume and request.overwrite:
        raise ConfigError("--overwrite begins anew and resume=true goes on: give one of them")
    if request.data is None and not request.synthesise and not (request.resume and request.is_prepared):
        raise ConfigError('there are no words: give data=FOLDER of recordings, or --synthesise "open gate,close gate"')
    if not request.resume and not request.overwrite:
        other = "give another run=FOLDER, or --overwrite"
        if resumable(request.run):
            raise ConfigError(
                f"{request.run}: holds a training that was stopped: resume=true goes on with it; or {other}"
            )
        if (request.run / "best.json").exists():
            raise ConfigError(
                f"{request.run}: holds a model already: resume=true ends its training and tests it; or {other}"
            )
    return request


def prepare_own_words(request: Request) -> ExperimentConfig:
    """Make the manifests in RUN/data and the config that trains on them; says on stdout what was found.

    With resume=true, those of the training that began are used as they are.

    Raises:
        ConfigError, CheckpointError, AudioError, ManifestError: what the request names cannot be used.
    """
    if request.resume and request.is_prepared:
        return _prepared(request)
    (request.run / "data" / REQUEST).unlink(missing_ok=True)  # what it describes is about to change
    trained, _ = load_checkpoint(find_checkpoint(request.init))
    place = request.run / "data"
    recorded = _recordings(request) if request.data else []
    names = sorted({own_data.word_of(cut) for cut in recorded} - {UNKNOWN})
    asked = _asked(request.synthesise, names)
    labels = list(dict.fromkeys([*names, *asked.values()]))
    if not labels:
        raise ConfigError(f"{request.data}: holds no word but {UNKNOWN}: add a folder for each word to listen for")
    clip_s = own_data.clip_seconds([*(cut.duration for cut in recorded), *_spoken_seconds(list(asked))])
    print(f"labels: {', '.join([*labels, UNKNOWN, SILENCE])}; the model hears {clip_s:g} s at once")
    longer = sum(cut.duration > clip_s for cut in recorded)
    if longer:
        print(f"note: {longer} recordings are longer, dev and test hear only their first {clip_s:g} s: cut them")

    speech = _speech(request, place, recorded, asked, labels, clip_s)
    manifests = {part: place / f"{part}.jsonl.gz" for part in PARTS}
    for part, cuts in speech.items():
        write_cuts(cuts, manifests[part])

    model = config_to_dict(trained.config) | {"labels": [*labels, UNKNOWN, SILENCE], "clip_s": clip_s}
    facts = {
        "run": str(request.run),
        "init": request.init,
        "model": model,
        "data": {part: [str(path)] for part, path in manifests.items()} | _noise(request, place),
    }
    merged = OmegaConf.merge(OmegaConf.load(DEFAULTS), facts, OmegaConf.from_dotlist(request.overrides))
    config = config_from_dict(OmegaConf.to_container(merged))  # type: ignore[arg-type]
    if request.overwrite:
        remove_positions(request.run)
        (request.run / "config.yaml").unlink(missing_ok=True)  # of the model that is written over
    write_whole(place / REQUEST, (json.dumps(_described(request), indent=1) + "\n").encode())
    return config


def _prepared(request: Request) -> ExperimentConfig:
    """The config of the training that began in the run folder; raises ConfigError where it was of other words."""
    before, now = json.loads((request.run / "data" / REQUEST).read_text()), _described(request)
    differing = sorted(key for key in request.given & before.keys() if before[key] != now[key])
    if differing:
        shown = ", ".join(f"{key}={now[key]} (was {before[key]})" for key in differing)
        raise ConfigError(f"{request.run}: resume=true with {shown}: give what it was, or another run=FOLDER")
    return load_config(request.run / "config.yaml", request.overrides)


def _described(request: Request) -> dict[str, Any]:
    """What a run is prepared from, as JSON holds it."""
    named = ("init", "data", "noise", "synthesise", "speaker_pattern")
    return {
        key: str(value) if isinstance(value, Path) else value for key, value in asdict(request).items() if key in named
    }


def _speech(
    request: Request, place: Path, recorded: list[Cut], asked: dict[str, str], labels: list[str], clip_s: float
) -> dict[str, list[Cut]]:
    """Part -> clips of the words and of what is none of them."""
    speech: dict[str, list[Cut]] = {part: [] for part in PARTS}
    words = {own_data.word_of(cut) for cut in recorded} - {UNKNOWN}
    if recorded:
        for part, cuts in _split(recorded, request, set(asked.values())).items():
            own = [cut for cut in cuts if own_data.word_of(cut) != UNKNOWN]
            made = own_data.marked(own_data.backwards(own, place / "backwards" / part), own_data.BACKWARDS)
            if part == "train":
                cuts, made = own_data.repeated(cuts, CLIPS_A_WORD), own_data.repeated(made, CLIPS_WITHOUT_A_WORD)
            speech[part] += [*cuts, *made]
    if asked:
        for part, cuts in _voices(list(asked), place / "voices", WORD_VOICES, clip_s).items():
            cuts = [own_data.renamed(cut, cut.id, asked[own_data.word_of(cut)]) for cut in cuts]
            # Where a word is recorded, dev and test measure the recordings.
            speech[part] += [cut for cut in cuts if part == "train" or own_data.word_of(cut) not in words]
    speech["train"] += _spoken_too(words - set(asked.values()), place, clip_s)
    parts = own_data.part_phrases(labels)
    if parts:
        print(f'for "unknown", since no phrase may be heard in its parts: {", ".join(parts)}')
        for part, cuts in _voices(parts, place / "parts", PART_VOICES, clip_s).items():
            speech[part] += cuts
    for part, others in own_data.other_words(labels).items():
        counts = tuple(OTHER_VOICES if part == name else 0 for name in PARTS)
        speech[part] += _voices(others, place / f"others-{part}", counts, clip_s)[part]
    if not any(own_data.word_of(cut) == UNKNOWN for cut in recorded):
        print("note: no recording of other words is there: how often people's are taken for yours stays unknown")
    return speech


def _spoken_too(labels: set[str], place: Path, clip_s: float) -> list[Cut]:
    """Recorded words in synthesised voices, to train on; those that eSpeak NG cannot read as English are left out."""
    label_of = {own_data.spelt(label): label for label in sorted(labels) if own_data.readable(label)}
    if not label_of:
        return []
    try:
        cuts = _voices(sorted(label_of), place / "voices-train", (TRAIN_VOICES, 0, 0), clip_s)["train"]
    except AudioError:  # every voice takes longer than the recordings
        return []
    return [own_data.renamed(cut, cut.id, label_of[own_data.word_of(cut)]) for cut in cuts]


def _phrases(text: str) -> list[str]:
    phrases = list(dict.fromkeys(" ".join(phrase.split()) for phrase in text.split(",") if phrase.strip()))
    for phrase in phrases:
        if own_data.spelt(phrase) in (UNKNOWN, SILENCE):
            raise ConfigError(f"--synthesise {phrase!r}: is added by itself: name the words to listen for")
    return phrases


def _recordings(request: Request) -> list[Cut]:
    prepared = CORPORA["folder"](
        request.data,
        request.run / "data" / "recordings",
        speaker_pattern=request.speaker_pattern,
        dev_share=0.0,
        test_share=0.0,
    )
    for path, reason, _ in prepared.skipped:
        print(f"left out: {path}: {reason}")
    cuts = own_data.one_spelling(read_cuts(prepared.manifests.values()))
    if any(own_data.word_of(cut) == SILENCE for cut in cuts):
        raise ConfigError(f"{request.data}: {SILENCE}/ is no word: put its recordings into the folder of noise=")
    return cuts


def _asked(phrases: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Phrases to synthesise -> what is spoken: its label, the folder's where there is one of that spelling."""
    spelling = {own_data.spelt(name): name for name in names}
    return {own_data.spelt(phrase): spelling.get(own_data.spelt(phrase), phrase) for phrase in phrases}


def _spoken_seconds(phrases: Sequence[str]) -> list[float]:
    voices = draw_voices(24, 0, "train")
    waves = synthesise_all([(phrase, voice) for phrase in phrases for voice in voices])
    return [len(wave) / own_data.RATE for wave in waves if len(wave)]


def _split(recorded: list[Cut], request: Request, synthesised: set[str]) -> dict[str, list[Cut]]:
    """Recordings -> part -> recordings, and on stdout by what they were split and how many of each word there are."""
    speakers = {own_data.speaker_of(cut) for cut in recorded}
    by_speaker = request.speaker_pattern is not None and len(speakers) >= 3
    split = own_data.split_speech(recorded, by_speaker)
    if by_speaker:
        print(f"recordings split by speaker: {len(speakers)} speakers")
    elif request.speaker_pattern is not None:
        print(f"recordings split by file: {len(speakers)} speakers are too few to test on voices that were not heard")
    else:
        print("recordings split by file: voices of the test may stand in training, too (give speaker_pattern)")
    for word in sorted({own_data.word_of(cut) for cut in recorded}):
        counts = [sum(own_data.word_of(cut) == word for cut in split[part]) for part in PARTS]
        print(f"  {word}: {counts[0]} to train, {counts[1]} for dev, {counts[2]} to test")
        if sum(counts) < 3 and word not in synthesised:
            raise ConfigError(f"{request.data}/{word}: {sum(counts)} recordings: give 3 at least, better 40")
        if not counts[0] and word not in synthesised:
            raise ConfigError(f"{request.data}/{word}: no recording of a speaker to train on: record more speakers")
    return split


def _voices(words: list[str], out: Path, counts: Sequence[int], clip_s: float) -> dict[str, list[Cut]]:
    """Synthesised voices that say the words: part -> clips."""
    prepared: Prepared = CORPORA["voices"](None, out, words=words, voices_per_part=counts, duration_s=clip_s)
    if prepared.skipped:
        print(f"left out: {len(prepared.skipped)} clips of {out}, first {prepared.skipped[0].reason}")
    made = {part: read_cuts([path]) for part, path in prepared.manifests.items()}
    return {part: own_data.marked(made.get(part, []), own_data.VOICES) for part in PARTS}


def _noise(request: Request, place: Path) -> dict[str, Any]:
    """The noise of the user's place and synthesised noise, or the latter alone, as sections of the config."""
    made = str(CORPORA["synthetic-noise"](None, place / "noise", **SYNTHETIC_NOISE).manifests["noise"])
    if request.noise is None:
        print("no noise= is given: street and factory noise is synthesised")
        folds = {"noise_train": [1, 2, 3], "noise_dev": [4], "noise_test": [5]}
        return {part: [{"manifest": made, "folds": numbers}] for part, numbers in folds.items()}
    prepared = CORPORA["noise-folder"](request.noise, place / "site-noise", kind="site")
    cuts = read_cuts([prepared.manifests["noise"]])
    split = own_data.split_noise(cuts)
    write_cuts(split, prepared.manifests["noise"])
    how = "by recording" if len(cuts) >= 3 else "in time, since they are fewer than three"
    seconds = [sum(cut.duration for cut in split if (cut.custom or {})["fold"] == fold) for fold in (1, 2, 3)]
    shares = f"{seconds[0]:.0f} s to train, {seconds[1]:.0f} s for dev, {seconds[2]:.0f} s to test"
    print(f"noise recordings: {len(cuts)}, split {how}: {shares}")
    site = {"manifest": str(prepared.manifests["noise"])}
    return {
        "noise_train": [site | {"folds": [1], "weight": 2.0}, {"manifest": made, "weight": 1.0}],
        "noise_dev": [site | {"folds": [2]}],
        "noise_test": [site | {"folds": [3]}],
    }
