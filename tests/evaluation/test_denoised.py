"""A denoiser in front of recognisers: what they hear is what a stream gives, and differences are worked by hand."""

import numpy as np
import pytest
import torch

from drsn_audio.config import config_from_dict
from drsn_audio.evaluation.denoised import accuracy_difference, denoise_batch, fronts, wer_difference
from drsn_audio.evaluation.keyword import Trials
from drsn_audio.evaluation.transcripts import Transcripts
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.denoising import DenoiseStream

RESAMPLING = {"seed": 0, "replicates": 50}


@pytest.fixture(scope="module")
def waves():
    """Two, of 0.5 s and some samples: no whole number of frames."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(0.1 * rng.standard_normal((2, 8123))).float()


@pytest.fixture(scope="module")
def model(waves):
    """Its gains are neither all alike nor near 0 or 1."""
    torch.manual_seed(0)
    given = {"preset": "100k", "encoder": "drsn", "head": "denoise", "pool": "causal", "widths": [4, 6]}
    given |= {"blocks": [1, 1], "mixer": [1], "stem_stride": [4, 1], "time_reduction": 1}
    given["frontend"] = {"name": "log-spectrogram", "f_min_hz": 0.0, "window_ms": 32, "hop_ms": 16}
    model = AudioModel(config_from_dict({"model": given}).model)
    with torch.no_grad():
        model.train()(waves)
        model.head.output.weight.mul_(3)
        model.head.output.bias.zero_()
    return model.eval()


def test_without_a_blend_it_is_the_model(model, waves):
    assert torch.equal(denoise_batch(model, waves, 0.0), model.denoise(waves))


@pytest.mark.parametrize("blend", [0.0, 0.3, 1.0])
def test_each_wave_is_as_a_stream_gives_it(model, waves, blend):
    given = denoise_batch(model, waves, blend)
    assert given.shape == waves.shape
    for wave, one in zip(waves.numpy(), given.numpy(), strict=True):
        stream = DenoiseStream(model, blend)
        streamed = np.concatenate([*(stream.feed(chunk) for chunk in np.array_split(wave, 7)), stream.flush()])
        np.testing.assert_allclose(one, streamed, atol=1e-5)


def test_the_fronts_by_name(model, waves):
    found = fronts(model, [0.25, 1.0])
    assert list(found) == ["noisy", "denoised", "blend 0.25", "blend 1"]
    assert found["noisy"](waves) is waves
    heard = [front(waves) for front in found.values()]
    assert torch.equal(heard[2], denoise_batch(model, waves, 0.25))  # each has its own share
    distances = [float((one - waves).square().sum()) for one in heard]
    assert distances[0] == 0 < distances[3] < distances[2] < distances[1]


def trials(snr_db, right):
    kind = "clean" if snr_db is None else "street"
    targets = np.zeros(len(right), dtype=int)
    logits = np.array([[one, 1 - one] for one in right], dtype=float)
    people, noises = (np.array([f"{name}{i % 2}" for i in range(len(right))]) for name in ("p", "n"))
    return Trials(kind, snr_db, logits, targets, people, noises, targets.astype(str))


def test_accuracy_by_hand():
    """3 of 4 less 4 of 4, and 2 of 4 less 1 of 4: nothing in the mean. Clean does not count."""
    noisy = [trials(5.0, [1, 1, 1, 1]), trials(0.0, [0, 1, 0, 0]), trials(None, [1, 1, 1, 1])]
    ours = [trials(5.0, [1, 0, 1, 1]), trials(0.0, [0, 1, 1, 0]), trials(None, [0, 0, 0, 0])]
    assert accuracy_difference(ours, noisy, **RESAMPLING)["difference"] == pytest.approx(0)
    first = accuracy_difference(ours[:1], noisy[:1], **RESAMPLING)
    assert first["difference"] == pytest.approx(-0.25)
    assert first["low"] <= -0.25 <= first["high"]
    assert accuracy_difference(noisy, noisy, **RESAMPLING) == {"difference": 0, "low": 0, "high": 0}


def written(snr_db, hypotheses):
    kind = "clean" if snr_db is None else "street"
    return Transcripts(kind, snr_db, ["a", "b"], hypotheses, ["one two", "up down left right"], ["p", "q"], ["m", "n"])


def test_word_error_rates_by_hand():
    """2 errors of 6 words less 1, then 0 less 2: a sixth and minus a third, in the mean minus a twelfth."""
    noisy = [written(5.0, ["one two", "up down left"]), written(0.0, ["one", "up down left"]), written(None, ["", ""])]
    ours = [
        written(5.0, ["one", "up down left left"]),
        written(0.0, ["one two", "up down left right"]),
        written(None, ["one two", "up down left right"]),
    ]
    found = wer_difference(ours, noisy, **RESAMPLING)
    assert found["difference"] == pytest.approx(-1 / 12)
    assert found["low"] <= found["difference"] <= found["high"]
    assert wer_difference(noisy, noisy, **RESAMPLING) == {"difference": 0, "low": 0, "high": 0}
