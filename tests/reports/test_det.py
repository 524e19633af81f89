import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib")


from drsn_audio.metrics.streaming import Det, det_curve
from drsn_audio.reports.det import plot_det

# 12 h without keywords, 200 keywords: misses of 0, 2.275, 50 and 100 %.
SHIFTS, ALARMS, MISSES = [-1.0, 0.0, 1.0, 2.0], [1200, 120, 12, 0], [0, 20, 100, 200]


@pytest.fixture
def curves() -> dict[str, Det]:
    return {
        "street, 5 dB": det_curve(SHIFTS, ALARMS, 12.0, MISSES, 200),
        "clean": det_curve(SHIFTS, ALARMS, 12.0, [1, 5, 50, 150], 200),
    }


def test_a_line_a_condition_on_deviate_and_log_axes(curves, tmp_path, drawn):
    """Half of all lies at deviate 0; none of 200 is drawn as half of one, at the deviate of 0.25 %: -2.807."""
    plot_det(curves, tmp_path / "det.png", "small")
    assert (tmp_path / "det.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["street, 5 dB", "clean", "at the chosen thresholds"]
    np.testing.assert_allclose(lines["street, 5 dB"].get_xdata(), [100, 10, 1, 0.5 / 12])
    np.testing.assert_allclose(lines["street, 5 dB"].get_ydata(), [-2.807, -1.2816, 0, 2.807], atol=1e-3)
    assert axes.get_xscale() == "log"
    ticks = dict(zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True))
    assert ticks["50"] == pytest.approx(0) if "50" in ticks else ticks["40"] == pytest.approx(-ticks["60"])
    assert ticks["10"] == pytest.approx(-1.2816, abs=1e-4)
    names = dict(zip([label.get_text() for label in axes.get_xticklabels()], axes.get_xticks(), strict=True))
    assert names["0"] == pytest.approx(0.5 / 12)
    assert names["10"] == 10
    assert axes.get_title("left") == "small"


@pytest.mark.slow
def test_the_chosen_thresholds_are_marked(curves, tmp_path, drawn):
    plot_det(curves, tmp_path / "det.svg")
    plot_det(curves, tmp_path / "none.svg", operating_shift=None)
    marks = [line.get_xydata() for line in drawn[0].axes[0].lines if line.get_marker() == "o" and len(line.get_xdata())]
    np.testing.assert_allclose(marks, [[[10, -1.2816]], [[10, -1.9600]]], atol=1e-3)  # 20 and 5 of 200
    assert not [line for line in drawn[1].axes[0].lines if line.get_marker() == "o" and len(line.get_xdata())]


def test_rates_that_so_many_hours_cannot_show_are_shaded(curves, tmp_path, drawn):
    plot_det(curves, tmp_path / "det.png")
    (axes,) = drawn[0].axes
    assert axes.patches[0].get_bbox().x1 == pytest.approx(3 / 12)
    assert [text.get_text() for text in axes.texts] == ["below 3 / 12 h = 0.25:\nno rate is claimed"]


def test_the_shortest_time_counts(curves, tmp_path, drawn):
    curves["short"] = det_curve(SHIFTS, ALARMS, 6.0, MISSES, 200)
    plot_det(curves, tmp_path / "det.png")
    assert "3 / 6 h = 0.5" in drawn[0].axes[0].texts[0].get_text()


def test_a_single_point_is_a_picture(tmp_path):
    plot_det({"kws": det_curve([0], [30], 10.0, [20], 100)}, tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 5000


def test_errors_say_what_to_do(curves, tmp_path):
    with pytest.raises(ValueError, match="no curves to draw"):
        plot_det({}, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.bmp: no picture has this ending"):
        plot_det(curves, tmp_path / "a.bmp")


def test_matplotlib_is_not_needed_to_import():
    check = "import sys, drsn_audio.reports.det; assert not {'matplotlib', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
