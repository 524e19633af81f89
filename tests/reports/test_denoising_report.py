"""Tables and pictures of what denoisers made of noisy speech."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from drsn_audio.errors import InputError
from drsn_audio.reports.before_after import plot_before_after
from drsn_audio.reports.denoising import (
    cell,
    denoising_markdown,
    denoising_terminal,
    write_denoising_report,
)
from drsn_audio.reports.denoising_plot import plot_denoising


@pytest.fixture
def facts(denoising_facts):
    return denoising_facts


def section(text, start):
    """Rows of the table under the title that starts so."""
    at = text.index(start)
    lines = text[at:].split("\n\n")[1].splitlines()
    return [[part.strip() for part in line.split("|")[1:-1]] for line in (lines[0], *lines[2:])]


def test_markdown_holds_every_value_and_where_it_is_from(facts):
    text = denoising_markdown(facts)
    header, noisy, ours, _ = section(text, "SI-SDR in dB; mean of all noise kinds, 8 trials.")
    assert header == ["system", "10 dB", "-5 dB", "mean"]
    assert noisy == ["noisy", "10.0 [9.0, 11.0]", "-5.0 [-6.0, -4.0]", "2.5 [1.5, 3.5]"]
    assert ours[1] == "16.0 [15.0, 17.0]"
    assert section(text, "SI-SDR in dB; street")[2][1] == "17.0 [16.0, 18.0]"
    gains = section(text, "SI-SDR in dB more than the noisy speech has; mean")
    assert [row[0] for row in gains] == ["system", "ours", "WebRTC"]  # the noisy wave's own is 0
    assert section(text, "STOI")[2][3] == "0.760 [0.750, 0.770]"
    assert "PESQ, 1" not in text  # no value of it
    assert section(text, "ours less each other system") == [
        ["less", "SI-SDR, dB", "STOI"],
        ["noisy", "6.0 [5.0, 7.0]", "0.0600 [0.0500, 0.0700]"],
        ["WebRTC", "3.0 [n/a]", "n/a"],
    ]
    edges = section(text, "Clean speech, digital silence")
    assert edges[1] == ["ours", "25.0 [24.0, 26.0]", "0", *["20.0 [19.0, 21.0]"] * 3, "0.0123"]
    assert edges[2][2] == "n/a"
    for part in (
        "- WebRTC: library webrtc-noise-gain, delay_ms 6.0",
        "ours (98,767 parameters); 48 utterances of 3 to 12 s, at most 12 a speaker of 4 speakers of `test.jsonl.gz`",
        "2 noise draws each from 7 recordings of `noise.jsonl.gz` (sha256 cdcdcdcdcdcd, folds 3)",
        "commit unknown, seed 3.",
        "limited to -30 to 60 dB a trial. Trials left out: 8 without pesq.",
    ):
        assert part in text


def test_the_terminal_shows_the_same(facts):
    facts["data"]["limits"] = {"per_speaker": None, "duration_s": [0.0, None]}
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(denoising_terminal(facts))
    text = console.export_text()
    assert "16.0 [15.0, 17.0]" in text
    assert "48 utterances of 4 speakers of test.jsonl.gz" in text


def test_what_is_written(facts, tmp_path):
    paths = write_denoising_report(facts, tmp_path / "run")
    assert [path.name for path in paths] == ["run.json", "table.md", "denoising.png"]
    assert json.loads(paths[0].read_text()) == facts
    assert imread(paths[2]).std() > 0.01


def test_a_plot_of_one_kind_and_without_intervals(facts, tmp_path):
    facts["conditions"] = [one for one in facts["conditions"] if one["noise_kind"] == "street"]
    for one in facts["conditions"]:
        one["stoi"] |= {"low": None, "high": None}
    plot_denoising(facts, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert text.startswith("<?xml")
    with pytest.raises(InputError, match="no measures against SNR"):
        plot_denoising(facts | {"conditions": []}, tmp_path / "b.png")


def test_cells():
    assert cell(None, 1) == "n/a"
    assert cell({"mean": -0.04, "low": -0.04, "high": 0.26}, 1) == "0.0 [0.0, 0.3]"


def test_other_facts_are_refused(facts):
    with pytest.raises(InputError, match="not of denoising"):
        denoising_markdown(facts | {"kind": "transcription"})


@pytest.mark.slow
def test_before_and_after_share_a_scale(tmp_path, monkeypatch):
    shown = []
    from drsn_audio.reports import before_after

    drawn = before_after.draw_spectrogram

    def watch(axes, power_db, duration_s, sample_rate, loudest_db):
        shown.append((power_db.max(), loudest_db))
        return drawn(axes, power_db, duration_s, sample_rate, loudest_db)

    monkeypatch.setattr(before_after, "draw_spectrogram", watch)
    sine = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000).astype(np.float32)
    waves = {"clean": 0.1 * sine, "noisy": sine, "denoised": 0 * sine}
    plot_before_after(tmp_path / "a.png", waves, 16000, "a $ title")
    assert (tmp_path / "a.png").is_file()
    (clean, top), (noisy, _), (nothing, _) = shown
    assert {loudest for _, loudest in shown} == {top}
    assert noisy == pytest.approx(0, abs=0.1)  # a sine of full scale
    assert noisy - clean == pytest.approx(20, abs=0.01)
    assert nothing < -200
    with pytest.raises(ValueError, match="give some of one length"):
        plot_before_after(tmp_path / "b.png", {"clean": sine, "noisy": sine[:10]}, 16000, "")
    with pytest.raises(InputError, match="NaN or infinite"):
        plot_before_after(tmp_path / "b.png", {"clean": sine * np.float32(np.nan)}, 16000, "")
