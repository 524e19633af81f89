"""A noisy test set from folders of recordings: `drsn-audio mix` against Lhotse's own mixing, by two processes each.

Both start with the files and end with the same number of FLAC files and a manifest of them, at one SNR, in a process
of their own, start and imports included; they take turns. Lhotse is used as its documentation has it:
RecordingSet.from_dir, CutSet.mix with the cuts of the noise, save_audios with num_jobs. What differs: Lhotse
measures the speech with its pauses, and keeps no hash of any file.

The second table is the most memory that all processes of `drsn-audio mix` hold together (their private pages, and
those they share once) for the corpus and for ten times it, made of links.

    python benchmarks/mix_corpus.py --speech LibriSpeech/dev-clean --noise ESC-50/audio
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile as sf
from rich.console import Console
from rich.table import Table

RATE, SNR_DB, JOBS = 16000, 5, 2
LHOTSE = """
import sys
from lhotse import CutSet, RecordingSet
if __name__ == "__main__":
    speech, noise, noise_pattern, out = sys.argv[1:5]
    cuts = CutSet.from_manifests(recordings=RecordingSet.from_dir(speech, "*.flac", num_jobs=2))
    noises = CutSet.from_manifests(recordings=RecordingSet.from_dir(noise, noise_pattern, num_jobs=2)).resample(16000)
    mixed = cuts.mix(noises.to_eager(), snr=5, mix_prob=1.0, seed=0, random_mix_offset=True)
    mixed.to_eager().save_audios(out, format="flac", num_jobs=2, progress_bar=False).to_file(out + "/mix.jsonl.gz")
"""


def synthesise(folder: Path, utterances: int = 200) -> tuple[Path, Path]:
    """Bursts of 7 s and noises of 5 s, where no corpus is named."""
    for name, count, seconds in (("speech", utterances, 7), ("noise", 20, 5)):
        (folder / name).mkdir()
        for i in range(count):
            time_s = np.arange(seconds * RATE) / RATE
            wave = 0.1 * np.random.default_rng(i).standard_normal(len(time_s)) * np.sin(2 * time_s) ** 2
            sf.write(folder / name / f"{i:04d}.flac", wave, RATE)
    return folder / "speech", folder / "noise"


def memory_of(process: psutil.Process) -> int:
    """Bytes: what a process and its children have for themselves, and what they share, by their shares of it."""
    total = 0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += each.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def run(command: list[str], watch: bool = False) -> tuple[float, float]:
    """Seconds, and with `watch` the most memory in MB."""
    begin, most = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors: list[bytes] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
    reader.start()
    while process.poll() is None:
        if watch:
            try:
                most = max(most, memory_of(psutil.Process(process.pid)))
            except psutil.NoSuchProcess:
                break
        time.sleep(0.2 if watch else 0.01)
    process.wait()
    seconds = time.perf_counter() - begin
    reader.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{errors[0].decode()}")
    return seconds, most / 1e6


def ten_times(speech: Path, folder: Path) -> Path:
    for path in sorted(speech.rglob("*.flac")):
        for copy in range(10):
            link = folder / f"{copy}" / path.relative_to(speech)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.absolute())
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, help="folder of FLAC files (default: synthesised ones)")
    parser.add_argument("--noise", type=Path, help="folder of noise recordings")
    parser.add_argument("--noise-pattern", default="*.flac", help="of their names, for Lhotse (default: *.flac)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave the second table out")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        speech, noise = (options.speech, options.noise) if options.speech else synthesise(folder)
        script = folder / "with_lhotse.py"
        script.write_text(LHOTSE)
        number = 0

        def ours(speech: Path = speech, watch: bool = False) -> tuple[float, float]:
            nonlocal number
            number += 1
            places = [str(speech), str(noise), "--snr", str(SNR_DB), "-o", str(folder / f"ours{number}")]
            return run([sys.executable, "-m", "drsn_audio", "mix", *places, "--jobs", str(JOBS), "--quiet"], watch)

        def lhotse() -> tuple[float, float]:
            nonlocal number
            number += 1
            out = folder / f"lhotse{number}"
            return run([sys.executable, str(script), str(speech), str(noise), options.noise_pattern, str(out)])

        table = Table("round", "drsn-audio mix (s)", "Lhotse (s)", "Lhotse takes", title="same work, two processes")
        ratios = []
        for round_ in range(options.rounds):
            own, other = ours()[0], lhotse()[0]
            ratios.append(other / own)
            table.add_row(str(round_ + 1), f"{own:.1f}", f"{other:.1f}", f"{ratios[-1]:.2f} times")
        table.add_row("median", "", "", f"{statistics.median(ratios):.2f} times")
        Console().print(table)
        made = len(list((folder / "ours1").rglob("*.flac"))), len(list((folder / "lhotse2").rglob("*.flac")))
        print(f"mixes: {made[0]} and {made[1]}")
        if not options.no_memory:
            sizes = Table("corpus", "most memory (MB)", title="drsn-audio mix --jobs 2")
            for name, place in (("1 x", speech), ("10 x", ten_times(speech, folder / "tenfold"))):
                sizes.add_row(name, f"{ours(place, watch=True)[1]:.0f}")
            Console().print(sizes)


if __name__ == "__main__":
    main()
