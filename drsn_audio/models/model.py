"""Wave in, logits out: the model that everything else trains, evaluates, loads and streams."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.config import ConfigError, ModelConfig, nearest
from drsn_audio.decoding.units import Units
from drsn_audio.forking import compute_alone_after_fork
from drsn_audio.frontends import FRONTENDS
from drsn_audio.frontends.frontend import silenced
from drsn_audio.memory import Memory, name_layers
from drsn_audio.models.bcresnet import BCResNet
from drsn_audio.models.encoder import Encoder
from drsn_audio.models.heads import HEADS
from drsn_audio.nn.causal import POOLS
from drsn_audio.nn.input_gain import CLIPS_DB, DENOISING_DB, RECOGNITION_DB, InputGain
from drsn_audio.nn.residual import downsample_lengths
from drsn_audio.nn.shrinkage import SHRINKAGES
from drsn_audio.nn.synthesis import apply_gains
from drsn_audio.overlap import delay

ENCODERS: dict[str, type[Encoder] | type[BCResNet]] = {"drsn": Encoder, "bc-resnet": BCResNet}

Augment = Callable[[Tensor, Tensor | None], Tensor]


class AudioModel(nn.Module):
    """Front-end, encoder and head. The front-end is part of it, so that training and use cannot disagree."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        compute_alone_after_fork()
        _check(config)
        self.config = config
        self.frontend = FRONTENDS[config.frontend.name](config.frontend)
        lifted_db = DENOISING_DB if config.head == "denoise" else CLIPS_DB if config.pool == "clip" else RECOGNITION_DB
        self.input_gain = InputGain(self.frontend.hop, config.frontend.sample_rate, lifted_db)
        self.encoder = ENCODERS[config.encoder](self.frontend.bins, config)
        frame_ms = config.frontend.hop_ms * math.prod(self.encoder.time_strides)
        self.head: Any = HEADS[config.head](self.encoder.levels, self.frontend.bins, config, frame_ms)
        name_layers(self)

    @property
    def causal(self) -> bool:
        return self.config.pool != "clip"

    @property
    def block(self) -> int:
        """Samples of one frame of the logits; what a causal model hears is a whole number of them."""
        return self.frontend.hop * math.prod(self.encoder.time_strides)

    @property
    def outputs(self) -> int:
        """Values of an answer: of a denoiser one a frequency, else one a label; of a joint model both, gains first."""
        gains = self.frontend.bins if self.config.head in ("denoise", "joint") else 0
        return gains + len(self.config.labels)

    def forward(
        self,
        wave: Tensor,
        lengths: Tensor | None = None,
        augment: Augment | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """Wave [B, N], lengths [B] in samples (None: all valid) -> logits [B, K], causal models and CTC [B, T', K].

        Of a denoiser they are gains in (0, 1) on the spectrum of the wave, see `nn.synthesis.apply_gains`.

        In evaluation mode very quiet sound is raised first, see `nn.input_gain`.

        `augment` maps the spectrogram [B, 1, F, T] and its lengths [B] to one of the same shape (SpecAugment). Of a
        causal model, `memory` holds what came before this wave, and what is to be remembered of it. Frame j of its
        logits is that of all samples before (j + 1) * block; silence follows where the wave ends within a block.
        """
        if self.causal:
            memory = Memory() if memory is None else memory
        elif memory is not None:
            raise ValueError("a model of whole clips has no memory: train one with model.pool=causal")
        if not self.training:
            wave = self.input_gain(silenced(wave, lengths), memory)
        if self.causal:
            wave = F.pad(wave, (0, -wave.shape[1] % self.block))
        spectrogram, frames = self.frontend(wave, lengths, memory)
        if self.causal and frames is not None:  # to whole blocks: what is silent in the last one is heard, too
            stride = math.prod(self.encoder.time_strides)
            frames = (frames + stride - 1) // stride * stride
        if augment is not None:
            spectrogram = augment(spectrogram, frames)
        return self.head(self.encoder(spectrogram, frames, memory), memory)

    def denoise(self, wave: Tensor) -> Tensor:
        """Of a denoiser: wave [B, N] -> that without the noise, [B, N], sample for sample in its place."""
        bins = self.frontend.bins
        late = delay(bins, self.block)
        heard = F.pad(wave, (0, late))  # what the last samples wait for
        return apply_gains(heard, self(heard)[..., :bins], self.block)[:, late : late + wave.shape[1]]

    def output_lengths(self, lengths: Tensor | None) -> Tensor | None:
        """Lengths [B] in samples -> in frames T' of the logits."""
        return self.encoder.output_lengths(downsample_lengths(lengths, self.frontend.hop))


def count_parameters(model: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def count_multiply_adds(model: AudioModel) -> int:
    """Multiply-adds of convolutions and matrix products for one clip (`clip_s`), the FFT left out."""
    from torch.utils.flop_counter import FlopCounterMode  # which imports triton

    was_training = model.training
    model.eval()
    wave = torch.zeros(1, round(model.config.clip_s * model.config.frontend.sample_rate))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(wave.to(next(model.parameters()).device))
    model.train(was_training)
    return counter.get_total_flops() // 2


def _check(config: ModelConfig) -> None:
    for key, value, known in (
        ("frontend.name", config.frontend.name, tuple(FRONTENDS)),
        ("encoder", config.encoder, tuple(ENCODERS)),
        ("head", config.head, tuple(HEADS)),
        ("shrinkage", config.shrinkage, tuple(SHRINKAGES) if config.encoder == "drsn" else (config.shrinkage,)),
        ("pool", config.pool, POOLS),
        ("clip_answer", config.clip_answer, ("last", "surest")),
    ):
        if value not in known:
            raise ConfigError(f"model.{key}={value!r} is unknown: {nearest(value, known)}")
    if config.width < 1 or not config.blocks or min(config.blocks) < 1:
        raise ConfigError(f"model.width={config.width}, model.blocks={list(config.blocks)}: each is at least 1")
    if len(config.stem_stride) != 2 or min(config.stem_stride) < 1:
        raise ConfigError(f"model.stem_stride={list(config.stem_stride)}: give two whole numbers, frequency and time")
    if config.encoder == "drsn" and config.gate_reduction < 1:
        raise ConfigError(f"model.gate_reduction={config.gate_reduction}: give 1, or how many times narrower")
    if config.stem_kernel < 1 or config.stem_kernel % 2 == 0:
        raise ConfigError(f"model.stem_kernel={config.stem_kernel}: give an odd number")
    if config.pool != "clip" and config.stem_kernel < config.stem_stride[1]:
        raise ConfigError(f"model.stem_kernel={config.stem_kernel}: a causal stem needs at least its stride in time")
    if not 10 <= config.pool_ms <= 1e5:
        raise ConfigError(f"model.pool_ms={config.pool_ms:g}: give 10 to 100000 milliseconds")
    if config.head == "ctc":
        if config.encoder != "drsn":
            raise ConfigError(f"model.encoder={config.encoder}: a CTC model has the encoder drsn")
        Units(config.units, config.labels)
    if config.head in ("denoise", "joint"):
        _check_denoiser(config)
    if config.widths and (len(config.widths) != len(config.blocks) or list(config.widths) != sorted(config.widths)):
        raise ConfigError(
            f"model.widths={list(config.widths)}: give one for each of model.blocks, none below the one before"
        )
    if config.mixer and min(config.mixer) < 1:
        raise ConfigError(f"model.mixer={list(config.mixer)}: give dilations, each at least 1")
    if not config.labels and config.head != "denoise":
        raise ConfigError("model.labels is empty: list the words that the model is to know")
    if len(set(config.labels)) != len(config.labels):
        raise ConfigError("model.labels names a word twice: name each once")


def _check_denoiser(config: ModelConfig) -> None:
    """Its gains are for the whole spectrum of every frame, which overlap-add puts together again."""
    frontend = config.frontend
    if config.encoder != "drsn" or config.pool == "clip":
        raise ConfigError(f"model.encoder={config.encoder}, model.pool={config.pool}: a denoiser is a causal drsn")
    if config.stem_stride[1] != 1 or config.time_reduction != 1:
        raise ConfigError("a denoiser strides in frequency only: set model.stem_stride=[4,1] model.time_reduction=1")
    if frontend.name != "log-spectrogram" or frontend.f_min_hz != 0 or frontend.f_max_hz != frontend.sample_rate / 2:
        raise ConfigError(
            "a denoiser hears all of model.frontend.name=log-spectrogram: f_min_hz=0, f_max_hz half the rate"
        )
    if not 0 <= config.gain_floor < 1:
        raise ConfigError(f"model.gain_floor={config.gain_floor:g}: give a gain from 0 to below 1, e.g. 0.05")
    size, hop = (round(ms * frontend.sample_rate / 1000) for ms in (frontend.window_ms, frontend.hop_ms))
    if size & (size - 1):
        raise ConfigError(f"model.frontend.window_ms={frontend.window_ms:g}: {size} samples, give a power of two")
    try:
        delay(size // 2 + 1, hop)
    except ValueError as error:
        raise ConfigError(f"model.frontend.hop_ms={frontend.hop_ms:g}: {error}") from None
