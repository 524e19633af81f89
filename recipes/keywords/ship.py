"""Put a trained model into the package: weights in half precision, and all that a reader should know, as JSON.

Refused where the model learnt from, or was chosen or tuned by, recordings whose licence keeps weights from being
shipped, and where a streaming model was not tuned. Models that write words, and denoisers, are shipped by it, too; what
learnt from the Free Spoken Digit Dataset under its licence alone.

examples:
  python recipes/keywords/ship.py runs/commands-12 commands-12
  python recipes/keywords/ship.py runs/words-20-stream words-20-stream --licence "CC BY-SA 4.0"
  python recipes/keywords/ship.py runs/denoise-small denoise-small
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drsn_audio import pretrained
from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, ExperimentConfig, NoiseSource, config_from_dict, load_config
from drsn_audio.text import normalise_text

if TYPE_CHECKING:
    from lhotse.cut import Cut

# Weights and JSON together, by the model's head.
LARGEST_BYTES = {"keyword": 1_000_000, "ctc": 4_000_000, "denoise": 400_000}
RECIPES = {"keyword": "keywords", "ctc": "commands", "denoise": "denoise"}  # whose card.py writes the card
WEIGHTS_LICENCES = ("MIT", "CC BY-SA 4.0")
RATE = 16000  # that of a pool whose audio nobody hears here
# What the checkpoint of a run says that a shipped one says too.
KEPT = (
    "seed",
    "parameters",
    "multiply_adds",
    "metrics",
    "calibration",
    "detector",
    "timing",
    "decoder",
    "command",
    "commit",
    "date",
    "versions",
)


def ship(run: Path, name: str, folder: Path = pretrained.FOLDER, licence: str = WEIGHTS_LICENCES[0]) -> Path:
    """RUN/best.json -> `folder`/`name`.json and its weights, under `licence`. Returns the JSON's path.

    Raises:
        ConfigError: a licence forbids it, or is not known; a name that is none; a model that is too large, or that
            streams and was not tuned.
        CheckpointError, ManifestError, AudioError: a run or manifests that cannot be used.
    """
    import torch

    from drsn_audio.models.checkpoint import load_checkpoint, save_checkpoint

    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ConfigError(f"{name!r}: a name is of lower-case words, digits and hyphens, such as commands-12")
    model, described = load_checkpoint(run / "best.json")
    head = model.config.head
    if head not in LARGEST_BYTES:
        raise ConfigError(f"{run}: model.head={head} is an experiment: ship one of {', '.join(LARGEST_BYTES)}")
    if model.causal and head == "keyword" and "detector" not in described:
        raise ConfigError(f"{run}: its thresholds were not tuned: python recipes/keywords/tune.py {run}")
    if model.causal and head == "ctc" and model.config.units == "words" and "timing" not in described:
        raise ConfigError(f"{run}: when it gives words was not measured: python recipes/commands/tune.py {run}")
    bytes_, largest = 2 * sum(value.numel() for value in model.state_dict().values()), LARGEST_BYTES[head]
    if bytes_ >= largest:
        raise ConfigError(f"{run}: {bytes_:,} bytes of weights: what the package carries is below {largest:,}")
    info = {
        "licence": licence,
        "training_data": training_data(run, licence),
        "other_words": other_words(run) if head != "denoise" else [],  # it names none
        "started_from": started_from(run),
        **{key: described[key] for key in KEPT if key in described},
        "trained_sha256": described["sha256"],  # of the weights before they were rounded
    }
    return save_checkpoint(folder, name, model, step=described["step"], info=info, dtype=torch.float16)


def training_data(run: Path, licence: str = WEIGHTS_LICENCES[0]) -> list[dict[str, Any]]:
    """The corpora that a run, and the runs it started from, learnt from or was chosen or tuned by; with their terms.

    Rooms (`data.rooms`) are computed by this project: they are nobody's recordings.

    Raises:
        ConfigError: a cut is of no corpus that the table of licences knows, or of one that forbids weights under
            `licence`.
    """
    from drsn_audio.corpora.licences import LICENCES, may_ship, recordings_of

    uses: dict[str, dict[str, set[str]]] = {}
    for use, manifest, cut in chain(_cuts(run), _tuned_by(run)):
        for recording, corpus in recordings_of(cut):
            if corpus is None:
                raise ConfigError(
                    f"{manifest}: {cut.id} is of no corpus whose licence is known: add it to LICENCES in "
                    "drsn_audio/corpora/licences.py"
                )
            if not may_ship(corpus, licence):
                raise ConfigError(
                    f"{manifest}: {LICENCES[corpus].name} ({LICENCES[corpus].terms}) forbids weights shipped under "
                    f"{licence}: train without it"
                )
            uses.setdefault(corpus, {}).setdefault(use, set()).add(recording)  # once, however often it was heard
    return [
        {"corpus": corpus, **LICENCES[corpus]._asdict(), "recordings": {use: len(ids) for use, ids in heard.items()}}
        for corpus, heard in uses.items()
    ]


def started_from(run: Path) -> list[dict[str, Any]]:
    """The trainings whose weights a run went on from, the first first."""
    init = _config(run).init
    if not init:
        return []
    described = json.loads(_checkpoint(Path(init)).read_text())
    return [*started_from(Path(init)), {key: described[key] for key in ("command", "commit", "seed", "step")}]


def other_words(run: Path) -> list[str]:
    """The words that a run learnt as "unknown", but those of running speech."""
    config = load_config(run / "config.yaml")
    spoken = {
        normalise_text(cut.supervisions[0].text or "")
        for use, manifest, cut in _cuts(run)
        if use == "training" and cut.supervisions and manifest not in config.data.strings.speech
    }
    return sorted(spoken - set(map(normalise_text, config.model.labels)))


def _cuts(run: Path) -> Iterator[tuple[str, str, Cut]]:
    """Use (training or development), manifest and cut of all that a run learnt from or was chosen by."""
    config = _config(run)
    if config.init:
        if not (_checkpoint(Path(config.init)).parent / "config.yaml").is_file():
            raise ConfigError(f"{run}: started from {config.init}, whose training data are not told: name a run folder")
        yield from _cuts(Path(config.init))
    data = config.data
    for use, speech, noise in (
        ("training", [*data.train, *data.strings.speech], data.noise_train),
        ("development", data.dev, data.noise_dev),
    ):
        yield from ((use, manifest, cut) for manifest, cut in _of(speech, noise))


def _tuned_by(run: Path) -> Iterator[tuple[str, str, Cut]]:
    """The same of the streams that a run's thresholds were tuned on: what these were made of.

    Raises:
        ConfigError: streams that are not those of the tuning any more, or that do not say what they are made of.
    """
    from drsn_audio.datasets.manifests import read_cuts

    for manifest in tuning_manifests(run):
        made_of, heard = {}, set()
        for stream in read_cuts([manifest]):
            if "made_of" not in (stream.custom or {}):
                raise ConfigError(
                    f"{manifest}: {stream.id} does not say what it is made of: make the streams with "
                    "recipes/keywords/streams.py, and tune again"
                )
            made_of[json.dumps(stream.custom["made_of"])] = stream.custom["made_of"]
            heard |= {said.custom["utterance"] for said in stream.supervisions}
        known: set[str] = set()
        for told in made_of.values():
            for source, cut in _of([told["speech"]], [NoiseSource(**noise) for noise in told["noise"]]):
                known |= {cut.id, cut.recording.id}  # windows of an utterance, or the whole of it
                yield "development", source, cut
        if heard - known:
            raise ConfigError(
                f"{manifest}: {min(heard - known)} is not in what it is made of: make the streams again, and tune again"
            )


def tuning_manifests(run: Path) -> list[str]:
    """The manifests of the streams that a run's thresholds were tuned on; none where there are no thresholds.

    Raises:
        ConfigError: one that is lost or was changed since.
    """
    from drsn_audio.datasets.manifests import file_sha256

    data = json.loads(_checkpoint(run).read_text()).get("detector", {"data": []})["data"]
    for one in data:
        if not Path(one["manifest"]).is_file() or file_sha256(one["manifest"]) != one["sha256"]:
            raise ConfigError(
                f"{one['manifest']}: lost, or not what {run} was tuned on: python recipes/keywords/tune.py {run}"
            )
    return [one["manifest"] for one in data]


def _of(speech: Sequence[str], noise: Sequence[NoiseSource]) -> Iterator[tuple[str, Cut]]:
    """Manifest and cut of all that is in manifests of speech and, by its kinds and folds, of noise."""
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.datasets.noise_pool import NoisePool

    for manifest in speech:
        yield from ((manifest, cut) for cut in read_cuts([manifest]))
    for source in noise:
        pool = NoisePool([source], AudioStore(RATE))
        yield from ((source.manifest, cut) for kind in pool.kinds for cut in pool.cuts[kind])


def _checkpoint(run: Path) -> Path:
    """The checkpoint's JSON of a run folder; a run may also be named by one that is in its folder."""
    return run if run.suffix == ".json" else run / "best.json"


