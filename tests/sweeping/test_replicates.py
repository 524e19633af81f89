"""Draws made once for all values give what a bootstrap of each of them gives."""

import numpy as np
import pytest

from drsn_audio.metrics.bootstrap import bootstrap_replicates
from drsn_audio.sweeping.replicates import Group, Resampling

SEED, REPLICATES = 3, 300


def trials(kind, fold, count, rng):
    """Speakers that both kinds share, recordings that they do not."""
    speakers = np.array([f"speaker {fold} {k}" for k in rng.integers(0, 6, count)])
    return Group(speakers, np.array([f"{kind} {fold} {k}" for k in rng.integers(0, 4, count)]))


def test_it_is_the_bootstrap_of_each_value_by_itself():
    rng = np.random.default_rng(0)
    groups = {(fold, kind): trials(kind, fold, 40 + 7 * fold, rng) for fold in (1, 2) for kind in ("hall", "street")}
    values = {name: rng.random(len(group.speakers)) for name, group in groups.items()}
    drawn = Resampling(groups, SEED, REPLICATES)
    made = [drawn.means(name, values[name]) for name in groups]
    mean, replicates = bootstrap_replicates(
        np.concatenate(list(values.values())),
        np.concatenate([group.speakers for group in groups.values()]),
        np.concatenate([group.noises for group in groups.values()]),
        groups=np.repeat([f"{name}" for name in groups], [len(one) for one in values.values()]),
        seed=SEED,
        replicates=REPLICATES,
    )
    assert np.mean([one for one, _ in made]) == pytest.approx(mean)
    ours = np.mean([one for _, one in made], axis=0)
    np.testing.assert_allclose(ours[~np.isnan(ours)], replicates)


def test_clean_speech_varies_by_its_speakers_alone():
    speakers = np.array(["ann", "ann", "bob"])
    drawn = Resampling({"clean": Group(speakers, None)}, SEED, REPLICATES)
    mean, replicates = drawn.means("clean", np.array([1.0, 1.0, 0.0]))
    assert mean == pytest.approx(2 / 3)
    assert set(replicates.round(9)) == {1.0, round(2 / 3, 9), 0.0}  # ann twice, both, bob twice
    _, whole = bootstrap_replicates([1.0, 1.0, 0.0], speakers, seed=SEED, replicates=REPLICATES)
    np.testing.assert_allclose(replicates, whole)


def test_a_group_without_a_trial_has_no_mean():
    """Each speaker in a group of their own: half of the resamples hold one of them alone."""
    groups = {name: Group(np.array([name]), np.array([f"noise {name}"])) for name in ("ann", "bob")}
    drawn = Resampling(groups, SEED, REPLICATES)
    _, ann = drawn.means("ann", np.array([1.0]))
    _, bob = drawn.means("bob", np.array([1.0]))
    assert 0.15 < np.isnan(ann).mean() < 0.35
    assert not (np.isnan(ann) & np.isnan(bob)).any()


def test_what_cannot_vary_is_known():
    one = np.array(["ann", "ann"])
    groups = {"few": Group(one, np.array(["bus", "bus"])), "more": Group(one, np.array(["drill", "saw"]))}
    drawn = Resampling(groups, SEED, REPLICATES)
    assert (drawn.vary(["few"]), drawn.vary(["more"]), drawn.vary(groups)) == (False, True, True)
    both = Resampling({"few": groups["few"], "bob": Group(np.array(["bob"]), None)}, SEED, REPLICATES)
    assert both.vary(["few"])  # whether ann is drawn
