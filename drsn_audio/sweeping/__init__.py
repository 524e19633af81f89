"""A recipe over a grid of configs, seeds and folds: what its cells are, running them, and what came out."""
