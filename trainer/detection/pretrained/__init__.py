"""Larger detectors with published weights, from the `transformers` library."""
