"""How often a model hears a keyword in running speech that holds none: whole utterances, clean, as classify hears them.

The manifest is one of running-speech; by default its test part, whose speakers no training heard.

example:
  python benchmarks/false_alarms.py --model commands-12 --reject-below 0.8 0.9
"""

from __future__ import annotations

import argparse

import torch
from rich.console import Console
from rich.table import Table

from drsn_audio import load
from drsn_audio.audio import AudioError
from drsn_audio.cli import guarded
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.labels import SILENCE, UNKNOWN


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="commands-12", help="default: commands-12")
    parser.add_argument("--manifest", default="manifests/running-speech/test.jsonl.gz")
    parser.add_argument("--speakers", nargs="+", default=[], help="these only")
    parser.add_argument("--reject-below", type=float, nargs="+", default=[], metavar="P", help="beside the default")
    options = parser.parse_args()

    def run() -> None:
        torch.set_num_threads(1)
        model = load(options.model)
        recordings = {
            cut.recording.sources[0].source: cut.recording.duration
            for cut in read_cuts([options.manifest])
            if not options.speakers or cut.supervisions[0].speaker in options.speakers
        }
        hours = sum(recordings.values()) / 3600
        table = Table("reject below", "detections", "an hour", title=f"{len(recordings)} utterances, {hours:.2f} h")
        for threshold in (None, *options.reject_below):
            count = 0
            for _, words in model.detect_files(recordings, reject_below=threshold):
                if isinstance(words, AudioError):
                    raise words
                count += sum(word.label not in (SILENCE, UNKNOWN) for word in words)
            table.add_row("default" if threshold is None else f"{threshold:g}", str(count), f"{count / hours:.0f}")
        Console().print(table)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
