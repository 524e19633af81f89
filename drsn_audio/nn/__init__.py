"""Building blocks: length masks, shrinkage, residual blocks."""
