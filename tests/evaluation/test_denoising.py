"""Denoisers on noisy speech; some that know the answer, or do nothing, show that they are scored right."""

import json
import math

import numpy as np
import pytest
import torch

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource, config_from_dict
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.denoising import Scores, denoiser, noisy_speech, score_denoisers
from drsn_audio.evaluation.denoising_edges import attenuation_db, score_edges
from drsn_audio.evaluation.denoising_facts import conditions, differences, left_out, summarise
from drsn_audio.evaluation.denoising_run import chosen, describe_denoiser, evaluate_denoisers
from drsn_audio.models.model import AudioModel

SETTINGS = {"snr_db": [10.0, -5.0], "draws": 1, "seed": 3}
RESAMPLING = {"seed": 0, "replicates": 50}


@pytest.fixture(scope="module")
def heard(task):
    """Cuts, noise and store of the task's test speech."""
    store = AudioStore(16000)
    return read_cuts([task.test]), NoisePool([NoiseSource(str(task.noise), folds=[3])], store), store


@pytest.fixture(scope="module")
def oracle(heard):
    """A denoiser that has heard the clean waves."""
    cuts, noise, store = heard
    answers = {trial.noisy.tobytes(): trial.clean for trial in noisy_speech(cuts, noise, store, **SETTINGS)}
    return lambda noisy: answers[noisy.tobytes()]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    given = {"preset": "100k", "encoder": "drsn", "head": "denoise", "pool": "causal", "widths": [4, 6]}
    given |= {"blocks": [1, 1], "mixer": [1], "stem_stride": [4, 1], "time_reduction": 1}
    given["frontend"] = {"name": "log-spectrogram", "f_min_hz": 0.0, "window_ms": 32, "hop_ms": 16}
    return AudioModel(config_from_dict({"model": given}).model)


def test_the_noise_is_what_it_was_mixed_as(heard):
    """Over the speech the mix of an SNR less the clean wave has the level that the SNR asks for; draws are the same."""
    cuts, noise, store = heard
    trials = list(noisy_speech(cuts, noise, store, **SETTINGS, level="rms"))
    assert len(trials) == len(cuts) * 2 * 2
    for trial in trials:
        added = trial.noisy - trial.clean
        ratio_db = 10 * math.log10(np.square(trial.clean).sum() / np.square(added).sum())
        assert ratio_db == pytest.approx(trial.snr_db, abs=0.05)
    for easy, hard in zip(trials[::2], trials[1::2], strict=True):
        assert (easy.id, easy.noise_source, easy.snr_db, hard.snr_db) == (hard.id, hard.noise_source, 10, -5)
        np.testing.assert_allclose(hard.noisy - hard.clean, (easy.noisy - easy.clean) * 10**0.75, atol=1e-6)


def test_the_clean_wave_scores_without_limit_and_nothing_gains_nothing(heard, oracle):
    cuts, noise, store = heard
    systems = {"oracle": oracle, "nothing": lambda noisy: noisy, "mute": np.zeros_like}
    scores = score_denoisers(systems, cuts, noise, store, **SETTINGS, measures=())
    assert list(scores.cpu_s) == ["noisy", "oracle", "nothing", "mute"]
    values = scores.values["si_sdr_db"]
    assert (values["oracle"] > 100).all()
    assert (values["nothing"] == values["noisy"]).all()
    assert (values["mute"] == -np.inf).all()
    assert (values["noisy"][1::2] < values["noisy"][::2] - 13).all()
    assert scores.sound_s == pytest.approx(len(cuts) * 4 * 0.3)
    # In means SI-SDR is within -30 and 60 dB, and the gain is that over the noisy wave.
    found = {(one["system"], one["noise_kind"], one["snr_db"]): one for one in summarise(scores, **RESAMPLING)}
    for kind in ("machinery", "street", "mean"):
        assert found["oracle", kind, "mean"]["si_sdr_db"]["mean"] == 60
        assert found["mute", kind, 10.0]["si_sdr_db"]["mean"] == -30
        assert found["nothing", kind, -5.0]["si_sdr_gain_db"]["mean"] == 0
    gain = found["oracle", "mean", 10.0]["si_sdr_gain_db"]["mean"]
    assert gain == pytest.approx(60 - found["noisy", "mean", 10.0]["si_sdr_db"]["mean"])
    for one in differences(scores, "oracle", **RESAMPLING):
        assert one["measure"] == "si_sdr_db"  # the gain's differences are the same
        assert one["low"] > 0
    *_, mute = differences(scores, "nothing", **RESAMPLING)
    assert (mute["system"], mute["difference"] > 20) == ("mute", True)
    assert differences(scores, "mute", **RESAMPLING)[2]["difference"] == pytest.approx(-mute["difference"])


