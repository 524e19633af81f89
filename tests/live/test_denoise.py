"""`drsn-audio stream --denoise`: sound on stdout as it comes, all else on stderr."""

import io
import logging
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.cli import main
from drsn_audio.denoising.denoiser import Denoiser
from drsn_audio.errors import InputError
from drsn_audio.live import denoise
from drsn_audio.live.command import open_stream

from ..denoising.conftest import RATE, FixedDenoiser, hiss, small_denoiser
from ..streaming.test_onnx_denoising import write_step


@pytest.fixture(scope="module")
def small():
    return Denoiser(small_denoiser(), {})


@pytest.fixture
def stream(monkeypatch, capsysbinary, small):
    """Run the command with the small denoiser, or with those gains; its status, stdout and the lines of stderr."""

    def run(*arguments, stdin=None, gain=None, flags=("--denoise",)):
        denoiser = FixedDenoiser(lambda _: gain) if gain is not None else small
        monkeypatch.setattr("drsn_audio.api.load_denoiser", lambda *_: denoiser)
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin, isatty=lambda: False))
        status = main(["stream", *map(str, arguments), *flags])
        out, err = capsysbinary.readouterr()
        return status, out, err.decode().splitlines()

    yield run
    logging.getLogger("drsn_audio").handlers = []


def pcm(wave):
    return (wave * 2**15).astype("<i2").tobytes()


def test_a_pipe_gives_what_the_model_makes_of_it(stream, small):
    sent = pcm(hiss(7001))
    status, out, err = stream("-", stdin=io.BytesIO(sent))
    assert status == 0
    clean = small.denoise(np.frombuffer(sent, "<i2").astype(np.float32) / 2**15)
    assert np.frombuffer(out, "<i2") == pytest.approx(clean * 2**15, abs=0.51)
    assert err[0] == "stdout: s16le, 16000 Hz, 1 channel"
    assert err[2].startswith("0.4 s heard, real-time factor 0.")
    assert stream("-", "--quiet", stdin=io.BytesIO(sent)) == (0, out, [])


@pytest.mark.parametrize(("form", "kind"), [("s16le", "<i2"), ("s32le", "<i4"), ("f32le", "<f4")])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_it_has_the_format_and_the_rate_of_the_pipe(stream, form, kind, rate):
    wave = hiss(5000, channels=2)
    full = {"<i2": 2**15, "<i4": 2**31, "<f4": 1}[kind]
    sent = (wave * full).astype(kind)
    status, out, _ = stream(
        "-", "--format", form, "--rate", rate, "--channels", "2", stdin=io.BytesIO(sent.tobytes()), gain=1.0
    )
    assert status == 0
    given = np.frombuffer(out, kind) / full
    assert given == pytest.approx(sent.astype(np.float64).mean(axis=1) / full, abs=1e-4)


def test_a_wav_header_says_the_format(stream):
    file = io.BytesIO()
    sf.write(file, hiss(3000), 22050, format="WAV", subtype="PCM_24")
    file.seek(0)
    status, out, err = stream("-", stdin=file, gain=1.0)
    assert (status, len(out)) == (0, 9000)
    assert err[0] == "stdout: s24le, 22050 Hz, 1 channel"


def test_a_file_comes_at_the_rate_of_the_model(stream, tmp_path):
    sf.write(tmp_path / "a.flac", hiss(44100, channels=2), 44100)
    status, out, _ = stream(tmp_path / "a.flac", gain=1.0)
    assert (status, len(out)) == (0, 2 * RATE)


def test_blocks_go_out_as_they_come(stream, monkeypatch):
    """Of 100 ms all but the delay and what is no block is out before more is read."""
    sent, seen = pcm(hiss(8000)), []

    class Pipe(io.BytesIO):
        def read1(self, size=-1):
            seen.append(len(written))
            return super().read1(size)

    class Out(io.BytesIO):
        def write(self, data):
            written.extend(data)
            return len(data)

    written = bytearray()
    monkeypatch.setattr(denoise, "open_stdout", Out)
    assert stream("-", stdin=Pipe(sent), gain=1.0)[0] == 0
    assert len(written) == len(sent)
    heard = [min(2 * 1600 * turn, len(sent)) for turn in range(len(seen))]
    assert all(late <= 2 * 512 for late in np.subtract(heard, seen)[1:-1])


