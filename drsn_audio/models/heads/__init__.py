"""Task heads: Features -> logits. A new one is a file here and a line below."""

from drsn_audio.models.heads.ctc import CTCHead
from drsn_audio.models.heads.keyword import KeywordHead

HEADS = {"keyword": KeywordHead, "ctc": CTCHead}

__all__ = ["HEADS", "CTCHead", "KeywordHead"]
