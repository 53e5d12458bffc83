"""The server's process: listen, load, answer, and end well when told to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from typing_extensions import override

from trainer.errors import InputError
from trainer.inference.models import Settings, chosen
from trainer.inference.session import usable_cores
from trainer.logs import log_to_stdout
from trainer.parameters.serving import ServingParameters
from trainer.serving.app import Service, create_app
from trainer.serving.labels import parse_models
from trainer.serving.registry import Registry
from trainer.serving.requests import Limits

logger = logging.getLogger(__name__)

LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
"""By the parameter ``loglevel``."""

SLOTS = 4
"""Requests in memory for each thread that computes: enough to keep it busy, and a bound on what they hold."""

FAREWELL_SECONDS = 25
"""Requests that are under way get so long after SIGTERM: Kubernetes kills after 30."""


def run(parameters: ServingParameters, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a good end.

    Raises ``InputError`` (exit 2) for models that are none and for an address that cannot be listened on.
    """
    level = LEVELS[parameters.loglevel]
    log_to_stdout(level)
    logging.getLogger("uvicorn.error").setLevel(level)  # its name for everything that is no access
    settings = Settings(
        gpu=parameters.gpu_deployment,
        pin=parameters.cpuaffinity,
        threshold=chosen(parameters.score_threshold),
        overlap=chosen(parameters.iou_threshold),
    )
    registry = Registry(parse_models(parameters.models), settings)
    limits = Limits(
        request_bytes=int(parameters.maximum_request_megabytes * 1_000_000),
        pictures=parameters.maximum_pictures,
        pixels=int(parameters.maximum_megapixels * 1_000_000),
    )
    workers = max(2, usable_cores())
    with _listening(host, port) as listener, ThreadPoolExecutor(workers) as pool:
        slots = asyncio.Semaphore(SLOTS * workers)
        service = Service(registry, limits, parameters.requesttimeout, pool, slots)
        server = _Server(
            uvicorn.Config(
                create_app(service),
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=FAREWELL_SECONDS,
            )
        )
        registry.start(server.stop)
        logger.info("listening on http://%s:%d", host, listener.getsockname()[1])
        asyncio.run(server.serve(sockets=[listener]))
    if registry.failure:
        raise registry.failure
    logger.info("ended")
    return 0


class _Server(uvicorn.Server):
    """Takes the signals without passing them on afterwards: an end that was asked for is no failure."""

    def stop(self) -> None:
        """End when the requests under way are answered; may be called from any thread."""
        self.should_exit = True

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        signals = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens on ``host`` and ``port``; port 0 takes a free one."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot listen on {host}:{port} ({error}): choose another address") from error
    with listener:
        yield listener