def _config(run: Path) -> ExperimentConfig:
    """A run's config; refused where its checkpoint was made by another, which a later training wrote over."""
    checkpoint = _checkpoint(run)
    config = load_config(checkpoint.parent / "config.yaml")
    described = json.loads(checkpoint.read_text())
    for key in ("init", "data"):
        if key not in described:  # older checkpoints do not say
            continue
        learnt = config_from_dict({key: described[key]})  # what an older one does not know is at its default
        if getattr(learnt, key) != getattr(config, key):
            wrong = f"{checkpoint.parent}: {key} of {checkpoint.name} is not that of config.yaml"
            raise ConfigError(f"{wrong}: let its training run to its end")
    return config


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("name", help="what load(NAME) and --model NAME will call it")
    parser.add_argument("--out", type=Path, default=pretrained.FOLDER, metavar="FOLDER", help="default: the package's")
    parser.add_argument(
        "--licence", choices=WEIGHTS_LICENCES, default=WEIGHTS_LICENCES[0], help=f"default: {WEIGHTS_LICENCES[0]}"
    )
    options = parser.parse_args()

    def run() -> None:
        from rounding import rounding

        path = ship(options.run, options.name, options.out, options.licence)
        described = json.loads(path.read_text())
        size = sum(file.stat().st_size for file in (path, path.parent / described["weights"]))
        print(f"{path}: {size:,} bytes with its weights")
        print(f"half precision: {rounding(options.run, path, tuning_manifests(options.run))}")
        recipe = RECIPES[described["model"]["head"]]
        print(f"now write its card: python recipes/{recipe}/card.py {options.name}")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
