"""Sending metrics and progress to AI Core while a training runs, without ever holding it up.

A background thread sends what has been pushed, in order. While the tracking service is away (it may be
restarting) everything waits in memory and is sent later; a training neither fails nor slows down for it.
Outside AI Core nothing is sent.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import requests
from ai_api_client_sdk.exception import AIAPIServerException
from ai_core_sdk.models import Metric, MetricCustomInfo, MetricLabel
from ai_core_sdk.tracking import Tracking

logger = logging.getLogger(__name__)

PROGRESS = "corespec/progress"
"""Name of the custom info that holds the latest progress as JSON."""

METRIC_LIMIT = 1000
"""AI Core stores at most so many metrics an execution."""

Stage = Literal["train", "validation", "test", "export", "predict"]
Send = Callable[[Sequence[Metric], Mapping[str, str]], None]


class RefusedError(Exception):
    """The tracking service will never take this request; sending it again is pointless."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands; ``eta_seconds`` and ``fraction`` are estimates."""

    step: int
    total_steps: int
    eta_seconds: float
    fraction: float
    stage: Stage

    def as_json(self) -> str:
        """The value of the custom info ``corespec/progress``."""
        return json.dumps(
            {
                "step": self.step,
                "total_steps": self.total_steps,
                "eta_seconds": round(self.eta_seconds, 1),
                "fraction": round(self.fraction, 4),
                "stage": self.stage,
            }
        )


class Tracker:
    """A queue of metrics, and the thread that empties it through ``send``.

    ``send`` raises ``RefusedError`` for what can never succeed, which is dropped and said once, and one of
    ``TRANSIENT`` for what may. With ``send`` None everything is swallowed.
    """

    TRANSIENT = (requests.RequestException, AIAPIServerException, OSError)

    def __init__(
        self, send: Send | None, *, batch: int = 100, first_pause: float = 0.5, longest_pause: float = 15.0
    ) -> None:
        self._send = send
        self._batch = batch
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._metrics: deque[Metric] = deque()
        self._notes: dict[str, str] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._give_up_at = math.inf
        self._away = False
        self._refused = 0
        self._thread: threading.Thread | None = None
        if send is not None:
            self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
            self._thread.start()

    @property
    def active(self) -> bool:
        """Whether anything is sent anywhere."""
        return self._send is not None

    def metrics(self, values: Mapping[str, float], *, step: int, split: str) -> None:
        """Push metrics of one step; a value that is not finite goes out as -100 with the label ``nans``.

        That is what sap-computer-vision-package did: AI Core takes numbers only.
        """
        if self._send is None:
            return
        now = datetime.now(UTC)
        with self._changed:
            self._metrics.extend(_metric(name, value, step, split, now) for name, value in values.items())
            self._changed.notify()

    def progress(self, progress: Progress) -> None:
        """Replace the progress that is to be sent next."""
        if self._send is None:
            return
        with self._changed:
            self._notes[PROGRESS] = progress.as_json()
            self._changed.notify()

    def close(self, deadline: float = 30.0) -> int:
        """Send what is left, for ``deadline`` seconds at most; the number of metrics that did not get out."""
        if self._thread is None:
            return 0
        with self._changed:
            self._closing = True
            self._give_up_at = time.monotonic() + deadline
            self._changed.notify()
        self._thread.join(deadline + 1)
        if self._metrics:
            logger.warning("%d metrics could not be sent: the tracking service is away", len(self._metrics))
        return len(self._metrics)

    def _run(self) -> None:
        pause = self._first_pause
        while self._wait_for_work():
            batch, notes = self._head()
            if self._deliver(batch, notes):
                self._settle(len(batch), notes)
                pause = self._first_pause
            elif self._pause(pause):
                pause = min(pause * 2, self._longest_pause)
            else:
                return

    def _pause(self, seconds: float) -> bool:
        """Wait before the next attempt, in short breaths when closing; False when the time is up."""
        with self._changed:
            if not self._closing:
                self._changed.wait_for(lambda: self._closing, timeout=seconds)
            else:
                self._changed.wait(min(self._first_pause, max(0.0, self._give_up_at - time.monotonic())))
            return time.monotonic() < self._give_up_at

    def _wait_for_work(self) -> bool:
        """Block until something is to be sent; False when the tracker is closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._metrics or self._notes or self._closing))
            return bool(self._metrics or self._notes)

    def _head(self) -> tuple[list[Metric], dict[str, str]]:
        """What the next request carries: the oldest metrics, and the notes."""
        with self._changed:
            return list(itertools.islice(self._metrics, self._batch)), dict(self._notes)

    def _deliver(self, batch: Sequence[Metric], notes: Mapping[str, str]) -> bool:
        """One request; True when it is done with, for good or ill."""
        assert self._send is not None
        try:
            self._send(batch, notes)
        except RefusedError as error:
            if not self._refused:
                logger.warning("the tracking service refuses metrics, the training goes on: %s", error)
            self._refused += len(batch)
        except self.TRANSIENT as error:
            if not self._away:
                logger.warning(
                    "the tracking service does not answer (%s); metrics are kept and sent later",
                    type(error).__name__,
                )
            self._away = True
            return False
        else:
            if self._away:
                logger.info("the tracking service answers again")
            self._away = False
        return True

    def _settle(self, count: int, notes: Mapping[str, str]) -> None:
        """Take off the queue what was sent; a note that changed meanwhile stays."""
        with self._changed:
            for _ in range(count):
                self._metrics.popleft()
            for name, value in notes.items():
                if self._notes.get(name) == value:
                    del self._notes[name]


class MetricAllowance:
    """Keeps a training under AI Core's number of metrics: spending never runs far ahead of progress.

    ``total`` metrics are spread over the fraction of the training that is done; one helping may be ahead.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0

    def take(self, count: int, fraction: float) -> bool:
        """Whether ``count`` metrics may be sent at ``fraction``; if so they are counted as sent."""
        if self.used + count > self.total or self.used > self.total * fraction:
            return False
        self.used += count
        return True


def connect(wanted: bool) -> Tracker:
    """The tracker of this process: AI Core's where its variables are set and it is wanted, else silent."""
    inside = os.environ.get("AICORE_EXECUTION_ID") and os.environ.get("AICORE_TRACKING_ENDPOINT")
    return Tracker(_aicore_sender() if wanted and inside else None)


def _aicore_sender() -> Send:
    tracking = Tracking()
    # The SDK would retry for minutes inside one call; the queue retries better, and keeps the order.
    client = tracking.metrics_core_client.rest_client
    client.num_request_retries = 0
    client.connect_timeout = 5
    client.read_timeout = 15

    def send(metrics: Sequence[Metric], notes: Mapping[str, str]) -> None:
        custom_info = [MetricCustomInfo(name=name, value=value) for name, value in notes.items()]
        try:
            tracking.modify(metrics=list(metrics), custom_info=custom_info)
        except AIAPIServerException as error:
            if error.status_code in (400, 413, 422):
                raise RefusedError(str(error)) from error
            raise

    return send


def _metric(name: str, value: float, step: int, split: str, now: datetime) -> Metric:
    labels = [MetricLabel(name="data_split", value=split)]
    if not math.isfinite(value):
        value = -100.0
        labels.append(MetricLabel(name="nans", value="1"))
    return Metric(name=name, value=float(value), timestamp=now, step=step, labels=labels)
