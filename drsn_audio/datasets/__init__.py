"""Manifests -> batches: what is read, in which order, with which noise."""
