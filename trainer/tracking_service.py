"""AI Core's tracking service as a training sees it, through the official SDK."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from ai_api_client_sdk.exception import AIAPIServerException
from ai_core_sdk.models import Metric, MetricCustomInfo, MetricLabel
from ai_core_sdk.tracking import Tracking

SPLIT = "data_split"
"""Label that says what a metric was measured on."""

NANS = "nans"
"""Label of a value that is no number."""

Point = tuple[str, int, str]
"""Name, step and split of a metric: what there is once."""
Send = Callable[[Sequence[Metric], Mapping[str, str]], None]
Stored = Callable[[], Collection[Point] | None]
"""Asks the service which points it has; None where it cannot be asked."""


class RefusedError(Exception):
    """The tracking service will never take this request; sending it again is pointless."""


def open_tracking() -> Tracking:
    """A connection with the variables that AI Core sets in a pod."""
    tracking = Tracking()
    # The SDK would retry for minutes inside one call; the queue retries better, and keeps the order.
    client = tracking.metrics_core_client.rest_client
    client.num_request_retries = 0
    client.connect_timeout = 5
    client.read_timeout = 15
    return tracking


def sender(tracking: Tracking) -> Send:
    """Sends metrics and custom infos in one request."""

    def send(metrics: Sequence[Metric], notes: Mapping[str, str]) -> None:
        custom_info = [MetricCustomInfo(name=name, value=value) for name, value in notes.items()]
        try:
            tracking.modify(metrics=list(metrics), custom_info=custom_info)
        except AIAPIServerException as error:
            if error.status_code in (400, 413, 422):
                raise RefusedError(str(error)) from error
            raise

    return send


def asker(tracking: Tracking) -> Stored:
    """Asks for this execution's metrics."""
    execution = os.environ["AICORE_EXECUTION_ID"]

    def stored() -> Collection[Point] | None:
        try:
            answer = tracking.query(execution_ids=[execution], select=["metrics"])
        except AIAPIServerException as error:
            if error.status_code == 404:  # nothing there yet
                return ()
            if error.status_code in (400, 405, 501):
                return None
            raise
        return {point_of(metric) for resource in answer.resources for metric in resource.metrics or ()}

    return stored


def point_of(metric: Metric) -> Point:
    """What a metric is known by, ours or one that the service gave back."""
    splits = [label.value for label in metric.labels or () if label.name == SPLIT]
    return (metric.name, metric.step or 0, splits[0] if splits else "")


def measured(metric: Metric) -> float:
    """What ``make_metric`` was given, but for the sign of what is infinite."""
    return math.nan if any(label.name == NANS for label in metric.labels) else float(metric.value)


def make_metric(name: str, value: float, step: int, split: str, now: datetime) -> Metric:
    """A metric as AI Core takes it: numbers only, so what is none becomes -100 with a label."""
    labels = [MetricLabel(name=SPLIT, value=split)]
    if not math.isfinite(value):
        value = -100.0
        labels.append(MetricLabel(name=NANS, value="1"))
    return Metric(name=name, value=float(value), timestamp=now, step=step, labels=labels)