def given(**values):
    """Scores of two kinds at two SNRs, one utterance of two speakers each, in the order of `noisy_speech`."""
    keys = [(who, kind, snr_db) for who in ("ann", "bob") for kind in ("cars", "drills") for snr_db in (5.0, 0.0)]
    who, kinds, snrs = zip(*keys, strict=True)
    arrays = {name: {of: np.array(each, float) for of, each in by.items()} for name, by in values.items()}
    sources = [f"{kind}/{name}" for name, kind, _ in keys]
    return Scores(list(who), list(who), list(kinds), sources, list(snrs), arrays, {"noisy": 0.0, "ours": 1.0}, 9.0)


def test_means_by_hand():
    noisy, ours = [5, 0, 5, 0, 7, 2, 7, 2], [8, 4, 6, 2, 10, 6, 8, 4]
    scores = given(si_sdr_db={"noisy": noisy, "ours": ours})
    found = {(one["system"], one["noise_kind"], one["snr_db"]): one for one in summarise(scores, **RESAMPLING)}
    assert found["ours", "cars", 5.0]["si_sdr_db"]["mean"] == 9
    assert found["ours", "drills", 0.0]["si_sdr_db"]["mean"] == 3
    assert found["ours", "mean", 0.0]["si_sdr_gain_db"]["mean"] == 3  # 4 in cars, 2 in drills
    assert found["ours", "cars", "mean"]["si_sdr_gain_db"]["mean"] == 3.5
    mean = found["ours", "mean", "mean"]
    assert mean["si_sdr_gain_db"] == {
        "mean": 2.5,
        "low": 2.5,
        "high": 2.5,
        "trials": 8,
    }  # ann's and bob's gains are equal
    assert (mean["trials"], mean["speakers"], mean["noise_recordings"]) == (8, 2, 4)
    # Bob speaks 2 dB louder over the noise: whoever is drawn, the mean is between theirs.
    assert (mean["si_sdr_db"]["low"], mean["si_sdr_db"]["high"]) == (5, 7)
    (less,) = differences(scores, "ours", **RESAMPLING)
    assert (less["system"], less["difference"], less["low"], less["high"]) == ("noisy", 2.5, 2.5, 2.5)


def test_a_trial_without_a_value_of_one_system_counts_for_none():
    """The mean weighs the conditions, not the trials that are left of them."""
    ours = [3, 1, 2, 1, math.nan, 1, 2, 1]
    scores = given(si_sdr_db={"noisy": [0] * 8, "ours": [0] * 8}, pesq={"noisy": [1] * 4 + [9] * 4, "ours": ours})
    found = {(one["system"], one["noise_kind"], one["snr_db"]): one for one in summarise(scores, **RESAMPLING)}
    assert found["noisy", "cars", 5.0]["pesq"]["mean"] == 1  # not 5: ours has no value beside the 9
    assert found["noisy", "cars", 5.0]["pesq"]["trials"] == 1
    assert found["ours", "mean", "mean"]["pesq"]["mean"] == pytest.approx((3 + 1 + 2 + 1) / 4)
    assert left_out(scores) == {"si_sdr_db": 0, "pesq": 1}
    none = given(si_sdr_db={"noisy": [0] * 8, "ours": [0] * 8}, pesq={"noisy": [1] * 8, "ours": [math.nan] * 8})
    assert all(one["pesq"] is None for one in summarise(none, **RESAMPLING))


