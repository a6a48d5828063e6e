"""A captioner's two halves, in int8 and in float32, beside ONNX Runtime (docs/captions.md)."""
