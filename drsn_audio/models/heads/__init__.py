"""Task heads: Features -> logits. A new one is a file here and a line below."""

from drsn_audio.models.heads.keyword import KeywordHead

HEADS = {"keyword": KeywordHead}

__all__ = ["HEADS", "KeywordHead"]
