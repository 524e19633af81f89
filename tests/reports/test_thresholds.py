"""The picture of thresholds: what is drawn lies at its time and frequency, whatever front-end and kind of block."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from drsn_audio.errors import InputError
from drsn_audio.reports.thresholds import BlockPanels, Scene, draw_thresholds, plot_thresholds, warp

RATE = 16000
EDGES_HZ = np.geomspace(50, 8000, 41)  # 40 rows


def tone(hz, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def block(name="stages.0.0", kind="alpha", alpha=(8, 20), over_time=None, effect=(20, 50), rows_a_band=2, frame_s=0.02):
    rng = np.random.default_rng(0)
    return BlockPanels(
        name, kind, rng.uniform(size=alpha), over_time if over_time is None else rng.uniform(size=over_time),
        rng.uniform(size=effect), alpha[0], frame_s, rows_a_band, 0.25,
    )  # fmt: skip


def images(figure):
    """Images of the panels, row by row, colour bars left out."""
    return [axes.images[0] for axes in figure.axes if axes.images]


@pytest.mark.parametrize("hz", [300, 1000, 5000])
def test_a_tone_lies_in_the_row_of_its_frequency(hz):
    power = np.zeros((257, 3))
    power[round(hz * 512 / RATE)] = 1
    rows = warp(power, RATE, EDGES_HZ, 40)
    assert EDGES_HZ[rows[:, 0].argmax()] - 16 <= hz <= EDGES_HZ[rows[:, 0].argmax() + 1] + 16  # half a bin


def test_flat_power_stays_flat():
    np.testing.assert_allclose(warp(np.full((257, 2), 3.0), RATE, EDGES_HZ), 3.0)


def test_panels_share_time_and_frequency_with_the_spectrogram():
    blocks = [block(), block("stages.1.0", alpha=(16, 10), effect=(10, 25), rows_a_band=4, frame_s=0.04)]
    figure = draw_thresholds(blocks, Scene(tone(1000), RATE, 3.0, 40, EDGES_HZ), "a model on a sound")
    heard, *panels = images(figure)
    assert tuple(heard.get_extent()) == (3.0, 4.0, 0, 40)
    row = np.interp(1000, EDGES_HZ, np.arange(41))
    loudest = heard.get_array()[:, 250].argmax() + 0.5
    assert loudest * 40 / heard.get_array().shape[0] == pytest.approx(row, abs=0.5)
    for panel, each in zip(panels[::2], blocks, strict=True):
        assert tuple(panel.get_extent()) == (3.0, 4.0, 0, 40)
        np.testing.assert_array_equal(panel.get_array(), each.effect)
        assert panel.axes.get_xlim() == (3.0, 4.0)
        labels = [label.get_text() for label in panel.axes.get_yticklabels()]
        assert panel.axes.get_yticks()[labels.index("1")] == pytest.approx(row)
    assert [axes.get_title("left") for axes in figure.axes if "%" in axes.get_title("left")] == [
        "stages.0.0: 25 % set to zero",
        "stages.1.0: 25 % set to zero",
    ]


def test_one_scale_of_colours_for_all_blocks():
    figure = draw_thresholds([block(), block("b")], Scene(tone(500), RATE, 0.0, 40, EDGES_HZ), "x")
    _, *panels = images(figure)
    for column in (panels[::2], panels[1::2]):
        assert len({(panel.get_cmap().name, panel.get_clim()) for panel in column}) == 1


def test_channels_are_sorted_by_their_alpha():
    each = block()
    _, _, alpha = images(draw_thresholds([each], Scene(tone(500), RATE, 0.0, 40, EDGES_HZ), "x"))
    means = alpha.get_array().mean(axis=0)
    assert (np.diff(means) >= 0).all()
    np.testing.assert_allclose(np.sort(each.alpha.mean(axis=1)), means)


@pytest.mark.parametrize(
    ("alpha", "over_time", "effect", "rows_a_band"),
    [
        ((8, 20), (20, 50), (20, 50), 2),  # causal, by frequency
        ((8, 1), (1, 50), (20, 50), 2),  # by channel
        ((1, 1), (1, 50), (20, 50), 2),  # one for all
        ((8, 1), (1, 50), (1, 50), 40),  # behind joined frequencies
    ],
)
def test_what_all_bands_share_is_as_high_as_all(alpha, over_time, effect, rows_a_band):
    each = block(alpha=alpha, over_time=over_time, effect=effect, rows_a_band=rows_a_band)
    figure = draw_thresholds([each], Scene(tone(500), RATE, 0.0, 40, EDGES_HZ), "x")
    panels = images(figure)
    assert len(panels) == 5  # the spectrogram twice
    assert all(tuple(panel.get_extent())[2:] == (0, 40) for panel in panels)
    assert tuple(panels[3].get_extent())[:2] == (0, 1)


def test_gates_set_nothing_to_zero_and_coefficients_are_no_frequencies():
    figure = draw_thresholds([block(kind="gate")], Scene(tone(500), RATE, 0.0, 40, None), "x")
    labels = {axes.get_ylabel() for axes in figure.axes}
    assert {"frequency (kHz)", "coefficient"} <= labels
    assert "nothing set to zero" in " ".join(axes.get_title("left") for axes in figure.axes)
    assert not any("that are set to zero" in axes.get_xlabel() for axes in figure.axes)


def test_silence_and_a_single_sample(tmp_path):
    for wave in (np.zeros(RATE, np.float32), np.ones(1, np.float32)):
        plot_thresholds(tmp_path / "a.png", [block()], Scene(wave, RATE, 0.0, 40, EDGES_HZ), "$x_ of dollars")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_draw():
    with pytest.raises(InputError, match="nothing to draw"):
        draw_thresholds([], Scene(tone(500), RATE, 0.0, 40, EDGES_HZ), "x")
