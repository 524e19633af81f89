"""Noisy test sets: resumed, moved, by any number of processes, always the same bytes."""

import json
import multiprocessing
import os
import shutil
import signal
import time

import pytest
import soundfile as sf
from lhotse import CutSet
from lhotse.recipes import prepare_librispeech

from drsn_audio.audio import read_audio
from drsn_audio.datasets import mix_jobs
from drsn_audio.datasets.manifests import file_sha256, read_cuts
from drsn_audio.datasets.mix_header import read_header
from drsn_audio.datasets.mix_outputs import OutError
from drsn_audio.datasets.mixing import mix_files
from drsn_audio.errors import InputError

SNR_DB = [10, -5]


def mix(inputs, out, **options):
    return mix_files(inputs.speech, inputs.noise, SNR_DB, out, **{"progress": False, **options})


def without_header(files):
    """mix.json names the command and the places, which may differ."""
    return {name: data for name, data in files.items() if name != "mix.json"}


# the layout


def test_a_mixed_librispeech_is_one_again(inputs, tmp_path):
    report = mix(inputs, tmp_path / "out")
    assert report.failed == []
    for folder in ("10dB", "-5dB"):
        place = tmp_path / "out/hall" / folder
        assert (place / "SPEAKERS.TXT").read_bytes() == (inputs.speech / "SPEAKERS.TXT").read_bytes()
        found = prepare_librispeech(place)["dev-clean"]
        assert len(found["recordings"]) == 5
        assert {s.text for s in found["supervisions"]} == {f"WORDS OF {i}" for i in range(5)}
        assert {s.speaker for s in found["supervisions"]} == {"11", "22"}


def test_lossy_speech_keeps_the_layout_as_flac(inputs, tmp_path):
    path = inputs.speech / "dev-clean/11/100/11-100-0000.flac"
    wave, _ = read_audio(path)
    path.unlink()
    sf.write(path.with_suffix(".mp3"), wave, 16000)
    mix(inputs, tmp_path / "out", format="flac")
    assert len(prepare_librispeech(tmp_path / "out/hall/10dB")["dev-clean"]["recordings"]) == 5


# what the manifest says


def test_the_manifest_names_inputs_and_outputs_by_their_sha256(inputs, tmp_path, lines_of):
    out = tmp_path / "out"
    report = mix(inputs, out, stems=True)
    cuts = lines_of(report.manifest)
    assert len(cuts) == 10
    for cut in cuts:
        custom = cut["custom"]
        assert file_sha256(out / cut["recording"]["sources"][0]["source"]) == custom["sha256"]
        assert file_sha256(out / custom["stems"]["clean"]) == custom["stems"]["clean_sha256"]
        assert file_sha256(out / custom["stems"]["noise"]) == custom["stems"]["noise_sha256"]
        assert file_sha256(inputs.speech / custom["clean"]) == custom["clean_sha256"]
        (part,) = custom["noises"]
        assert file_sha256(inputs.noise / part["file"]) == part["sha256"]
    header = read_header(out / "mix.json")
    assert header["roots"] == {"speech": str(inputs.speech), "noise": str(inputs.noise)}
    assert {"numpy", "torch", "soxr", "libsndfile", "drsn-audio"} <= set(header["versions"])


def test_the_noise_is_the_recording_at_its_offset_without_its_mean_times_its_gain(inputs, tmp_path, lines_of):
    report = mix(inputs, tmp_path / "out", stems=True, format="wav")
    long = [cut["custom"] for cut in lines_of(report.manifest) if cut["custom"]["noise_source"] != "2.wav"]
    assert long
    for custom in long:
        part = custom["noises"][0]
        noise, _ = read_audio(inputs.noise / part["file"])
        stem, _ = read_audio(tmp_path / "out" / custom["stems"]["noise"])
        piece = noise[part["offset_samples"] :][: len(stem)]
        assert part["mean"] == pytest.approx(piece.mean(), abs=1e-7)
        assert stem == pytest.approx(custom["scale"] * part["gain"] * (piece - piece.mean()), abs=1 / 32768)


