"""Front-end, encoder and head as one model, and its checkpoints."""
