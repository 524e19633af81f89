"""pocketsphinx, given the vocabulary as a grammar, on the utterances and the noise that a model is evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from rich.progress import Progress
from torch import Tensor

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
from drsn_audio.datasets.manifests import AudioStore, check_level, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.run import check_settings
from drsn_audio.evaluation.transcription import describe_transcription, refuse_mixes, usable
from drsn_audio.evaluation.transcripts import Transcripts, ask_transcripts
from drsn_audio.labels import BLANK, UNKNOWN

SAMPLE_RATE = 16000  # of pocketsphinx's US English model
# Against its own settings (bestpath, silprob 0.005, wip 0.65, digital silence): a pause is likelier and a word less
# likely, which keeps words from being put in; bestpath, a second pass, took some five times as long and did no better.
# Silence around the utterance made it worse; wider beams, a running cepstral mean, no noise removal changed nothing.
SETTINGS = {"bestpath": False, "silprob": 0.7, "wip": 3e-3}
HISS_DB = -50.0  # re full scale; spares the decoder digital silence, which it takes poorly


class GrammarPeer:
    """Waves at 16 kHz -> texts of the vocabulary, by pocketsphinx: any number of its words, one at least, and pauses.

    Each utterance is decoded by itself, in one piece, its cepstral mean taken off over all of it, so its answer
    depends on no other. SETTINGS are those of several that did best on development strings; the US English model, the
    front-end (AGC off, noise removal on) and the beams are pocketsphinx's own.
    """

    def __init__(self, vocabulary: Sequence[str]):
        """`vocabulary`: labels of a model of words; blank and "unknown" are none.

        Raises:
            ConfigError: no words, or some that are not in pocketsphinx's dictionary.
            ModuleNotFoundError: pocketsphinx is not installed.
        """
        self.vocabulary = [word for word in vocabulary if word not in (BLANK, UNKNOWN)]
        self._decoder = _decoder(self.vocabulary)
        self._hiss = 10 ** (HISS_DB / 20) * np.random.default_rng(0).standard_normal(SAMPLE_RATE)

    @property
    def settings(self) -> dict[str, Any]:
        """What a run.json says of the decoder."""
        return {
            "kind": "pocketsphinx, JSGF grammar",
            "version": version("pocketsphinx"),
            "hiss_db": HISS_DB,
            **SETTINGS,
        }

    def __call__(self, waves: Tensor, lengths: Tensor) -> list[str]:
        """Waves [B, N], lengths [B] in samples -> B texts."""
        return [self.hear(wave[:length]) for wave, length in zip(waves.numpy(), lengths.tolist(), strict=True)]

    def hear(self, wave: np.ndarray) -> str:
        """Samples [N] -> the words of the likeliest path; "" where there is none."""
        heard = wave + np.resize(self._hiss, len(wave))
        pcm = (heard.clip(-1, 1) * 32767).round().astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr if found else ""


def jsgf(words: Sequence[str]) -> str:
    """A grammar of one word or more, all equally likely (Java Speech Grammar Format 1.0)."""
    return f"#JSGF V1.0;\ngrammar words;\npublic <words> = ({' | '.join(words)})+;\n"


def evaluate_grammar_peer(
    peer: GrammarPeer,
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    *,
    data: DataConfig,
    evaluate: EvaluateConfig,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], list[Transcripts]]:
    """Error rates on the trials that `evaluate_transcription` puts to a model -> run.json's content, and the texts.

    Raises:
        ConfigError, ManifestError, AudioError: a setting, a manifest or a file that cannot be used.
    """
    check_settings(evaluate)
    check_level(data.level)
    cuts, left_out = usable(read_cuts(manifests), data.max_duration_s)
    refuse_mixes(cuts)
    store = AudioStore(SAMPLE_RATE)
    written = ask_transcripts(
        peer,
        cuts,
        NoisePool(noise, store) if noise else None,
        store,
        snr_db=evaluate.snr_db,
        draws=evaluate.draws,
        seed=evaluate.seed,
        level=data.level,
        progress=progress,
    )
    model = {
        "name": "pocketsphinx",
        "shrinkage": "",
        "units": "words",
        "labels": peer.vocabulary,
        "grammar": jsgf(peer.vocabulary),
        "decoder": peer.settings,
    }
    facts = describe_transcription(
        model, manifests, noise, cuts, written, evaluate, level=data.level, draws=evaluate.draws, left_out=left_out
    )
    return facts, written


def _decoder(words: Sequence[str]) -> Any:
    import pocketsphinx

    decoder = pocketsphinx.Decoder(samprate=SAMPLE_RATE, lm=None, loglevel="FATAL", **SETTINGS)
    lacking = [word for word in words if not decoder.lookup_word(word)]
    if not words:
        raise ConfigError("the model has no words beside blank and unknown: a grammar needs some")
    if lacking:
        raise ConfigError(f"{', '.join(lacking)}: not in pocketsphinx's dictionary: leave out what it cannot know")
    decoder.add_jsgf_string("words", jsgf(words))
    decoder.activate_search("words")
    return decoder
