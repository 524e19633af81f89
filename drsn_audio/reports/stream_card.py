"""The card of a shipped streaming model: what it hears, how late, how often it cries wolf. Every number is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drsn_audio.reports.card import data_and_licences, network, origin
from drsn_audio.reports.run import describe
from drsn_audio.reports.speed import speed_and_size
from drsn_audio.reports.streams import source, tables
from drsn_audio.reports.table import markdown

WORST = 3  # of everything that is listed


def stream_card(
    name: str,
    described: Mapping[str, Any],
    size_bytes: int,
    facts: Mapping[str, Any],
    exported: Mapping[str, Any] | None = None,
    speed: Mapping[str, Any] | None = None,
) -> str:
    """Markdown of a streaming model that ships with its JSON `described` and `size_bytes` of files.

    `facts` is the run.json of its streams, with `distinct_sound` of them as "distinct"; `exported` the report of
    `drsn-audio export` on it; `speed` what `benchmarks/streaming.py` found, {"machine", "listeners": {form: ...}} of
    the forms torch, float and int8 alone. What was not measured is said to be so.
    """
    keywords = list(described["detector"]["config"]["thresholds"])
    found = {key: f"{title}\n\n{markdown(*rows)}" for key, (title, rows) in tables(facts).items()}
    sections = [
        f"# {name}",
        _what(described, keywords, size_bytes, facts),
        _use(name),
        "## Results",
        f"{name}: {source(facts)}",
        found["accuracy"],
        found["details"],
        f"False alarms among words are, above all, other words that are taken for keywords. {_latency(facts)}",
        "### False alarms",
        _alarms(described, facts),
        *([found["keyword_free"]] if "keyword_free" in found else []),
        "### Misses at 1 and 10 false alarms an hour",
        _points(facts, found),
        "## Speed and size",
        speed_and_size(exported, speed),
        "## Bad at",
        _bad_at(facts),
        "## Tuning",
        _tuning(described),
        "## Not tested",
        f"{_limits(facts)}\n{NOT_TESTED}",
        "## Data and licences",
        data_and_licences(described),
    ]
    return "\n\n".join(sections) + "\n"


NOT_TESTED = """\
- Children, accents other than those of Speech Commands' speakers, whispered or shouted words.
- Far-field speech, rooms, real mixes: here noise is added to close recordings.
- Wind in the microphone, loudspeaker echo, music, television, several speakers at once.
- Keywords within sentences: here each is said alone, a second or more from the next.
- Sound that was recorded at less than 16 kHz."""


def _what(described: Mapping[str, Any], keywords: Sequence[str], size_bytes: int, facts: Mapping[str, Any]) -> str:
    model, frame_s = described["model"], facts["model"]["frame_s"]
    rate = model["frontend"]["sample_rate"]
    rows = [
        ["labels", ", ".join(described["labels"])],
        ["input", f"a stream at {rate:,} Hz, mono, in blocks of {frame_s * rate:.0f} samples"],
        ["algorithmic latency", f"one block, {1000 * frame_s:g} ms: it looks at nothing that comes later"],
        ["network", f"{network(described)}, causal"],
        ["parameters", f"{described['parameters']:,}"],
        [f"multiply-adds, {model['clip_s']:g} s of sound", f"{described['multiply_adds']:,}"],
        *origin(described, size_bytes),
    ]
    return (
        f"Hears {len(keywords)} words ({', '.join(keywords)}) in sound that does not stop, as they are said.\n\n"
        f"{markdown(['', ''], rows, 2)}"
    )


def _use(name: str) -> str:
    return f"""\
## Use

    drsn-audio stream mic --model {name}
    drsn-audio export {name} --onnx {name}.onnx --int8

```python
import drsn_audio

stream = drsn_audio.load("{name}").stream()
for chunk in chunks:  # float32 samples, any number at a time
    for event in stream.feed(chunk):
        print(event.time, event.label, event.score)
```

