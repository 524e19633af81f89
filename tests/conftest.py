"""A tiny task, made on the spot: words are tones, noise is coloured hiss; and a model that learned it in seconds."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import sys

# The models are tiny: more threads only wait for each other. Another number that is asked for holds, for MKL, too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, settings

from drsn_audio.config import ExperimentConfig, load_config
from drsn_audio.corpora.cuts import NoiseFile, SpeechFile
from drsn_audio.corpora.prepare import prepare

# The same examples in every run, however long one takes on a busy machine.
settings.register_profile("suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

RATE = 16000
CLIP_S = 0.5
RUN_SEED = 15  # with it, a minute of such sound is enough for all three words
WORDS = {"low": 400.0, "mid": 1000.0, "high": 2500.0}
SPEAKERS = {"train": ("ann", "bob", "cem"), "dev": ("dora",), "test": ("eve", "finn")}


def pytest_configure() -> None:
    """A shell's background job is begun deaf to SIGINT, and what it begins would stay so: tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked slow, unless `-m` is given or tests are named by their ids."""
    if config.option.markexpr or any("::" in name for name in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Number bytes instead of showing them: those of gzip hold the time, and workers must collect the same names."""
    return argname if isinstance(val, bytes) else None


def tone_word(word: str, speaker: str, duration_s: float = 0.3) -> np.ndarray:
    """A tone with soft ends, a little higher or lower and louder or softer for each speaker."""
    rng = np.random.default_rng(list(speaker.encode()))
    time_s = np.arange(round(duration_s * RATE)) / RATE
    tone = np.sin(2 * np.pi * WORDS[word] * rng.uniform(0.95, 1.05) * time_s)
    return (rng.uniform(0.1, 0.3) * tone * np.hanning(len(time_s))).astype(np.float32)


def write_wav(path: Path, wave: np.ndarray, sample_rate: int = RATE, subtype: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, wave, sample_rate, subtype=subtype)
    return path


class Task(NamedTuple):
    """Manifests; 9, 3 and 6 utterances, and 2 kinds x 3 folds of noise recordings of 2 s."""

    train: Path
    dev: Path
    test: Path
    noise: Path


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A command that was called leaves its handler on the logger, with a stderr that is closed by the next test."""
    log = logging.getLogger("drsn_audio")
    handlers, level = list(log.handlers), log.level
    yield
    log.handlers = handlers
    log.setLevel(level)


@pytest.fixture(autouse=True)
def threads_as_asked() -> None:
    """A training sets the threads of the whole process: the tests that follow it would have another number."""
    torch, asked = sys.modules.get("torch"), int(os.environ["OMP_NUM_THREADS"].split(",")[0])
    if torch is not None and torch.get_num_threads() != asked:
        torch.set_num_threads(asked)


@pytest.fixture(scope="session")
def say() -> Callable[..., np.ndarray]:
    return tone_word


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("task")
    speech = [
        SpeechFile(
            f"{word}/{speaker}",
            write_wav(folder / word / f"{speaker}.wav", tone_word(word, speaker)),
            part,
            word,
            speaker,
        )
        for part, speakers in SPEAKERS.items()
        for speaker in speakers
        for word in WORDS
    ]
    noise = []
    for number, kind in enumerate(("machinery", "street")):
        for fold in (1, 2, 3):
            rng = np.random.default_rng([number, fold])
            hiss = np.convolve(rng.standard_normal(2 * RATE), [1, 0.9 if kind == "street" else -0.5], "same")
            path = write_wav(folder / "noise" / f"{kind}{fold}.wav", (0.05 * hiss).astype(np.float32))
            noise.append(NoiseFile(path.stem, path, kind, noise_class=kind, source=path.stem, fold=fold))
    prepared = prepare("tones", folder, speech, noise, progress=False)
    return Task(*(prepared.manifests[part] for part in Task._fields))


@pytest.fixture(scope="session")
def config(task: Task) -> ExperimentConfig:
    """`run` is to be replaced."""
    return load_config(
        None,
        [
            "model.preset=10k",
            "model.frontend.name=logmel",  # PCEN fades what stands still, as these words do
            f"model.clip_s={CLIP_S}",
            "model.labels=[low,mid,high,silence]",
            f"data.train=[{task.train}]",
            f"data.dev=[{task.dev}]",
            f"data.test=[{task.test}]",
            *(
                f"data.noise_{part}=[{{manifest: {task.noise}, folds: [{fold}]}}]"
                for part, fold in (("train", 1), ("dev", 2), ("test", 3))
            ),
            "augment.snr_db=[5,25]",
            "augment.speed=[0.97,1.03]",
            "augment.noise_speed=[1,1]",
            "augment.noise_equaliser_db=0",
            "augment.mix_equaliser_db=0",
            "augment.shift_ms=50",
            "augment.frequency_masks=1",
            "augment.frequency_mask_bins=2",
            "augment.time_masks=0",
            "train.batch_size=16",
            "train.epochs=60",
            "augment.silence_share=0.2",
            "train.learning_rate=0.01",
            "train.label_smoothing=0",
            "train.threads=1",  # some are forked after a model has run: with more, a fork waits for threads it has not
            "train.device=cpu",
            "train.ema_decay=0.9",
            "evaluate.draws=2",
            "evaluate.replicates=100",
            "evaluate.snr_db=[20,0]",
        ],
    )


@pytest.fixture(scope="session")
def run(config: ExperimentConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that was trained on the tones."""
    from drsn_audio.training.loop import train

    folder = tmp_path_factory.mktemp("runs") / "tones"
    train(dataclasses.replace(config, run=str(folder), seed=RUN_SEED))
    return folder


@pytest.fixture(scope="session")
def writing_run(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that writes the words of the task, and has learnt nothing."""
    import torch

    from drsn_audio.config import config_to_yaml
    from drsn_audio.models.checkpoint import save_checkpoint
    from drsn_audio.models.model import AudioModel

    folder = tmp_path_factory.mktemp("runs") / "writing"
    config = load_config(
        None,
        [
            f"run={folder}",
            "model.preset=10k",
            "model.time_reduction=4",
            "model.mixer_width=8",
            "model.mixer=[1]",
            "model.head=ctc",
            "model.pool=causal",
            "model.labels=[<blank>,low,mid,high]",
            f"data.test=[{task.test}]",
            f"data.noise_test=[{{manifest: {task.noise}, folds: [3]}}]",
            "evaluate.draws=1",
            "evaluate.replicates=50",
            "evaluate.snr_db=[5]",
        ],
    )
    torch.manual_seed(0)
    save_checkpoint(folder, "best", AudioModel(config.model), step=1, info={})
    (folder / "config.yaml").write_text(config_to_yaml(config))
    return folder


@pytest.fixture(scope="session")
def real_audio() -> Path:
    folder = os.environ.get("DRSN_AUDIO_DATA")
    if not folder:
        pytest.skip("DRSN_AUDIO_DATA is not set: no real audio to test on")
    return Path(folder)
