"""Runs on the same trials: what is refused, what counts as one model, and intervals that are known by hand."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from drsn_audio.config import ConfigError, EvaluateConfig, load_config
from drsn_audio.evaluation import shared_trials
from drsn_audio.evaluation.compare import average, check_same_test, compare_models, group_by_seed, intervals
from drsn_audio.evaluation.keyword import Trials
from drsn_audio.evaluation.shared_trials import Candidate
from drsn_audio.evaluation.transcripts import Transcripts
from drsn_audio.models.model import AudioModel

EVALUATE = EvaluateConfig(seed=1, replicates=200)
SPEAKERS = ["ann", "ann", "bob", "bob"]


def candidate(run, *overrides):
    """An untrained model and its config."""
    words = ["model.preset=10k", "model.labels=[low,high]", "data.test=[t.jsonl.gz]"]
    config = load_config(None, [*words, "data.noise_test=[{manifest: n.jsonl.gz}]", *overrides])
    return Candidate(run, config, AudioModel(config.model), {})


def condition(kind, snr_db, sources):
    blank = np.zeros(4, dtype=int)
    return Trials(kind, snr_db, np.zeros((4, 2)), blank, np.array(SPEAKERS), np.array(sources), blank.astype(str))


def shared(conditions, weights=(1, 1, 1, 1)):
    """Trials that have been put to models."""
    return SimpleNamespace(conditions=conditions, weights=[np.array(weights)] * len(conditions))


STREET, MACHINES = ("car", "bus", "car", "bus"), ("saw", "fan", "saw", "fan")
CONDITIONS = [
    condition("street", 20.0, STREET),
    condition("street", 0.0, STREET),
    condition("clean", None, STREET),  # drawn, but not mixed in
    condition("machinery", 20.0, MACHINES),
    condition("machinery", 0.0, MACHINES),
]
TRIALS = shared(CONDITIONS)


def scores(*conditions):
    return [np.array(values, dtype=float) for values in conditions]


ALL, NONE = [1, 1, 1, 1], [0, 0, 0, 0]


def test_means_weigh_kinds_and_snrs_the_same():
    right = scores([1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0], NONE)
    found = intervals(TRIALS, right, EVALUATE)
    assert {column: of_column["mean"] for column, of_column in found.items()} == {
        "clean": 0.75,
        "20 dB": 0.75,  # street 1, machinery 0.5
        "0 dB": 0.125,  # street 0.25, machinery 0
        "mean": 0.4375,
    }
    assert all(of_column["low"] <= of_column["mean"] <= of_column["high"] for of_column in found.values())


def test_a_clean_trial_is_right_or_wrong_with_its_speaker():
    """Two speakers, one always right: a resample holds her zero, one or two times."""
    found = intervals(TRIALS, scores(ALL, ALL, [1, 1, 0, 0], ALL, ALL), EVALUATE)
    assert found["clean"] == {"mean": 0.5, "low": 0.0, "high": 1.0}
    assert found["mean"] == {"mean": 1.0, "low": 1.0, "high": 1.0}


def test_every_resample_holds_both_kinds_with_the_same_weight():
    found = intervals(TRIALS, scores(ALL, ALL, ALL, NONE, NONE), EVALUATE)
    assert found["mean"] == {"mean": 0.5, "low": 0.5, "high": 0.5}


def test_an_equal_gain_on_every_trial_has_no_width_however_much_the_trials_scatter():
    worse = scores([0.5, 0, 0, 0.5], NONE, [0.5, 0, 0.5, 0], [0, 0, 0.5, 0.5], NONE)
    better = [values + 0.25 for values in worse]
    for found in intervals(TRIALS, better, EVALUATE, worse).values():
        assert found == {"mean": 0.25, "low": 0.25, "high": 0.25}
    alone = intervals(TRIALS, better, EVALUATE)["20 dB"]
    assert alone["high"] - alone["low"] > 0.1


def test_a_difference_has_a_sign_and_seeds_average_trial_by_trial():
    two_seeds = average([scores(ALL, ALL, ALL, ALL, NONE), scores(ALL, NONE, ALL, ALL, NONE)])
    reference = scores(ALL, ALL, NONE, ALL, NONE)
    found = intervals(TRIALS, two_seeds, EVALUATE, reference)
    assert [found[column]["mean"] for column in ("clean", "20 dB", "0 dB", "mean")] == [1.0, 0.0, -0.25, -0.125]


def test_one_speaker_in_clean_speech_has_no_interval():
    alone = shared([dataclasses.replace(one, speakers=np.full(4, "ann")) for one in CONDITIONS])
    found = intervals(alone, scores(ALL, ALL, [1, 0, 0, 0], ALL, ALL), EVALUATE)
    assert found["clean"] == {"mean": 0.25, "low": None, "high": None}


def test_errors_are_counted_by_the_words_that_were_said():
    """Two speakers: ann said 2 words and 4, bob 1 and none, but something was written of it."""
    errors = scores([1, 1, 1, 2], [2, 4, 1, 2], NONE, NONE, [2, 4, 1, 0])
    found = intervals(shared(CONDITIONS, [2, 4, 1, 0]), errors, EVALUATE)
    assert found["20 dB"]["mean"] == pytest.approx((5 / 7 + 0) / 2)
    assert found["0 dB"]["mean"] == pytest.approx((9 / 7 + 1) / 2)
    assert found["mean"]["mean"] == pytest.approx((7 / 7 + 3.5 / 7) / 2)


def test_an_utterance_weighs_as_many_words_as_were_said(monkeypatch):
    written = Transcripts("clean", None, ["a", "b"], ["go up", ""], ["go on now", "up"], ["ann", "bob"], ["", ""])
    monkeypatch.setattr(shared_trials, "run_transcripts", lambda *_, **__: [written])
    trials = object.__new__(shared_trials.WordTrials)
    trials.cuts, trials.noise, trials.store, trials.level, trials.asked = [], None, None, "p56", {}
    config = SimpleNamespace(units="words", labels=["<blank>", "go", "on", "up"])
    writes = SimpleNamespace(model=SimpleNamespace(config=config), as_written=lambda text: text.replace("now", ""))
    (errors,) = trials.ask(writes, None)
    assert errors.tolist() == [1, 1]
    assert [weights.tolist() for weights in trials.weights] == [[2, 1]]


@pytest.mark.slow
def test_seeds_of_one_config_are_one_model():
    first, second = candidate("runs/none-0", "model.shrinkage=none"), candidate("runs/cw-0", "model.shrinkage=cw")
    elsewhere = ("run=there", "resume=true", "train.threads=2", "train.device=cuda", "train.checkpoint_minutes=9")
    third = candidate("elsewhere/x", "model.shrinkage=none", "seed=1", *elsewhere)
    assert group_by_seed([first, second, third]) == {"none": [first, third], "cw": [second]}
    rounded = candidate("elsewhere/x", "model.shrinkage=none", "seed=1", "train.precision=bf16")
    assert len(group_by_seed([first, rounded])) == 2  # which changes the weights by more than the order of a sum
    with pytest.raises(ConfigError, match=r"again: has the config and the seed of runs/none-0"):
        group_by_seed([first, dataclasses.replace(first, run="again")])


def test_models_of_one_shrinkage_are_named_by_folder_and_then_by_path():
    narrow, wide = candidate("a/narrow-0"), candidate("b/wide-3/", "model.width=6", "seed=3")
    assert list(group_by_seed([narrow, wide])) == ["narrow", "wide"]
    other = dataclasses.replace(wide, run="b/narrow-3")
    assert list(group_by_seed([narrow, other])) == ["a/narrow-0", "b/narrow-3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("data.test=[u.jsonl.gz]", "data.test"),
        ("data.noise_test=[{manifest: n.jsonl.gz, folds: [3]}]", "data.noise_test"),
        ("data.level=rms", "data.level"),
        ("data.silence_share=0.1", "data.silence_share"),
        ("model.labels=[high,low]", "model.labels"),
        ("model.clip_s=2", "model.clip_s"),
        ("model.units=letters", "model.units"),
    ],
)
def test_other_trials_are_refused(override, named):
    with pytest.raises(ConfigError, match=rf"^b: {named} not as in a: "):
        check_same_test([candidate("a"), candidate("b", override)])
    check_same_test([candidate("a"), candidate("b", "data.train=[v.jsonl.gz]", "evaluate.draws=9", "seed=1")])


def test_a_reference_that_is_not_there_or_no_noise_is_refused_before_any_work():
    one = candidate("a", "model.shrinkage=none")
    with pytest.raises(ConfigError, match="reference 'cw' is none of the models: use one of none"):
        compare_models([one], "cw")
    with pytest.raises(ConfigError, match=r"a: data\.noise_test is empty"):
        compare_models([candidate("a", "data.noise_test=[]")])
