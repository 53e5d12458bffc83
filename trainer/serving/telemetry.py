"""What is told of every request: a line in the log, and the figures of ``/metrics``."""

from __future__ import annotations

import logging
import resource
import sys
import time
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trainer.serving.gate import Gate
from trainer.serving.metrics import Gauge, Meters
from trainer.serving.registry import Registry
from trainer.serving.service import OTHER

logger = logging.getLogger(__name__)

STATM = Path("/proc/self/statm")


class Telemetry:
    """One line a request: method, path, status, milliseconds. No header and no body is ever logged."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self.app = app
        self.meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        status = 500
        asked = scope["asked"] = {"model": "", "verb": OTHER}

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            took = time.monotonic() - began
            logger.info("%s %r %d %.1f ms", scope["method"], scope["path"], status, took * 1000)
            self.meters.requests.add(asked["model"], asked["verb"], str(status))
            self.meters.seconds.observe(took, asked["model"], asked["verb"])


def add_gauges(meters: Meters, registry: Registry, gate: Gate) -> None:
    """What is read at the moment it is asked for."""
    meters.gauges += [
        Gauge(
            "model_serving_queue_pictures",
            "Pictures that wait for the network.",
            "model",
            read=lambda: {(served.label,): served.batcher.waiting for served in registry.serving},
        ),
        Gauge(
            "model_serving_requests_under_way",
            "Requests let in and not answered yet.",
            read=lambda: {(): gate.under_way},
        ),
        Gauge(
            "model_serving_requests_waiting",
            "Requests of those whose bodies wait for memory.",
            read=lambda: {(): gate.waiting},
        ),
        Gauge(
            "model_serving_model_info",
            "1 for every model that answers.",
            "model",
            "task",
            "version",
            read=lambda: {(one.label, one.card.task, one.version): 1 for one in registry.serving},
        ),
        Gauge(
            "process_resident_memory_bytes",
            "Memory of the process in RAM.",
            read=lambda: {(): resident_bytes()},
        ),
    ]


def resident_bytes() -> int:
    """Memory of this process in RAM; where the system does not tell, the most it ever was."""
    try:
        return int(STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
