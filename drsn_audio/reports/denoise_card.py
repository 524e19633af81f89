"""The card of a shipped denoiser: what it is, how well it works, where it fails. Every number is of a file that some
command wrote.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from drsn_audio.reports.card import data_and_licences, network, origin
from drsn_audio.reports.denoised import recognition_source, recognition_table, recognition_words
from drsn_audio.reports.denoising import (
    MEASURES,
    cell,
    check,
    difference_table,
    edge_table,
    measure_table,
    measured,
    settings,
    source,
)
from drsn_audio.reports.run import MEAN, describe
from drsn_audio.reports.table import markdown

WORST = 3  # of everything that is listed
GAIN = "si_sdr_gain_db"
FORMS = {"torch": "PyTorch", "float": "ONNX", "int8": "ONNX, 8 bits"}  # of an export's report
UNTOLD = "Not measured."


def denoise_card(
    name: str,
    described: Mapping[str, Any],
    size_bytes: int,
    facts: Mapping[str, Any],
    exported: Mapping[str, Any] | None = None,
    recognition: Mapping[str, Any] | None = None,
) -> str:
    """Markdown of a denoiser that ships with its JSON `described` and `size_bytes` of files.

    `facts` is the run.json of it and of others on the same trials, `exported` the report of `drsn-audio export` on it,
    `recognition` what `recipes/denoise/recognise.py` found. What was not measured is said to be so.

    Raises:
        InputError: facts of something else.
    """
    check(facts)
    sections = [
        f"# {name}",
        _what(described, size_bytes),
        _use(name),
        "## Results",
        *_results(facts),
        HEARD_BEFORE,
        "## Clean speech, silence, noise alone",
        _edges(facts),
        "## Speed",
        _speed(facts, exported),
        "## In front of a recogniser",
        _recognition(recognition),
        "## Bad at",
        _bad_at(facts),
        "## Not tested",
        NOT_TESTED.format(speakers=facts["data"]["speakers"]),
        "## Data and licences",
        data_and_licences(described),
    ]
    return "\n\n".join(sections) + "\n"


HEARD_BEFORE = """\
How it came about, and whether any of this test was heard on the way, is told in
[recipes/denoise/RESULTS.md](../../recipes/denoise/RESULTS.md)."""

NOT_TESTED = """\
- Other voices: the speakers of the test are {speakers} of LibriSpeech, who read English books. Children, other
  languages, whispered, shouted or sung speech.
- What lies above about 6 kHz: the copies of LibriSpeech at hand hold nothing there, so the hiss of speech itself is
  little known to it, and may be taken for noise.
- Real mixes: noise is added to recordings here. People who speak in noise speak louder and otherwise.
- Far-field speech: some of the training was put into computed rooms, nothing of the test was.
- Music, and other talkers behind the one who is meant, each by itself: it cannot know which voice is meant.
- Wind in the microphone, loudspeaker echo, clipped sound, sound out of a telephone or a codec.
- It makes frequencies softer and nothing else: the phase stays that of the noisy sound, and what noise covers is not
  made anew."""


def _what(described: Mapping[str, Any], size_bytes: int) -> str:
    model = described["model"]
    frontend = model["frontend"]
    floor = model.get("gain_floor", 0.0)
    least = f"{floor:g} ({20 * math.log10(floor):.0f} dB)" if floor else "0"
    rows = [
        [
            "input",
            f"sound of any length, or a stream, at {frontend['sample_rate']:,} Hz, mono; other rates are resampled",
        ],
        ["network", f"{network(described)}, causal; gains on the spectrum"],
        ["gains", f"one for each frequency of each {frontend['hop_ms']:g} ms, from {least} to 1"],
        ["parameters", f"{described['parameters']:,}"],
        [f"multiply-adds, {model['clip_s']:g} s of sound", f"{described['multiply_adds']:,}"],
        ["latency", f"{frontend['window_ms']:g} ms, the window, and the time that a step takes"],
        *origin(described, size_bytes),
    ]
    text = f"Takes noise off speech, as it is spoken: sound in, sound out.\n\n{markdown(['', ''], rows, 2)}"
    earlier = [
        f"first trained at commit {one['commit']}, seed {one['seed']}, to step {one['step']}"
        for one in described.get("started_from", ())
    ]
    return text + (
        f"\n\nIt was {', then '.join(earlier)}: commands and configs are those of that commit." if earlier else ""
    )


def _use(name: str) -> str:
    return f"""\
## Use

    drsn-audio denoise noisy.wav -o clean.wav --model {name}
    drsn-audio denoise recordings -o clean --model {name} --blend 0.2
    drsn-audio stream mic --denoise --model {name} > clean.pcm
    drsn-audio export {name} --onnx {name}.onnx

`--blend` gives back up to so much of the noisy sound: less noise is taken, and less of the speech with it.

