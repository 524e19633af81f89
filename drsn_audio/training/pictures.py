"""What a model hears on the development set, and what it makes of it, in pictures while it is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from drsn_audio.datasets.batch import Example, collate
from drsn_audio.datasets.keyword import Clip, EvaluationClips
from drsn_audio.evaluation.alphas import alpha_name, in_eval_mode, mean_alphas
from drsn_audio.evaluation.keyword import num_samples
from drsn_audio.evaluation.transcripts import as_example
from drsn_audio.memory import Memory
from drsn_audio.metrics.enhancement import si_sdr_db
from drsn_audio.metrics.keyword import confusion_matrix
from drsn_audio.models.model import AudioModel
from drsn_audio.reports.heard import draw_alphas, draw_heard
from drsn_audio.reports.plot import draw_confusion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SNRS_DB = (-10.0, -5.0, 0.0, 5.0, 10.0, 20.0)
NOISY_DB = 0.0  # of the spectrogram and of the confusions
UTTERANCES, CLIPS = 16, 128  # at most, evenly spaced: all pictures together take a second or two
HEARD_S, SHOWN_S = 1.0, 4.0  # of an utterance, its first seconds: for the thresholds, for the spectrogram
BATCH = 32  # clips


@torch.inference_mode()
def draw_pictures(task: Any, model: AudioModel) -> dict[str, Figure]:
    """`task`: one of training, of which config, dev, dev_noise and store are read. By name:

    heard: the spectrogram of a development utterance, as the front-end gives it, clean and at 0 dB, and of a denoiser
    what it gives back. alphas: how much each block takes away, against the SNR; none of a model without gates.
    confusion: of keywords at 0 dB. The same utterances and segments of noise every time.

    The model is heard in eval mode and left as it was; nothing is drawn from a global generator.

    Raises:
        AudioError: a file that cannot be used.
        ModuleNotFoundError: matplotlib is not installed.
    """
    with in_eval_mode(model):
        figures = {"heard": _heard(task, model)}
        kind = alpha_name(model)
        if kind:
            figures["alphas"] = _alphas(task, model, kind)
        if model.config.head in ("keyword", "joint"):
            figures["confusion"] = _confusion(task, model)
    return figures


def _heard(task: Any, model: AudioModel) -> Figure:
    one = next(filter(_is_spoken, task.dev))
    (example,) = _examples(task, model, [one], SHOWN_S)
    batch, device = collate([example]), next(model.parameters()).device
    clean, noisy = (batch.mix(snr).to(device) for snr in (math.inf, NOISY_DB))
    waves = {"clean": clean, f"at {NOISY_DB:g} dB in {example.noise_source}": noisy}
    if model.config.head in ("denoise", "joint"):
        back = model.denoise(noisy)
        before_db, after_db = (float(si_sdr_db(wave.cpu(), clean.cpu())) for wave in (noisy, back))
        waves[f"given back: SI-SDR {after_db:.1f} dB, before {before_db:.1f} dB"] = back
    memory = Memory if model.causal else lambda: None
    panels = {name: model.frontend(wave, None, memory())[0][0, 0].cpu().numpy() for name, wave in waves.items()}
    cut: Any = one.cut if isinstance(one, Clip) else one
    said = " ".join(said.text or "" for said in cut.supervisions)
    hop_s = model.frontend.hop / model.config.frontend.sample_rate
    return draw_heard(panels, hop_s, model.config.frontend.name, shorten(f"{cut.id}: {said}", 170))


def _alphas(task: Any, model: AudioModel, kind: str) -> Figure:
    chosen = [one for one in _spread(task.dev, UTTERANCES) if _is_spoken(one)]
    batches = (collate([example]) for example in _examples(task, model, chosen, HEARD_S))
    alphas = mean_alphas(model, (torch.cat([batch.mix(snr) for snr in SNRS_DB]) for batch in batches))
    title = f"{len(chosen)} development utterances, mean of each block over channels, frequencies and time"
    return draw_alphas(SNRS_DB, alphas, kind, title)


def _confusion(task: Any, model: AudioModel) -> Figure:
    clips, device = _spread(task.dev, CLIPS), next(model.parameters()).device
    examples = _examples(task, model, clips, 0)
    asked, answered = [], []
    while group := list(islice(examples, BATCH)):
        batch = collate(group)
        asked.append(batch.target.numpy())
        answered.append(model.head.last(model(batch.mix(NOISY_DB).to(device)), None).argmax(-1).cpu().numpy())
    labels = model.config.labels
    confusion = confusion_matrix(np.concatenate(asked), np.concatenate(answered), len(labels))
    accuracy = 100 * confusion.trace() / confusion.sum()
    title = f"{len(clips)} development clips at {NOISY_DB:g} dB: accuracy {accuracy:.1f} %"
    return draw_confusion(confusion, labels, title)


def _examples(task: Any, model: AudioModel, chosen: Sequence[Any], longest_s: float) -> Iterator[Example]:
    """Each with a noise that its id and its place fix; of utterances the first `longest_s`, clips as they are."""
    noise, seed, kinds = task.dev_noise, task.config.evaluate.seed, task.dev_noise.kinds
    for place, one in enumerate(chosen):
        kind = kinds[place % len(kinds)]
        if isinstance(one, Clip):
            yield EvaluationClips([one], noise, task.store, num_samples(model), seed, kind, 0)[0]
        else:
            size = min(len(task.store(one)), round(longest_s * task.store.sample_rate))
            yield as_example(one, noise, task.store, size, task.config.data.level, seed, kind, 0)


def _is_spoken(one: Any) -> bool:
    return not isinstance(one, Clip) or one.cut is not None


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many, evenly spaced."""
    return [items[place] for place in range(0, len(items), math.ceil(len(items) / most))]
