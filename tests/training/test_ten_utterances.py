"""A run over-fitted on ten utterances writes them, in noise too: from wave to text, nothing is lost."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from drsn_audio.audio import write_audio
from drsn_audio.config import load_config
from drsn_audio.corpora.cuts import SpeechFile, write_cuts
from drsn_audio.corpora.prepare import prepare
from drsn_audio.corpora.voices import draw_voices, synthesise_all
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.decoding.units import Units
from drsn_audio.evaluation.transcripts import run_transcripts
from drsn_audio.metrics.wer import character_errors
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.models.model import AudioModel

RATE = 16000
TEXTS = ("GO ON", "STOP", "WE WAIT", "COLD", "RED LIGHT", "OPEN IT", "NO", "MORE OIL", "CLOSE", "WHO")
COPIES = 180  # of each in an epoch, in noise of its own


def write_speech(folder: Path) -> Path:
    """Each text by a voice of its own; the manifest's path."""
    voices = [voice._replace(rate=120) for voice in draw_voices(len(TEXTS), 0, "train")]
    said = synthesise_all([(text.lower(), voice) for text, voice in zip(TEXTS, voices, strict=True)])
    files = []
    for number, (text, voice, wave) in enumerate(zip(TEXTS, voices, said, strict=True)):
        path = write_audio_of(folder / f"{number}.flac", wave)
        files.append(SpeechFile(str(number), path, "train", text, voice.name))
    return prepare("ten", folder, files, progress=False).manifests["train"]


def write_audio_of(path: Path, wave: np.ndarray) -> Path:
    """All as long as each other: nothing but the words and the noise is different."""
    clip = np.zeros(RATE, np.float32)
    clip[800 : 800 + len(wave)] = 0.5 * wave / np.abs(wave).max()
    write_audio(path, clip, RATE, "PCM_16")
    return path


@pytest.mark.slow
def test_ten_utterances_are_learnt(task, tmp_path):
    """At most a twentieth of the character errors of the untrained model. Not zero: what is left after 3 epochs
    depends on the last bits of each sum, which differ by CPU; a single wrong letter is one in 300.
    """
    from drsn_audio.training.loop import train

    ten = write_speech(tmp_path / "speech")
    many = tmp_path / "many.jsonl.gz"
    cuts = read_cuts([ten])
    write_cuts(
        [dataclasses.replace(cut, id=f"{cut.id}-{copy}") for cut, copy in itertools.product(cuts, range(COPIES))], many
    )
    best = train(
        load_config(
            None,
            [
                f"run={tmp_path / 'run'}",
                f"data.train=[{many}]",
                f"data.dev=[{ten}]",
                *(f"data.noise_{part}=[{{manifest: {task.noise}}}]" for part in ("train", "dev")),
                "model.preset=ctc-500k",
                "model.head=ctc",
                "model.units=characters",
                "model.width=8",
                "model.mixer_width=128",
                "model.pool=causal",
                "model.mixer=[1,2]",
                "model.frontend.n_mels=24",
                "model.dropout=0",
                "augment.snr_db=[5,20]",
                "augment.speed=[1,1]",
                "augment.noise_speed=[1,1]",
                "augment.noise_equaliser_db=0",
                "augment.mix_equaliser_db=0",
                "augment.frequency_masks=0",
                "augment.time_masks=0",
                "train.epochs=3",
                "train.max_padded_s=14",
                "train.learning_rate=0.01",
                "train.warmup_share=0.05",
                "train.weight_decay=0",
                "train.ema_decay=0.9",
                "train.threads=1",
                "train.device=cpu",
            ],
        )
    )
    model, _ = load_checkpoint(best)
    torch.manual_seed(0)
    untrained = AudioModel(model.config).eval()
    store, units = AudioStore(RATE), Units("characters", model.config.labels)
    pool = NoisePool(load_config(tmp_path / "run" / "config.yaml").data.noise_dev, store)
    errors = {}
    for name, each in (("learnt", model), ("untrained", untrained)):
        written = run_transcripts(each, cuts, pool, store, units=units, snr_db=[10.0], draws=2, seed=5)
        conditions = {(one.noise_kind, one.snr_db) for one in written}
        assert conditions == {("clean", None), ("machinery", 10.0), ("street", 10.0)}
        errors[name] = sum(character_errors(one.references, one.hypotheses).errors.sum() for one in written)
    assert errors["learnt"] <= 0.05 * errors["untrained"], errors