def test_a_single_kind_has_no_mean_over_kinds():
    scores = Scores(["u"], ["ann"], ["cars"], ["cars/a"], [5.0], {"si_sdr_db": {"noisy": np.ones(1)}}, {"noisy": 0.0})
    assert [(one.noise_kind, one.snr_db) for one in conditions(scores)] == [("cars", 5.0), ("cars", "mean")]


def test_stoi_and_dnsmos_are_of_what_was_asked(heard, monkeypatch):
    cuts, noise, store = heard
    monkeypatch.setattr("drsn_audio.evaluation.denoising.stoi", lambda clean, processed, rate: float(processed[0]))

    class Opinions:
        def _asdict(self):
            return {"overall": 3.0, "signal": 4.0, "background": 2.0}

    monkeypatch.setattr("drsn_audio.evaluation.denoising.dnsmos", lambda wave, rate: Opinions())
    broken = lambda noisy: np.full_like(noisy, np.nan)  # noqa: E731
    asked = {"measures": ("stoi",), "dnsmos_utterances": 2}
    scores = score_denoisers({"ours": np.ones_like, "broken": broken}, cuts, noise, store, **SETTINGS, **asked)
    assert (scores.values["stoi"]["ours"] == 1).all()
    for values in scores.values.values():
        assert np.isnan(values["broken"]).all()
    judged = np.isfinite(scores.values["dnsmos_signal"]["ours"])
    assert len({name for name, one in zip(scores.ids, judged, strict=True) if one}) == 2
    assert judged.sum() == 2 * 4  # in all of their trials
    assert left_out(scores) == {"si_sdr_db": 24, "stoi": 24} | dict.fromkeys(
        ("dnsmos_overall", "dnsmos_signal", "dnsmos_background"), 8
    )


def test_what_is_no_denoiser(heard):
    cuts, noise, store = heard
    with pytest.raises(ValueError, match=r"half makes \[2400\] of a wave \[4800\]"):
        score_denoisers({"half": lambda noisy: noisy[::2]}, cuts, noise, store, **SETTINGS, measures=())
    with pytest.raises(ValueError, match="is called 'noisy'"):
        score_denoisers({"noisy": lambda noisy: noisy}, cuts, noise, store, **SETTINGS)


# Where there is nothing to do


def test_attenuation():
    noise = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert attenuation_db(noise, 0.1 * noise) == pytest.approx(20, abs=1e-4)
    assert attenuation_db(noise, 2 * noise) == pytest.approx(-6.02, abs=0.01)
    assert attenuation_db(noise, 0 * noise) == 100
    assert math.isnan(attenuation_db(noise, noise * np.float32(np.nan)))


def test_edges(heard):
    cuts, noise, store = heard
    systems = {
        "nothing": lambda wave: wave,
        "tenth": lambda wave: wave / 10,
        "hum": lambda wave: wave + np.float32(0.25),
    }
    edges = score_edges(systems, cuts, noise, store, recordings=5, **RESAMPLING)
    nothing, tenth, hum = edges
    assert [each["system"] for each in edges] == list(systems)
    assert nothing["clean"]["si_sdr_db"] == {"mean": 60, "low": 60, "high": 60, "trials": 6}
    assert (nothing["silence"]["peak"], hum["silence"]["peak"]) == (0, 0.25)
    assert [one["noise_kind"] for one in tenth["noise"]] == ["machinery", "street", "mean"]
    for one in tenth["noise"]:
        assert one["attenuation_db"]["mean"] == pytest.approx(20, abs=1e-4)
    assert hum["noise"][0]["attenuation_db"]["mean"] < -10
    assert hum["clean"]["si_sdr_db"]["mean"] < 0


