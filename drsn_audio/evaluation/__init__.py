"""A model over a manifest and its noises -> run.json."""
