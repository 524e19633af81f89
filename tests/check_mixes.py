"""Checks noisy test sets by their files: is every mix what its manifest says it is?

    python tests/check_mixes.py OUT/mix.jsonl.gz ... [--speech FOLDER]

Shares nothing with the mixer: it reads the manifest, the mix and its stems (`drsn-audio mix --stems`), and measures
the level of the clean stem (P.56 by tests/reference/p56.py, or RMS) over the RMS of the noise stem, both without their
means and over the span of the speech. Per corpus (the folder of the manifest), noise, SNR, level method and sample
format it prints how many mixes there are and the largest error; it exits with 1 and names the worst files where

- an SNR is off by more than 0.01 dB in float files (24 and 32 bits too), 0.1 dB in files of 16 bits or fewer,
- the SNR measured by the mixer is off by as much,
- the mix is not the sum of its stems (where no device effects are applied to it), or
- the clean stem is not `scale` times the clean file (where the file is found, at the same sample rate and no
  reverberation was added), each within half a step of the sample format (for the sum: half a step of each file).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile as sf
from reference.p56 import active_level_numpy

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOAT_EPSILON = 2.0**-23
_levels: dict[tuple[str, int, bytes], float] = {}  # of clean stems: the same one stands at every SNR


class Checked(NamedTuple):
    """`error_db`: measured SNR less the one asked for; None for a clean mix. `compared`: with the clean file."""

    path: Path
    group: tuple[str, str, float, str, str]  # corpus, noise, SNR, level method, sample format
    error_db: float | None
    compared: bool
    faults: list[str]


def check_manifest(manifest: Path, speech: Path | None = None) -> Iterator[Checked]:
    """Every mix of a manifest; `speech` is where its clean files are, unless the manifest says."""
    header = manifest.with_name(manifest.name.replace(".jsonl.gz", ".json"))
    roots = json.loads(header.read_text()).get("roots", {}) if header.exists() else {}
    root = speech or (Path(roots["speech"]) if roots.get("speech") else None)
    with gzip.open(manifest, "rt") as lines:
        for line in lines:
            yield check_mix(json.loads(line), manifest.resolve().parent, root)


def check_mix(cut: dict[str, Any], folder: Path, speech: Path | None) -> Checked:
    facts = cut["custom"]
    path = folder / cut["recording"]["sources"][0]["source"]  # as it is where it is absolute
    mix, rate, subtype = _read(path)
    clean, noise = (_read(stem)[0] for stem in _stems(path, facts, folder))
    begin = round((facts.get("lead_in_s") or 0) * rate)
    span = slice(begin, len(mix) - round((facts.get("trail_s") or 0) * rate))

    faults, error_db = [], None
    tolerance_db = 0.1 if BITS.get(subtype, 32) <= 16 else 0.01
    wanted_db = facts["snr_db"]
    if not len(mix) == len(clean) == len(noise):
        faults.append(f"mix and stems of {len(mix)}, {len(clean)} and {len(noise)} samples")
    elif clean[:begin].any() or clean[span.stop :].any():
        faults.append("speech outside of its span")
    elif wanted_db is None:
        if noise.any():
            faults.append("noise in a clean mix")
    else:
        error_db = _level_db(clean[span], rate, facts["level_method"]) - _rms_db(noise[span]) - wanted_db
        if not abs(error_db) <= tolerance_db:
            faults.append(f"SNR off by {error_db:+.4f} dB")
        if not abs(facts["snr_measured_db"] - wanted_db - error_db) <= tolerance_db:
            faults.append(f"SNR of {wanted_db + error_db:.4f} dB, recorded as {facts['snr_measured_db']}")

    if not facts.get("device_effects") and len(mix) == len(clean) == len(noise):
        # Three quantisations; or one rounding of floats, of which the sum is.
        allowed = 1.5 * _step(subtype) if subtype in BITS else FLOAT_EPSILON * (np.abs(clean) + np.abs(noise))
        if not (np.abs(mix - clean - noise) <= allowed).all():
            faults.append(f"not the sum of its stems, by {np.abs(mix - clean - noise).max():.2e}")

    source = None if facts.get("reverb") else _clean_file(path, facts, folder, speech, cut["id"])
    compared = source is not None and source[1] == rate
    if source and compared:
        expected = facts["scale"] * source[0]
        allowed = 0.5 * _step(subtype) if subtype in BITS else FLOAT_EPSILON * np.abs(expected)
        if len(expected) != len(clean[span]):
            faults.append(f"speech of {len(clean[span])} samples, {len(expected)} in the clean file")
        elif not (np.abs(clean[span] - expected) <= allowed).all():
            faults.append(f"the clean stem is not the clean file, by {np.abs(clean[span] - expected).max():.2e}")
    snr_db = math.inf if wanted_db is None else wanted_db
    group = (folder.name, facts["noise_kind"], snr_db, facts["level_method"], subtype)
    return Checked(path, group, error_db, compared, faults)


def table(checked: Iterable[Checked]) -> str:
    groups = defaultdict(list)
    for one in checked:
        groups[one.group].append(one)
    lines = [
        "| corpus | noise | SNR / dB | level | samples | mixes | against the clean file | largest error / dB | faulty |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for key in sorted(groups, key=lambda key: (key[0], key[1], key[3], key[4], -key[2])):
        corpus, kind, snr_db, level, subtype = key
        errors = [abs(one.error_db) for one in groups[key] if one.error_db is not None]
        largest = f"{max(errors):.5f}" if errors else ""
        compared, faulty = (
            sum(map(bool, column)) for column in zip(*((o.compared, o.faults) for o in groups[key]), strict=True)
        )
        cells = [corpus, kind, f"{snr_db:g}", level, subtype, len(groups[key]), compared, largest, faulty]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check the mixes of `drsn-audio mix --stems` by their files.")
    parser.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST", help="OUT/mix.jsonl.gz")
    parser.add_argument("--speech", type=Path, help="folder of the clean files, if the manifest does not know it")
    options = parser.parse_args(argv)
    checked = [one for manifest in options.manifests for one in check_manifest(manifest, options.speech)]
    print(table(checked))
    faulty = sorted((one for one in checked if one.faults), key=lambda one: -abs(one.error_db or 0))
    for one in faulty[:20]:
        print(f"{one.path}: {'; '.join(one.faults)}", file=sys.stderr)
    print(f"{len(checked)} mixes, {len(faulty)} faulty")
    return 1 if faulty or not checked else 0


def _read(path: Path) -> tuple[np.ndarray, int, str]:
    with sf.SoundFile(path) as file:
        wave = file.read(dtype="float64", always_2d=True).mean(axis=1)
        return wave, file.samplerate, file.subtype


def _stems(path: Path, facts: dict[str, Any], folder: Path) -> list[Path]:
    named = facts.get("stems") or {}
    return [folder / named[part] if part in named else path.with_suffix(f".{part}.wav") for part in ("clean", "noise")]


def _clean_file(
    path: Path, facts: dict[str, Any], folder: Path, speech: Path | None, cut_id: str
) -> tuple[np.ndarray, int] | None:
    """The clean recording, or the part of it that was mixed; None where it is not found."""
    named = (speech or folder) / facts["clean"]
    if named == _stems(path, facts, folder)[0]:  # the manifest names the stem: the file has the name of the mix
        if speech is None:
            return None
        named = speech / path.relative_to(folder / Path(*cut_id.split("/")[:2]))
    if not named.is_file():
        return None
    wave, rate, _ = _read(named)
    part = facts.get("clean_cut")
    if part:
        start = round(part["start"] * rate)
        wave = wave[start : start + round(part["duration"] * rate)]
    return wave, rate


def _level_db(wave: np.ndarray, rate: int, method: str) -> float:
    key = method, rate, hashlib.sha256(wave.tobytes()).digest()
    if key not in _levels:
        _levels[key] = _rms_db(wave) if method == "rms" else active_level_numpy(wave, rate)[0]
    return _levels[key]


def _rms_db(wave: np.ndarray) -> float:
    power = float(np.var(wave) if len(wave) > 1 else np.sum(np.square(wave)))
    return 10 * math.log10(power) if power > 0 else -math.inf


def _step(subtype: str) -> float:
    """Between neighbouring values of integers, and a hair more, for the sums here round, too."""
    return 2.0 ** (1 - BITS[subtype]) * (1 + 1e-6)


if __name__ == "__main__":
    sys.exit(main())