```python
import drsn_audio

model = drsn_audio.load("{name}")
clean = model.denoise("noisy.wav")  # float32 [N], at the file's rate

stream = model.stream()
for chunk in chunks:  # float32, any number of samples at the model's rate
    play(stream.feed(chunk))
play(stream.flush())
```"""


def _results(facts: Mapping[str, Any]) -> list[str]:
    """Means over the kinds, gains of each kind, and the differences."""
    kinds = list(dict.fromkeys(one["noise_kind"] for one in facts["conditions"]))
    first, *others = sorted(kinds, key=lambda kind: kind != MEAN)
    found = [measure_table(facts, measure, first) for measure in MEASURES]
    found += [measure_table(facts, GAIN, kind) for kind in others]
    found.append(difference_table(facts))
    tables = [f"{title}\n\n{markdown(*rows)}" for title, rows in found if rows[1]]
    return [f"{measured(facts)} {source(facts)}", *settings(facts), *tables]


def _edges(facts: Mapping[str, Any]) -> str:
    if not facts["edges"]:
        return UNTOLD
    _, (header, rows) = edge_table(facts)
    return (
        "What is made of clean speech, of digital silence and of noise alone, its first moment included.\n\n"
        f"{markdown(header[:-1], [row[:-1] for row in rows])}"  # the last column is of the speed
    )


def _speed(facts: Mapping[str, Any], exported: Mapping[str, Any] | None) -> str:
    rows = [
        [each["name"], f"{each['real_time_factor']:.4f}"]
        for each in facts["systems"]
        if each["real_time_factor"] is not None
    ]
    text = (
        f"Seconds of CPU of one thread ({_machine(facts)}) for a second of sound, each trial as a whole:\n\n"
        f"{markdown(['', 'real-time factor'], rows)}\n\n"
    )
    if not exported:
        return f"{text}A stream and its ONNX form: not measured."
    steps = [
        [
            title,
            f"{of['bytes'] / 1000:.0f}" if "bytes" in of else "",
            f"{of['step_ms']:g}",
            f"{of['median_ms']:.3f}",
            f"{of['real_time_factor']:.4f}",
            f"{of['max_gain_difference']:.2g}" if "bytes" in of else "",
            f"{of['difference_db']:.0f}" if "bytes" in of else "",
        ]
        for form, title in FORMS.items()
        if (of := exported.get(form))
    ]
    header = ["", "kB", "step, ms of sound", "median, ms", "real-time factor", "gains differ by", "sound differs, dB"]
    return (
        f"{text}A stream, step by step, by `drsn-audio export` ({_machine(exported)}, one thread), and what the files "
        f"give other than PyTorch gives of the whole sound ({exported['sound']}, {exported['seconds']:g} s): the "
        "largest difference of a gain, and the power of the difference of the sound re the sound.\n\n"
        f"{markdown(header, steps)}"
    )


def _machine(facts: Mapping[str, Any]) -> str:
    machine = facts.get("machine", {})
    return ", ".join(filter(None, (machine.get("platform"), machine.get("processor")))) or "machine unknown"


def _recognition(recognition: Mapping[str, Any] | None) -> str:
    if not recognition:
        return UNTOLD
    return "\n\n".join(
        [recognition_words(recognition), recognition_table(recognition), recognition_source(recognition)]
    )


def _bad_at(facts: Mapping[str, Any]) -> str:
    """Where it gains least, where it loses, and who is better."""
    noisy, name = facts["systems"][0]["name"], facts["model"]["name"]
    of = {(one["system"], one["noise_kind"], one["snr_db"]): one for one in facts["conditions"]}
    single = [
        one for one in facts["conditions"] if one["system"] == name and MEAN not in (one["noise_kind"], one["snr_db"])
    ]
    single = [one for one in single if one.get(GAIN)]
    lines = [
        f"- Least SI-SDR {what}: {_told(sorted(single, key=lambda one: one[key]['mean'])[:WORST], key, ' dB')}."
        for what, key in (("gained", GAIN), ("left", "si_sdr_db"))
    ]
    for measure in ("si_sdr_db", *(key for key in MEASURES if key not in ("si_sdr_db", GAIN))):
        worse = []
        for one in single:
            before = of[noisy, one["noise_kind"], one["snr_db"]]
            if one.get(measure) and before.get(measure) and one[measure]["mean"] < before[measure]["mean"]:
                digits = MEASURES[measure][1]
                told = f"{describe(one['noise_kind'], one['snr_db'])} ({one[measure]['mean']:.{digits}f}, "
                worse.append(f"{told}noisy {before[measure]['mean']:.{digits}f})")
        if worse:
            lines.append(f"- {_title(measure)} below that of the noisy speech: {', '.join(worse)}.")
    better = [
        f"{'the noisy speech' if one['system'] == noisy else one['system']} in {_title(one['measure'])} "
        f"({cell(_turned(one), MEASURES[one['measure']][1] + (one['measure'] != 'si_sdr_db'))} more)"
        for one in facts["differences"]
        if one["high"] is not None and one["high"] < 0 and not one["system"].startswith(f"{name}, ")  # its ONNX form
    ]
    if better:
        lines.append(f"- Better, over all noise kinds and SNRs: {', '.join(better)}.")
    return "\n".join(lines)


def _told(conditions: Sequence[Mapping[str, Any]], measure: str, unit: str) -> str:
    digits = MEASURES[measure][1]
    return ", ".join(
        f"{describe(one['noise_kind'], one['snr_db'])} ({one[measure]['mean']:.{digits}f}{unit})" for one in conditions
    )


def _title(measure: str) -> str:
    return MEASURES[measure][2].split(",")[0]


def _turned(difference: Mapping[str, Any]) -> dict[str, float]:
    """What the other has more."""
    return {"mean": -difference["difference"], "low": -difference["high"], "high": -difference["low"]}
