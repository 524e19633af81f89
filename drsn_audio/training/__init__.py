"""One visible training loop."""
