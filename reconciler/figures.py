"""What executions have measured: the last value of each metric, and which of two is the better. Pure."""

from __future__ import annotations

import math

from reconciler.live import Metric, Metrics

_LOWER_IS_BETTER = ("loss", "mean_dist_pos")


def split_of(metric: Metric) -> str:
    """train, validation, test or empty: the `data_split` label."""
    return metric.labels.get("data_split", "")


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of this metric is the better one."""
    return metric.startswith(_LOWER_IS_BETTER)


def last_values(metrics: Metrics, split: str) -> dict[str, float]:
    """The value of each metric on a split at its greatest step; of equal steps the later entry counts.

    Values that are no finite number do not count: they rank nothing.
    """
    last: dict[str, Metric] = {}
    for item in metrics.metrics:
        before = last.get(item.name)
        newer = before is None or (item.step or 0) >= (before.step or 0)
        if split_of(item) == split and newer and math.isfinite(item.value):
            last[item.name] = item
    return {name: item.value for name, item in last.items()}
