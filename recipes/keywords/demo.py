"""The whole job from nothing in six minutes: voices and noise are synthesised, a DRSN is trained on them, measured
clean and in noise, and asked what a noisy wav says, beside the shipped model. `make demo` runs it.

example:
  python recipes/keywords/demo.py
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import lhotse
from evaluate import evaluate_run
from rich.console import Console

from drsn_audio.api import load_recognizer
from drsn_audio.cli import guarded
from drsn_audio.config import load_config
from drsn_audio.corpora import CORPORA
from drsn_audio.corpora.speech_commands import COMMANDS
from drsn_audio.datasets.mixing import mix_files
from drsn_audio.training.loop import train

CONFIG = Path(__file__).parent / "configs" / "demo.yaml"
# Words that are none of the commands, to be answered with "unknown": folder -> words, voices to train, dev and test.
# The test has words that training never heard.
OTHER_WORDS = {
    "others": ("house seven water machine bird happy marvin forward under people".split(), (20, 4, 0)),
    "unheard": ("engine yellow never garden".split(), (0, 0, 10)),
}
SNR_DB = 5.0
SHIPPED = "commands-12"


def demo() -> None:
    console = Console(stderr=True)
    config = load_config(CONFIG)
    run = Path(config.run)
    started = time.perf_counter()

    console.rule("1 of 4: voices and noise")
    voices = CORPORA["voices"](None, run / "data" / "commands", words=COMMANDS, voices_per_part=(100, 12, 20))
    print(voices)
    for name, (words, counts) in OTHER_WORDS.items():
        print(CORPORA["voices"](None, run / "data" / name, words=words, voices_per_part=counts))
    print(CORPORA["synthetic-noise"](None, run / "data" / "noise", count=40, duration_s=10.0))

    console.rule("2 of 4: training")
    shutil.rmtree(run / "resume", ignore_errors=True)  # of a demo that was stopped: this one begins anew
    train(config)

    console.rule("3 of 4: test, on voices and noise that training never heard")
    written = evaluate_run(run, [])

    console.rule("4 of 4: a noisy wav")
    spoken = next(cut for cut in lhotse.load_manifest(voices.manifests["test"]) if cut.supervisions[0].text == "stop")
    clean, noisy = spoken.recording.sources[0].source, run / "noisy.wav"
    mix_files(clean, "factory", [SNR_DB], noisy, seed=5, progress=False)
    print(f'{noisy}: the word "stop" in factory noise at {SNR_DB:g} dB')
    for name, what in ((str(run), "just trained, on voices like this one"), (SHIPPED, "shipped, trained on people")):
        answer = load_recognizer(name).classify(noisy)
        print(f'{name} ({what}) hears "{answer.label}" with probability {answer.score:.2f}')
        print(json.dumps({"path": str(noisy), **vars(answer)}))

    print(f"\nDone in {time.perf_counter() - started:.0f} s. Left behind in {run}/:")
    for name, what in (
        ("config.yaml", "the resolved config"),
        ("best.json", "the model, with its best-*.safetensors"),
        ("log.jsonl", "one line an epoch; tensorboard/ has the curves"),
        *((path.name, "results") for path in written),
        ("noisy.wav", "the wav above"),
        ("data/", "the synthesised voices and noise"),
    ):
        print(f"  {name:<16} {what}")
    print(f"\nTry: .venv/bin/drsn-audio classify {noisy} --model {run} --json")


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    return guarded(demo)


if __name__ == "__main__":
    raise SystemExit(main())
