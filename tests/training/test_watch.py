"""What is left of a training to read: a line a step and an epoch, none twice and none lost, however it was stopped."""

import functools
import io
import json
import logging

import pytest

from drsn_audio.training import watch
from drsn_audio.training.task import Score
from drsn_audio.training.watch import Watch, cut_log

from ..calls import calls_of

STEPS, EPOCH = 60, 20  # in all, and of an epoch
TIMES = ("seconds", "steps_per_s", "rows_per_s", "sound_s_per_s")


def strict(text):
    """JSON, in which NaN and Infinity are none."""

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def lines(path):
    return [strict(line) for line in path.read_text().splitlines()]


def timeless(path):
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines(path)]


def losses_of(step):
    return {"ctc": 1 / step, "other": 0.1 * step} if step % 3 else {"ctc": 1 / step}


def go(watching, first, last):
    """Steps first to last, with the epochs that end among them."""
    for step in range(first, last + 1):
        watching.step(step, losses_of(step), learning_rate=1e-3 * step, norm=step / 7, rows=4, sound_s=2.5)
        if step % EPOCH == 0:
            score = Score(step, {"dev_accuracy": step / 100}, f"dev accuracy {step}%")
            watching.epoch(step, step // EPOCH, score, score, 1.5)


def scalars(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    read.Reload()
    return {tag: [event.step for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}, read.Tags()["images"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = tmp_path_factory.mktemp("whole")
    with Watch(run, STEPS, "title") as watching:
        go(watching, 1, STEPS)
    return run


def test_a_line_a_step_and_an_epoch(whole):
    steps, epochs = lines(whole / "steps.jsonl"), lines(whole / "log.jsonl")
    assert [line["step"] for line in steps] == list(range(1, STEPS + 1))
    assert steps[3] | {"seconds": 0} == {
        "step": 4, "loss": 0.25 + 0.4, "losses": {"ctc": 0.25, "other": 0.4}, "learning_rate": 0.004, "norm": 4 / 7,
        "rows": 4, "sound_s": 2.5, "seconds": 0,
    }  # fmt: skip
    assert [(line["epoch"], line["step"], line["best"]) for line in epochs] == [
        (1, 20, 0.2),
        (2, 40, 0.4),
        (3, 60, 0.6),
    ]
    assert epochs[0]["train_ctc"] == pytest.approx(sum(1 / step for step in range(1, 21)) / 20)
    heard = [step for step in range(1, 21) if step % 3]  # a mean is over the steps that had the loss
    assert epochs[0]["train_other"] == pytest.approx(0.1 * sum(heard) / len(heard))


def test_throughput_is_that_of_the_steps(monkeypatch, tmp_path):
    now = [0.0]
    monkeypatch.setattr(watch.time, "perf_counter", lambda: now[0])
    with Watch(tmp_path, 40, "title") as watching:
        for epoch in (1, 2):
            now[0] += 100 * (epoch - 1)  # what lies between epochs is no training
            for step in range(1, 11):
                now[0] += 0.5
                watching.step(10 * epoch - 10 + step, {"a": 1.0}, learning_rate=1, norm=1, rows=8, sound_s=3.0)
            now[0] += 7  # scoring
            watching.epoch(10 * epoch, epoch, Score(0, {"dev_wer": 0.5}, ""), Score(0, {"dev_wer": 0.5}, ""), 5.0)
            watching.pictures(10 * epoch, {})
    first, _ = lines(tmp_path / "log.jsonl")
    assert {key: first[key] for key in TIMES[1:]} == {"steps_per_s": 2.0, "rows_per_s": 16.0, "sound_s_per_s": 6.0}
    assert lines(tmp_path / "steps.jsonl")[1]["seconds"] == 0.5


@pytest.mark.parametrize(("kept_at", "killed_at"), [(7, 7), (7, 13), (20, 33), (33, 60), (40, 41)])
def test_a_resumed_log_reads_as_if_it_had_never_been_stopped(whole, tmp_path, kept_at, killed_at):
    killed = Watch(tmp_path, STEPS, "title")
    with killed:
        go(killed, 1, kept_at)
        state = json.loads(json.dumps(killed.state()))
        go(killed, kept_at + 1, killed_at)
        killed.file.write('{"step": 9, "los')  # torn by the kill
    for events in (tmp_path / "tensorboard").iterdir():  # as if of an earlier second: read by name
        events.rename(events.with_name("events.out.tfevents.0000000001.before"))
    with Watch(tmp_path, STEPS, "title", step=kept_at, state=state) as watching:
        go(watching, kept_at + 1, STEPS)
    assert timeless(tmp_path / "steps.jsonl") == timeless(whole / "steps.jsonl")
    assert timeless(tmp_path / "log.jsonl") == timeless(whole / "log.jsonl")
    assert scalars(tmp_path) == scalars(whole)


@pytest.mark.parametrize(("step", "kept"), [(0, 0), (7, 7), (1999, 1999), (2000, 2000), (3000, 2000)])
def test_a_long_log_is_cut_by_its_end(tmp_path, step, kept):
    path, padding = tmp_path / "steps.jsonl", "." * 100  # three times what is read first
    whole = "".join(json.dumps({"step": number, "padding": padding}) + "\n" for number in range(1, 2001))
    path.write_text(whole + '{"step": 2001, "lo')
    cut_log(path, step)
    assert [line["step"] for line in lines(path)] == list(range(1, kept + 1))
    assert whole.startswith(path.read_text())
    cut_log(tmp_path / "missing.jsonl", 3)


def test_an_epoch_that_is_scored_again_is_logged_once(whole, tmp_path):
    """The checkpoint is from before the score of its step; the kill came after it."""
    with Watch(tmp_path, STEPS, "title") as watching:
        go(watching, 1, EPOCH - 1)
        watching.step(EPOCH, losses_of(EPOCH), learning_rate=1e-3 * EPOCH, norm=EPOCH / 7, rows=4, sound_s=2.5)
        state = watching.state()
        watching.epoch(EPOCH, 1, Score(0, {"dev_accuracy": 9.9}, ""), Score(0, {"dev_accuracy": 9.9}, ""), 1)
    with Watch(tmp_path, STEPS, "title", step=EPOCH, state=state) as watching:
        score = Score(0, {"dev_accuracy": 0.2}, "")
        watching.epoch(EPOCH, 1, score, score, 1)
        go(watching, EPOCH + 1, STEPS)
    assert timeless(tmp_path / "log.jsonl") == timeless(whole / "log.jsonl")


def test_without_a_state_no_epoch_is_cut(whole, tmp_path):
    with Watch(tmp_path, STEPS, "title") as watching:
        go(watching, 1, 2 * EPOCH)
    Watch(tmp_path, STEPS, "title", step=2 * EPOCH).file.close()
    assert timeless(tmp_path / "log.jsonl") == timeless(whole / "log.jsonl")[:2]


def test_begun_anew_nothing_old_is_left(tmp_path):
    for _ in range(2):
        with Watch(tmp_path, STEPS, "title") as watching:
            go(watching, 1, EPOCH)
    assert len(lines(tmp_path / "steps.jsonl")) == EPOCH
    assert len(lines(tmp_path / "log.jsonl")) == 1
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_a_kill_loses_no_line(tmp_path):
    watching = Watch(tmp_path, STEPS, "title")  # and is never closed
    go(watching, 1, 3)
    assert len(lines(tmp_path / "steps.jsonl")) == 3


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path):
    class Full:
        def write(self, line):
            raise OSError(28, "No space left on device")

        close = flush = lambda self: self.write("")  # of what it still holds

    def go_on():
        with Watch(tmp_path, STEPS, "title") as watching:
            watching.file.close()
            watching.file = Full()
            go(watching, 1, 1)

    with pytest.raises(OSError, match=r"steps\.jsonl") as caught:
        go_on()
    assert (caught.value.errno, caught.value.filename) == (28, str(tmp_path / "steps.jsonl"))


def test_numbers_that_are_none_are_null(tmp_path):
    with Watch(tmp_path, STEPS, "title") as watching:
        watching.step(10, {"a": float("nan")}, learning_rate=1, norm=float("inf"), rows=1, sound_s=1)
        score = Score(0, {"dev_wer": float("nan")}, "")
        watching.epoch(10, 1, score, score, 1)
    (step,), (epoch,) = lines(tmp_path / "steps.jsonl"), lines(tmp_path / "log.jsonl")
    assert (step["loss"], step["losses"], step["norm"]) == (None, {"a": None}, None)
    assert (epoch["dev_wer"], epoch["best"], epoch["train_a"]) == (None, None, None)


def test_scalars_and_pictures_are_in_tensorboard(tmp_path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    with Watch(tmp_path, STEPS, "title") as watching:
        go(watching, 1, EPOCH)
        watching.pictures(EPOCH, {"alphas": figure})
    steps, images = scalars(tmp_path)
    assert images == ["pictures/alphas"]
    assert not figure.axes
    assert steps["train/ctc"] == steps["train/learning_rate"] == steps["train/gradient_norm"] == [10, 20]
    assert steps["dev/accuracy"] == steps["speed/sound_s_per_s"] == [20]


def test_a_log_file_is_not_flooded(monkeypatch, tmp_path, caplog, capsys):
    now = [0.0]
    monkeypatch.setattr(watch.time, "perf_counter", lambda: now[0])
    monkeypatch.setenv("FORCE_COLOR", "1")  # which rich takes for a terminal
    caplog.set_level(logging.INFO, "drsn_audio")
    with Watch(tmp_path, 200, "title") as watching:
        for step in range(1, 101):
            now[0] += 1
            watching.step(step, {"a": 2.0}, learning_rate=1, norm=1, rows=8, sound_s=3.0)
        score = Score(0, {"dev_wer": 0.5}, "dev WER 50.0%")
        watching.epoch(100, 1, score, score, 100.0)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "step 30 of 200: loss 2, 1 steps/s, 8 utterances/s, 3 s of sound/s, 0:02:50 left"
    assert [text.partition(":")[0] for text in said] == [
        "step 30 of 200",
        "step 60 of 200",
        "step 90 of 200",
        "epoch 1",
    ]
    assert "best dev WER 50.0%" in said[-1]
    assert capsys.readouterr() == ("", "")


def test_the_bar_of_a_terminal(monkeypatch, tmp_path, caplog):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    caplog.set_level(logging.INFO, "drsn_audio")
    monkeypatch.setattr("sys.stderr", Terminal())
    for name, value in {"TERM": "xterm", "COLUMNS": "160"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    with Watch(tmp_path, STEPS, "title [1, 2]", step=10) as watching:
        go(watching, 11, 20)
        shown = watching.progress.tasks[0]
    import sys

    assert "20/60" in sys.stderr.getvalue()
    assert "utterances/s" in sys.stderr.getvalue()
    assert (shown.completed, shown.description) == (20, "epoch 1: dev accuracy 20%; best dev accuracy 20%")
    assert not caplog.records


def test_a_step_costs_little(tmp_path):
    """Thirty calls, and under two hundred in every tenth step, which is for TensorBoard, too: no fsync, no drawing."""
    costs = []
    with Watch(tmp_path, 10_000, "title") as watching:
        for step in range(1, 301):
            given = {"learning_rate": 1, "norm": 1, "rows": 8, "sound_s": 3.0}
            costs.append(calls_of(functools.partial(watching.step, step, losses_of(step), **given)))
    assert sorted(costs)[240] < 100
    assert max(costs) < 1000
