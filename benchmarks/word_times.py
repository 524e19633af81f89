"""How far the beginnings of words in transcripts lie from those in the manifest of the sound, for words heard right.

drsn-audio transcribe streams/commands-long/commands-long-clean-00.flac --format json > long.json
python benchmarks/word_times.py long.json --manifest streams/commands-long.jsonl.gz

A transcript is what `drsn-audio transcribe` wrote: JSON (also of many sounds, a line each), or .srt, in which the first
word of each line of time alone has a time; its sound is the one of the manifest that has the same name. Beginnings in
the manifest are where the clean recording of each word alone begins (drsn_audio/noise/span.py).
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from lhotse.cut import Cut
from rich.console import Console
from rich.table import Table

from drsn_audio.cli import guarded
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.errors import InputError
from drsn_audio.metrics.bootstrap import bootstrap_mean
from drsn_audio.metrics.wer import word_errors
from drsn_audio.metrics.word_times import TimedWord, match_words

LIMIT_S, AIM = 0.2, 0.9
WITHIN_S = 2.0  # further apart, equal words are not the same one: between two there may be less than half a second
CUE = re.compile(r"(\d+):(\d\d):(\d\d),(\d{3}) --> .*\n(\S+)")


def read_transcript(path: Path) -> dict[str, list[TimedWord]]:
    """Words and their beginnings, by the stem of the sound's name.

    Raises:
        InputError: not such a file.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".srt":
        cues = CUE.findall(text)
        return {
            path.stem: [
                TimedWord(word, 3600 * int(h) + 60 * int(m) + int(s) + int(ms) / 1000) for h, m, s, ms, word in cues
            ]
        }
    found = {}
    try:
        for line in filter(None, text.splitlines()):
            told = json.loads(line)
            if told.get("kind") == "reference" or "error" in told:  # error rates of all, and sounds that failed
                continue
            found[Path(told["path"]).stem] = [TimedWord(word["word"], word["start"]) for word in told["words"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: no transcript: write it with drsn-audio transcribe --format json, or srt") from None
    return found


def spoken(cut: Cut) -> list[tuple[TimedWord, str]]:
    """The words of a stream, or of a string of connected words, with their beginnings and speakers."""
    said = []
    for one in cut.supervisions:
        for item in (one.alignment or {}).get("word", ()) or [one]:
            text = one.text if item is one else item.symbol
            said.append((TimedWord(text, item.start), one.speaker or ""))
    return sorted(said, key=lambda word: word[0].time_s)


def measure(heard: dict[str, list[TimedWord]], cuts: list[Cut]) -> dict[str, Any]:
    """Figures of the words that are heard right. Raises InputError where no transcript is of the manifest's sounds."""
    off_s, words, speakers, count, right, written = [], [], [], 0, 0, 0
    known = {Path(cut.recording.sources[0].source).stem: spoken(cut) for cut in cuts}
    seconds = {Path(cut.recording.sources[0].source).stem: cut.duration for cut in cuts}
    if not heard.keys() & known.keys():
        raise InputError(f"no transcript is of a sound in the manifest, such as {min(known)}: name its own manifest")
    for name in sorted(heard.keys() & known.keys()):
        said = known[name]
        count, written = count + len(said), written + len(heard[name])
        texts = [" ".join(word.text for word in given) for given in ([one for one, _ in said], heard[name])]
        right += word_errors(texts[:1], texts[1:]).hits
        for place, at in match_words([word for word, _ in said], heard[name], WITHIN_S):
            off_s.append(heard[name][at].time_s - said[place][0].time_s)
            words.append(said[place][0].text)
            speakers.append(said[place][1])
    if not off_s:
        raise InputError("no word is heard right: there are no times to judge")
    late, by_word = np.abs(off_s), defaultdict(list)
    for word, value in zip(words, off_s, strict=True):
        by_word[word].append(value)
    return {
        "sounds": len(heard.keys() & known.keys()),
        "hours": sum(seconds[name] for name in heard.keys() & known.keys()) / 3600,
        "said": count,
        "heard": written,
        "right": right,
        "matched": len(off_s),
        "limit_s": LIMIT_S,
        "within": bootstrap_mean(late <= LIMIT_S, speakers, seed=0)._asdict(),
        "median_s": float(np.median(late)),
        "p90_s": float(np.quantile(late, 0.9)),
        "by_word": {
            word: {
                "count": len(values),
                "median_s": float(np.median(values)),
                "within": float(np.mean(np.abs(values) <= LIMIT_S)),
            }
            for word, values in sorted(by_word.items())
        },
    }


def show(found: dict[str, Any]) -> None:
    table = Table("word", "heard right", "median difference, s", f"within {LIMIT_S} s")
    for word, one in found["by_word"].items():
        table.add_row(word, str(one["count"]), f"{one['median_s']:+.3f}", f"{one['within']:.1%}")
    Console().print(table)
    mean, low, high = found["within"].values()
    print(f"{found['said']} words in {found['sounds']} sounds; {found['heard']} were written with a time of their own,")
    print(f"{found['right']} of them right by the least edit distance, {found['matched']} at most {WITHIN_S:g} s apart")
    print("from the same word. Of these:")
    print(f"{mean:.1%} begin within {LIMIT_S} s (95 % over speakers: {low:.1%} to {high:.1%}; aim: {AIM:.0%})")
    print(f"difference: median {found['median_s']:.3f} s, 90 % quantile {found['p90_s']:.3f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("transcripts", nargs="+", type=Path, metavar="TRANSCRIPT", help=".json, .jsonl or .srt")
    parser.add_argument("--manifest", required=True, help="of the sounds")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()

    def run() -> None:
        heard: dict[str, list[TimedWord]] = {}
        for path in options.transcripts:
            if not path.is_file():
                raise InputError(f"{path}: no such file: write it with drsn-audio transcribe")
            heard |= read_transcript(path)
        found = measure(heard, read_cuts([options.manifest]))
        show(found)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
