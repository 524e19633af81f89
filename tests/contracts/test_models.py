"""What every model promises, over every line of the registries: shape, dtype, gradient, silence, batch, padding."""

import copy
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from drsn_audio.config import PRESETS, config_from_dict
from drsn_audio.frontends import FRONTENDS
from drsn_audio.labels import BLANK
from drsn_audio.models.checkpoint import load_checkpoint, save_checkpoint
from drsn_audio.models.heads import HEADS
from drsn_audio.models.model import AudioModel
from drsn_audio.nn.causal import POOLS
from drsn_audio.nn.shrinkage import SHRINKAGES

KEYWORDS = ["go", "stop", "unknown", "silence", "left"]
LABELS = {"keyword": KEYWORDS, "ctc": [BLANK, "go", "stop", "unknown", "left"], "denoise": [], "joint": KEYWORDS}
# Of the smallest model: of CTC as presets for it have it.
SIZE = {
    "keyword": {},
    "ctc": {"time_reduction": 4, "mixer_width": 8, "mixer": [1, 2]},
}
SPECTRAL = ["denoise", "joint"]
SIZE |= {head: {"widths": [3, 4, 6], "stem_stride": [4, 1], "time_reduction": 1, "mixer": [1, 2]} for head in SPECTRAL}
SPECTRUM = {"name": "log-spectrogram", "hop_ms": 16, "f_min_hz": 0}  # what a denoiser hears
WORDS = [head for head in HEADS if head not in SPECTRAL]
SHRINKS = [name for name in SHRINKAGES if name != "gate"]  # that is gate-frequency's, pooled as se is
KINDS = [
    *product(["10k"], SHRINKS, POOLS, ["logmel"], WORDS),
    *product(["10k"], ["cw-frequency"], POOLS, [name for name in FRONTENDS if name != "logmel"], WORDS),
    *product(["10k"], SHRINKS, [pool for pool in POOLS if pool != "clip"], ["log-spectrogram"], ["denoise"]),
    *product(["keyword-10k"], ["cw-frequency"], POOLS, ["logmel"], ["keyword"]),
    ("10k", "cw-frequency", "causal", "log-spectrogram", "joint"),  # whose parts are those of others
    *product(["bc-resnet-1"], [""], ["clip"], ["logmel", "pcen", "mfcc"], ["keyword"]),  # 40 bins, for which it is made
]
CTC_PRESETS = [name for name in PRESETS if name.startswith("ctc")]
SIZES = KINDS + [
    (preset, size["shrinkage"], pool, "logmel", "ctc" if preset in CTC_PRESETS else "keyword")
    for preset, size in PRESETS.items()
    if preset not in {kind[0] for kind in KINDS}
    for pool in POOLS
    if pool == "clip" or size["encoder"] == "drsn"
]
NAMES = ("preset", "shrinkage", "pool", "frontend", "head")


def fast_and_slow(kinds: list[tuple]) -> list:
    """Each line of each registry is in a fast one at least once; how they combine is for the slow ones."""

    def is_fast(preset: str, shrinkage: str, pool: str, frontend: str, head: str) -> bool:
        return (pool == "causal" and head != "ctc") or (shrinkage in ("cw-frequency", "") and frontend == "logmel")

    return [kind if is_fast(*kind) else pytest.param(*kind, marks=pytest.mark.slow) for kind in kinds]


every_kind = pytest.mark.parametrize(NAMES, fast_and_slow(KINDS))
_built: dict[tuple, AudioModel] = {}


def build(preset: str, shrinkage: str, pool: str, frontend: str, head: str) -> AudioModel:
    """A model in eval mode whose BatchNorm statistics are those of noise, so that padding would show. Built once."""
    key = (preset, shrinkage, pool, frontend, head)
    if key not in _built:
        torch.manual_seed(0)
        hears = SPECTRUM if head in SPECTRAL else {"name": frontend}
        names = {"preset": preset, "shrinkage": shrinkage, "pool": pool, "head": head, "frontend": hears}
        size = SIZE[head] if preset not in CTC_PRESETS else {}
        model = AudioModel(config_from_dict({"model": {**names, **size, "labels": LABELS[head]}}).model).train()
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        model(noise(4, 4000), torch.tensor([4000, 3000, 2000, 2500]))
        for norm in norms:
            norm.momentum = 0.1
        _built[key] = model.eval()
    model = _built[key].eval()
    model.zero_grad()
    return model


