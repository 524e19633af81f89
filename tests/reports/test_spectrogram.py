"""The picture of a mix: frequencies, times and levels are where the axes say; any length, rate and silence."""

import math
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib import rcParams
from matplotlib.figure import Figure

from drsn_audio.reports.spectrogram import COLUMNS, RANGE_DB, plot_mix, spectrum

RATE = 16000
LEVELS = {"speech (P.56)": -26.34, "noise (RMS)": -31.34, "SNR": 5.0}


@pytest.fixture
def drawn(monkeypatch):
    """The figures, and that they were saved; drawing them takes half a second each."""
    figures = []

    def savefig(figure, path, **options):
        figures.append(figure)
        path.write_bytes(options["format"].encode())

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


def tone(hz, seconds=1.0, rate=RATE, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def draw(drawn, folder, clean, noise, rate=RATE, title="a mix", levels=LEVELS):
    plot_mix(folder / "mix.png", clean, noise, clean + noise, rate, title, levels)
    return drawn[-1].axes


def row_of(axes, khz):
    """The row of the image whose colour lies at a frequency of the axis."""
    image = axes.images[0]
    _, _, low, high = image.get_extent()
    return int((khz - low) / (high - low) * image.get_array().shape[0])


@pytest.mark.parametrize(("rate", "hz"), [(8000, 1000), (16000, 3000), (44100, 11025), (48000, 20000)])
def test_a_tone_lies_at_its_frequency(rate, hz, drawn, tmp_path):
    speech, noise, mix, *_ = draw(drawn, tmp_path, tone(hz, rate=rate), tone(hz / 4, rate=rate, amplitude=0.05), rate)
    for axes, own_hz in ((speech, hz), (noise, hz / 4), (mix, hz)):
        assert axes.get_ylim() == (0, rate / 2000)
        assert axes.get_xlim() == (0, 1)
        power_db = axes.images[0].get_array()
        middle = power_db[:, power_db.shape[1] // 2]
        assert abs(int(middle.argmax()) - row_of(axes, own_hz / 1000)) <= 1
    assert speech.images[0].get_array().max() == pytest.approx(20 * math.log10(0.5), abs=1.5)  # re full scale


def test_a_burst_lies_at_its_time(drawn, tmp_path):
    clean = np.zeros(4 * RATE, np.float32)
    clean[round(2.5 * RATE) : 3 * RATE] = tone(1000, 0.5)
    speech = draw(drawn, tmp_path, clean, tone(200, 4, amplitude=1e-3))[0]
    power_db = speech.images[0].get_array()
    left, right = speech.images[0].get_extent()[:2]
    assert (left, right) == (0, 4)
    heard = np.flatnonzero(power_db.max(axis=0) > -20) / power_db.shape[1] * 4
    assert heard.min() == pytest.approx(2.5, abs=0.02)
    assert heard.max() == pytest.approx(3.0, abs=0.02)


def test_all_three_share_one_colour_scale(drawn, tmp_path):
    *panels, _, bar = draw(drawn, tmp_path, tone(1000), tone(2000, amplitude=0.05))
    (scale,) = {axes.images[0].get_clim() for axes in panels}
    loudest = max(axes.images[0].get_array().max() for axes in panels)
    assert scale == pytest.approx((loudest - RANGE_DB, loudest))
    assert "dB" in bar.get_ylabel()


def test_titles_and_axes_name_levels_and_units(drawn, tmp_path):
    axes = draw(drawn, tmp_path, tone(1000), tone(2000), title="a & b", levels={**LEVELS, "scale": -1.0})
    titles = [panel.get_title("left") for panel in axes[:3]]
    assert titles == ["speech -26.3 dB (P.56)", "noise -31.3 dB (RMS)", "mix, SNR 5.0 dB, scale -1.0 dB"]
    assert drawn[-1].get_suptitle() == "a & b"
    assert [panel.get_ylabel() for panel in axes[:3]] == ["frequency (kHz)"] * 3
    assert axes[3].get_xlabel() == "time (s)"


def test_the_level_curves_are_levels(drawn, tmp_path):
    rng = np.random.default_rng(0)
    noise = (0.01 * rng.standard_normal(2 * RATE)).astype(np.float32)
    below = draw(drawn, tmp_path, tone(1000, 2), noise)[3]
    curves = {line.get_label(): line.get_ydata() for line in below.lines if not line.get_label().startswith("_")}
    assert np.median(curves["speech"]) == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.05)
    assert 10 * np.log10(np.mean(10 ** (curves["noise"] / 10))) == pytest.approx(-40, abs=0.2)
    dashed = [line.get_ydata()[0] for line in below.lines if line.get_linestyle() == "--"]
    assert dashed == [-26.34, -31.34]


def test_without_noise_the_panel_says_so(drawn, tmp_path):
    clean = tone(1000)
    levels = {"speech (P.56)": -9.0, "noise (RMS)": -math.inf, "SNR": math.inf}
    speech, noise, mix, below, *_ = draw(drawn, tmp_path, clean, np.zeros_like(clean), levels=levels)
    assert [text.get_text() for text in noise.texts] == ["no noise"]
    assert not speech.texts
    assert not mix.texts
    assert [axes.get_title("left") for axes in (noise, mix)] == ["noise", "mix, SNR inf dB"]
    assert [line.get_label() for line in below.lines if not line.get_label().startswith("_")] == ["speech"]


def test_silence_is_dark_and_says_so(drawn, tmp_path):
    axes = draw(drawn, tmp_path, np.zeros(RATE, np.float32), np.zeros(RATE, np.float32), levels={})
    assert [text.get_text() for panel in axes[:3] for text in panel.texts] == ["silence", "no noise", "silence"]
    for panel in axes[:3]:
        assert panel.images[0].get_array().max() < panel.images[0].get_clim()[0]


@pytest.mark.parametrize("samples", [1, 2, 100, 513, 7919])
def test_short_waves(samples, drawn, tmp_path):
    clean = np.full(samples, 0.5, np.float32)
    axes = draw(drawn, tmp_path, clean, 0.1 * clean)
    assert axes[0].get_xlim() == (0, samples / RATE)
    assert all(np.isfinite(panel.images[0].get_array()).all() for panel in axes[:3])


def test_long_waves_are_reduced_without_losing_power_or_place():
    wave = np.random.default_rng(0).standard_normal(120 * RATE).astype(np.float32)
    wave[: 60 * RATE] *= 0.1
    power, mean_square = spectrum(wave, RATE)
    assert power.shape[1] == len(mean_square) == COLUMNS
    assert mean_square[: COLUMNS // 2 - 1].mean() == pytest.approx(0.01, rel=0.02)
    assert mean_square[COLUMNS // 2 + 1 :].mean() == pytest.approx(1, rel=0.02)


def test_memory_does_not_grow_with_the_length():
    import tracemalloc

    wave = np.zeros(1800 * 8000, np.float32)
    tracemalloc.start()
    try:
        spectrum(wave, 8000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40e6 < wave.nbytes


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_file_is_a_picture_and_nothing_is_left_beside_it(ending, tmp_path):
    before = dict(rcParams)
    path = tmp_path / "new" / f"mix.{ending}"
    # Dollar signs are no formulas; a name may be long.
    plot_mix(path, tone(1000, 0.1), tone(2000, 0.1), tone(1000, 0.1), RATE, "$a_b$ \udcff \u65e5/" * 30, {"SNR": 0.0})
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)
    assert list(path.parent.iterdir()) == [path]
    assert dict(rcParams) == before


def test_an_interrupted_write_leaves_the_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "mix.png"
    path.write_bytes(b"old")

    def torn(figure, place, **options):
        place.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", torn)
    with pytest.raises(KeyboardInterrupt):
        plot_mix(path, tone(1000), tone(2000), tone(1000), RATE, "", {})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_say_what_to_do(tmp_path):
    wave, broken = tone(1000), tone(1000)
    broken[5] = math.nan
    with pytest.raises(ValueError, match=r"\[16000\], \[16000\], \[1\].*give three of one length"):
        plot_mix(tmp_path / "a.png", wave, wave, wave[:1], RATE, "", {})
    with pytest.raises(ValueError, match="without samples"):
        plot_mix(tmp_path / "a.png", wave[:0], wave[:0], wave[:0], RATE, "", {})
    with pytest.raises(ValueError, match=r"a\.png: the waves hold NaN"):
        plot_mix(tmp_path / "a.png", wave, broken, wave, RATE, "", {})
    with pytest.raises(ValueError, match=r"a\.bmp: no picture has this ending"):
        plot_mix(tmp_path / "a.bmp", wave, wave, wave, RATE, "", {})
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot be written.*choose another place"):
        plot_mix(tmp_path / "file" / "a.png", wave, wave, wave, RATE, "", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_matplotlib_and_torch_are_not_needed_to_import():
    check = "import sys, drsn_audio.reports.spectrogram; assert not {'matplotlib', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
