"""Larger detectors with published weights, from the `transformers` library: for data that the compact one is too small for."""
