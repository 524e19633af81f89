"""Labels of a meaning of their own."""

SILENCE = "silence"  # nobody speaks
UNKNOWN = "unknown"  # another word than the others
BLANK = "<blank>"  # the first label of a CTC model: no unit here
