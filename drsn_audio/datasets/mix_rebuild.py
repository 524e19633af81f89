"""A manifest of mixes -> the same mixes, bit for bit, from what it says was drawn; what differs is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from drsn_audio.audio import AudioError
from drsn_audio.datasets.manifests import ManifestError, file_sha256
from drsn_audio.datasets.mix_header import MIX_VERSION, cpu_family, differences, header_of, read_header, versions
from drsn_audio.datasets.mix_inputs import AudioRef
from drsn_audio.datasets.mix_journal import by_utterance, manifest_lines
from drsn_audio.datasets.mix_outputs import OutError, Target, write_mix
from drsn_audio.datasets.mix_render import Reverb, effects_from, in_room, mix_parts, padded, respond, scaled
from drsn_audio.datasets.mix_run import Job, MixReport, input_files, output_files, run_set
from drsn_audio.datasets.mix_sources import NoisePart, Sources
from drsn_audio.datasets.mix_texts import Texts
from drsn_audio.datasets.mixer import Outcome
from drsn_audio.errors import InputError


def rebuild(
    manifest: str | Path,
    out: str | Path,
    *,
    roots: Mapping[str, Path] | None = None,
    jobs: int = 1,
    progress: bool = True,
    written: Callable[[Path], object] | None = None,
    command: str = "",
) -> MixReport:
    """Mix again what a manifest names, by its gains, offsets and seeds; nothing is drawn and no level is measured.

    On the versions and the CPU family that its mix.json names every file is the same, bit for bit, and so is the
    manifest. A mix whose inputs are not those of the manifest is not made; one that comes out different is written,
    and its line in the new manifest has its own sha256. Both are failures of the report.

    Args:
        manifest: mix.jsonl.gz, with mix.json beside it.
        out: folder.
        roots: where inputs lie here, by the names speech, noise (of several noises the second is noise-2), background
            and rooms; by default as in mix.json.
        jobs: processes.
        progress: show a bar on stderr.
        written: is told of each mix.
        command: that mix.json is to name.

    Raises:
        ManifestError: not a manifest of mixes.
        InputError: OUT holds another set, or the set has no inputs of a name in `roots`.
    """
    manifest, out = Path(manifest), Path(out)
    total = _survey(manifest)
    header = read_header(header_of(manifest))
    version = header.get("mix_version", 1)
    if version not in range(1, MIX_VERSION + 1):
        raise ManifestError(f"{manifest}: of version {version}, and {MIX_VERSION} is known here: update drsn-audio")
    recorded = header.get("roots")
    for name, place in (roots or {}).items():
        if recorded is not None and name not in recorded:
            raise InputError(
                f"{place}: given as the folder of {name}, but {manifest} has {', '.join(recorded)} only: leave it out"
            )
    places = {name: Path(place) for name, place in header.get("roots", {}).items()} | dict(roots or {})
    now = {"versions": versions(), "cpu": cpu_family()}
    moved = differences({key: header.get(key, {}) for key in now}, now) if header else []
    rebuilder = Rebuilder(
        out, out / "mix.unfinished", Sources({name: root.absolute() for name, root in places.items()})
    )
    request = {"manifest_sha256": file_sha256(manifest), **now}
    texts = _texts(header, rebuilder.sources, manifest, out)
    report = run_set(
        rebuilder,
        _jobs(manifest, rebuilder, texts),
        out / "mix.jsonl.gz",
        request,
        total=total,
        processes=jobs,
        progress=progress,
        written=written,
        header=lambda: _header(header, places, command),
    )
    if any("is not the same" in reason for _, reason in report.failed):
        where = "; ".join(moved) or "versions and CPU family are those of mix.json" if header else "no mix.json tells"
        report.fail(manifest, f"what has changed since it was written: {where}")
    return report


@dataclass
class Rebuilder:
    """Makes the mixes of one utterance from their cuts, as the manifest has them."""

    out: Path
    spare: Path
    sources: Sources

    def __call__(self, lines: list[str], /) -> Outcome:
        outcome = Outcome([], [])
        wave: tuple[str, np.ndarray, int] | None = None  # of the speech in its room, for all of its mixes
        for line in lines:
            cut = json.loads(line)
            custom = cut["custom"]
            try:
                self._check_inputs(custom)
                key = json.dumps([custom["clean"], custom["clean_cut"], custom["reverb"]])
                if wave is None or wave[0] != key:
                    wave = (key, *self._speech(custom))
                found = self._one(cut, wave[1], wave[2])
            except OutError:
                raise
            except InputError as error:
                outcome.failed.append((self.out / cut["recording"]["sources"][0]["source"], f"not made: {error}"))
                continue
            for (name, was), now in zip(output_files(cut), found, strict=True):
                if was != now:
                    outcome.failed.append((self.out / name, f"is not the same: sha256 {now[:12]}, was {was[:12]}"))
            same = found == [was for _, was in output_files(cut)]
            outcome.lines.append(line if same else _with_digests(cut, found))
        return outcome

    def _check_inputs(self, custom: dict[str, Any]) -> None:
        for ref, was, once in input_files(custom):
            now = self.sources.sha256(ref) if once else self.sources.kept_sha256(ref)
            if now != was:
                path = self.sources.path(ref)
                raise AudioError(f"its input {path} is another file (sha256 {now[:12]}, was {was[:12]}): restore that")

    def _speech(self, custom: dict[str, Any]) -> tuple[np.ndarray, int]:
        wave, rate = self.sources.speech(AudioRef("speech", custom["clean"], custom["clean_cut"]))
        if custom["reverb"]:
            reverb = Reverb(**custom["reverb"])
            response = respond(reverb, self.sources, rate)
            drawn = hashlib.sha256(np.ascontiguousarray(response, "<f4").tobytes()).hexdigest()
            if reverb.file is None and drawn != reverb.sha256:
                raise AudioError("its room is not the same: use the version of pyroomacoustics that mix.json names")
            wave = in_room(wave, response, reverb.direct_sample)
        return padded(wave, round(custom["lead_in_s"] * rate), round(custom["trail_s"] * rate)), rate

    def _one(self, cut: dict[str, Any], clean: np.ndarray, rate: int) -> list[str]:
        custom = cut["custom"]
        parts = [NoisePart(**part) for part in custom["noises"]]
        waves = [self.sources.segment(part, len(clean), rate) for part in parts]
        mixed = mix_parts(clean, waves, [part.gain for part in parts], effects_from(custom["device_effects"]), rate)
        name = cut["recording"]["sources"][0]["source"]
        target = Target(name, custom["subtype"], custom["stems"] is not None)
        inputs = [self.sources.path(ref) for ref, _, _ in input_files(custom)]
        return write_mix(self.out, target, scaled(mixed, custom["scale"]), rate, inputs, self.spare)


def _survey(manifest: Path) -> int:
    """Utterances of a manifest of mixes, all of whose lines have been read once."""
    if not manifest.is_file():
        raise ManifestError(f"{manifest}: no such manifest: name the mix.jsonl.gz of a set that drsn-audio mix made")
    try:
        count = 0
        for _, lines in by_utterance(manifest_lines(manifest)):
            count += 1
            for line in lines:
                cut = json.loads(line)
                for name, _ in output_files(cut):
                    path = PurePosixPath(name)
                    if path.is_absolute() or ".." in path.parts:
                        raise ManifestError(
                            f"{manifest}: {name} would be written outside of OUT: do not trust this file"
                        )
                for ref, _, _ in input_files(cut["custom"]):
                    if (
                        ref.root is None
                        or PurePosixPath(ref.file).is_absolute()
                        or ".." in PurePosixPath(ref.file).parts
                    ):
                        raise ManifestError(f"{manifest}: {ref.file} lies outside of its root: do not trust this file")
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ManifestError):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ManifestError(
            f"{manifest}: not a manifest of mixes ({type(error).__name__}: {reason}): name the mix.jsonl.gz of a set"
        ) from None
    if not count:
        raise ManifestError(f"{manifest}: holds no mixes: name the mix.jsonl.gz of a set that drsn-audio mix made")
    return count


def _jobs(manifest: Path, rebuilder: Rebuilder, texts: Texts | None) -> Iterator[Job]:
    for id, lines in by_utterance(manifest_lines(manifest)):
        clean = rebuilder.sources.path(AudioRef("speech", json.loads(lines[0])["custom"]["clean"]))
        if texts and clean.parent.is_dir():
            texts.follow(clean.parent)
        yield Job(id, clean, lines, len(lines))


def _texts(header: dict[str, Any], sources: Sources, manifest: Path, out: Path) -> Texts | None:
    """Where the set had text files copied from beside the speech, they are copied again."""
    if not header.get("texts") or "speech" not in sources.roots:
        return None
    root = sources.roots["speech"]
    chosen: set[Path] | None = set() if header.get("texts_chosen") else None
    folders = set()
    for line in manifest_lines(manifest):
        cut = json.loads(line)
        drawn_snr = header["options"]["snr_law"] != "fixed"
        folders.add(PurePosixPath(cut["recording"]["sources"][0]["source"]).parts[: 1 if drawn_snr else 2])
        if chosen is not None:
            chosen.add(root / cut["custom"]["clean"])
    copies = [out.absolute().joinpath(*parts) for parts in sorted(folders)]
    return Texts(root, copies, out / "mix.unfinished", chosen)


def _header(header: dict[str, Any], places: Mapping[str, Path], command: str) -> dict[str, Any]:
    keys = ("made by", "mix_version", "options", "inputs", "texts", "texts_chosen")
    kept: dict[str, Any] = {key: header[key] for key in keys if key in header}
    return {**kept, "rebuilt by": command, "roots": {name: str(place) for name, place in places.items()}}


def _with_digests(cut: dict[str, Any], digests: list[str]) -> str:
    cut["custom"]["sha256"] = digests[0]
    if cut["custom"]["stems"]:
        cut["custom"]["stems"] |= {"clean_sha256": digests[1], "noise_sha256": digests[2]}
    return json.dumps(cut, ensure_ascii=False, allow_nan=False)
