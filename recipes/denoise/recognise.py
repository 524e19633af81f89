"""What a denoiser does for recognition: the same words noisy, denoised and blended, by our models and pocketsphinx.

Keywords (test clips of Speech Commands) and connected words (recipes/commands) in street and machinery noise. None of
the recognisers was trained on denoised sound. Results go to recipes/denoise/results/recognition/: recognition.json,
recognition.md.

examples:
  pip install 'drsn-audio[peers,score]'
  python recipes/denoise/recognise.py --model denoise-small --blend 0.5
  python recipes/denoise/recognise.py --model runs/denoise-small --part dev --blend 0.25 0.5 0.75 -o runs/blends
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from drsn_audio.cli import guarded
from drsn_audio.config import DataConfig, EvaluateConfig, NoiseSource

RECIPE = Path(__file__).parent
MANIFESTS = Path("manifests")
KEYWORDS, WORDS = "commands-12", "words-20-stream"
NOISE = {"test": ("urbansound8k", [1, 2, 3]), "dev": ("esc", [4, 5])}  # folds that no shipped model was trained on
POCKETSPHINX = "pocketsphinx"


def recognise(options: argparse.Namespace) -> dict[str, Any]:
    """All rows of `drsn_audio.evaluation.denoised`'s JSON."""
    from drsn_audio.api import load_denoiser
    from drsn_audio.datasets.manifests import AudioStore, file_sha256
    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.evaluation.denoised import fronts
    from drsn_audio.evaluation.provenance import provenance
    from drsn_audio.evaluation.run import describe_noise

    denoiser = load_denoiser(options.model)
    name, folds = NOISE[options.part]
    source = NoiseSource(str(MANIFESTS / name / "noise.jsonl.gz"), folds=folds)
    manifests = {
        "keywords": MANIFESTS / "speech-commands-12" / f"{options.part}.jsonl.gz",
        "words": MANIFESTS / "commands-strings" / f"{options.part}.jsonl.gz",
    }
    settings = EvaluateConfig(snr_db=options.snr, draws=1)
    store = AudioStore(16000)
    asked = store, NoisePool([source], store), settings, fronts(denoiser.module, options.blend)
    rows = [*keyword_rows(manifests["keywords"], options, *asked), *word_rows(manifests["words"], options, *asked)]
    return {
        "schema": 1,
        "kind": "denoised recognition",
        **provenance(),
        "seed": settings.seed,
        "draws": settings.draws,
        "level": DataConfig().level,
        "denoiser": {"name": Path(options.model).name, "sha256": denoiser.info.get("sha256")},
        "data": {
            **{kind: {"manifest": str(path), "sha256": file_sha256(path)} for kind, path in manifests.items()},
            "every": options.every,
            "noise": describe_noise(source),
        },
        "rows": rows,
    }


def keyword_rows(
    manifest: Path, options: argparse.Namespace, store: Any, noise: Any, settings: EvaluateConfig, fronts: Any
) -> Iterator[dict[str, Any]]:
    from drsn_audio.api import load_recognizer
    from drsn_audio.corpora.sets import OTHER_WORDS
    from drsn_audio.datasets.keyword import keyword_clips
    from drsn_audio.datasets.manifests import read_cuts
    from drsn_audio.evaluation.denoised import accuracy_difference
    from drsn_audio.evaluation.keyword import ask, num_samples
    from drsn_audio.evaluation.peers import PocketSphinx
    from drsn_audio.evaluation.run import summarise

    model = load_recognizer(KEYWORDS)
    clips = keyword_clips(read_cuts([manifest]), model.labels, DataConfig())[:: options.every]
    heard: dict[str, Callable[[Any], Any]] = {KEYWORDS: model}
    if options.peers:
        heard[POCKETSPHINX] = PocketSphinx(model.labels, OTHER_WORDS)
    for name, recogniser in heard.items():
        noisy = None
        for front, before in fronts.items():
            trials = ask(
                lambda waves, recogniser=recogniser, before=before: recogniser(before(waves)),  # type: ignore[misc]
                clips, noise, store,
                clip_samples=num_samples(model.module), snr_db=settings.snr_db, draws=1, seed=settings.seed,
            )  # fmt: skip
            resampling = {"seed": settings.seed, "replicates": settings.replicates}
            conditions = summarise(trials, len(model.labels), **resampling)
            row = {"recogniser": name, "measure": "accuracy", "heard": front, "conditions": _plain(conditions)}
            noisy = noisy or trials
            yield row | {"against_noisy": accuracy_difference(trials, noisy, **resampling)}


def word_rows(
    manifest: Path, options: argparse.Namespace, store: Any, noise: Any, settings: EvaluateConfig, fronts: Any
) -> Iterator[dict[str, Any]]:
    from drsn_audio.api import load_transcriber
    from drsn_audio.datasets.manifests import read_cuts
    from drsn_audio.evaluation.denoised import wer_difference
    from drsn_audio.evaluation.grammar_peer import GrammarPeer
    from drsn_audio.evaluation.transcription_facts import summarise
    from drsn_audio.evaluation.transcripts import ask_transcripts, greedy_text

    model = load_transcriber(WORDS)
    cuts = read_cuts([manifest])[:: options.every]

    def ours(waves: Any, lengths: Any) -> list[str]:
        frames = model.module.output_lengths(lengths)
        assert frames is not None
        found = model(waves, lengths).float().log_softmax(-1).numpy()
        return [greedy_text(row[:count], model.units) for row, count in zip(found, frames.tolist(), strict=True)]

    heard: dict[str, Callable[[Any, Any], list[str]]] = {WORDS: ours}
    if options.peers:
        heard[POCKETSPHINX] = GrammarPeer(model.labels)
    for name, recogniser in heard.items():
        noisy = None
        for front, before in fronts.items():
            written = ask_transcripts(
                lambda waves, lengths, recogniser=recogniser, before=before: recogniser(before(waves), lengths),  # type: ignore[misc]
                cuts, noise, store,
                snr_db=settings.snr_db, draws=1, seed=settings.seed,
            )  # fmt: skip
            resampling = {"seed": settings.seed, "replicates": settings.replicates}
            conditions = summarise(written, **resampling)
            row = {"recogniser": name, "measure": "wer", "heard": front, "conditions": _plain(conditions)}
            noisy = noisy or written
            yield row | {"against_noisy": wer_difference(written, noisy, **resampling)}


def _plain(conditions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what only a run.json of the recogniser itself needs."""
    return [{key: of[key] for key in of if key not in ("confusion", "confused")} for of in conditions]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="denoise-small", metavar="M", help="default: denoise-small")
    parser.add_argument("--blend", type=float, nargs="*", default=[0.5], metavar="SHARE", help="default: 0.5")
    parser.add_argument("--part", choices=tuple(NOISE), default="test", help="of speech and noise; default: test")
    parser.add_argument("--snr", type=float, nargs="+", default=[10.0, 5.0, 0.0, -5.0], help="default: 10 5 0 -5")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth clip and string; default: all")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="without pocketsphinx")
    parser.add_argument("-o", "--out", type=Path, default=RECIPE / "results" / "recognition")
    options = parser.parse_args()

    def run() -> None:
        from drsn_audio.reports.denoised import recognition_table

        facts = recognise(options)
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "recognition.json").write_text(json.dumps(facts, indent=1) + "\n")
        table = recognition_table(facts)
        (options.out / "recognition.md").write_text(table + "\n")
        print(table)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
