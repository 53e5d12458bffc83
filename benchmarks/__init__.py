"""Measurements against peers: `python -m benchmarks.render`, `.plan`, `.train`. Outside the walls."""
