"""The check of noisy test sets by their files: it passes what the mixer writes, and finds what is wrong."""

import gzip
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

RATE = 8000


@pytest.fixture
def check(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("check_mixes")


def write_set(
    folder: Path, subtype: str = "FLOAT", snr_db: float | None = 5.0, lead_in_s: float = 0.0, **facts
) -> Path:
    """A set of one mix, worked out here: speech of -34 dB by RMS, half of it pauses, and noise so much softer."""
    rng = np.random.default_rng(0)
    speech, noise = rng.standard_normal((2, RATE))
    speech[RATE // 2 :] = 0
    speech *= 0.02 / np.std(speech)
    part = np.zeros(RATE) if snr_db is None else noise * 0.02 * 10 ** (-snr_db / 20) / np.std(noise)
    around = (round(lead_in_s * RATE), 0)
    clean, part = np.pad(speech, around), np.pad(part, around, mode="reflect")
    for name, wave in (("mix", clean + part), ("mix.clean", clean), ("mix.noise", part), ("speech", speech)):
        sf.write(folder / f"{name}.wav", wave, RATE, subtype)
    custom = {"noise_kind": "hiss", "snr_db": snr_db, "level_method": "rms", "snr_measured_db": snr_db, "scale": 1.0}
    custom |= {"clean": "speech.wav", "lead_in_s": lead_in_s, **facts}
    cut = {"id": "hiss/5dB/speech", "recording": {"sources": [{"source": "mix.wav"}]}, "custom": custom}
    manifest = folder / "mix.jsonl.gz"
    with gzip.open(manifest, "wt") as lines:
        lines.write(json.dumps(cut) + "\n")
    return manifest


def rewrite(path: Path, change) -> None:
    wave, rate = sf.read(path)
    sf.write(path, change(wave), rate, sf.info(path).subtype)


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16", "PCM_24"])
@pytest.mark.parametrize(("snr_db", "lead_in_s"), [(5.0, 0.0), (-10.0, 0.3), (None, 0.0)])
def test_a_true_set_passes(check, tmp_path, capsys, subtype, snr_db, lead_in_s):
    assert check.main([str(write_set(tmp_path, subtype, snr_db, lead_in_s))]) == 0
    assert "1 mixes, 0 faulty" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("subtype", "wrong_db"), [("FLOAT", 0.05), ("FLOAT", -0.02), ("PCM_24", 0.05), ("PCM_16", 0.15)]
)
def test_a_stem_of_another_level_is_found(check, tmp_path, capsys, subtype, wrong_db):
    manifest = write_set(tmp_path, subtype)
    rewrite(tmp_path / "mix.noise.wav", lambda wave: wave * 10 ** (-wrong_db / 20))
    assert check.main([str(manifest)]) == 1
    complaint = capsys.readouterr().err
    assert f"mix.wav: SNR off by {wrong_db:+.2f}" in complaint
    assert "not the sum of its stems" in complaint


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("mix", lambda wave: wave + 1e-3, "not the sum of its stems, by 1.0"),
        ("mix", lambda wave: wave[:-1], "7999, 8000 and 8000 samples"),
        ("speech", lambda wave: wave + 1e-3, "the clean stem is not the clean file, by "),
        ("speech", lambda wave: wave[:-1], "7999 in the clean file"),
    ],
)
def test_what_else_is_wrong_is_found(check, tmp_path, capsys, name, change, complaint):
    manifest = write_set(tmp_path, "PCM_16")
    rewrite(tmp_path / f"{name}.wav", change)
    assert check.main([str(manifest)]) == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"snr_measured_db": 5.2}, "recorded as 5.2"),
        ({"scale": 0.5}, "not the clean file"),
        ({"level_method": "p56"}, "SNR off by"),
    ],
)
def test_a_manifest_that_is_wrong_is_found(check, tmp_path, capsys, facts, complaint):
    manifest = write_set(tmp_path, "PCM_16", **facts)
    assert check.main([str(manifest)]) == 1
    assert complaint in capsys.readouterr().err


def test_noise_in_a_clean_mix_is_found(check, tmp_path, capsys):
    manifest = write_set(tmp_path, snr_db=None)
    for name in ("mix", "mix.noise"):
        rewrite(tmp_path / f"{name}.wav", lambda wave: wave + 1e-4)
    assert check.main([str(manifest)]) == 1
    assert "noise in a clean mix" in capsys.readouterr().err


def test_speech_outside_of_its_span_is_found(check, tmp_path, capsys):
    manifest = write_set(tmp_path, lead_in_s=0.1)
    for name in ("mix", "mix.clean"):
        rewrite(tmp_path / f"{name}.wav", lambda wave: wave + 1e-3 * (np.arange(len(wave)) < 100))
    assert check.main([str(manifest)]) == 1
    assert "speech outside of its span" in capsys.readouterr().err


def test_reverberant_speech_is_no_clean_file_and_a_device_no_sum(check, tmp_path):
    manifest = write_set(tmp_path, reverb={"response": "room-1"}, device_effects={"gain_db": 6})
    for name in ("mix", "speech"):
        rewrite(tmp_path / f"{name}.wav", lambda wave: 0.3 * wave)
    assert check.main([str(manifest)]) == 0
    (checked,) = check.check_manifest(manifest)
    assert not checked.compared


def test_a_set_that_names_its_stems_and_its_roots(check, tmp_path):
    manifest = write_set(tmp_path, stems={"clean": "parts/c.wav", "noise": "parts/n.wav"})
    for folder in ("parts", "corpus"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mix.clean.wav").rename(tmp_path / "parts" / "c.wav")
    (tmp_path / "mix.noise.wav").rename(tmp_path / "parts" / "n.wav")
    (tmp_path / "speech.wav").rename(tmp_path / "corpus" / "speech.wav")
    (tmp_path / "mix.json").write_text(json.dumps({"roots": {"speech": str(tmp_path / "corpus")}}))
    (checked,) = check.check_manifest(manifest)
    assert checked.compared
    assert not checked.faults


def test_the_table_gives_the_largest_error_of_a_group(check):
    group = ("corpus", "hiss", 5.0, "p56", "FLOAT")
    rows = [check.Checked(Path(f"{i}.wav"), group, error, True, []) for i, error in enumerate((0.001, -0.004))]
    assert check.table(rows).splitlines()[-1] == "| corpus | hiss | 5 | p56 | FLOAT | 2 | 2 | 0.00400 | 0 |"


def test_what_the_command_writes_passes(check, tmp_path):
    from drsn_audio.datasets.mixing import mix_files

    speech = tmp_path / "speech"
    (speech / "ann").mkdir(parents=True)
    for i, subtype in enumerate(("FLOAT", "PCM_16")):
        wave = 0.2 * np.random.default_rng(i).standard_normal(RATE) * np.repeat([1, 0.01, 1, 0.1], RATE // 4)
        wave += 0.05 * i  # the offset of a sound card
        sf.write(speech / "ann" / f"{i}.wav", wave, RATE, subtype)
    (tmp_path / "noise").mkdir()
    sf.write(tmp_path / "noise" / "hiss.wav", 0.2 + 0.1 * np.random.default_rng(9).standard_normal(2 * RATE), RATE)
    for level in ("p56", "rms"):
        mix_files(speech, tmp_path / "noise", [20, -10], tmp_path / level, level=level, stems=True, progress=False)
        checked = list(check.check_manifest(tmp_path / level / "mix.jsonl.gz", speech))
        assert len(checked) == 4
        assert all(one.compared for one in checked)
        assert not [one for one in checked if one.faults]