def test_no_two_utterances_have_one_offset(inputs, tmp_path, lines_of):
    """SpeechBrain cuts all noise of a batch at one offset."""
    report = mix(inputs, tmp_path / "out")
    offsets = {(c["custom"]["utterance"], c["custom"]["offset_s"]) for c in lines_of(report.manifest)}
    assert len({offset for _, offset in offsets}) == len(offsets) == 5


def test_a_moved_set_is_found_by_this_package_and_by_lhotse(inputs, tmp_path, monkeypatch):
    mix(inputs, tmp_path / "out")
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    monkeypatch.chdir("/")
    manifest = tmp_path / "elsewhere/mix.jsonl.gz"
    (cut, *_) = read_cuts([manifest])
    assert cut.load_audio().shape[1] == cut.num_samples
    for cut in CutSet.from_file(manifest).with_recording_path_prefix(manifest.parent):
        assert cut.load_audio().shape[1] == cut.num_samples


# processes


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_files_do_not_depend_on_jobs(inputs, tmp_path, tree, jobs):
    (inputs.speech / "dev-clean/11/100/bad.flac").write_text("no audio")
    reports = [mix(inputs, tmp_path / f"out{n}", jobs=n, stems=True) for n in (1, jobs)]
    assert tree(tmp_path / "out1") == tree(tmp_path / f"out{jobs}")
    assert reports[0].failed == reports[1].failed
    assert len(reports[0].failed) == 1


def test_no_more_tasks_are_taken_than_are_in_hand():
    """The list of a corpus is never held."""
    taken = []
    results = mix_jobs.in_order(abs, (taken.append(i) or i for i in range(1000)), 2)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(taken) <= 10 + mix_jobs.AHEAD * 2
    results.close()


def test_a_process_that_is_killed_is_told():
    with pytest.raises(InputError, match="fewer --jobs"):
        list(mix_jobs.in_order(lambda_of_death, range(4), 2))


def lambda_of_death(number):
    os.kill(os.getpid(), signal.SIGKILL)


# resuming


