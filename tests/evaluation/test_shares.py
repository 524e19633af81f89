"""What several processes find of their shares is what one finds of all, and in the same order."""

import json

import numpy as np
import pytest

from drsn_audio import evaluating
from drsn_audio.cli import _parser
from drsn_audio.evaluation.shares import joined, share

from ..denoising.conftest import small_denoiser
from ..together import together


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_shares_are_joined_in_order(size, count):
    items = list(range(size))
    shares = [share(items, rank, count) for rank in range(count)]
    assert sorted(item for part in shares for item in part) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert joined(shares) == items
    rounds = [[10 * number + item for number in range(3) for item in part] for part in shares]
    assert joined(rounds, rounds=3) == [10 * number + item for number in range(3) for item in items]
    pairs = [[(item, half) for item in part for half in "ab"] for part in shares]
    assert joined(pairs, each=2) == [(item, half) for item in items for half in "ab"]


def evaluated(processes, out, *arguments):
    """run.json of `drsn-audio evaluate`, but for what differs between any two runs."""
    options = _parser().parse_args(["evaluate", *map(str, arguments), "-o", str(out), "--quiet"])
    assert evaluating.run(options, processes) == 0
    if not processes.is_main:
        return None
    facts = json.loads((out / "run.json").read_text())
    for system in facts.get("systems", []):
        del system["real_time_factor"]
    return {key: value for key, value in facts.items() if key not in ("date", "command")}


def close(one, other):
    """Equal, numbers to their rounding: a clip's neighbours in its batch change the last digits of its logits."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        return all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == (pytest.approx(other, rel=1e-5, abs=1e-5) if isinstance(other, float) else other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["keyword", "writing", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("denoiser", "mixed"))]
)
def test_an_evaluation_is_that_of_one_process(run, writing_run, task, tmp_path, kind, monkeypatch, capsys):
    noise = ["--noise", task.noise, "--folds", 3, "--snr", 5, -5, "--draws", 2]
    model = {"keyword": run, "mixed": run, "writing": writing_run, "denoiser": tmp_path / "denoiser"}[kind]
    if kind == "denoiser":
        from drsn_audio.models.checkpoint import save_checkpoint

        save_checkpoint(model, "best", small_denoiser(), step=1, info={})
        monkeypatch.setattr("drsn_audio.evaluating.find_spec", lambda name: None)  # SI-SDR tells enough
    manifest = task.test
    if kind == "mixed":
        from drsn_audio.datasets.mixing import mix_files

        mix_files(task.test, "street", [5.0, -5.0], tmp_path / "mixes", progress=False)
        manifest, noise = tmp_path / "mixes" / "mix.jsonl.gz", []
    arguments = ["--model", model, "--manifest", manifest, *noise]
    from drsn_audio.processes import ALONE

    alone = evaluated(ALONE, tmp_path / "alone", *arguments)
    shared, *others = together(4, lambda processes: evaluated(processes, tmp_path / "shared", *arguments))
    assert others == [None] * 3
    assert close(shared, alone)
    assert len(alone["conditions"]) > 1


@pytest.mark.slow
def test_the_trials_come_in_the_order_of_the_clips(run, task):
    """The logits, too: intervals are of trials that are paired one by one."""
    from drsn_audio.api import load_recognizer
    from drsn_audio.config import DataConfig, NoiseSource
    from drsn_audio.datasets.keyword import keyword_clips
    from drsn_audio.datasets.manifests import AudioStore, read_cuts
    from drsn_audio.datasets.noise_pool import NoisePool
    from drsn_audio.evaluation.keyword import run_trials
    from drsn_audio.processes import ALONE

    model, store = load_recognizer(run).module, AudioStore(16000)
    clips = keyword_clips(read_cuts([task.test]), model.config.labels, DataConfig(silence_share=0.2))
    pool = NoisePool([NoiseSource(str(task.noise), [], [3])], store)
    drawn = {"snr_db": [5.0], "draws": 2, "seed": 0}
    alone = run_trials(model, clips, pool, store, processes=ALONE, **drawn)
    for trials in together(3, lambda processes: run_trials(model, clips, pool, store, processes=processes, **drawn)):
        for one, other in zip(trials, alone, strict=True):
            assert (one.noise_kind, one.snr_db) == (other.noise_kind, other.snr_db)
            assert one.logits == pytest.approx(other.logits, abs=1e-4)
            for name in ("targets", "speakers", "noise_sources", "words"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
