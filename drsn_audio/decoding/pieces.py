"""SentencePiece units of texts."""

from __future__ import annotations

import io
from collections.abc import Sequence

from drsn_audio.errors import InputError


def train_pieces(texts: Sequence[str], size: int) -> bytes:
    """Texts -> a unigram model (Kudo 2018, arXiv:1804.10959) of `size` pieces, the unknown one among them.

    Raises:
        InputError: more pieces than the texts hold, or fewer than they have characters.
    """
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="unigram",
            vocab_size=size,
            character_coverage=1.0,
            normalization_rule_name="identity",  # `prepare` has done it
            bos_id=-1,
            eos_id=-1,
            num_threads=1,  # else the pieces depend on how many there are
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{size} units: SentencePiece cannot make so many of {len(texts)} texts: {reason}") from None
    return model.getvalue()