# Run.json


def evaluate(systems, task, **changed):
    noise = [NoiseSource(str(task.noise), folds=[3])]
    settings = {"data": DataConfig(), "evaluate": EvaluateConfig(snr_db=[5.0, 0.0], draws=1, replicates=30)}
    settings |= {"model": {"name": "ours"}, "duration_s": (0, 9), "measures": (), "noise": noise}
    given = settings | changed
    facts = evaluate_denoisers(systems, [str(task.test)], given.pop("noise"), **given)
    return json.loads(json.dumps(facts, allow_nan=False))


def test_a_model_is_evaluated(model, task):
    described = describe_denoiser(model, "ours", {"sha256": "abc", "step": 7})
    facts = evaluate({"ours": denoiser(model), "nothing": lambda wave: wave}, task, model=described)
    assert (facts["schema"], facts["kind"], facts["level"], facts["draws"]) == (1, "denoising", "p56", 1)
    assert facts["model"]["checkpoint"]["step"] == 7
    assert facts["model"]["multiply_adds_per_s"] > 1e5
    assert [each["name"] for each in facts["systems"]] == ["noisy", "ours", "nothing"]
    assert facts["systems"][0]["real_time_factor"] is None
    assert facts["systems"][1]["real_time_factor"] > 0
    told = {"utterances": 6, "utterances_in_manifest": 6, "speakers": 2, "duration_s": 1.8}
    assert {key: facts["data"][key] for key in told} == told
    assert facts["data"]["noise"][0]["recordings"] == 2
    # Three systems, two kinds and their mean, two SNRs and their mean.
    assert len(facts["conditions"]) == 3 * 3 * 3
    assert {one["system"] for one in facts["differences"]} == {"noisy", "nothing"}
    by_system = {one["system"]: one["si_sdr_db"]["mean"] for one in facts["conditions"] if one["trials"] == 24}
    for one in facts["differences"]:
        assert one["difference"] == pytest.approx(by_system["ours"] - by_system[one["system"]])
    assert facts["edges"][0]["silence"]["peak"] == 0  # digital silence out of digital silence


def test_the_model_gives_back_what_it_takes(model):
    wave = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    estimate = denoiser(model)(wave)
    assert (estimate.shape, estimate.dtype) == (wave.shape, np.float32)
    with torch.inference_mode():
        np.testing.assert_array_equal(estimate, model.denoise(torch.from_numpy(wave)[None])[0])


def test_utterances_are_chosen_evenly(task):
    cuts = read_cuts([task.test])
    eve, finn = (sorted(cut.id for cut in cuts if cut.supervisions[0].speaker == who) for who in ("eve", "finn"))
    assert [cut.id for cut in chosen(cuts[::-1], 2, (0.1, 1))] == [eve[0], eve[2], finn[0], finn[2]]
    assert [cut.id for cut in chosen(cuts, None, (0.1, 1))] == eve + finn
    with pytest.raises(ManifestError, match="none of 6 utterances lasts 3 to 12 s"):
        chosen(cuts, 1)
    with pytest.raises(ConfigError, match="0 utterances a speaker"):
        chosen(cuts, 0, (0.1, 1))


def test_what_cannot_be_evaluated(task):
    systems = {"ours": lambda wave: wave}
    with pytest.raises(ConfigError, match="no noise is given"):
        evaluate(systems, task, noise=[])
    with pytest.raises(ConfigError, match=r"evaluate\.draws=0"):
        evaluate(systems, task, evaluate=EvaluateConfig(draws=0))
    with pytest.raises(ConfigError, match=r"data\.level='loud'"):
        evaluate(systems, task, data=DataConfig(level="loud"))
