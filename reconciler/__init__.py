"""Observe, plan, apply, report: brings AI Core in line with the specs."""
