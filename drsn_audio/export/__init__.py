"""Streaming models as ONNX: one step of the stream, its 8-bit form, and a report of what they lost."""