An exported file runs on numpy and ONNX Runtime alone: [docs/edge.md](../../docs/edge.md)."""


def _latency(facts: Mapping[str, Any]) -> str:
    medians, p95s = (
        [one[key] for one in facts["conditions"] if one.get(key) is not None]
        for key in ("latency_median_s", "latency_p95_s")
    )
    if not medians:
        return "No word was heard, so there is no latency."
    return (
        f"Latency: median {_range(medians)} s by condition, 95 % within {_range(p95s)} s; of words that were heard, "
        "from the end of the word, by its energy, to the end of the block that told it. The wait for that block, of "
        f"{1000 * facts['model']['frame_s']:g} ms, is in it; the time to compute is not."
    )


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _alarms(described: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    wanted = f"Tuned for at most {described['detector']['wanted_per_hour']:g} an hour on development streams."
    groups = facts["keyword_free"]
    if not groups:
        return f"{wanted} Not measured: no stream without a keyword was heard."
    whole, *parts = [one for one in groups if one["noise_kind"] is None]
    told = " ".join(_rate(one, one["content"].capitalize()) for one in parts)
    return f"{wanted} {_rate(whole, 'Where no keyword is said')} Of that: {told}"


def _rate(one: Mapping[str, Any], what: str) -> str:
    """With so few that no rate can be claimed, what it is below."""
    count = f"{what}, {one['false_alarms']} false alarms in {one['hours']:.2f} h: "
    if one["claimed"] is None:
        return f"{count}below {one['high']:.2g} an hour."
    return f"{count}{one['claimed']:.2f} an hour [{one['low']:.2f}, {one['high']:.2f}]."


def _points(facts: Mapping[str, Any], found: Mapping[str, str]) -> str:
    cannot = [
        f"{one['wanted_per_hour']:g} an hour cannot be told: {one['reason']}."
        for one in facts["points"]
        if one["reason"]
    ]
    shown = [found["points"]] if "points" in found else []
    return "\n\n".join([*shown, *cannot]) or "Not measured: nothing was swept."


def _bad_at(facts: Mapping[str, Any]) -> str:
    lines = []
    conditions = [one for one in facts["conditions"] if "hours" in one and one["keywords"]]
    worst = sorted(conditions, key=lambda one: one["accuracy"])[:WORST]
    told = [f"{describe(one['noise_kind'], one['snr_db'])} ({one['misses']} of {one['keywords']})" for one in worst]
    lines.append(f"- Noise; keywords missed: {', '.join(told)}.")
    words = [one for one in facts["words"] if one["spoken"]]
    words = sorted(words, key=lambda one: -one["misses"] / one["spoken"])[:WORST]
    told = [f"{one['word']} ({one['misses']} of {one['spoken']})" for one in words]
    lines.append(f"- Words, all conditions together; missed: {', '.join(told)}.")
    wrong = sorted((one for one in facts["words"] if one["false_alarms"]), key=lambda one: -one["false_alarms"])
    if wrong:
        told = [f"{one['word']} ({one['false_alarms']})" for one in wrong[:WORST]]
        lines.append(f"- Words heard where none is said: {', '.join(told)}.")
    free = [
        one for one in facts["keyword_free"] if one["content"] != "all" and one["noise_kind"] and one["false_alarms"]
    ]
    if free:
        worst = sorted(free, key=lambda one: -one["per_hour"])[:WORST]
        told = [
            f"{one['content']}, {one['noise_kind']} ({one['false_alarms']} in {one['hours']:.2f} h)" for one in worst
        ]
        lines.append(f"- Sound without a keyword; false alarms: {'; '.join(told)}.")
    alarms, hours = (sum(one[key] for one in conditions) for key in ("false_alarms", "hours"))
    lines.append(
        f"- Words like its own: {alarms} false alarms in {hours:.2f} h of single words, keywords and others, "
        f"{alarms / hours:.1f} an hour."
    )
    return "\n".join(lines)


def _tuning(described: Mapping[str, Any]) -> str:
    found = described["detector"]
    config = found["config"]
    thresholds = ", ".join(f"{word} {value:.3f}" for word, value in config["thresholds"].items())
    temperature = (described.get("calibration") or {}).get("temperature", 1.0)
    manifests = ", ".join(f"`{one['manifest']}` (sha256 {one['sha256'][:12]})" for one in found["data"])
    return (
        f"A word is told when its probability, of logits divided by {temperature:.3f} and averaged over "
        f"{config['smoothing_s']:g} s, reaches its threshold: {thresholds}. Smoothing and thresholds were chosen on "
        f"development streams, {manifests}, of other speakers and noise than the test's: the fewest misses at no more "
        f"than {found['wanted_per_hour']:g} false alarms an hour. There it misses {found['misses']} of "
        f"{found['keywords']} keywords, with {found['false_alarms']} false alarms in {found['hours']:.2f} h without "
        "keywords; chosen by these, both are better than on new sound."
    )


def _limits(facts: Mapping[str, Any]) -> str:
    """How little different sound the hours are of."""
    words, free = facts["distinct"]["words"], facts["distinct"]["keyword_free"]
    noise = {
        one["noise_kind"]: one["noise_recordings"]
        for one in facts["conditions"]
        if "hours" in one and one["snr_db"] is not None
    }
    of_noise = ", ".join(f"{count} recordings of {kind}" for kind, count in noise.items())
    over = f", over {of_noise}, a part of UrbanSound8K" if noise else ""
    free_hours = facts["keyword_free"][0]["hours"] if facts["keyword_free"] else 0.0
    return (
        f"- More than it heard: words are {words['utterances']} utterances of {words['speakers']} speakers, said again "
        f"under each condition{over}. The {free_hours:.2f} h without keywords "
        f"are {free['hours']:.2f} h of different speech by {free['speakers']} speakers and {free['noise_hours']:.2f} h "
        "of different noise, heard several times over, alone and together: intervals of false alarms, which count them "
        "as independent, are too narrow."
    )
