"""A forecaster as a graph of ONNX, which other programs run."""
