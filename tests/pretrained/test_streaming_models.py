"""Shipped streaming models: a word is heard when it is said, an hour of silence is quiet, and memory does not grow."""

import json
import subprocess
import sys

import numpy as np
import pytest

from drsn_audio import load, pretrained
from drsn_audio.corpora.voices import Voice, synthesise

STREAMING = [name for name in pretrained.names() if name.startswith("commands-") and "stream" in name]
RATE = 16000

# In a process of its own, whose memory nothing else has touched: a minute of hiss, then fifty-nine, an hour of silence.
HOURS = """
import json, resource, sys
import numpy as np, torch
from drsn_audio import load

torch.set_num_threads(1)
stream, events, used = load(sys.argv[1]).stream(), [], []
hiss = 1e-4 * np.random.default_rng(0).standard_normal(16000 * 10).astype(np.float32)

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20

for sound, tens in ((hiss, 6), (hiss, 354), (np.zeros_like(hiss), 360)):
    for _ in range(tens):
        events += [event.label for event in stream.feed(sound)]
    used.append(memory())
print(json.dumps([events, used]))
"""


@pytest.mark.parametrize("name", STREAMING)
def test_a_word_is_heard_as_it_is_said(name):
    """Of a voice that no training heard: once, within half a second of its end, whatever the chunks."""
    stop = synthesise("stop", Voice("en-us", "m4"))
    rng = np.random.default_rng(0)
    before, after = 2 * RATE, RATE
    wave = np.concatenate([np.zeros(before, np.float32), 0.3 * stop / np.abs(stop).max(), np.zeros(after, np.float32)])
    wave = (wave + 1e-3 * rng.standard_normal(len(wave))).astype(np.float32)
    stream = load(name).stream()
    events = [event for chunk in np.array_split(wave, 40) for event in stream.feed(chunk)] + stream.flush()
    assert [event.label for event in events] == ["stop"]
    end_s = (before + len(stop)) / RATE
    assert end_s - 0.3 < events[0].time < end_s + 0.5


@pytest.mark.parametrize("name", STREAMING)
def test_a_word_is_heard_that_ends_50_ms_before_the_sound(name):
    stop = synthesise("stop", Voice("en-us", "m4"))
    loud = np.flatnonzero(np.abs(stop) > 0.03 * np.abs(stop).max())
    stop = stop[: loud[-1] + round(0.05 * RATE)]
    wave = np.concatenate([np.zeros(RATE, np.float32), 0.3 * stop / np.abs(stop).max()])
    wave = (wave + 1e-3 * np.random.default_rng(0).standard_normal(len(wave))).astype(np.float32)
    stream = load(name).stream()
    events = stream.feed(wave) + stream.flush()
    assert [event.label for event in events] == ["stop"]
    assert events[0].time <= len(wave) / RATE


@pytest.mark.parametrize("name", STREAMING)
def test_it_was_tuned_on_hours_of_sound(name):
    model = load(name)
    found = model.info["detector"]
    assert found["hours"] > 3
    assert found["false_alarms"] <= found["wanted_per_hour"] * found["hours"]
    assert set(model.detector_config().thresholds) == set(model.labels) - {"unknown", "silence"}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.skipif("commands-12-stream-tiny" not in STREAMING, reason="commands-12-stream-tiny is not there")
def test_two_quiet_hours():
    """No event in an hour of hiss at -80 dB and one of digital silence; no more memory than after the first minute."""
    run = subprocess.run(
        [sys.executable, "-c", HOURS, "commands-12-stream-tiny"], capture_output=True, text=True, check=True
    )
    events, (minute, hour, hours) = json.loads(run.stdout)
    assert events == []
    assert max(hour, hours) - minute < 8  # MB
