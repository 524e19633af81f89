"""Measure a denoiser on its config's test speech and noise, and with --peers other denoisers on the same trials.

Writes run.json, table.md, denoising.png and three examples, each as clean.wav, noisy.wav, denoised.wav and before.png,
into the run folder, or into recipes/denoise/results/NAME for a shipped model. Utterances of 3 to 12 s are heard, of
each speaker --limit, evenly spaced.

examples:
  python recipes/denoise/evaluate.py runs/denoise-small --peers
  python recipes/denoise/evaluate.py runs/denoise-small --limit 2 evaluate.snr_db=[0] -o /tmp/look
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, ExperimentConfig
from drsn_audio.progress import ProgressBar

RECIPE = Path(__file__).parent
CONFIG = RECIPE / "configs" / "denoise-small.yaml"
LIMIT = 12
EXAMPLES = 3
CALIBRATED_BY = 5  # clean utterances, by which the delays of other denoisers are found


def evaluate(source: str, config: ExperimentConfig, out: Path, options: argparse.Namespace) -> list[Path]:
    """Measures the model `source`, prints the tables, writes and returns the files."""
    import torch

    from drsn_audio.datasets.manifests import AudioStore, file_sha256, read_cuts
    from drsn_audio.evaluating import model_name
    from drsn_audio.evaluation.denoise_peers import peers
    from drsn_audio.evaluation.denoising import Denoise, denoiser
    from drsn_audio.evaluation.denoising_run import chosen, describe_denoiser, evaluate_denoisers
    from drsn_audio.models.checkpoint import find_checkpoint, load_checkpoint
    from drsn_audio.reports.denoising import denoising_markdown, write_denoising_report

    torch.set_num_threads(1)  # seconds of CPU are those of one thread
    model, info = load_checkpoint(find_checkpoint(source))
    if model.config.head != "denoise":
        raise ConfigError(f"{source}: model.head={model.config.head} takes no noise off: name a denoiser")
    name, store = model_name(source), AudioStore(model.config.frontend.sample_rate)
    cuts = chosen(read_cuts(config.data.test), options.limit or None)
    systems: dict[str, Denoise] = {name: denoiser(model)}
    settings: dict[str, Any] = {}
    if options.onnx:
        from drsn_audio.denoising.onnx_denoiser import OnnxDenoiser

        exported = f"{name}, ONNX"
        systems[exported] = OnnxDenoiser(options.onnx).denoise
        settings[exported] = {"file": options.onnx.name, "sha256": file_sha256(options.onnx), "threads": 1}
    if options.peers:
        others = peers([store(cut) for cut in cuts[:: -(-len(cuts) // CALIBRATED_BY)]])
        settings |= {peer: each.settings for peer, each in others.items()}
        systems |= others
    with ProgressBar() as progress:
        facts = evaluate_denoisers(
            systems,
            config.data.test,
            config.data.noise_test,
            model=describe_denoiser(model, name, info),
            data=config.data,
            evaluate=config.evaluate,
            settings=settings,
            sample_rate=store.sample_rate,
            per_speaker=options.limit or None,
            measures=("stoi",) if options.without_pesq else ("stoi", "pesq"),
            dnsmos_utterances=options.dnsmos,
            progress=progress,
        )
    print(denoising_markdown(facts))
    return [*write_denoising_report(facts, out), *write_examples(systems[name], name, cuts, store, config, out)]


def write_examples(
    denoise: Any, name: str, cuts: list[Any], store: Any, config: ExperimentConfig, out: Path
) -> Iterator[Path]:
    """Three of the trials, chosen before they are heard: the hardest SNR, the next and so on, by other speakers."""
    from drsn_audio.audio import write_audio
    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.evaluation.denoising import noisy_speech
    from drsn_audio.reports.before_after import plot_before_after

    pool, hardest = NoisePool(config.data.noise_test, store), sorted(set(config.evaluate.snr_db))
    drawn: Mapping[str, Any] = {"draws": 1, "seed": config.evaluate.seed, "level": config.data.level}
    for number in range(min(EXAMPLES, len(cuts))):
        kind, snr_db = pool.kinds[number % len(pool.kinds)], hardest[number % len(hardest)]
        trials = noisy_speech([cuts[number * len(cuts) // EXAMPLES]], pool, store, snr_db=[snr_db], **drawn)
        trial = next(trial for trial in trials if trial.noise_kind == kind)
        waves = {"clean": trial.clean, "noisy": trial.noisy, "denoised": denoise(trial.noisy)}
        loudest = max(1.0, *(float(np.abs(wave).max()) for wave in waves.values()))  # a file of integers would clip
        folder = out / "examples" / f"{number + 1}-{kind}-{snr_db:g}dB"
        folder.mkdir(parents=True, exist_ok=True)
        for part, wave in waves.items():
            yield folder / f"{part}.wav"
            write_audio(folder / f"{part}.wav", wave / loudest, store.sample_rate)
        yield folder / "before.png"
        title = f"{trial.id} in {trial.noise_source} ({kind}) at {snr_db:g} dB, denoised by {name}"
        plot_before_after(folder / "before.png", waves, store.sample_rate, title)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="RUN", help="run folder of train.py, or a shipped model")
    parser.add_argument("--peers", action="store_true", help="also noisereduce, WebRTC and RNNoise")
    parser.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"a speaker; 0: all (default: {LIMIT})")
    parser.add_argument("--dnsmos", type=int, default=0, metavar="N", help="utterances that DNSMOS judges, slowly")
    parser.add_argument("--without-pesq", action="store_true", help="whose library is compiled where it is installed")
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="also the model as drsn-audio export wrote it")
    parser.add_argument("--config", type=Path, help="default: the run's, or the recipe's for a shipped model")
    parser.add_argument("-o", "--out", type=Path, help="default: the run folder, or results/NAME of the recipe")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="evaluate.* and data.* of the config")
    options = parser.parse_intermixed_args()

    def run() -> None:
        from drsn_audio.evaluating import evaluation_config, model_name

        folder = Path(options.model)
        its_own = folder / "config.yaml" if folder.is_dir() else CONFIG
        config = evaluation_config(options.config or its_own, options.overrides)
        for manifest in (*config.data.test, *(noise.manifest for noise in config.data.noise_test)):
            if not Path(manifest).is_file():
                raise ConfigError(f"{manifest}: no such manifest: get its corpus (data/README.md), then run prepare.py")
        out = options.out or (folder if folder.is_dir() else RECIPE / "results" / model_name(options.model))
        for path in evaluate(options.model, config, out, options):
            print(path)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
