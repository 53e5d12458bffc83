"""Drawn meter counters: no photograph and no system font takes part, so a seed decides every byte."""