def waited_for(condition, seconds=300.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_in_the_middle_and_taken_up(inputs, tmp_path, tree, jobs):
    for i in range(25):
        shutil.copy(inputs.speech / "dev-clean/22/200/22-200-0000.flac", inputs.speech / f"dev-clean/22/200/x{i}.flac")
    mix(inputs, tmp_path / "whole")
    out, journal = tmp_path / "out", tmp_path / "out/mix.unfinished/journal.jsonl"
    written = []

    def hold_at_twenty(path):  # of 60
        written.append(path)
        if len(written) == 20:
            journal.with_name("held").touch()
            time.sleep(600)

    options = {"jobs": jobs, "written": hold_at_twenty}
    process = multiprocessing.get_context("fork").Process(target=mix, args=(inputs, out), kwargs=options)
    process.start()
    waited_for(lambda: journal.with_name("held").exists() or not process.is_alive())
    process.kill()
    process.join()
    assert not (out / "mix.jsonl.gz").exists()
    left = {path: path.stat().st_mtime_ns for path in out.rglob("*.flac") if "mix.unfinished" not in path.parts}
    report = mix(inputs, out)
    assert report.kept >= 4
    assert sum(path.stat().st_mtime_ns == written for path, written in left.items()) >= report.kept
    assert without_header(tree(out)) == without_header(tree(tmp_path / "whole"))


def interrupted(inputs, out, after, **options):
    """A run that is stopped when it has written some mixes."""
    count = []

    def stop(path):
        count.append(path)
        if len(count) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        mix(inputs, out, written=stop, **options)


def test_stopped_twice(inputs, tmp_path, tree):
    """The second time before it came to where the first had stopped."""
    mix(inputs, tmp_path / "whole")
    interrupted(inputs, tmp_path / "out", after=7)
    interrupted(inputs, tmp_path / "out", after=3)
    report = mix(inputs, tmp_path / "out")
    assert report.kept == 8  # of 4 utterances
    assert without_header(tree(tmp_path / "out")) == without_header(tree(tmp_path / "whole"))


def test_what_is_not_whole_or_of_other_speech_is_mixed_again(inputs, tmp_path, tree):
    out, chapter = tmp_path / "out", inputs.speech / "dev-clean/11/100"
    interrupted(inputs, out, after=8)
    torn = out / "hall/10dB/dev-clean/11/100/11-100-0000.flac"
    torn.write_bytes(torn.read_bytes()[:-10])
    shutil.copy(chapter / "11-100-0000.flac", chapter / "11-100-0001.flac")
    report = mix(inputs, out)
    assert [id for id, _ in report.changed] == [f"dev-clean/11/100/11-100-000{i}.flac" for i in range(2)]
    assert "is not as it was written" in report.changed[0][1]
    assert "has changed" in report.changed[1][1]
    assert report.kept == 2 * 2
    mix(inputs, tmp_path / "whole")
    assert without_header(tree(out)) == without_header(tree(tmp_path / "whole"))


def test_a_torn_journal_loses_its_last_utterance_alone(inputs, tmp_path, tree):
    interrupted(inputs, tmp_path / "out", after=6)
    journal = tmp_path / "out/mix.unfinished/journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-100])
    assert mix(inputs, tmp_path / "out").kept == 4
    mix(inputs, tmp_path / "whole")
    assert without_header(tree(tmp_path / "out")) == without_header(tree(tmp_path / "whole"))


@pytest.mark.parametrize("finished", [True, False])
def test_other_options_or_inputs_are_refused(inputs, tmp_path, finished):
    out = tmp_path / "out"
    if finished:
        mix(inputs, out)
    else:
        interrupted(inputs, out, after=4)
    with pytest.raises(InputError, match=r"options.seed was 0, is 1.*choose another OUT"):
        mix(inputs, out, seed=1)
    (inputs.noise / "0.wav").unlink()
    with pytest.raises(InputError, match=r"inputs.noise.count was 3, is 2"):
        mix(inputs, out)


@pytest.mark.parametrize("finished", [True, False])
def test_a_set_of_another_version_is_not_taken_up(inputs, tmp_path, finished, monkeypatch):
    """Half of its mixes would be drawn by other rules."""
    monkeypatch.setattr("drsn_audio.datasets.mixing.MIX_VERSION", 1)
    if finished:
        mix(inputs, tmp_path / "out")
    else:
        interrupted(inputs, tmp_path / "out", after=4)
    header = tmp_path / "out" / ("mix.json" if finished else "mix.unfinished/request.json")
    facts = read_header(header)
    del facts["mix_version"]  # as before there was one
    header.write_text(json.dumps(facts))
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"mix_version was nothing, is 2.*choose another OUT"):
        mix(inputs, tmp_path / "out")


def test_a_finished_set_is_kept(inputs, tmp_path, tree):
    mix(inputs, tmp_path / "out")
    before = tree(tmp_path / "out")
    (tmp_path / "out/hall/10dB/dev-clean/22/200/22-200-0001.flac").unlink()
    report = mix(inputs, tmp_path / "out")
    assert (report.mixes, report.kept) == (10, 8)
    assert tree(tmp_path / "out") == before


def test_two_runs_in_one_folder(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("drsn_audio.datasets.mix_journal.WAIT_S", 0.1)
    seen = []

    def second(path):
        if not seen:
            seen.append(path)
            with pytest.raises(InputError, match="another drsn-audio mix is at work there"):
                mix(inputs, tmp_path / "out")

    assert mix(inputs, tmp_path / "out", written=second).mixes == 10


def test_a_full_disk_stops_it_at_once(inputs, tmp_path, tree, monkeypatch):
    replace, left = os.replace, [5]

    def full(source, target):
        if str(target).endswith(".flac"):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OutError, match=r"No space left on device.*the same command then goes on"):
            mix(inputs, tmp_path / "out")
    assert mix(inputs, tmp_path / "out").kept == 4
    mix(inputs, tmp_path / "whole")
    assert without_header(tree(tmp_path / "out")) == without_header(tree(tmp_path / "whole"))
