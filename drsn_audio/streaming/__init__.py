"""Live streams: the trained modules, block by block, with the numbers that they give of the whole sound."""
