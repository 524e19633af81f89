"""What half precision did to a model that ship.py put into the package: are its answers still those of its run?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

UTTERANCES, SNR_DB = 10, (10.0, 0.0)  # that a denoiser is compared on, in each kind of its noise


def rounding(run: Path, shipped: Path, streams: Sequence[str] = ()) -> str:
    """A sentence on the development clips of a run, or strings; or on the manifests of streams that it was tuned on.

    Of a denoiser on its development speech in its development noise.
    """
    if streams:
        return _of_events(run, shipped, streams)
    from drsn_audio.models.checkpoint import load_checkpoint

    by_head = {"ctc": _of_texts, "denoise": _of_gains}
    return by_head.get(load_checkpoint(shipped)[0].config.head, _of_clips)(run, shipped)


def _of_gains(run: Path, shipped: Path) -> str:
    import torch

    from drsn_audio.config import load_config
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.evaluation.denoising import noisy_speech, si_sdr
    from drsn_audio.models.checkpoint import load_checkpoint

    data = load_config(run / "config.yaml").data
    models = [load_checkpoint(path)[0] for path in (run / "best.json", shipped)]
    store, cuts = AudioStore(models[0].config.frontend.sample_rate), read_cuts(data.dev)
    chosen = [cuts[index] for index in np.unique(np.linspace(0, len(cuts) - 1, UTTERANCES).round().astype(int))]
    noise = NoisePool(data.noise_dev, store)
    gained_db: list[list[float]] = []
    largest = 0.0
    for trial in noisy_speech(chosen, noise, store, snr_db=SNR_DB, draws=1, seed=0, level=data.level):
        wave = torch.from_numpy(trial.noisy)[None]
        with torch.inference_mode():
            before, after = (model(wave) for model in models)
            given = [model.denoise(wave)[0].numpy() for model in models]
        largest = max(largest, float((before - after).abs().max()))
        noisy_db = si_sdr(trial.clean, trial.noisy)
        gained_db.append([si_sdr(trial.clean, wave) - noisy_db for wave in given])
    means = np.mean(gained_db, axis=0)
    return (
        f"{len(chosen)} development utterances in development noise at {' and '.join(f'{snr:g}' for snr in SNR_DB)} "
        f"dB: SI-SDR gains {means[1]:.3f} dB instead of {means[0]:.3f} dB; gains of frequencies differ by at most "
        f"{largest:.4f}"
    )


def _of_texts(run: Path, shipped: Path) -> str:
    from drsn_audio.api import load_transcriber
    from drsn_audio.config import load_config
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.evaluation.transcripts import run_transcripts
    from drsn_audio.metrics.wer import word_errors

    cuts = read_cuts(load_config(run / "config.yaml").data.dev)
    rates, texts = [], []
    for path in (run / "best.json", shipped):
        model = load_transcriber(path)
        store = AudioStore(model.sample_rate)
        (written,) = run_transcripts(model.module, cuts, None, store, units=model.units, snr_db=[], draws=1, seed=0)
        rates.append(word_errors(written.references, written.hypotheses).rate)
        texts.append(written.hypotheses)
    changed = sum(one != other for one, other in zip(*texts, strict=True))
    return (
        f"{changed} texts of {len(cuts)} development utterances changed; word error rate, without noise, "
        f"{rates[1]:.2%} instead of {rates[0]:.2%}"
    )


def _of_clips(run: Path, shipped: Path) -> str:
    from drsn_audio.config import load_config
    from drsn_audio.datasets.keyword import keyword_clips
    from drsn_audio.datasets.manifests import read_cuts
    from drsn_audio.evaluation.keyword import run_mixed_trials
    from drsn_audio.models.checkpoint import load_checkpoint

    config = load_config(run / "config.yaml")
    clips = keyword_clips(read_cuts(config.data.dev), config.model.labels, config.data, to_mix=False)
    before, after = (
        np.concatenate([one.logits for one in run_mixed_trials(load_checkpoint(path)[0], clips)])
        for path in (run / "best.json", shipped)
    )
    changed = int((before.argmax(1) != after.argmax(1)).sum())
    return (
        f"logits of {len(clips)} development clips differ by at most {np.abs(before - after).max():.4f}, "
        f"{changed} answers changed"
    )


def _of_events(run: Path, shipped: Path, manifests: Sequence[str]) -> str:
    """Its thresholds were tuned with the weights as they were: what they let through now."""
    from drsn_audio.api import load_recognizer
    from drsn_audio.evaluation.stream_events import Answers, detect, hear, probabilities, read_streams
    from drsn_audio.training.tune import count_errors

    streams = read_streams(manifests)
    heard, events = [], []
    misses: list[int] = []
    false_alarms: list[int] = []
    for path in (run / "best.json", shipped):
        model = load_recognizer(path)
        config = model.detector_config()
        heard.append(hear(probabilities(model.module, model.temperature), streams, model.sample_rate))
        found = detect(streams, heard[-1], model.labels, model.frame_s, config)
        named = zip(streams, found, strict=True)
        events.append({(stream.id, event.label, event.time) for stream, of_it in named for event in of_it})
        errors = count_errors(Answers(streams, list(config.thresholds), {0.0: found}))
        for counts, count in zip((misses, false_alarms), errors, strict=True):
            counts.append(int(count.sum()))
    largest = max(float(np.abs(one - other).max()) for one, other in zip(*heard, strict=True))
    return (
        f"in {sum(stream.hours for stream in streams):.2f} h of development streams probabilities differ by at most "
        f"{largest:.4f}; {len(events[1])} events instead of {len(events[0])}, {len(events[0] & events[1])} the same; "
        f"{misses[1]} keywords missed instead of {misses[0]}, {false_alarms[1]} false alarms where none is said "
        f"instead of {false_alarms[0]}"
    )
