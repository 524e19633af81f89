import io
import json

import numpy as np
import pytest
from rich.console import Console

from drsn_audio.errors import InputError
from drsn_audio.reports.transcription import (
    comparison,
    confused,
    differences,
    transcription_markdown,
    transcription_terminal,
    write_transcription_report,
)
from drsn_audio.reports.transcription_plot import plot_word_errors


def condition(kind, snr_db, wer, **changed):
    words = 200
    return {
        "noise_kind": kind,
        "snr_db": snr_db,
        "wer": wer,
        "low": max(0.0, wer - 0.05),
        "high": wer + 0.05,
        "cer": wer * 0.8,
        "cer_low": wer * 0.7,
        "cer_high": wer * 0.9,
        "words": words,
        "substitutions": round(wer * words / 2),
        "deletions": round(wer * words / 4),
        "insertions": round(wer * words / 4),
        "characters": 900,
        "trials": 50,
        "exact": 20,
        "speakers": 5,
        "noise_recordings": 0 if snr_db is None else 7,
        "confused": {
            "substituted": [{"said": "go", "written": "no", "times": 9, "of": 20}],
            "deleted": [{"said": "stop", "times": 12, "of": 48}],
            "inserted": [{"written": "one", "times": 3}],
        },
    } | changed


@pytest.fixture
def facts():
    rates = {20.0: 0.1, 5.0: 0.3, -5.0: 1.1}  # more errors than words, too
    conditions = [condition("clean", None, 0.05)]
    conditions += [condition(kind, snr_db, wer) for kind in ("street", "factory") for snr_db, wer in rates.items()]
    conditions += [condition("mean", snr_db, wer) for snr_db, wer in rates.items()]
    return {
        "schema": 1,
        "kind": "transcription",
        "command": "drsn-audio evaluate",
        "commit": "",
        "seed": 3,
        "level": "p56",
        "draws": 2,
        "model": {
            "name": "words",
            "parameters": 1_045_589,
            "units": "words",
            "decoder": {"kind": "beam search", "beam": 50, "language_model": "lm.arpa", "lexicon": "", "hotwords": {}},
        },
        "data": {
            "manifest": "strings.jsonl.gz",
            "sha256": "ab" * 32,
            "utterances": 50,
            "speakers": 5,
            "words": 200,
            "left_out": [{"fault": "too long", "utterances": 2, "first": "a.wav"}],
            "noise": [{"manifest": "noise.jsonl.gz", "sha256": "cd" * 32, "folds": [3], "recordings": 7}],
        },
        "conditions": conditions,
        "differences": [
            {"noise_kind": kind, "snr_db": snr_db, "difference": -0.2, "low": -0.3, "high": None}
            for kind, snr_db in (("clean", None), ("street", 5.0))
        ],
    }


def lines_of(text, start):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith(start)]


def test_markdown_holds_every_rate_and_where_it_is_from(facts):
    text = transcription_markdown(facts)
    header, *_ = lines_of(text, "| noise")
    assert header == ["noise", "clean", "20 dB", "5 dB", "-5 dB"]
    words, letters, *_ = lines_of(text, "| street  ")
    assert words == ["street", "5.0 [0.0, 10.0]", "10.0 [5.0, 15.0]", "30.0 [25.0, 35.0]", "110.0 [105.0, 115.0]"]
    assert letters[2] == "8.0 [7.0, 9.0]"
    (details,) = lines_of(text, "| factory at 5 dB")
    assert details == ["factory at 5 dB", "15.0", "7.5", "7.5", "200", "40.0", "50"]
    assert "1,045,589 parameters; decoder beam search (beam 50, language_model lm.arpa)" in text
    assert "50 utterances, 200 words, of 5 speakers of `strings.jsonl.gz` (sha256 abababababab)" in text
    assert "2 left out (2 too long)" in text
    assert "2 noise draws each from 7 recordings of `noise.jsonl.gz` (sha256 cdcdcdcdcdcd, folds 3)" in text
    assert "`drsn-audio evaluate`, commit unknown, seed 3." in text
    assert "The mean weighs all noise kinds the same." in text


