"""The whole job from nothing in six minutes: voices and noise are synthesised, a DRSN is trained on them, measured
clean and in noise, and asked what a noisy wav says, beside the shipped models. `make demo` runs it.

example:
  python recipes/keywords/demo.py
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from evaluate import evaluate_run
from lhotse.cut import Cut
from rich.console import Console

from drsn_audio.api import load_recognizer, load_transcriber
from drsn_audio.audio import write_audio
from drsn_audio.cli import guarded
from drsn_audio.config import load_config
from drsn_audio.corpora import CORPORA
from drsn_audio.corpora.speech_commands import COMMANDS
from drsn_audio.datasets.manifests import load_cut, read_cuts
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
SHIPPED, WRITER = "commands-12", "words-20-stream"
# Several words of one voice, for the model of connected words. It is milder noise, in which that model writes them
# right whatever stretch of noise is drawn.
STRING, STRING_SNR_DB = "yes left stop go".split(), 20.0
RATE = 16000
GAP_S = 0.3  # between the words, whose recordings are a second long


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

    console.rule("4 of 4: two noisy wavs")
    ask_noisy(run, read_cuts([voices.manifests["test"]]))

    print(f"\nDone in {time.perf_counter() - started:.0f} s. Left behind in {run}/:")
    for name, what in (
        ("config.yaml", "the resolved config"),
        ("best.json", "the model, with its best-*.safetensors"),
        ("log.jsonl", "one line an epoch; tensorboard/ has the curves"),
        *((path.name, "results") for path in written),
        ("noisy.wav, words.wav", "the wavs above"),
        ("data/", "the synthesised voices and noise"),
    ):
        print(f"  {name:<20} {what}")
    print(f"\nTry: .venv/bin/drsn-audio classify {run}/noisy.wav --model {run} --json")


def ask_noisy(run: Path, cuts: Sequence[Cut]) -> None:
    """Mix a word and a string of words of the first test voice with noise, and print what the models answer."""
    voice = cuts[0].supervisions[0].speaker
    spoken = {cut.supervisions[0].text: cut for cut in cuts if cut.supervisions[0].speaker == voice}

    noisy = run / "noisy.wav"
    mix_files(spoken["stop"].recording.sources[0].source, "factory", [SNR_DB], noisy, seed=5, progress=False)
    print(f'{noisy}: the word "stop" in factory noise at {SNR_DB:g} dB')
    for name, what in ((str(run), "just trained, on voices like this one"), (SHIPPED, "shipped, trained on people")):
        answer = load_recognizer(name).classify(noisy)
        print(f'{name} ({what}) answers "{answer.label}" with probability {answer.score:.2f}')
        print(json.dumps({"path": str(noisy), **vars(answer)}))

    clean, words = run / "data" / "words.flac", run / "words.wav"
    gap = np.zeros(round(GAP_S * RATE), np.float32)
    parts = [part for word in STRING for part in (gap, load_cut(spoken[word], RATE))]
    write_audio(clean, np.concatenate([*parts, gap]), RATE, "PCM_16")
    mix_files(clean, "street", [STRING_SNR_DB], words, seed=5, progress=False)
    print(f'{words}: "{" ".join(STRING)}" in street noise at {STRING_SNR_DB:g} dB')
    print(f'{WRITER} (shipped, trained on people) writes "{load_transcriber(WRITER).transcribe(words).text}"')


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    return guarded(demo)


if __name__ == "__main__":
    raise SystemExit(main())