def noise(batch: int, samples: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, samples, generator=torch.Generator().manual_seed(seed)) - 0.5


def expected_shape(model: AudioModel, batch: int, samples: int) -> tuple[int, ...]:
    """Clips give [B, K]; causal models and CTC [B, T', K], a frame for each begun 80 ms (hop, stem and two strided
    stages), of CTC and behind a mixer 40 ms; a denoiser a gain for each bin of the spectrum, every 16 ms.
    """
    if model.config.head in SPECTRAL:
        return batch, -(-samples // 256), 257 + len(model.config.labels)
    ctc = model.config.head == "ctc"
    frames = -(-samples // (160 * 2 * 2 * (1 if ctc or model.config.mixer else 2)))
    return (batch, frames, 5) if model.causal or ctc else (batch, 5)


def some_targets(model: AudioModel) -> Tensor:
    """Labels of four clips, of which the last two are a frame long."""
    return torch.tensor([[1, 2], [3, -1], [4, -1], [-1, -1]]) if model.config.head == "ctc" else torch.arange(4)


@pytest.mark.parametrize(NAMES, fast_and_slow(SIZES))
def test_shape_dtype_and_finite_logits(preset, shrinkage, pool, frontend, head):
    model = build(preset, shrinkage, pool, frontend, head)
    with torch.no_grad():
        logits = model(noise(2, 3000))
    assert logits.shape == expected_shape(model, 2, 3000)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert (logits[0] != logits[1]).any()


@every_kind
def test_gradients_reach_every_parameter(preset, shrinkage, pool, frontend, head):
    """In eval mode: in training BatchNorm rightly leaves the bias before it without one."""
    model = build(preset, shrinkage, pool, frontend, head)
    logits = model(noise(3, 4000, seed=1), torch.tensor([4000, 2000, 1]))
    (logits * torch.randn(logits.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.slow
@every_kind
@pytest.mark.parametrize("training", [True, False])
def test_silence_and_clipping_give_numbers(preset, shrinkage, pool, frontend, head, training):
    """Logits and gradients stay finite on digital silence and on a full-scale square wave, padded or not."""
    model = build(preset, shrinkage, pool, frontend, head)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train(training)
    square = torch.sign(torch.sin(torch.arange(4000) / 7.0) + 1e-3)
    for wave in (torch.zeros(2, 4000), torch.stack([square, -square]), torch.stack([square, torch.zeros(4000)])):
        for lengths in (None, torch.tensor([4000, 100])):
            model.zero_grad()
            logits = model(wave, lengths)
            assert logits.isfinite().all()
            logits.square().sum().backward()
            assert all(p.grad.isfinite().all() for p in model.parameters())
    model.load_state_dict(before)


@every_kind
def test_a_training_step_on_padded_clips_goes_downhill(preset, shrinkage, pool, frontend, head):
    """Named losses, scalar and finite; a small step against the gradient lowers their sum."""
    model = build(preset, shrinkage, pool, frontend, head)
    wave, lengths, targets = noise(4, 4000), torch.tensor([4000, 3000, 100, 1]), some_targets(model)

    def loss() -> Tensor:
        if head in SPECTRAL:
            words = () if head == "denoise" else (targets,)
            losses = model.head.loss(model(wave), wave, noise(4, 4000, seed=1), *words)
        else:
            losses = model.head.loss(model(wave, lengths), model.output_lengths(lengths), targets)
        assert all(value.shape == () for value in losses.values())
        return torch.stack([*losses.values()]).sum()

    before = {key: value.clone() for key, value in model.state_dict().items()}
    first = loss()
    first.backward()
    with torch.no_grad():
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        for p in model.parameters():
            p -= 1e-3 * p.grad / norm
        assert loss() < first
    model.load_state_dict(before)


@every_kind
@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    lengths=st.lists(st.integers(1, 6000), min_size=1, max_size=4), extra=st.integers(0, 900), seed=st.integers(0, 9)
)
def test_padding_and_batch_change_no_logit(preset, shrinkage, pool, frontend, head, lengths, extra, seed):
    """Within 1e-5, and as much of the logit, of each clip alone, whatever stands beyond its length: louder noise,
    infinities, NaN.
    """
    model = build(preset, shrinkage, pool, frontend, head)
    lengths = [1, *lengths]
    wave = noise(len(lengths), max(lengths) + extra, seed)
    batch = wave.clone()
    for index, length in enumerate(lengths):
        batch[index, length:] = [1e3, float("nan"), float("inf")][index % 3]
    with torch.no_grad():
        together = model(batch, torch.tensor(lengths))
        frames = model.output_lengths(torch.tensor(lengths)).tolist()
        for out, count, clip, length in zip(together, frames, wave, lengths, strict=True):
            alone, padded = model(clip[None, :length])[0], model(clip[None], torch.tensor([length]))[0]
            if together.dim() == 3:
                assert len(alone) == count
                out, padded = out[:count], padded[:count]
            torch.testing.assert_close(out, alone, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(padded, alone, rtol=1e-5, atol=1e-5)


@every_kind
def test_padding_changes_no_logit_in_training(preset, shrinkage, pool, frontend, head):
    """Every BatchNorm sees the valid frames only: with dropout off, logits and statistics are those without padding."""
    model = build(preset, shrinkage, pool, frontend, head)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    for part in model.modules():
        if isinstance(part, nn.Dropout | nn.Dropout2d):
            part.eval()
    wave = noise(4, 3200)
    with torch.no_grad():
        expected = model(wave)
        statistics = {key: value.clone() for key, value in model.state_dict().items()}
        model.load_state_dict(before)
        padded = model(torch.cat([wave, noise(4, 1500, seed=1)], 1), torch.full((4,), 3200))
    if expected.dim() == 3:
        padded = padded[:, : expected.shape[1]]
    torch.testing.assert_close(padded, expected, rtol=0, atol=1e-4)
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, statistics[key], rtol=1e-4, atol=1e-5, msg=key)
    model.load_state_dict(before)


@pytest.mark.slow
@every_kind
def test_a_checkpoint_gives_the_same_model(tmp_path, preset, shrinkage, pool, frontend, head):
    """Same config and bit-equal logits, saved from channels-last as training saves it."""
    model = build(preset, shrinkage, pool, frontend, head)
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    loaded, _ = load_checkpoint(save_checkpoint(tmp_path, "best", last, step=1, info={}))
    assert loaded.config == model.config
    with torch.no_grad():
        assert torch.equal(loaded(noise(2, 4000)), model(noise(2, 4000)))


@pytest.mark.parametrize(NAMES, fast_and_slow([kind for kind in KINDS if kind[2] != "clip"]))
def test_causal_models_do_not_look_ahead(preset, shrinkage, pool, frontend, head):
    """Logits of the blocks that have been heard do not depend on what follows; those of the others do."""
    model = build(preset, shrinkage, pool, frontend, head)
    known = 4
    wave, heard = noise(1, 8000), known * model.block
    changed = wave.clone()
    changed[:, heard:] = noise(1, 8000 - heard, seed=1)
    with torch.no_grad():
        before, after = model(wave)[0], model(changed)[0]
        alone = model(wave[:, :heard])[0]
    torch.testing.assert_close(before[:known], after[:known], rtol=0, atol=1e-6)
    torch.testing.assert_close(before[:known], alone, rtol=0, atol=1e-5)
    assert (before[known:] != after[known:]).any(1).all()


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_front_ends_give_bins_frames_and_lengths(frontend):
    config = config_from_dict({"model": {"frontend": {"name": frontend}}}).model.frontend
    module = FRONTENDS[frontend](config)
    for samples in (1, 160, 161, 4000):
        spectrogram, lengths = module(noise(2, samples), torch.tensor([samples, 1]))
        assert spectrogram.shape == (2, 1, module.bins, -(-samples // module.hop))
        assert spectrogram.isfinite().all()
        assert lengths.tolist() == [spectrogram.shape[3], 1]
