"""Experiment configuration: frozen dataclasses <-> YAML with dotted overrides (OmegaConf).

A file may name a `base:` (a path relative to it) and then holds only the lines that differ. `model.preset` fills in
the size of the encoder before the file's own lines. Unknown keys fail with the nearest known name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from drsn_audio.errors import InputError, nearest
from drsn_audio.presets import PRESETS


class ConfigError(InputError):
    """A configuration that cannot be used. The message is one line."""


@dataclass(frozen=True)
class FrontendConfig:
    name: str = "pcen"  # pcen | logmel | mfcc | log-spectrogram | spectrogram
    sample_rate: int = 16000
    n_mels: int = 40
    mel: str = "htk"  # form of the mel bands: htk | slaney
    window_ms: float = 32.0
    hop_ms: float = 10.0
    f_min_hz: float = 20.0
    f_max_hz: float = 8000.0
    n_mfcc: int = 40  # mfcc: coefficients kept
    lifter: int = 0  # mfcc: 0 weighs all alike
    smoothing_ms: float = 400.0  # pcen: time constant that the training of it begins with
    norm: str = "none"  # by what has been heard so far: none | causal-mean | causal (mean and deviation)
    norm_ms: float = 1000.0  # time constant of that


@dataclass(frozen=True)
class ModelConfig:
    preset: str = "100k"
    frontend: FrontendConfig = field(default_factory=FrontendConfig)
    encoder: str = ""  # drsn | bc-resnet; none: the preset's
    width: int = 0  # channels of the first stage, doubled (drsn) by each further one; 0: the preset's
    widths: list[int] = field(default_factory=list)  # channels of each stage, instead of that; drsn only
    blocks: list[int] = field(default_factory=list)  # residual blocks a stage; none: the preset's
    stem_kernel: int = 5  # drsn only
    stem_stride: list[int] = field(default_factory=lambda: [2, 2])  # frequency, time; drsn only
    time_reduction: int = 0  # frames of the spectrogram to one of the logits: later stages do not stride; 0: all do
    mixer_width: int = 0  # channels of the temporal mixer behind the 2-D part; 0: the preset's, or none
    mixer: list[int] = field(default_factory=list)  # dilations of its, or the denoiser's, residual blocks in time
    # drsn only: none | se | se-frequency | gate | gate-frequency | cs | cw | cw-frequency; empty: the preset's
    shrinkage: str = ""
    gate_reduction: int = 0  # of the gate within thresholds: its middle is so many times narrower; 0: the preset's
    pool: str = "clip"  # what thresholds and head average over: clip | causal | causal-cumulative (for streams)
    pool_ms: float = 1000.0  # of causal thresholds: time constant that training begins with; cap of the cumulative
    head: str = "keyword"  # keyword | ctc | denoise | joint (denoise and keyword: an experiment)
    gain_floor: float = 0.0  # of denoise: what is left of everything, 0.1 is 20 dB less
    units: str = "words"  # of ctc, what a label is: words | characters | sentencepiece
    intermediate_ctc: float = 0.0  # of ctc: weight of the loss of the mixer's middle, to 1 of its end
    clip_answer: str = "last"  # of a causal model, asked for a clip: its last frame | surest: that with least silence
    clip_s: float = 1.0  # what a clip model hears at once
    dropout: float = 0.1
    # "unknown" and "silence" have their usual meaning; ctc: "<blank>", then the units. None of ctc: characters have
    # A to Z and the apostrophe, sentencepiece those of data.sentencepiece
    labels: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ConfigError(f"model.preset={self.preset} is unknown; {nearest(self.preset, list(PRESETS))}")
        for key, value in PRESETS[self.preset].items():
            if not getattr(self, key):
                object.__setattr__(self, key, list(value) if isinstance(value, list) else value)


@dataclass(frozen=True)
class NoiseSource:
    """Recordings of a noise manifest: all of them, or those of the given kinds and folds."""

    manifest: str = ""
    kinds: list[str] = field(default_factory=list)
    folds: list[int] = field(default_factory=list)
    weight: float = 1.0  # how often training draws from it, relative to the others


@dataclass(frozen=True)
class StringsConfig:
    """Connected words, strung together for training: every row of a batch is a stretch of train.stretch_s."""

    rows: int = 0  # an epoch; 0: utterances are heard as they are
    gap_s: list[float] = field(default_factory=lambda: [0.0, 0.5])  # between two words
    pause_share: float = 0.15  # of the gaps, that are pauses
    pause_s: list[float] = field(default_factory=lambda: [0.5, 2.5])
    unknown_share: float = 0.12  # of the words, that are none of the labels
    level_spread_db: float = 3.0  # standard deviation of the levels of words within a stretch
    weights: list[float] = field(default_factory=list)  # of the manifests of data.train; none: all alike
    emit_s: float = 0.32  # so long after its end at the latest a word is to be given; 0: whenever CTC likes
    speech: list[str] = field(default_factory=list)  # manifests of running speech, its other words all "unknown"
    speech_share: float = 0.0  # of the rows, that are such speech


@dataclass(frozen=True)
class RowsConfig:
    """Rows of speech, of one speaker each, to train a denoiser on: every one is train.stretch_s long."""

    count: int = 1600  # an epoch
    weights: list[float] = field(default_factory=list)  # of the manifests of data.train; none: all alike
    gap_s: list[float] = field(default_factory=lambda: [0.1, 0.6])  # before each utterance or word


@dataclass(frozen=True)
class DataConfig:
    train: list[str] = field(default_factory=list)  # speech manifests, or folders that drsn-audio shard made
    dev: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    noise_train: list[NoiseSource] = field(default_factory=list)
    noise_dev: list[NoiseSource] = field(default_factory=list)
    noise_test: list[NoiseSource] = field(default_factory=list)
    level: str = "p56"  # what the SNR refers to: p56 | rms
    silence_share: float = 0.08  # noise-only clips among all in dev and test, labelled "silence"
    sentencepiece: str = ""  # its model (.model), for units: sentencepiece
    strings: StringsConfig = field(default_factory=StringsConfig)
    rows: RowsConfig = field(default_factory=RowsConfig)
    shard_window: int = 2000  # utterances of shards that are shuffled together
    max_duration_s: float = 30.0  # ctc: longer utterances are counted and left out
    rooms: list[str] = field(default_factory=list)  # manifests of room responses, for augment.reverb_share


@dataclass(frozen=True)
class AugmentConfig:
    snr_law: str = "uniform"  # fixed | listed | uniform (lowest, highest) | normal (mean, standard deviation)
    snr_db: list[float] = field(default_factory=lambda: [-10.0, 25.0])  # drawn per clip by that law
    clean_share: float = 0.1  # clips without noise
    silence_share: float = 0.1  # noise-only clips among all in training
    silence_db: list[float] = field(default_factory=lambda: [-75.0, -15.0])  # level of noise-only clips, dB full scale
    gain_db: list[float] = field(default_factory=lambda: [-10.0, 6.0])  # on the finished mix
    speed: list[float] = field(default_factory=lambda: [0.88, 1.12])
    shift_ms: float = 100.0
    noise_speed: list[float] = field(default_factory=lambda: [0.8, 1.25])
    noise_equaliser_db: float = 8.0  # standard deviation of the noise's gains over frequency: other places
    mix_equaliser_db: float = 3.0  # of the finished mix: other microphones
    noises: int = 1  # how many a clip has at once, at most; each number equally often
    further_noise_db: list[float] = field(default_factory=lambda: [-20.0, 0.0])  # of each further one, to the first
    reverb_share: float = 0.0  # clips in a room of data.rooms; the SNR is then that of the reverberant speech
    band_share: float = 0.0  # mixes that a device limits to a band, of these edges
    band_low_hz: list[float] = field(default_factory=lambda: [50.0, 400.0])
    band_high_hz: list[float] = field(default_factory=lambda: [2500.0, 7000.0])
    clip_share: float = 0.0  # mixes that a device clips, dB re full scale
    clip_db: list[float] = field(default_factory=lambda: [-20.0, -6.0])
    mu_law_share: float = 0.0  # mixes sent as 8-bit mu-law
    frequency_masks: int = 2  # SpecAugment
    frequency_mask_bins: int = 6
    time_masks: int = 2
    time_mask_ms: float = 120.0


@dataclass(frozen=True)
class TrainConfig:
    epochs: int = 40
    batch_size: int = 64  # rows a step, of all processes together
    accumulate: int = 1  # pieces that each process's share of them is heard in, one after the other, to save memory
    learning_rate: float = 3e-3
    encoder_rate: float = 1.0  # the encoder's learning rate, relative to that; 0 trains the head alone
    weight_decay: float = 0.02
    warmup_share: float = 0.1  # of all steps, before the cosine
    clip_norm: float = 5.0
    label_smoothing: float = 0.1
    logit_adjustment: float = 0.0  # how far the shares of the classes in training are divided out: 0 to 1
    ema_decay: float = 0.998  # per step
    max_padded_s: float = 0.0  # ctc, of utterances: seconds of sound a batch, padding included; strings: batch_size
    label_prior: float = 0.0  # how far the frequency of each label, blank above all, is divided out in the CTC loss
    stretch_s: float = 0.0  # causal models: train on stretches of a stream, at most so long; 0: on clips of clip_s
    si_sdr_weight: float = 0.1  # denoise, of its losses: SI-SDR in dB
    spectral_weight: float = 0.0  # multi-resolution spectra
    magnitude_weight: float = 300.0  # compressed magnitudes
    intelligibility_weight: float = 0.0  # correlation of envelopes, as of STOI
    carry_share: float = 0.8  # of the stretches that go on where another one ended
    hold_s: float = 0.5  # for so long after its end a word is the answer
    workers: int = 0  # loader processes
    threads: int = 0  # of this process on the CPU; 0 leaves it to torch
    device: str = "auto"  # auto | cpu | cuda | mps
    precision: str = "fp32"  # fp32 | fp16 | bf16
    deterministic: bool = False  # on a GPU, too, the same bits each time: slower; a CPU gives them anyway
    sync_norm: bool = True  # BatchNorm's statistics of all processes' rows together, on GPUs
    checkpoint_minutes: float = 1.0  # between two that resume=true goes on from; they take 2 % of the time at most
    checkpoint_steps: int = 0  # also every so many steps; 0: by the clock alone
    checkpoints: int = 2  # kept of these
    explosion: float = 10.0  # stop where the loss rises by so many times its range of late; 0: never
    picture_epochs: int = 10  # TensorBoard has pictures of every so many epochs, and of the last; 0: none
    max_steps: int = 0  # stop early (--smoke); 0 is no limit
    false_accept_rate: float = 0.05  # share of clips without a keyword that may be answered with one: see calibrate.py


@dataclass(frozen=True)
class EvaluateConfig:
    seed: int = 0  # of the noise draws and the bootstrap; not the training's, so that models hear the same
    snr_db: list[float] = field(default_factory=lambda: [20.0, 10.0, 5.0, 0.0, -5.0])
    draws: int = 4  # fixed noise draws a clip
    batch_size: int = 128
    replicates: int = 2000  # of the bootstrap


@dataclass(frozen=True)
class ExperimentConfig:
    run: str = "runs/experiment"  # folder
    init: str = ""  # run folder, checkpoint or model's name whose weights training starts from
    resume: bool = False  # go on where a training in this folder was stopped; begin where there is none
    seed: int = 0
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)


# Settings that change no trained weight, or no more than rounding does: section ("" is the top) -> keys. Two runs that
# differ in nothing else are of one recipe.
WITHOUT_EFFECT: dict[str, tuple[str, ...]] = {
    "": ("run", "resume"),
    "train": (
        "workers", "threads", "device", "checkpoint_minutes", "checkpoint_steps", "checkpoints", "explosion",
        "picture_epochs",
    ),
}  # fmt: skip


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """A YAML file (or none: the defaults) and overrides such as "model.width=24" -> ExperimentConfig.

    Raises:
        ConfigError: a file that is missing or not YAML, an unknown key or preset, a value of the wrong type.
    """
    try:
        given = _read_with_base(Path(path)) if path is not None else OmegaConf.create({})
        for override in overrides:
            if "=" not in override:
                raise ConfigError(f"{override!r}: an override reads key=value, e.g. model.width=24")
        merged = OmegaConf.merge(given, OmegaConf.from_dotlist(list(overrides)))
        return config_from_dict(OmegaConf.to_container(merged, resolve=True))  # type: ignore[arg-type]
    except YAMLError as error:
        raise ConfigError(f"{' '.join(overrides)}: not YAML ({' '.join(str(error).split())})") from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"{path or 'overrides'}: {str(error).splitlines()[0]}") from None


def config_from_dict(given: dict[str, Any]) -> ExperimentConfig:
    """A nested dict, as YAML or JSON holds it -> ExperimentConfig. Raises ConfigError as `load_config` does."""
    _check(given, ExperimentConfig, "")
    preset = str((given.get("model") or {}).get("preset", ModelConfig.preset))
    size = {"model": PRESETS.get(preset, {})}  # an unknown one is refused by ModelConfig
    try:
        merged = OmegaConf.merge(OmegaConf.structured(ExperimentConfig), size, OmegaConf.create(given))
        return OmegaConf.to_object(merged)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        key = f"{error.full_key}: " if getattr(error, "full_key", None) else ""
        raise ConfigError(f"{key}{str(error).splitlines()[0]}") from None


def config_to_dict(config: Any) -> dict[str, Any]:
    """A config dataclass -> plain nested dict."""
    return OmegaConf.to_container(OmegaConf.structured(config))  # type: ignore[return-value]


def config_to_yaml(config: Any) -> str:
    """A config dataclass -> YAML that `load_config` reads back to an equal one."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def _read_with_base(path: Path, derived: tuple[Path, ...] = ()) -> DictConfig:
    if path.resolve() in derived:
        raise ConfigError(f"{path}: its base leads back to itself: break the circle")
    try:
        loaded = OmegaConf.load(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file: check the path") from None
    except Exception as error:  # yaml's errors span lines
        raise ConfigError(f"{path}: not a YAML config ({' '.join(str(error).split())})") from None
    if not isinstance(loaded, DictConfig):
        raise ConfigError(f"{path}: a config is a mapping of keys to values")
    base = loaded.pop("base", None)
    if base is None:
        return loaded
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base is the path of one config file, got {base!r}")
    merged = OmegaConf.merge(_read_with_base(path.parent / base, (*derived, path.resolve())), loaded)
    assert isinstance(merged, DictConfig)
    return merged


def _check(given: Any, kind: Any, key: str) -> None:
    """Refuse, in depth, what OmegaConf accepts or names poorly: keys that `kind` lacks, booleans meant as words."""
    if is_dataclass(kind):
        if not isinstance(given, dict):
            raise ConfigError(f"{key or 'config'}: expected keys and values, got {given!r}")
        known = get_type_hints(kind)
        for name, value in given.items():
            path = f"{key}.{name}" if key else str(name)
            if name not in known:
                raise ConfigError(f"{path}: unknown key; {nearest(str(name), list(known))}")
            _check(value, known[name], path)
    elif get_origin(kind) is list and isinstance(given, list):
        for index, value in enumerate(given):
            _check(value, get_args(kind)[0], f"{key}[{index}]")
    elif isinstance(given, str) and "${" in given:  # OmegaConf would replace it, and a checkpoint may hold anything
        raise ConfigError(f"{key}={given}: no ${{...}} here: write the value itself")
    elif kind is str and isinstance(given, bool):
        raise ConfigError(f"{key}={given}: YAML reads an unquoted yes, no, on or off as true or false: quote the word")
