"""Specs, content catalogue, rendering, images and the Git repository."""
