import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib import rcParams

from drsn_audio.extras import install_command
from drsn_audio.reports.plot import plot_accuracy, plot_confusion


def test_one_run_has_a_line_a_kind_and_clean_at_the_right_end(facts, tmp_path, drawn):
    plot_accuracy([facts], tmp_path / "new" / "one.png")
    assert (tmp_path / "new" / "one.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["street", "machinery", "mean"]
    at = {c["snr_db"]: c["accuracy"] for c in facts["conditions"] if c["noise_kind"] == "street"}
    np.testing.assert_allclose(lines["street"].get_xdata(), [-5, 0, 5, 10, 20])
    np.testing.assert_allclose(lines["street"].get_ydata(), [100 * at[snr_db] for snr_db in sorted(at)])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["-5", "0", "5", "10", "20", "clean"]
    assert axes.lines[-1].get_xydata() == pytest.approx(np.array([[25, 100 * facts["conditions"][0]["accuracy"]]]))


def test_bands_are_the_intervals(facts, tmp_path, drawn):
    plot_accuracy([facts], tmp_path / "one.png")
    band = drawn[0].axes[0].collections[0].get_paths()[0].vertices
    for c in facts["conditions"]:
        if c["noise_kind"] == "street":
            heights = band[band[:, 0] == c["snr_db"], 1]
            assert heights.min() == pytest.approx(100 * c["low"])
            assert heights.max() == pytest.approx(100 * c["high"])


def test_several_runs_have_a_panel_a_kind(facts, other_facts, tmp_path, drawn):
    plot_accuracy([facts, other_facts], tmp_path / "two.svg")
    assert "<svg" in (tmp_path / "two.svg").read_text()
    assert [axes.get_title("left") for axes in drawn[0].axes] == ["street", "machinery", "mean"]
    for axes in drawn[0].axes:
        labels = [line.get_label() for line in axes.lines]
        assert [label for label in labels if not label.startswith("_")] == [
            "small (cw-frequency)",
            "resnet (none)",
        ]


def test_gaps_and_missing_intervals_are_drawn_around(facts, other_facts, tmp_path):
    facts["conditions"] = [c for c in facts["conditions"] if c["noise_kind"] == "street" and c["snr_db"] != 5.0]
    facts["conditions"][0] |= {"low": None, "high": None}
    plot_accuracy([facts, other_facts], tmp_path / "gaps.png")
    assert (tmp_path / "gaps.png").stat().st_size > 10_000


def test_confusions_are_in_percent_of_the_row(facts, tmp_path, drawn):
    confusion = [[30, 10, 0, 0, 0], [0, 40, 0, 0, 0], [10, 0, 20, 10, 0], [0, 0, 0, 40, 0], [0, 0, 0, 40, 0]]
    for condition in facts["conditions"]:
        if condition["noise_kind"] == "street":
            condition["confusion"] = confusion
    plot_confusion(facts, tmp_path / "confusion.png", 0.0, "street")
    (axes,) = drawn[0].axes
    cells = {text.get_position()[::-1]: text.get_text() for text in axes.texts}  # row, column
    assert cells == {
        **{(0, 0): "75", (0, 1): "25", (1, 1): "100", (2, 0): "25", (2, 2): "50", (2, 3): "25"},
        **{(3, 3): "100", (4, 3): "100"},
    }
    assert axes.get_yticklabels()[0].get_text() == "yes  (40)"
    assert "street at 0 dB: accuracy 65.0 %" in drawn[0].get_suptitle()


def test_a_class_without_trials_is_an_empty_row(facts, tmp_path):
    facts["conditions"] = facts["conditions"][:1]
    facts["conditions"][0] |= {"confusion": np.diag([1, 1, 1, 0, 0]).tolist(), "trials": 3}
    plot_confusion(facts, tmp_path / "confusion.svg", None, "clean")


def test_errors_say_what_to_do(facts, tmp_path):
    with pytest.raises(ValueError, match=r"a\.bmp: no picture has this ending: choose one of \.png, \.svg, \.pdf"):
        plot_accuracy([facts], tmp_path / "a.bmp")
    with pytest.raises(ValueError, match="no confusions for mean at 0 dB"):
        plot_confusion(facts, tmp_path / "a.png", 0.0, "mean")
    facts["conditions"] = facts["conditions"][:1]
    with pytest.raises(ValueError, match="evaluate with noise to plot against SNR"):
        plot_accuracy([facts], tmp_path / "a.png")


def test_matplotlib_is_neither_needed_to_import_nor_changed(facts, tmp_path):
    before = dict(rcParams)
    plot_accuracy([facts], tmp_path / "a.png")
    assert dict(rcParams) == before
    check = "import sys, drsn_audio.reports.plot; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_without_matplotlib_the_remedy_is_named(facts, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=re.escape(install_command("train"))):
        plot_accuracy([facts], tmp_path / "a.png")
