"""Trained models at work, on ONNX Runtime alone: batch processing, serving and ``predict`` share this."""