def test_a_blend_gives_back_noise(stream):
    sent = pcm(hiss(4000))
    plain, blended = (stream("-", *more, stdin=io.BytesIO(sent))[1] for more in ([], ["--blend", "0.6"]))
    assert len(plain) == len(blended) == len(sent)
    away = [np.abs(np.frombuffer(out, "<i2") - np.frombuffer(sent, "<i2")).mean() for out in (plain, blended)]
    assert away[1] < 0.8 * away[0]


def test_what_is_no_sound_is_heard_as_silence(stream):
    wave = hiss(4800)
    wave[1600:3200] = np.nan
    status, out, err = stream("-", "--format", "f32le", stdin=io.BytesIO(wave.tobytes()), gain=1.0)
    assert status == 0
    wave[1600:3200] = 0  # a whole block
    assert np.frombuffer(out, "<f4") == pytest.approx(wave, abs=1e-4)
    assert "0.1 s of NaN and the like, heard as silence" in err[-1]


def test_a_signal_ends_it_with_all_that_was_heard(stream):
    class Pipe(io.BytesIO):
        def read1(self, size=-1):
            data = super().read1(size)
            if not data:
                signal.raise_signal(signal.SIGINT)
            return data

    status, out, err = stream("-", stdin=Pipe(pcm(hiss(5000))), gain=1.0)
    assert (status, len(out)) == (130, 10000)
    assert "0.3 s heard" in err[-1]


@pytest.mark.parametrize(
    ("arguments", "flags", "reason"),
    [
        (["--json"], ["--denoise"], "--json with --denoise: stdout is sound"),
        (["--reference", "r.txt"], ["--denoise"], "--reference with --denoise"),
        (["--threshold", "0.5"], ["--denoise"], "--threshold with --denoise"),
        (["--threshold-shift", "1"], ["--denoise"], "--threshold-shift with --denoise"),
        (["--blend", "0.2"], [], "--blend without --denoise"),
        (["--blend", "-1"], ["--denoise"], "a blend of -1"),
        (["--format", "s16le"], ["--denoise"], "only - takes it"),
    ],
)
def test_what_does_not_go_together_is_refused(stream, tmp_path, arguments, flags, reason):
    sf.write(tmp_path / "a.wav", hiss(4000), RATE)
    status, out, err = stream(tmp_path / "a.wav", *arguments, flags=flags)
    assert (status, out, len(err)) == (2, b"", 1)
    assert reason in err[0]


def test_a_torn_pipe_and_a_missing_file(stream, tmp_path):
    status, out, err = stream("-", stdin=io.BytesIO(b""))
    assert (status, out) == (2, b"")
    assert "no sound came" in err[-1]
    status, out, err = stream(tmp_path / "none.wav")
    assert (status, out) == (2, b"")
    assert "no such file" in err[-1]


def test_sound_is_not_shown_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(InputError, match="stdout is a terminal"):
        denoise.open_stdout()


def test_a_denoiser_without_denoise_is_told(monkeypatch, small, tmp_path):
    monkeypatch.setattr("drsn_audio.api.load", lambda *_: small)
    with pytest.raises(InputError, match="takes noise away and names nothing: give --denoise"):
        open_stream("runs/denoiser", [], 0.0)
    with pytest.raises(InputError, match="stream --denoise"):
        open_stream(str(write_step(tmp_path / "d.onnx")), [], 0.0)


def test_an_exported_model(stream, tmp_path):
    path = write_step(tmp_path / "d.onnx")
    status, out, _ = stream("-", "--model", path, stdin=io.BytesIO(pcm(hiss(4001))))
    assert (status, len(out)) == (0, 8002)


def test_a_pipe_needs_numpy_and_onnxruntime_alone(tmp_path):
    path = write_step(tmp_path / "d.onnx")
    check = (
        "import sys\n"
        "for name in ('torch', 'soundfile', 'soxr', 'scipy', 'omegaconf', 'lhotse', 'safetensors', 'rich'):\n"
        "    sys.modules[name] = None\n"
        "from drsn_audio.cli import main\n"
        f"sys.exit(main(['stream', '-', '--denoise', '--model', {str(path)!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", check], input=pcm(hiss(999)), capture_output=True, check=True)
    assert len(done.stdout) == 2 * 999
