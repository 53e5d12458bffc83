"""Sending metrics and progress to AI Core while a training runs, without ever holding it up.

A background thread sends what has been pushed, in order. While the tracking service is away (it may be
restarting) everything waits in memory and is sent later; a training neither fails nor slows down for it.
Outside AI Core nothing is sent.

Every point of a curve arrives once. A request whose answer was lost may have been carried out, and a training
that was killed may have sent more than its checkpoint knows: in both cases the service is asked what it has,
and only the rest is sent.
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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import requests
from ai_api_client_sdk.exception import AIAPIServerException
from ai_core_sdk.models import Metric

from trainer.tracking_service import (
    Point,
    RefusedError,
    Send,
    Stored,
    asker,
    make_metric,
    measured,
    open_tracking,
    point_of,
    sender,
)

logger = logging.getLogger(__name__)

PROGRESS = "corespec/progress"
"""Name of the custom info that holds the latest progress as JSON."""

METRIC_LIMIT = 1000
"""AI Core stores at most so many metrics an execution."""

Stage = Literal["train", "validation", "test", "export", "predict"]


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
    ``TRANSIENT`` for what may. ``stored`` gives the points that the service has, and raises likewise. With
    ``send`` None everything is swallowed.
    """

    TRANSIENT = (requests.RequestException, AIAPIServerException, OSError)

    def __init__(
        self,
        send: Send | None,
        *,
        stored: Stored | None = None,
        batch: int = 100,
        first_pause: float = 0.5,
        longest_pause: float = 15.0,
    ) -> None:
        self._send = send
        self._stored = stored
        self._batch = batch
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._metrics: deque[Metric] = deque()
        self._notes: dict[str, str] = {}
        self._told: dict[Point, Metric] = {}
        self._restored: set[Point] = set()
        self._strays: set[Point] = set()
        self._doubtful = False
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
            self._tell(make_metric(name, value, step, split, now) for name, value in values.items())
            self._changed.notify()

    def _tell(self, metrics: Iterable[Metric]) -> None:
        for metric in metrics:
            point = point_of(metric)
            if point not in self._told and point not in self._strays:
                self._metrics.append(metric)
            self._told[point] = metric
            self._strays.discard(point)

    def told(self) -> list[list[Any]]:
        """Everything pushed so far, for a checkpoint: plain values only."""
        with self._changed:
            return [
                [*point, measured(metric), metric.timestamp.isoformat()]
                for point, metric in self._told.items()
            ]

    def resume(self, told: Iterable[Sequence[Any]]) -> None:
        """Take up what ``told`` gave to an earlier process: what did not arrive is sent, nothing twice."""
        if self._send is None:
            return
        with self._changed:
            self._tell(
                make_metric(name, value, step, split, datetime.fromisoformat(moment))
                for name, step, split, value, moment in told
            )
            self._restored = set(self._told)
            self._doubtful = True
            self._changed.notify()

    def strays(self, split: str, step: int) -> int:
        """Metrics of other steps than ``step`` that only a killed process knew of: they take up room, too."""
        with self._changed:
            return sum(where == split and at != step for _, at, where in self._strays)

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
            if self._deliver():
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
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting

    @property
    def _waiting(self) -> bool:
        return bool(self._metrics or self._notes) or self._doubtful

    def _head(self) -> tuple[list[Metric], dict[str, str]]:
        """What the next request carries: the oldest metrics, and the notes."""
        with self._changed:
            return list(itertools.islice(self._metrics, self._batch)), dict(self._notes)

    def _deliver(self) -> bool:
        """One request; True when it is done with, for good or ill."""
        assert self._send is not None
        batch: list[Metric] = []
        notes: dict[str, str] = {}
        try:
            if self._doubtful:
                self._look()
            batch, notes = self._head()
            if batch or notes:
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
            self._away = self._doubtful = True
            return False
        else:
            if self._away:
                logger.info("the tracking service answers again")
            self._away = False
        self._settle(len(batch), notes)
        return True

    def _look(self) -> None:
        """Clear a doubt: take off the queue what the service has; what nobody here knows of are strays.

        Where the service cannot be asked, an earlier process's points are believed to have arrived.
        """
        there = self._stored() if self._stored else None
        with self._changed:
            arrived = self._restored if there is None else there
            self._metrics = deque(metric for metric in self._metrics if point_of(metric) not in arrived)
            self._strays = {point for point in there or () if point not in self._told}
            self._restored.clear()
            self._doubtful = False

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
    ``strays`` are metrics beside ours that fill the same store.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0

    def take(self, count: int, fraction: float, strays: int = 0) -> bool:
        """Whether ``count`` metrics may be sent at ``fraction``; if so they are counted as sent."""
        if self.used + strays + count > self.total or self.used > self.total * fraction:
            return False
        self.used += count
        return True


def connect(wanted: bool) -> Tracker:
    """The tracker of this process: AI Core's where its variables are set and it is wanted, else silent."""
    inside = os.environ.get("AICORE_EXECUTION_ID") and os.environ.get("AICORE_TRACKING_ENDPOINT")
    if not (wanted and inside):
        return Tracker(None)
    tracking = open_tracking()
    return Tracker(sender(tracking), stored=asker(tracking))