def test_confused_words_are_of_all_kinds_the_most_frequent_first(facts):
    header, rows, _ = confused(facts["conditions"][0])
    assert header == ["said", "written", "times", "% of said"]
    assert rows == [["stop", "(nothing)", "12", "25.0"], ["go", "no", "9", "45.0"], ["(nothing)", "one", "3", ""]]
    assert confused(facts["conditions"][0], most=1)[1] == rows[:1]
    text = transcription_markdown(facts)
    assert "Words most often wrong, mean at 5 dB." in text  # the lowest SNR that is not below 0 dB


def test_without_noise_and_without_errors(facts):
    clean = condition("clean", None, 0.0, low=None, high=None)
    clean["confused"] = {"substituted": [], "deleted": [], "inserted": []}
    text = transcription_markdown(facts | {"conditions": [clean]})
    assert lines_of(text, "| clean")[0] == ["clean", "0.0 [n/a]"]
    assert "most often wrong" not in text
    assert "The mean" not in text


def test_the_terminal_shows_it_in_80_columns(facts):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(transcription_terminal(facts))
    shown = console.export_text()
    assert "110.0 [105.0, 115.0]" in shown
    assert "factory at -5 dB" in shown
    assert "…" not in shown  # nothing is cut off
    assert max(map(len, shown.splitlines())) <= 80


def test_side_by_side(facts):
    other = facts | {"model": facts["model"] | {"name": "pocketsphinx", "parameters": None}}
    text = comparison([facts, other])
    assert [row[:2] for row in lines_of(text, "| street")] == [["street", "words"], ["street", "pocketsphinx"]]
    assert lines_of(text, "| mean")[1][-1] == "110.0 [105.0, 115.0]"
    assert "- pocketsphinx: decoder beam search" in text
    with pytest.raises(InputError, match="rms"):
        comparison([facts, other | {"level": "rms"}])
    with pytest.raises(InputError, match="no runs"):
        comparison([])


def test_differences(facts):
    (row,) = lines_of(differences(facts), "| street")
    assert row == ["street", "-20.0 [n/a]", "-20.0 [n/a]"]


def test_another_kind_of_run_is_refused(facts):
    with pytest.raises(InputError, match=r"run\.json: not of a transcription"):
        transcription_markdown(facts | {"kind": "streams"})


def test_files(facts, tmp_path):
    paths = write_transcription_report(facts, tmp_path / "new")
    assert [path.name for path in paths] == ["run.json", "table.md", "wer.png"]
    assert json.loads(paths[0].read_text()) == facts
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    paths = write_transcription_report(facts | {"conditions": facts["conditions"][:1]}, tmp_path / "clean")
    assert [path.name for path in paths] == ["run.json", "table.md"]


@pytest.mark.slow
def test_plot_of_one_run_has_a_line_for_each_noise(facts, drawn, tmp_path):
    plot_word_errors([facts], tmp_path / "wer.svg")
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["street", "factory", "mean"]
    assert lines["street"].get_xdata().tolist() == [-5, 5, 20]
    assert lines["street"].get_ydata() == pytest.approx([110, 30, 10])
    assert axes.get_ylim()[0] == 0
    assert axes.get_xticklabels()[-1].get_text() == "clean"
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((5, 115))


def test_plot_of_two_runs_has_a_panel_for_each_noise(facts, drawn, tmp_path):
    other = facts | {"model": facts["model"] | {"name": "pocketsphinx"}}
    other["conditions"] = [one | {"low": None, "high": None} for one in facts["conditions"] if one["snr_db"] != 5.0]
    plot_word_errors([facts, other], tmp_path / "wer.png")
    assert [axes.get_title(loc="left") for axes in drawn[0].axes] == ["street", "factory", "mean"]
    labelled = [line for line in drawn[0].axes[0].lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in labelled] == ["words", "pocketsphinx"]
    assert labelled[1].get_xdata().tolist() == [-5, 20]
    assert np.isfinite(labelled[1].get_ydata()).all()


def test_nothing_to_plot(facts, tmp_path):
    with pytest.raises(InputError, match="clean speech alone"):
        plot_word_errors([facts | {"conditions": facts["conditions"][:1]}], tmp_path / "wer.png")
