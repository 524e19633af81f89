"""Audio files of speech and of noise -> files of both at the wanted SNRs, and a manifest of all that was drawn."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from drsn_audio.audio import AudioError
from drsn_audio.datasets.mix_header import MIX_VERSION, cpu_family, header_of, versions, write_header
from drsn_audio.datasets.mix_inputs import (
    Survey,
    Utterance,
    find_noises,
    is_manifest,
    is_one_file,
    name_of,
    noise_root,
    search_root,
    survey,
)
from drsn_audio.datasets.mix_noise import all_noises, background_of, folders_of
from drsn_audio.datasets.mix_options import MixOptions
from drsn_audio.datasets.mix_outputs import put, stem_names
from drsn_audio.datasets.mix_run import Job, MixReport, run_set
from drsn_audio.datasets.mix_sources import Sources
from drsn_audio.datasets.mix_texts import Texts
from drsn_audio.datasets.mixer import Mixer, Outcome, Plot
from drsn_audio.datasets.seen import Seen
from drsn_audio.noise.synth import SYNTHETIC_NOISES

DRAWN = "drawn"


def mix_files(
    speech: str | Path,
    noise: str | Path | Sequence[str | Path],
    snr_db: Sequence[float],
    out: str | Path,
    *,
    jobs: int = 1,
    progress: bool = True,
    plot: Plot | None = None,
    plots: int = 0,
    written: Callable[[Path], object] | None = None,
    command: str = "",
    **options: Any,
) -> MixReport:
    """Mix every utterance with every kind of noise at every SNR; mono, at the sample rate of the utterance.

    Written are OUT/<noise kind>/<snr>/<relative path> (without <snr> where that is drawn), the text files that lie
    beside the speech, OUT/mix.jsonl.gz and OUT/mix.json; for one speech file, one kind and one SNR OUT itself, if it
    has an ending, and beside it <stem>.mix.jsonl.gz and <stem>.mix.json. Files of integer or float samples stay what
    they are; lossy ones become <name>.wav of floats. The speech keeps its level, except where an integer file would
    clip: both parts are then halved as often as needed, and `scale` in the manifest is the factor.

    All draws depend on seed, utterance and kind alone, and the noise is the same at every SNR. A run that was stopped,
    at whatever moment, is taken up by the same call; the files and the manifest do not depend on that, nor on `jobs`.

    Args:
        speech: a file, a folder, a glob pattern or a manifest of cuts (.jsonl.gz).
        noise: the same, or the name of a synthesised one, such as "street" or "factory"; or several of these.
        snr_db: in dB; inf writes the clean speech, into a folder "clean", with snr_db null in the manifest.
        out: a folder, or a file for one mix.
        jobs: processes.
        progress: show a bar on stderr.
        plot: draws the picture <name>.png beside a mix.
        plots: for how many of the first mixes.
        written: is told of each mix.
        command: that mix.json is to name.
        options: the other fields of MixOptions: level, seed, stems, ...

    Raises:
        AudioError: no speech or no noise at all, or OUT lies within a folder of inputs.
        InputError: options that make no sense, or OUT holds a set that was made otherwise.
    """
    wanted = MixOptions(tuple(map(float, snr_db)), **options)
    out = Path(out)
    found = survey(speech)
    noises = [noise] if isinstance(noise, (str, Path)) else list(noise)
    mixer, inputs = _mixer(wanted, found, noises, out, plot)
    request = _request(wanted, inputs)
    roots = {name: str(root) for name, root in mixer.sources.roots.items()}
    header = partial(_header, command, roots)
    if len(mixer.noises) == len(wanted.conditions) == 1 and is_one_file(speech) and out.suffix and not out.is_dir():
        mixer.out, mixer.file = out.parent, out.name
        return _one_file(mixer, next(iter(found)), plots, written, {**header(), **request})
    mixer.spare = out / "mix.unfinished"
    for place in (speech, *noises, wanted.background, wanted.rooms):
        _refuse_within(out, place)
    texts = None
    if not is_manifest(speech):
        folders = {Path(name).parts[: 2 if snr is not None else 1] for _, snr, name in mixer.names(_NOBODY)}
        # Of a folder all is mixed, and its texts are copied as they are; else those of what is mixed.
        chosen = None if os.path.isdir(speech) else {utterance.path for utterance in found}
        copies = [out.absolute().joinpath(*parts) for parts in sorted(folders)]
        texts = Texts(found.root, copies, mixer.spare, chosen)
    return run_set(
        _Set(mixer),
        _jobs(mixer, found, plots, texts),
        out / "mix.jsonl.gz",
        request,
        total=found.count,
        processes=jobs,
        progress=progress,
        written=written,
        header=lambda: {**header(), **(texts.facts() if texts else {"texts": 0})},
    )


_NOBODY = Utterance("", Path("a.wav"), Path("a.wav"), None)


class _Set(NamedTuple):
    """A mixer as `run_set` wants it: its work is an utterance, and how many of its mixes are to have a picture."""

    mixer: Mixer

    @property
    def out(self) -> Path:
        return self.mixer.out

    @property
    def sources(self) -> Sources:
        return self.mixer.sources

    def __call__(self, work: tuple[Utterance, int], /) -> Outcome:
        return self.mixer(*work)


def _mixer(
    options: MixOptions, speech: Survey, noises: Sequence[str | Path], out: Path, plot: Plot | None
) -> tuple[Mixer, dict[str, Any]]:
    """The mixer, and for mix.json how many recordings there are of each input, with a hash of their names."""
    kinds, places, names = all_noises(noises)
    roots: dict[str, Path | None] = {"speech": speech.root, **places}
    inputs: dict[str, Any] = {"speech": {"count": speech.count, "names_sha256": speech.names}, "noise": _named(names)}
    background, rooms = None, None
    if options.background:
        background, roots["background"], names = background_of(options.background)
        inputs["background"] = _named(names)
    if options.rooms and options.rooms != DRAWN:
        if is_one_file(options.rooms) and not Path(options.rooms).exists():
            raise AudioError(f"{options.rooms}: no such rooms: name a folder or a manifest of responses, or {DRAWN!r}")
        rooms = [item for items in find_noises(options.rooms).values() for item in items]
        roots["rooms"] = noise_root(rooms)
        inputs["rooms"] = _named([name_of(item) for item in rooms])
    if options.rooms == DRAWN:
        import pyroomacoustics  # noqa: F401  # else each utterance would fail for the lack of it
    sources = Sources({name: root for name, root in roots.items() if root})
    return Mixer(options, out, None, sources, kinds, folders_of(kinds), background, rooms, plot=plot), inputs


def _named(names: Sequence[str]) -> dict[str, Any]:
    text = "".join(f"{name}\n" for name in names)
    return {"count": len(names), "names_sha256": hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()}


def _request(options: MixOptions, inputs: dict[str, Any]) -> dict[str, Any]:
    facts = asdict(options)
    facts["snr_db"] = [str(snr) if snr == float("inf") else snr for snr in options.snr_db]  # JSON has no infinity
    for name in ("background", "rooms"):  # what they hold is among the inputs; where it lies does not matter
        if facts[name] and facts[name] not in (*SYNTHETIC_NOISES, DRAWN):
            facts[name] = "files"
    return {"mix_version": MIX_VERSION, "options": facts, "inputs": inputs, "versions": versions(), "cpu": cpu_family()}


def _header(command: str, roots: dict[str, str]) -> dict[str, Any]:
    return {"made by": "drsn-audio mix", "command": command, "roots": roots}


def _jobs(mixer: Mixer, speech: Survey, plots: int, texts: Texts | None) -> Iterator[Job]:
    seen, each, number = Seen(), len(mixer.noises) * len(mixer.options.conditions), 0
    for utterance in speech:
        names = [name for _, _, name in mixer.names(utterance)]
        all_names = [other for name in names for other in _claimed(name, mixer.options.stems, plots > 0)]
        double = next((name for name in all_names if not seen.add(name)), None)
        reason = f"{mixer.out / double} holds the mix of another input: rename one of the two" if double else None
        if texts and not reason:
            texts.follow(utterance.path.parent)
        yield Job(utterance.id, utterance.path, (utterance, plots - number), each, reason)
        number += each


def _claimed(name: str, stems: bool, plot: bool) -> list[str]:
    return [name, *(stem_names(name) if stems else []), *([str(Path(name).with_suffix(".png"))] if plot else [])]


def _one_file(
    mixer: Mixer, utterance: Utterance, plots: int, written: Callable[[Path], object] | None, facts: dict[str, Any]
) -> MixReport:
    """One mix, made anew each time: there is nothing to take up."""
    import gzip

    report = MixReport()
    outcome = mixer(utterance, plots)
    for path, reason in outcome.failed:
        report.fail(path, reason)
    if outcome.lines:
        assert mixer.file is not None
        report.mixes, report.manifest = 1, (mixer.out / mixer.file).with_suffix(".mix.jsonl.gz")
        put(report.manifest, gzip.compress(f"{outcome.lines[0]}\n".encode(), 6, mtime=0))
        failed = [[str(path), reason] for path, reason in report.failed]
        write_header(header_of(report.manifest), {**facts, "mixes": 1, "failed": failed})
        if written:
            written(mixer.out / mixer.file)
    return report


def _refuse_within(out: Path, place: str | Path | None) -> None:
    """Else the mixes of this call would be inputs of the next."""
    if place is None or is_manifest(place) or is_one_file(place):
        return
    root = search_root(place).resolve()
    if root in (out.resolve(), *out.resolve().parents):
        raise AudioError(f"{out}: lies within {root}, whose files are inputs: choose a folder outside of it")
