"""`drsn-audio denoise`: files as those that were given, without their noise; what cannot be read is told in a line."""

import logging
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from drsn_audio import audio
from drsn_audio.cli import main
from drsn_audio.denoising import writing
from drsn_audio.streaming.denoising import DenoiseStream

from ..streaming.test_onnx_denoising import write_step
from .conftest import RATE, FixedDenoiser, hiss

CLOSED = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write all")


@pytest.fixture
def cli(capsys):
    """Run the command; its status, and the lines of stdout and stderr."""

    def run(*arguments):
        status = main(["denoise", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    yield run
    logging.getLogger("drsn_audio").handlers = []


@pytest.fixture
def open_gains(monkeypatch):
    """In place of any model one that takes nothing away."""
    denoiser = FixedDenoiser(lambda _: 1.0)
    monkeypatch.setattr("drsn_audio.api.load_denoiser", lambda *_: denoiser)
    return denoiser


def put(path, wave, sample_rate=RATE, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, wave, sample_rate, **settings)
    return path


def facts(path):
    info = sf.info(path)
    return info.samplerate, info.frames, info.channels, info.format, info.subtype


def test_a_file(cli, denoiser_run, model, tmp_path):
    given, out = put(tmp_path / "a.wav", hiss(5003), subtype="FLOAT"), tmp_path / "deep" / "b.wav"
    status, printed, err = cli(given, "-o", out, "--model", denoiser_run)
    assert (status, printed) == (0, [str(out)])
    assert err[0].startswith("1 file done, 0 s of sound heard, ")
    stream = DenoiseStream(model)
    wave, _ = sf.read(given, dtype="float32")
    expected = np.concatenate([stream.feed(wave), stream.flush()])
    clean, rate = sf.read(out, dtype="float32")
    assert rate == RATE
    assert clean == pytest.approx(expected, abs=1e-6)
    assert (out.stat().st_mode & 0o777) == (given.stat().st_mode & 0o777)
    assert os.listdir(out.parent) == ["b.wav"]
    assert cli(given, "-o", out, "--model", denoiser_run, "--quiet")[2] == []


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("ending", "subtype"),
    [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT"), ("flac", "PCM_16"), ("flac", "PCM_24"), ("ogg", "VORBIS")],
)
def test_rate_length_channels_and_format_are_kept(cli, open_gains, tmp_path, sample_rate, channels, ending, subtype):
    wave = hiss(sample_rate // 4 + 11, channels=channels)
    given = put(tmp_path / "in" / f"a.{ending}", wave, sample_rate, subtype=subtype)
    status, printed, _ = cli(given.parent, "-o", tmp_path / "out")
    assert (status, printed) == (0, [str(tmp_path / "out" / f"a.{ending}")])
    assert facts(printed[0]) == facts(given)
    assert facts(given)[:3] == (sample_rate, len(wave), channels)
    if subtype != "VORBIS":  # what loses something twice is no more the same
        step = {"PCM_16": 2**-15, "PCM_24": 2**-23}.get(subtype, 0)
        before, after = (sf.read(path, always_2d=True)[0] for path in (given, printed[0]))
        assert np.abs(after - before).max() <= step + 1e-6


@pytest.mark.parametrize(("ending", "form", "subtype"), [
    ("wav", "WAV", "PCM_24"), ("flac", "FLAC", "PCM_24"), ("aiff", "AIFF", "PCM_24"), ("ogg", "OGG", "VORBIS"),
    ("opus", "OGG", "OPUS"), ("mp3", "MP3", "MPEG_LAYER_III"), ("w64", "W64", "PCM_24"),
])  # fmt: skip
def test_of_one_file_the_ending_says_the_format(cli, open_gains, tmp_path, ending, form, subtype):
    given = put(tmp_path / "a.wav", hiss(8000), subtype="PCM_24")
    status, printed, err = cli(given, "-o", tmp_path / f"b.{ending}")
    assert status == 0, err
    assert facts(printed[0])[3:] == (form, subtype)
    assert facts(printed[0])[:3] == (RATE, 8000, 1)


def test_a_format_that_is_not_written_becomes_flac_in_a_folder(cli, open_gains, tmp_path, monkeypatch):
    put(tmp_path / "in" / "a.wav", hiss(8000), subtype="FLOAT")
    known = writing.writes
    monkeypatch.setattr(writing, "writes", lambda form, *more: form != "WAV" and known(form, *more))
    status, printed, _ = cli(tmp_path / "in", "-o", tmp_path / "out")
    assert (status, printed) == (0, [str(tmp_path / "out" / "a.wav.flac")])
    assert facts(printed[0])[3:] == ("FLAC", "PCM_24")


def test_folders_globs_and_files_keep_their_relative_paths(cli, open_gains, tmp_path):
    put(tmp_path / "in" / "a.wav", hiss(800))
    put(tmp_path / "in" / "deep" / "b.flac", hiss(900))
    put(tmp_path / "other" / "c.wav", hiss(1000))
    put(tmp_path / "d.wav", hiss(1100))
    out = tmp_path / "out"
    status, printed, _ = cli(tmp_path / "in", f"{tmp_path}/oth*/*.wav", tmp_path / "d.wav", "-o", out)
    assert status == 0
    assert printed == [str(out / name) for name in ("a.wav", "deep/b.flac", "other/c.wav", "d.wav")]
    assert [facts(path)[1] for path in printed] == [800, 900, 1000, 1100]
    assert cli(tmp_path / "d.wav", "-o", out)[1] == [str(out / "d.wav")]  # a folder that is there stays one


def test_what_lies_in_out_is_not_heard_again(cli, open_gains, tmp_path):
    put(tmp_path / "in" / "a.wav", hiss(800))
    for _ in range(2):
        status, printed, _ = cli(tmp_path / "in", "-o", tmp_path / "in" / "clean")
        assert (status, printed) == (0, [str(tmp_path / "in" / "clean" / "a.wav")])
    (tmp_path / "in" / "a.wav").unlink()
    status, printed, err = cli(tmp_path / "in", "-o", tmp_path / "in" / "clean", "--quiet")
    assert (status, printed) == (2, [])
    assert "holds no audio files but those in" in err[0]
    assert cli(f"{tmp_path}/in/clean/*.wav", "-o", tmp_path)[1] == [str(tmp_path / "a.wav")]  # OUT above it


def test_integers_are_rounded_and_clip_at_full_scale(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("drsn_audio.api.load_denoiser", lambda *_: FixedDenoiser(lambda _: 1.2))
    wave = np.sin(np.arange(8000) / 9).astype(np.float32)
    for ending, step in (("wav", 2**15), ("flac", 2**15)):
        given = put(tmp_path / f"a.{ending}", wave, subtype="PCM_16")
        out = tmp_path / f"b.{ending}"
        assert cli(given, "-o", out)[0] == 0
        made, read = (sf.read(path, dtype="int16")[0].astype(int) for path in (out, given))
        expected = np.clip(np.rint(1.2 * read), -step, step - 1)
        assert np.abs(made - expected)[256:-256].max() <= 1
        assert (made.max(), made.min()) == (step - 1, -step)
        assert np.abs(made - expected).mean() < 0.05  # cut off, half of them would be one less


def test_level_is_kept_and_equal_samples_are_equal_bytes(cli, open_gains, tmp_path):
    for level in (1e-4, 3.0):
        given = put(tmp_path / "a.wav", (level * hiss(4000)).astype(np.float32), subtype="FLOAT")
        assert cli(given, "-o", tmp_path / "b.wav")[0] == 0
        before, after = (sf.read(path)[0] for path in (given, tmp_path / "b.wav"))
        assert after == pytest.approx(before, abs=1e-5 * level)
    first = (tmp_path / "b.wav").read_bytes()
    at = audio.time_of_day(first)
    assert first[at : at + 4] == bytes(4)


def test_digital_silence_stays_silence(cli, denoiser_run, tmp_path):
    given = put(tmp_path / "a.wav", np.zeros((9000, 2), np.float32), 44100)
    assert cli(given, "-o", tmp_path / "b.wav", "--model", denoiser_run, "--blend", "0.3")[0] == 0
    silence, _ = sf.read(tmp_path / "b.wav")
    assert silence.shape == (9000, 2)
    assert not silence.any()


def test_channels_are_denoised_each_by_itself(cli, denoiser_run, tmp_path):
    wave = hiss(6000, channels=2)
    put(tmp_path / "both.wav", wave, subtype="FLOAT")
    for channel in (0, 1):
        put(tmp_path / f"{channel}.wav", wave[:, channel], subtype="FLOAT")
    out = tmp_path / "out"
    names = ("both.wav", "0.wav", "1.wav")
    assert cli(*(tmp_path / name for name in names), "-o", out, "--model", denoiser_run)[0] == 0
    both, first, second = (sf.read(out / name)[0] for name in names)
    assert both == pytest.approx(np.stack([first, second], axis=1), abs=1e-5)


@pytest.mark.slow
def test_blocks_do_not_show_and_memory_does_not_grow(cli, denoiser_run, tmp_path, monkeypatch):
    given = put(tmp_path / "a.wav", hiss(20000, channels=2), 22050, subtype="FLOAT")
    assert cli(given, "-o", tmp_path / "whole.wav", "--model", denoiser_run)[0] == 0
    monkeypatch.setattr(audio, "BLOCK_VALUES", 1200)
    written = []
    write = writing.SoundWriter.write
    monkeypatch.setattr(writing.SoundWriter, "write", lambda self, part: (written.append(len(part)), write(self, part)))
    assert cli(given, "-o", tmp_path / "parts.wav", "--model", denoiser_run)[0] == 0
    assert sum(written) == 20000
    assert max(written) < 4000  # blocks of 600 frames, and what the filters hold back
    assert sf.read(tmp_path / "parts.wav")[0] == pytest.approx(sf.read(tmp_path / "whole.wav")[0], abs=1e-5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_half_done(cli, open_gains, tmp_path, monkeypatch, number):
    given = put(tmp_path / "a.wav", hiss(9000))
    monkeypatch.setattr(writing.SoundWriter, "write", lambda *_: os.kill(os.getpid(), number))
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as ended:
            cli(given, "-o", tmp_path / "out" / "b.wav")
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert ended.value.code == 128 + number
    assert not list((tmp_path / "out").iterdir())


def test_what_cannot_be_used_is_told_in_a_line_each_and_the_others_are_done(cli, open_gains, tmp_path):
    torn = put(tmp_path / "torn.flac", hiss(40000))
    torn.write_bytes(torn.read_bytes()[:9000])
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty").mkdir()
    bad = hiss(40000)
    bad[30000] = np.nan
    wrong = {
        put(tmp_path / "nan.wav", bad, subtype="FLOAT"): "NaN or infinite samples, at 1.875 s",
        torn: "torn.flac: ",
        tmp_path / "text.wav": "not audio that libsndfile can read",
        tmp_path / "none.wav": "no such file",
        put(tmp_path / "zero.wav", hiss(0)): "holds no samples",
        put(tmp_path / "one.wav", hiss(1)): "is 0.1 ms long: give 25 ms or more",
        put(tmp_path / "short.wav", hiss(399)): "is 24.9 ms long: give 25 ms or more",
        tmp_path / "empty": "a folder without audio files",
        tmp_path / "*.mpg": "no file matches",
    }
    good = put(tmp_path / "good.wav", hiss(400))
    out = tmp_path / "out"
    status, printed, err = cli(*wrong, good, "-o", out, "--quiet")
    assert (status, printed) == (2, [str(out / "good.wav")])
    assert len(err) == len(wrong)
    for line, (path, reason) in zip(err, wrong.items(), strict=True):
        assert line.startswith("error: ")
        assert str(path) in line
        assert reason in line
    assert sorted(os.listdir(out)) == ["denoise.jsonl", "good.wav"]  # nothing half done


@CLOSED
def test_what_may_not_be_read_or_written(cli, open_gains, tmp_path):
    closed, good = put(tmp_path / "closed.wav", hiss(800)), put(tmp_path / "good.wav", hiss(800))
    closed.chmod(0)
    status, printed, err = cli(closed, good, "-o", tmp_path / "out")
    assert (status, len(printed)) == (2, 1)
    assert "cannot be opened (Permission denied)" in err[0]
    (tmp_path / "shut").mkdir(mode=0o500)
    status, printed, err = cli(good, "-o", tmp_path / "shut" / "a.wav", "--quiet")
    assert (status, printed, len(err)) == (2, [], 1)
    assert "Permission denied" in err[0]


def test_nothing_is_written_over_that_is_to_be_heard(cli, open_gains, tmp_path):
    given = put(tmp_path / "in" / "a.wav", hiss(800))
    other = put(tmp_path / "other" / "a.wav", hiss(900))
    before = given.read_bytes()
    for arguments, reason in (
        ([given, "-o", given], "would replace the sound"),
        ([given, "-o", given.parent], "would replace the sound"),
        ([given, "-o", given.parent / "new" / ".." / "a.wav"], "would replace the sound"),
        ([other, given, "-o", given.parent / "new" / ".."], "would replace the sound"),
        ([other, given, "-o", given.parent], "would replace the sound"),
        ([given.parent, "-o", given.parent], "would be written over"),
        ([f"{given.parent}/*.wav", "-o", given.parent], "would replace the sound"),
    ):
        status, printed, err = cli(*arguments, "--quiet")
        assert (status, printed) == (2, [])
        assert all(reason in line for line in err)
        assert given.read_bytes() == before
        assert os.listdir(given.parent) == ["a.wav"]


def test_two_inputs_of_one_output_are_an_error(cli, open_gains, tmp_path):
    first, second = put(tmp_path / "in" / "a.wav", hiss(800)), put(tmp_path / "other" / "a.wav", hiss(900))
    out = tmp_path / "out"
    status, printed, err = cli(first, second, first, "-o", out, "--quiet")
    assert (status, printed) == (2, [str(out / "a.wav")] * 2)
    assert err == [f"error: {second}: {out / 'a.wav'} is the sound of {first}: give another -o for one of them"]
    assert facts(out / "a.wav")[1] == 800


@pytest.mark.parametrize(
    ("out", "more", "reason"),
    [
        ("b.xyz", [], "libsndfile writes no .xyz"),
        ("b", [], "libsndfile writes no file without an ending"),
        ("b.opus", [], "choose another format"),  # not at 22050 Hz
        ("b.wav", ["--blend", "1.5"], "a blend of 1.5"),
        ("b.wav", ["--model", "no-such"], "no-such"),
    ],
)
def test_an_output_or_option_that_cannot_be(cli, open_gains, tmp_path, monkeypatch, out, more, reason):
    if "--model" in more:
        monkeypatch.undo()
    given = put(tmp_path / "a.wav", hiss(900), 22050)
    status, printed, err = cli(given, "-o", tmp_path / "made" / out, *more, "--quiet")
    assert (status, printed, len(err)) == (2, [], 1)
    assert reason in err[0]
    assert not list(tmp_path.glob("made/.*"))
    assert not list(tmp_path.glob("made/*"))


def test_a_file_in_place_of_the_folder(cli, open_gains, tmp_path):
    files = [put(tmp_path / name, hiss(800)) for name in ("a.wav", "b.wav", "c.wav")]
    status, printed, err = cli(*files[:2], "-o", files[2], "--quiet")
    assert (status, printed) == (2, [])
    assert "is a file, and several sounds need a folder" in err[0]


def test_what_was_there_stays_where_the_new_one_fails(cli, open_gains, tmp_path):
    bad = hiss(40000)
    bad[-1] = np.inf
    given, there = put(tmp_path / "a.wav", bad, subtype="FLOAT"), put(tmp_path / "b.wav", hiss(500))
    before = there.read_bytes()
    assert cli(given, "-o", there)[0] == 2
    assert there.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.wav", "b.wav"]


@pytest.mark.slow
def test_an_exported_model_needs_no_torch(tmp_path):
    path, given = write_step(tmp_path / "d.onnx"), put(tmp_path / "a.wav", hiss(3000, channels=2), 44100)
    check = (
        "import sys\n"
        "for name in ('torch', 'scipy', 'omegaconf', 'lhotse', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        "from drsn_audio.cli import main\n"
        f"sys.exit(main(['denoise', {str(given)!r}, '-o', {str(tmp_path / 'b.flac')!r}, '--model', {str(path)!r}]))\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
    assert facts(tmp_path / "b.flac")[:3] == (44100, 3000, 2)
