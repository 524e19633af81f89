"""Task heads: Features -> logits or gains. A new one is a file here and a line below.

Each is made of the channels and bins of the encoder's levels, the bins of the front-end, the model's config and the
milliseconds of a frame.
"""

from drsn_audio.models.heads.ctc import CTCHead
from drsn_audio.models.heads.denoise import DenoiseHead
from drsn_audio.models.heads.joint import JointHead
from drsn_audio.models.heads.keyword import KeywordHead

HEADS = {"keyword": KeywordHead, "ctc": CTCHead, "denoise": DenoiseHead, "joint": JointHead}

__all__ = ["HEADS", "CTCHead", "DenoiseHead", "JointHead", "KeywordHead"]
