"""Noisy test sets made again from their manifests, bit for bit."""

import gzip
import json
import shutil

import pytest

from drsn_audio.audio import read_audio
from drsn_audio.datasets.mix_rebuild import rebuild
from drsn_audio.datasets.mixing import mix_files
from drsn_audio.errors import InputError

SNR_DB = [10, -5]


def mix(inputs, out, **options):
    return mix_files(inputs.speech, inputs.noise, SNR_DB, out, **{"progress": False, **options})


def without_header(files):
    """mix.json names the command and the places, which may differ."""
    return {name: data for name, data in files.items() if name != "mix.json"}


def published(inputs, tmp_path, **options):
    """What is published of a set: its manifest and mix.json, and no audio."""
    mix(inputs, tmp_path / "out", **options)
    folder = tmp_path / "published"
    folder.mkdir()
    for name in ("mix.jsonl.gz", "mix.json"):
        shutil.copy(tmp_path / "out" / name, folder / name)
    return folder / "mix.jsonl.gz"


def test_rebuilt_elsewhere_bit_for_bit(inputs, tmp_path, tree):
    manifest = published(inputs, tmp_path, stems=True)
    shutil.move(inputs.speech, tmp_path / "here")
    shutil.move(inputs.noise, tmp_path / "there")
    roots = {"speech": tmp_path / "here", "noise": tmp_path / "there"}
    report = rebuild(manifest, tmp_path / "again", roots=roots, jobs=2, progress=False)
    assert report.failed == []
    assert without_header(tree(tmp_path / "again")) == without_header(tree(tmp_path / "out"))


def rewritten(manifest, cuts, change):
    for cut in cuts:
        change(cut["custom"])
    manifest.write_bytes(gzip.compress("".join(f"{json.dumps(cut)}\n" for cut in cuts).encode()))


def test_a_rebuild_reads_what_was_drawn_and_draws_nothing(inputs, tmp_path, lines_of):
    """Another gain in the manifest is another noise in the mix, which its sha256 finds out."""
    manifest = published(inputs, tmp_path, stems=True, format="wav")
    rewritten(
        manifest, lines_of(manifest), lambda custom: custom["noises"][0].update(gain=custom["noises"][0]["gain"] / 2)
    )
    report = rebuild(manifest, tmp_path / "again", progress=False)
    name = "hall/10dB/dev-clean/11/100/11-100-0000.noise.wav"
    half, whole = (read_audio(tmp_path / out / name)[0] for out in ("again", "out"))
    assert half == pytest.approx(whole / 2, abs=2 / 32768)
    reasons = [reason for _, reason in report.failed if "is not the same" in reason]
    assert len(reasons) == 2 * 10  # the mixes and the noise, not the clean speech
    assert "versions and CPU family are those of mix.json" in report.failed[-1][1]


def test_what_differs_is_named(inputs, tmp_path, lines_of):
    manifest = published(inputs, tmp_path)
    header = json.loads(manifest.with_name("mix.json").read_text())
    header["versions"]["numpy"] = "1.0"
    manifest.with_name("mix.json").write_text(json.dumps(header))
    changed = "dev-clean/11/100/11-100-0001.flac"
    shutil.copy(inputs.speech / "dev-clean/11/100/11-100-0000.flac", inputs.speech / changed)
    cuts = lines_of(manifest)
    cuts[-1]["custom"]["sha256"] = "0" * 64
    manifest.write_bytes(gzip.compress("".join(f"{json.dumps(cut)}\n" for cut in cuts).encode()))
    report = rebuild(manifest, tmp_path / "again", progress=False)
    again = tmp_path / "again/hall"
    assert [path for path, _ in report.failed[:2]] == [again / snr / changed for snr in ("10dB", "-5dB")]
    assert all("its input" in reason and "is another file" in reason for _, reason in report.failed[:2])
    assert report.failed[2][0] == again / "-5dB/dev-clean/22/200/22-200-0001.flac"
    assert "is not the same: sha256" in report.failed[2][1]
    assert "versions.numpy was 1.0" in report.failed[3][1]
    assert report.mixes == 8  # the others are there


def test_a_rebuild_goes_on_where_it_stopped(inputs, tmp_path, tree):
    manifest = published(inputs, tmp_path)

    def stop(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(manifest, tmp_path / "again", progress=False, written=stop)
    assert rebuild(manifest, tmp_path / "again", progress=False).kept == 2
    assert without_header(tree(tmp_path / "again")) == without_header(tree(tmp_path / "out"))


@pytest.mark.parametrize("name", ["/etc/mix.flac", "../mix.flac"])
def test_a_manifest_from_a_stranger_writes_nothing_outside(inputs, tmp_path, name, lines_of):
    manifest = published(inputs, tmp_path)
    cuts = lines_of(manifest)
    cuts[0]["recording"]["sources"][0]["source"] = name
    manifest.write_bytes(gzip.compress("".join(f"{json.dumps(cut)}\n" for cut in cuts).encode()))
    with pytest.raises(InputError, match="outside of OUT"):
        rebuild(manifest, tmp_path / "again", progress=False)


def test_a_manifest_that_is_none_of_mixes(inputs, tmp_path, task):
    for manifest, reason in ((task.test, "not a manifest of mixes"), (tmp_path / "no.jsonl.gz", "no such manifest")):
        with pytest.raises(InputError, match=reason):
            rebuild(manifest, tmp_path / "again", progress=False)


def test_a_set_of_a_later_version_is_refused(inputs, tmp_path):
    manifest = published(inputs, tmp_path)
    header = json.loads(manifest.with_name("mix.json").read_text())
    manifest.with_name("mix.json").write_text(json.dumps({**header, "mix_version": 99}))
    with pytest.raises(InputError, match="version 99"):
        rebuild(manifest, tmp_path / "again", progress=False)
